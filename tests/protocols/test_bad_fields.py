"""Frames with one bad field: read without it, for every field of everything that a peer sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

import protocols.frames
from protocols.bad_fields import MOST_FIELDS
from protocols.errors import WireError
from protocols.frames import Codec, Unknown
from protocols.realtime.client_events import CLIENT_EVENTS
from protocols.realtime.server_events import SERVER_EVENTS, AnyServerEvent, OutputItemDone, ResponseDone
from protocols.vaic import FROM_VAIC, TO_VAIC, Activities, FromVaic, UserStreamStarted
from tests.protocols.mutations import paths, spoilt
from tests.protocols.wire import models, sample

# Without these an event means nothing. All others may be whatever they like.
NEEDED: dict[str, set[str]] = {
    "conversation.item.added": {"item"},
    "conversation.item.done": {"item"},
    "conversation.item.created": {"item"},
    "conversation.item.retrieved": {"item"},
    "conversation.item.truncated": {"item_id"},
    "conversation.item.deleted": {"item_id"},
    "conversation.item.input_audio_transcription.delta": {"item_id"},
    "conversation.item.input_audio_transcription.completed": {"transcript"},
    "conversation.item.input_audio_transcription.segment": {"item_id"},
    "output_audio_buffer.started": {"response_id"},
    "output_audio_buffer.stopped": {"response_id"},
    "output_audio_buffer.cleared": {"response_id"},
    "response.output_item.added": {"item"},
    "response.output_item.done": {"item"},
    "response.content_part.added": {"item_id"},
    "response.content_part.done": {"item_id"},
    "response.output_text.delta": {"item_id"},
    "response.output_text.done": {"item_id"},
    "response.output_audio_transcript.delta": {"item_id"},
    "response.output_audio_transcript.done": {"item_id", "transcript"},
    "response.output_audio.delta": {"delta"},
    "response.output_audio.done": {"item_id"},
    "response.function_call_arguments.delta": {"item_id"},
    "response.function_call_arguments.done": {"item_id"},
    "response.mcp_call_arguments.delta": {"item_id"},
    "response.mcp_call_arguments.done": {"item_id"},
    "response.mcp_call.in_progress": {"item_id"},
    "response.mcp_call.completed": {"item_id"},
    "response.mcp_call.failed": {"item_id"},
    "mcp_list_tools.in_progress": {"item_id"},
    "mcp_list_tools.completed": {"item_id"},
    "mcp_list_tools.failed": {"item_id"},
    "session.initiate": {"conversationId"},
    "session.resume": {"conversationId"},
    "userStream.chunk": {"audioChunk"},
    "activities": {"activities"},
}
FUNCTION_CALL = {"id": "fc-1", "type": "function_call", "status": "completed", "name": "book", "call_id": "c-1",
                 "arguments": "{}", "content": None}  # fmt: skip
SPOKEN = {"id": "i-1", "type": "message", "role": "assistant", "status": "completed",
          "content": [{"type": "audio", "transcript": "hello", "text": None}]}  # fmt: skip
FULL: dict[str, dict[str, Any]] = {
    "response.done": {
        "response": {
            "id": "r-1", "object": "realtime.response", "status": "failed", "conversation_id": "conv-1",
            "status_details": {"type": "failed", "reason": None, "error": {"type": "server_error", "code": None}},
            "output": [FUNCTION_CALL, SPOKEN], "output_modalities": ["audio"], "max_output_tokens": "inf",
            "metadata": {"kind": "answer"}, "usage": {"input_tokens": 7, "output_tokens": 9},
        },
    },
    "response.output_item.done": {"item": FUNCTION_CALL},
    "session.initiate": {
        "conversationId": "c-1", "expectAudioMessages": True, "botName": "linden", "caller": "+49301",
        "supportedMediaFormats": ["raw/mulaw", "raw/lpcm16"],
    },
    "activities": {
        "conversationId": "c-1",
        "activities": [{"type": "event", "name": "DTMF", "value": "4", "id": "a-1", "delay": 0.5}, {"type": "message"}],
    },
}  # fmt: skip


def frames(union: Any) -> dict[str, dict[str, Any]]:
    """One frame of each type, as full as can be."""
    found = {}
    for kind, model in models(union).items():
        aliases = {name: field.alias or name for name, field in model.model_fields.items()}
        found[kind] = {aliases[name]: value for name, value in sample(model).items()} | FULL.get(kind, {})
    return found


@pytest.mark.parametrize(("codec", "union"), [(SERVER_EVENTS, AnyServerEvent), (FROM_VAIC, FromVaic)])
def test_a_frame_is_read_whatever_is_wrong_with_a_field_that_it_can_do_without(codec: Codec[Any], union: Any) -> None:
    refused: dict[str, set[str]] = {}
    reasons: set[str] = set()
    for kind, frame in frames(union).items():
        whole = codec.parse(json.dumps(frame))
        assert not isinstance(whole, Unknown)
        for path in paths(frame):
            for bad in spoilt(frame, path):
                try:
                    parsed = codec.parse(json.dumps(bad))
                except WireError as error:
                    reasons.add(error.reason)
                    refused.setdefault(kind, set()).add(".".join(map(str, path)))
                    continue
                assert not isinstance(parsed, Unknown)
                assert type(parsed) is type(whole)
                others = {name for name, field in type(whole).model_fields.items()
                          if (field.alias or name) != path[0]}  # fmt: skip
                assert parsed.model_dump(include=others) == whole.model_dump(include=others), (kind, path)
    assert reasons == {"bad_fields"}
    assert refused == {kind: needed for kind, needed in NEEDED.items() if kind in frames(union)}


def test_what_is_wrong_with_one_element_leaves_its_neighbours_alone() -> None:
    activities = [{"type": "event", "name": "start"}, None, 7, {"name": "no type"}, {"type": "event", "id": 4}]
    parsed = FROM_VAIC.parse(json.dumps({"type": "activities", "activities": activities}))
    assert isinstance(parsed, Activities)
    assert [(each.type, each.name, each.id) for each in parsed.activities] == [
        ("event", "start", ""),
        ("", "no type", ""),
        ("event", "", "4"),
    ]
    assert [each.kind for each in parsed.activities] == ["event"] * 3


def test_of_a_bad_response_done_the_id_the_status_and_the_good_items_are_read() -> None:
    response = {"id": "r-1", "status": "completed", "metadata": {"n": 1}, "usage": [], "audio": 7,
                "output": ["?", {**FUNCTION_CALL, "object": 7}, {"content": [7, {"transcript": "hello"}]}]}  # fmt: skip
    parsed = SERVER_EVENTS.parse(json.dumps({"type": "response.done", "event_id": None, "response": response}))
    assert isinstance(parsed, ResponseDone)
    assert (parsed.response.id, parsed.response.status, parsed.response.usage) == ("r-1", "completed", None)
    called, spoken = parsed.response.output
    assert (called.name, called.call_id) == ("book", "c-1")
    assert [part.transcript for part in spoken.content] == ["hello"]


def test_a_bad_field_is_told_once_a_frame_by_its_name() -> None:
    told: list[str] = []
    frame = '{"type":"session.initiate","conversationId":"c-1","botName":1.5,"caller":["+49 secret"]}'
    FROM_VAIC.parse(frame, lambda error: told.append(str(error)))
    assert told == ["bad_fields: session.initiate.botName: string_type"]


def test_a_frame_of_nothing_but_bad_fields_is_refused() -> None:
    activities: list[object] = [7] * MOST_FIELDS
    told: list[WireError] = []
    read = FROM_VAIC.parse(json.dumps({"type": "activities", "activities": activities}), told.append)
    assert (read, len(told)) == (Activities(activities=()), 1)
    activities += [7]
    with pytest.raises(WireError, match="bad_fields"):
        FROM_VAIC.parse(json.dumps({"type": "activities", "activities": activities}))


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "session.initiate", "conversationId": "c-1", "supportedMediaFormats": [7] * 3900},
        {"type": "response.done", "response": {"id": "r-1", "metadata": dict.fromkeys(map(str, range(3900)), 7)}},
    ],
)
def test_of_thousands_of_bad_fields_only_the_number_is_told(
    frame: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # To list them would take 15 us each, on the loop of all calls.
    monkeypatch.setattr(protocols.frames, "without_bad_fields", None)
    codec: Codec[Any] = SERVER_EVENTS if frame["type"] == "response.done" else FROM_VAIC
    with pytest.raises(WireError, match=rf"bad_fields: {frame['type']}\.\*: 3900 errors"):
        codec.parse(json.dumps(frame))


@pytest.mark.parametrize(
    ("sent", "read"), [({"day": "monday"}, '{"day":"monday"}'), (None, ""), ("{}", "{}"), (7, "7"), ([], "[]")]
)
def test_arguments_that_are_no_text_are_not_taken_for_none(sent: Any, read: str) -> None:
    done = {"type": "response.output_item.done", "response_id": "r-1", "item": {**FUNCTION_CALL, "arguments": sent}}
    parsed = SERVER_EVENTS.parse(json.dumps(done))
    assert isinstance(parsed, OutputItemDone)
    assert parsed.item.arguments == read


def test_what_we_send_is_read_strictly() -> None:
    with pytest.raises(WireError):
        CLIENT_EVENTS.parse('{"type":"response.create","respnse":{}}')


def test_what_a_bot_sends_is_read_as_vaic_does_and_what_it_does_not_know_is_told() -> None:
    told: list[WireError] = []
    started = TO_VAIC.parse('{"type":"userStream.started","conversationId":"c-1","success":true}', told.append)
    assert started == UserStreamStarted(conversation_id="c-1")
    assert [each.detail for each in told] == ["userStream.started.success: extra_forbidden"]
