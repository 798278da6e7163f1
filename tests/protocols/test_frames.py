"""Both wire languages: what is read, what is refused, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from protocols.errors import WireError
from protocols.frames import Frame, FrameTemplate, Unknown
from protocols.realtime import client_events, objects, server_events
from protocols.realtime.client_events import CLIENT_EVENTS, AnyClientEvent, ConversationItemCreate, SessionUpdate
from protocols.realtime.objects import (
    AssistantMessage,
    AudioInput,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputText,
    NewItem,
    OutputText,
    Session,
    SessionAudio,
    UserMessage,
)
from protocols.realtime.server_events import SERVER_EVENTS, AnyServerEvent
from protocols.vaic import (
    FROM_VAIC,
    TO_VAIC,
    Activities,
    FromVaic,
    PlayStreamChunk,
    PlayStreamStart,
    SessionInitiate,
    ToVaic,
)

EVENTS = json.loads((Path(__file__).parent / "openai_events.json").read_text())


def models(union: Any) -> dict[str, type[Frame]]:
    return {each.model_fields["type"].default: each for each in get_args(union)}


@pytest.mark.parametrize(
    ("direction", "ours", "count"), [("client", models(AnyClientEvent), 11), ("server", models(AnyServerEvent), 46)]
)
def test_every_event_of_the_realtime_interface_is_known_with_its_fields(
    direction: str, ours: dict[str, type[Frame]], count: int
) -> None:
    theirs = {event["type"]: event for event in EVENTS if event["direction"] == direction}
    assert len(theirs) == count
    assert ours.keys() == theirs.keys()
    for name, event in theirs.items():
        assert set(ours[name].model_fields) == {*event["required"], *event["optional"]}, name


def sample(model: type[BaseModel]) -> dict[str, Any]:
    """A frame with every field filled in."""
    simple: dict[str, Any] = {
        "session": {"type": "realtime"},
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
        "response": {"id": "resp_1", "object": "realtime.response", "status": "completed", "output": []},
        "error": {"type": "invalid_request_error", "message": "no"},
        "part": {"type": "audio", "transcript": "hello"},
        "conversation": {"id": "conv_1", "object": "realtime.conversation"},
        "rate_limits": [{"name": "tokens", "limit": 1, "remaining": 1, "reset_seconds": 0.5}],
        "usage": {"type": "duration", "seconds": 1.0},
        "logprobs": [],
        "languages": [],
        "received_at": 1,
        "start": 0.5,
        "end": 1.0,
    }
    filled: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        number = name.endswith(("_ms", "_index"))
        filled[name] = field.default if name == "type" else simple.get(name, 7 if number else "x")
    if model is client_events.ResponseCreate:
        filled["response"] = {"metadata": {"kind": "test"}}
    return filled


@pytest.mark.parametrize("model", models(AnyClientEvent).values(), ids=models(AnyClientEvent))
def test_every_client_event_of_ours_is_one_of_the_openai_package(model: type[Frame]) -> None:
    text = model.model_validate(sample(model)).to_wire()
    theirs: Any = TypeAdapter(RealtimeClientEvent).validate_json(text)
    assert theirs.type == json.loads(text)["type"]
    assert CLIENT_EVENTS.parse(text) == model.model_validate(sample(model))


@pytest.mark.parametrize("model", models(AnyServerEvent).values(), ids=models(AnyServerEvent))
def test_every_server_event_is_read_as_the_openai_package_writes_it(model: type[Frame]) -> None:
    theirs: Any = TypeAdapter(RealtimeServerEvent).validate_python(sample(model))
    event = SERVER_EVENTS.parse(theirs.model_dump_json())
    assert type(event) is model


def test_unknown_types_and_fields_of_the_peer_are_tolerated() -> None:
    assert SERVER_EVENTS.parse('{"type":"response.telepathy.delta"}') == Unknown("response.telepathy.delta")
    assert FROM_VAIC.parse('{"type":"session.dance"}') == Unknown("session.dance")
    grown = FROM_VAIC.parse('{"type":"session.initiate","conversationId":"c-1","mood":"good"}')
    assert grown == SessionInitiate(conversation_id="c-1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not_json"),
        ("", "not_json"),
        ("hello", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b'{"type":"userStream.chunk","audioChunk":"\xc3\x28"}', "not_json"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ("7", "not_an_object"),
        ("{}", "no_type"),
        ('{"type":"userStream.chunk"}', "bad_fields"),
        ('{"type":"session.initiate","conversationId":""}', "bad_fields"),
        ('{"type":"session.initiate","conversationId":7}', "bad_fields"),
        ('{"type":"activities","activities":"start"}', "bad_fields"),
    ],
)
def test_an_unusable_frame_raises_a_named_error(text: str | bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        FROM_VAIC.parse(text)
    assert caught.value.reason == reason


def test_an_error_names_the_field_and_never_repeats_the_value() -> None:
    with pytest.raises(WireError) as caught:
        FROM_VAIC.parse('{"type":"userStream.chunk","audioChunk":["4111 1111 1111 1111"]}')
    assert "audioChunk" in str(caught.value)
    assert "4111" not in str(caught.value)


def test_an_undeclared_field_in_a_sent_frame_is_refused() -> None:
    with pytest.raises(WireError):
        CLIENT_EVENTS.parse('{"type":"response.create","respnse":{}}')
    with pytest.raises(WireError):
        TO_VAIC.parse('{"type":"userStream.started","conversationId":"c-1","success":true}')


def test_null_and_absent_differ_on_the_wire() -> None:
    off = SessionUpdate(
        session=Session(type="realtime", audio=SessionAudio(input=AudioInput(turn_detection=None)), tools=())
    )
    assert json.loads(off.to_wire()) == {
        "type": "session.update",
        "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}, "tools": []},
    }


def test_formats_keep_their_type_when_written() -> None:
    update = SessionUpdate(
        session=Session(type="realtime", audio=SessionAudio(input=AudioInput(format=objects.PcmFormat())))
    )
    assert json.loads(update.to_wire())["session"]["audio"]["input"]["format"] == {"type": "audio/pcm"}


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


def test_all_vaic_messages_of_the_spec_are_known_in_both_directions() -> None:
    assert len(models(FromVaic)) == 9
    assert len(models(ToVaic)) == 15
    for model in models(FromVaic).values():
        values = {"conversation_id": "c-1", "audio_chunk": "AAAA", "activities": ()}
        frame = model.model_validate({k: v for k, v in values.items() if k in model.model_fields})
        assert FROM_VAIC.parse(frame.to_wire()) == frame


def test_the_effective_session_has_the_formats_in_force() -> None:
    event = SERVER_EVENTS.parse(
        '{"type":"session.updated","event_id":"e","session":{"type":"realtime",'
        '"audio":{"input":{"format":{"type":"audio/pcmu"}},"output":{}}}}'
    )
    assert isinstance(event, server_events.SessionUpdated)
    assert event.session.format_type("input") == "audio/pcmu"
    assert event.session.format_type("output") == ""


@pytest.mark.parametrize(
    "item",
    [
        UserMessage(content=(InputText(text="Hello."),)),
        AssistantMessage(content=(OutputText(text="Hello."),)),
        FunctionCallItem(name="book", arguments="{}", call_id="call-1"),
        FunctionCallOutputItem(call_id="call-1", output="{}"),
    ],
    ids=lambda item: type(item).__name__,
)
def test_items_that_we_create_are_written_with_their_types(item: NewItem) -> None:
    sent = json.loads(ConversationItemCreate(item=item).to_wire())
    event = TypeAdapter(RealtimeClientEvent).validate_python(sent)
    assert event.to_dict() == sent
    role = {"UserMessage": "user", "AssistantMessage": "assistant"}.get(type(item).__name__)
    assert sent["item"].get("role") == role


@given(text=st.text(), fixed=st.text(min_size=1))
def test_a_template_writes_what_the_frame_itself_would(text: str, fixed: str) -> None:
    names = {"conversation_id": fixed, "stream_id": '""}'}
    frame = PlayStreamChunk(audio_chunk=text, **names)
    assert FrameTemplate(PlayStreamChunk, "audio_chunk", **names).fill(text) == frame.to_wire()
