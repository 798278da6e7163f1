"""The model's session, with anything in any order from the server and the other actors: it keeps the rules, or ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.messages.model import (
    CallerAudio,
    CallerTyped,
    EndTurn,
    FunctionOutput,
    Heard,
    KeyStoppedBot,
    SessionChanged,
    Speak,
)
from actors.system.dispatcher import install
from protocols.errors import PeerError
from protocols.ledger import ItemHeard
from protocols.realtime.client_events import CLIENT_EVENTS
from protocols.realtime.server_events import AnyServerEvent
from tests.actors.model.scene import MS_100, TOOL, Scene
from tests.cranked import CrankedDispatcher
from tests.protocols.mutations import paths, spoilt
from tests.protocols.wire import models, sample

R = {"output_index": 0, "content_index": 0}
CALL = {"id": "fc-1", "type": "function_call", "call_id": "call-1", "name": "book", "arguments": '{"day": "x"}'}
VALID: tuple[dict[str, Any], ...] = (
    *({"type": f"session.{name}", "session": {"type": "realtime"}} for name in ("created", "updated")),
    *({"type": "response.created", "response": {"id": name, "status": "in_progress"}} for name in ("r-1", "r-2")),
    *(
        {"type": "response.done", "response": {"id": name, "status": status}}
        for name in ("r-1", "r-2")
        for status in ("completed", "cancelled", "failed", "incomplete")
    ),
    *(
        {"type": "response.output_audio.delta", "response_id": response, "item_id": "i-1", "delta": audio, **R}
        for response in ("r-1", "r-2")
        for audio in (MS_100, "AAA", "***")
    ),
    {"type": "response.output_audio.done", "response_id": "r-1", "item_id": "i-1", **R},
    *(
        {"type": "response.output_item.done", "response_id": "r-1", "output_index": 0, "item": {**CALL, "status": each}}
        for each in ("completed", "incomplete")
    ),
    {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, "item_id": "u-1"},
    {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, "item_id": "u-1"},
    {"type": "input_audio_buffer.committed", "item_id": "u-1"},
    {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "u-1",
        "content_index": 0,
        "transcript": "hello",
    },
    *(
        {"type": "error", "error": {"type": "invalid_request_error", "code": code, "message": "no"}}
        for code in ("conversation_already_has_active_response", "response_cancel_not_active", "session_expired", "x")
    ),
    {"type": "session.weather"},
)
SAMPLES = [each for each in map(sample, models(AnyServerEvent).values()) if list(paths(each))]
TOLD = (
    CallerAudio(MS_100),
    *(Speak("Say hello."), EndTurn(), CallerTyped("hello"), KeyStoppedBot("i-1")),
    Heard((ItemHeard("i-1", 100, 100, 0, complete=False),)),
    *(FunctionOutput("call-1", "{}"), FunctionOutput("call-2", "{}", "Say so.")),
    SessionChanged("Be brief.", (TOOL,)),
)


@dataclass(frozen=True)
class Step:
    """do: to a scene."""

    do: Callable[[Scene], object]
    what: object


def received(frame: Any) -> Step:
    def do(scene: Scene) -> None:
        scene.wire.receives(frame if isinstance(frame, bytes) else json.dumps({"event_id": "e", **frame}).encode())
        scene.mailboxes.drain()

    return Step(do, frame)


def closed(code: int) -> Step:
    def do(scene: Scene) -> None:
        scene.wire.breaks(code)
        scene.mailboxes.drain()

    return Step(do, code)


@st.composite
def bad_frames(draw: st.DrawFn) -> dict[str, Any]:
    frame = draw(st.sampled_from([*SAMPLES, *(each for each in VALID if list(paths(each)))]))
    return draw(st.sampled_from(list(spoilt(frame, draw(st.sampled_from(list(paths(frame))))))))


STEPS = st.one_of(
    st.sampled_from(VALID).map(received),
    bad_frames().map(received),
    st.sampled_from([b"", b"[]", b"{", b'{"type":1}', b"\xff", b"null"]).map(received),
    st.sampled_from(TOLD).map(lambda message: Step(lambda scene: scene.told(message), message)),
    st.sampled_from([0, 100, 1000, 6000]).map(lambda ms: Step(lambda scene: scene.mailboxes.advance(ms), ms)),
    st.sampled_from([1000, 1001, 1006, 4000]).map(closed),
)


@settings(max_examples=120, deadline=None)
@given(st.booleans(), st.lists(STEPS, max_size=30))
def test_whatever_comes_the_session_keeps_the_rules_and_no_other_call_notices(live: bool, steps: list[Step]) -> None:
    mailboxes = CrankedDispatcher()
    install(mailboxes)
    scene, other = Scene(mailboxes), Scene(mailboxes).live()
    scene = scene.live() if live else scene.dialled()
    judged, created = 0, live
    try:
        for step in steps:
            if not scene.model.is_alive():
                break
            if isinstance(step.what, CallerAudio | Speak | FunctionOutput | SessionChanged | Heard) and not created:
                continue  # the call and ModelRef keep them until there is a session
            step.do(scene)
            frames, judged = scene.wire.frames[judged:], len(scene.wire.frames)
            created |= isinstance(step.what, dict)
            assert created or not frames, "something is sent before the server's first event"
            for frame in frames:
                CLIENT_EVENTS.parse(json.dumps(frame))
            asked = [each for each in frames if each["type"] == "response.create"]
            own = [each for each in asked if each.get("response", {}).get("conversation") != "none"]
            assert len(own) <= 1, "two responses are asked for at once"

        for died in scene.parent.arrived:
            assert died.reason is None or isinstance(died.reason, PeerError), died
        assert other.parent.arrived == []
        other.told(CallerAudio(MS_100))
        if mailboxes.now_ms() == 0:
            assert other.wire.types() == ["input_audio_buffer.append"]
        else:  # in time it may have had more to say
            assert "input_audio_buffer.append" in other.wire.types()
    finally:
        for each in (scene, other):
            each.model.stop(block=False)
        mailboxes.drain()
