"""VoiceAI Connect's language: what is read, what is refused, what is written."""

from __future__ import annotations

import json

import pytest

from protocols.errors import WireError
from protocols.vaic import (
    FROM_VAIC,
    Activities,
    FromVaic,
    PlayStreamStart,
    SessionInitiate,
    ToVaic,
)
from tests.protocols.wire import models


def test_vaic_frames_of_ours_have_camel_case_names_and_no_nulls() -> None:
    start = PlayStreamStart(conversation_id="c-1", stream_id="p-1", media_format="raw/lpcm16")
    assert json.loads(start.to_wire()) == {
        "type": "playStream.start",
        "conversationId": "c-1",
        "streamId": "p-1",
        "mediaFormat": "raw/lpcm16",
    }


def test_event_names_are_compared_without_regard_to_case() -> None:
    frame = FROM_VAIC.parse('{"type":"activities","activities":[{"type":"Event","name":"DTMF","value":"4"}]}')
    assert isinstance(frame, Activities)
    assert [activity.event for activity in frame.activities] == ["dtmf"]


def test_one_by_itself_is_a_list_of_it() -> None:
    frame = FROM_VAIC.parse('{"type":"activities","activities":{"type":"event","name":"DTMF","value":"4"}}')
    assert isinstance(frame, Activities)
    assert [activity.event for activity in frame.activities] == ["dtmf"]
    initiate = FROM_VAIC.parse('{"type":"session.initiate","conversationId":"c","supportedMediaFormats":"raw/mulaw"}')
    assert isinstance(initiate, SessionInitiate)
    assert initiate.supported_media_formats == ("raw/mulaw",)


def test_a_call_that_does_not_say_otherwise_has_audio() -> None:
    frame = FROM_VAIC.parse('{"type":"session.initiate","conversationId":"c-1"}')
    assert isinstance(frame, SessionInitiate)
    assert frame.expect_audio_messages


def test_all_vaic_messages_of_the_spec_are_known_in_both_directions() -> None:
    assert len(models(FromVaic)) == 9
    assert len(models(ToVaic)) == 15
    for model in models(FromVaic).values():
        values = {"conversation_id": "c-1", "audio_chunk": "AAAA", "activities": ()}
        frame = model.model_validate({k: v for k, v in values.items() if k in model.model_fields})
        assert FROM_VAIC.parse(frame.to_wire()) == frame


def test_a_text_is_no_event_with_any_name() -> None:
    frame = FROM_VAIC.parse('{"type":"activities","activities":[{"type":"message","name":"DTMF","text":"4"}]}')
    assert isinstance(frame, Activities)
    assert [activity.event for activity in frame.activities] == [""]


@pytest.mark.parametrize("kind", ["session.initiate", "session.resume"])
@pytest.mark.parametrize("named", [r"a\u0000b", r"a\ud800b", r"a\udc00", "a\ufffdb", ""])
def test_an_id_that_could_be_another_calls_begins_and_resumes_none(kind: str, named: str) -> None:
    with pytest.raises(WireError):
        FROM_VAIC.parse(f'{{"type":"{kind}","conversationId":"{named}"}}')


def test_an_id_may_hold_any_other_letter() -> None:
    frame = FROM_VAIC.parse(r'{"type":"session.initiate","conversationId":"a b\u00e9\ud83d\ude00\n"}')
    assert isinstance(frame, SessionInitiate)
    assert frame.conversation_id == "a b\u00e9\U0001f600\n"
