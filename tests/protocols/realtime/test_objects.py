"""Sessions, items and responses: as they are written, and what is read of them."""

from __future__ import annotations

import json
from math import inf, nan

import pytest

from protocols.errors import WireError
from protocols.realtime import objects, server_events
from protocols.realtime.client_events import ConversationItemCreate, SessionUpdate
from protocols.realtime.objects import (
    UNREADABLE,
    AssistantMessage,
    AudioInput,
    EffectiveSession,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputText,
    NewItem,
    OutputText,
    RateLimit,
    Session,
    SessionAudio,
    UserMessage,
)
from protocols.realtime.server_events import SERVER_EVENTS
from tests.openai_types import openai_client_events


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


def test_the_effective_session_has_the_formats_in_force() -> None:
    event = SERVER_EVENTS.parse(
        '{"type":"session.updated","event_id":"e","session":{"type":"realtime",'
        '"audio":{"input":{"format":{"type":"audio/pcmu"}},"output":{}}}}'
    )
    assert isinstance(event, server_events.SessionUpdated)
    assert event.session.format_type("input") == "audio/pcmu"
    assert event.session.format_type("output") == ""


@pytest.mark.parametrize(
    ("session", "read"),
    [
        (None, ""), ({}, ""), ({"audio": None}, ""), ({"audio": {"input": {"format": {}}}}, ""),
        ({"audio": {"input": {"format": "g711_ulaw"}}}, "audio/pcmu"),
        ({"audio": {"input": {"format": {"type": 7}}}}, UNREADABLE), ({"audio": {"input": {"format": 7}}}, UNREADABLE),
        ({"audio": {"input": []}}, UNREADABLE), ({"audio": 1.5}, UNREADABLE),
        (7, UNREADABLE), ([], UNREADABLE), (True, UNREADABLE),
        ({"audio": {"input": {"format": {"type": "Audio/PCM", "rate": 24000}}}}, "audio/pcm"),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}, "audio/pcm at 16000 Hz"),
        *(({"audio": {"input": {"format": {"type": "audio/pcm", "rate": each}}}}, "audio/pcm")
          for each in ("8000", None, -1, 10**400)),
        ({"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 8000}}}}, "audio/pcmu"),
    ],
)  # fmt: skip
def test_a_format_that_the_server_tells_in_no_known_way_is_not_taken_for_none(session: object, read: str) -> None:
    event = SERVER_EVENTS.parse(json.dumps({"type": "session.updated", "session": session}))
    assert isinstance(event, server_events.SessionUpdated)
    assert event.session.format_type("input") == read


@pytest.mark.parametrize(("told", "ends_at"), [(None, None), (0, 0.0), (12.5, 12.5), (9.9e14, 9.9e14)])
def test_a_session_ends_when_the_server_says(told: object, ends_at: float | None) -> None:
    assert EffectiveSession(expires_at=told).ends_at() == ends_at


@pytest.mark.parametrize("told", [True, "1234", [1234], 1e15, float("nan")])
def test_an_end_of_a_session_that_is_no_time_is_refused(told: object) -> None:
    with pytest.raises(WireError, match="expires_at: not a time"):
        EffectiveSession(expires_at=told).ends_at()


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
    event = openai_client_events().validate_python(sent)
    assert event.to_dict() == sent
    role = {"UserMessage": "user", "AssistantMessage": "assistant"}.get(type(item).__name__)
    assert sent["item"].get("role") == role


def test_voice_detection_answers_and_interrupts_unless_told_otherwise() -> None:
    for vad in (objects.ServerVad(), objects.SemanticVad()):
        assert (vad.create_response, vad.interrupt_response) == (True, True)


@pytest.mark.parametrize(
    ("told", "left"),
    [
        *(
            (RateLimit(limit=10, remaining=remaining), left)
            for remaining, left in ((0, 0), (5, 0.5), (20, 1), (-1, None))
        ),
        *((RateLimit(limit=limit, remaining=0), None) for limit in (0, -1, nan, inf)),
        *((RateLimit(limit=10, remaining=remaining), None) for remaining in (None, nan, inf)),
        *((RateLimit(remaining=0), 0), (RateLimit(remaining=0.5), 1)),
    ],
)
def test_what_is_left_of_a_limit_is_a_share_of_it_or_not_known(told: RateLimit, left: float | None) -> None:
    assert told.left == left
