"""The VAIC session, with anything in any order from VAIC and the other actors: it keeps the rules, or ends in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.clips import Clip
from actors.messages.vaic import (
    AwaitWords,
    BotAudio,
    BotAudioEnded,
    BotText,
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerTurnCommitted,
    HangUp,
    LastWords,
    PlayClip,
    Transfer,
)
from actors.system.dispatcher import install
from lab.caller.complaints import Complaints
from lab.caller.referee import Referee
from protocols.errors import PeerError, WireError
from protocols.vaic import TO_VAIC, BotActivities, FromVaic
from tests.actors.vaic.scene import MS_100, Scene
from tests.cranked import CrankedDispatcher
from tests.protocols.mutations import paths, spoilt
from tests.protocols.wire import models, sample

MEDIA = "raw/lpcm16_24"
# Who speaks is for the model to say; the others are answers to what no VAIC sends in such a call.
NOT_OURS = {
    "speech_stopped_without_start",
    "unasked_frame",
    "second_answer",
    "participant_invented",
}


def event(name: str, **fields: object) -> dict[str, Any]:
    return {"type": "activities", "activities": [{"type": "event", "name": name, **fields}]}


VALID: tuple[dict[str, Any], ...] = (
    *({"type": f"userStream.{name}"} for name in ("start", "stop")),
    *({"type": "userStream.chunk", "audioChunk": audio} for audio in (MS_100, "AAAA", "", "***")),
    *(event(name) for name in ("start", "playFinished", "weather")),
    event("DTMF", value="12#"),
    event("noUserInput", value=1),
    event("transferStatus", value={"status": "answered"}),
    {"type": "activities", "activities": [{"type": "message", "text": "hello"}]},
    {"type": "session.end", "reasonCode": "client-disconnected"},
    *({"type": name} for name in ("session.resume", "session.initiate", "connection.validate", "session.weather")),
)
SAMPLES = [each for each in map(sample, models(FromVaic).values()) if list(paths(each))]
TOLD = (
    *(BotAudio(item, MS_100) for item in ("i-1", "i-2", "")),
    *(BotAudioEnded(item, cut) for item in ("i-1", "i-2") for cut in (True, False)),
    BotText("i-3", "Hello."),
    *(CallerBargedIn(), CallerFellSilent(), CallerTurnCommitted(), CallerRecognised("hello")),
    *(PlayClip(Clip.ONE_MOMENT), AwaitWords(due=True), AwaitWords(due=False)),
    *(HangUp("done"), Transfer("tel:1", "wish"), LastWords(Clip.CALL_AGAIN, "broken")),
)


@dataclass(frozen=True)
class Step:
    """do: to a scene. frame: of VAIC's, if it sends one."""

    do: Callable[[Scene], object]
    frame: Any = None


def sent(frame: Any) -> Step:
    text = frame if isinstance(frame, bytes) else json.dumps({"conversationId": "c-1", **frame}).encode()
    return Step(lambda scene: scene.hears(text), frame)


def closed(code: int) -> Step:
    def do(scene: Scene) -> None:
        scene.wire.breaks(code)
        scene.mailboxes.drain()

    return Step(do)


@st.composite
def bad_frames(draw: st.DrawFn) -> dict[str, Any]:
    frame = draw(st.sampled_from(SAMPLES))
    return draw(st.sampled_from(list(spoilt(frame, draw(st.sampled_from(list(paths(frame))))))))


STEPS = st.one_of(
    st.sampled_from(VALID).map(sent),
    bad_frames().map(lambda frame: sent({"conversationId": "c-1", **frame})),
    st.sampled_from([b"", b"[]", b"{", b'{"type":1}', b"\xff", b"null"]).map(sent),
    st.sampled_from(TOLD).map(lambda message: Step(lambda scene: scene.told(message))),
    st.sampled_from([0, 20, 100, 400]).map(lambda ms: Step(lambda scene: scene.mailboxes.advance(ms))),
    st.sampled_from([1000, 1006]).map(closed),
)


class WatchedScene(Scene):
    """A scene whose wire a referee watches."""

    def __init__(self, mailboxes: CrankedDispatcher) -> None:
        super().__init__(mailboxes)
        self.complaints = Complaints(lambda: round(mailboxes.now_ms()))
        self._referee = Referee("c-1", (MEDIA,), self.complaints)
        self._referee.connected()
        self._judged = 0
        self.acknowledged = 0

    def _bad_field(self, error: WireError) -> None:
        self.complaints.add(error.reason, error.detail)

    def judge(self, heard: Any) -> None:
        """Show the referee what was sent since the last time."""
        for frame in self.wire.frames[self._judged :]:
            parsed = TO_VAIC.parse(json.dumps(frame), self._bad_field)
            self.acknowledged += frame["type"] in ("userStream.started", "userStream.stopped")
            if frame["type"] == "session.error" or not self._referee.allows(parsed):
                continue
            if isinstance(parsed, BotActivities):
                for each in parsed.activities:
                    if self._referee.allows_activity(each) and each.name in ("hangup", "transfer"):
                        self._referee.hung_up()
        self._judged = len(self.wire.frames)
        if isinstance(heard, dict) and heard.get("type") == "session.end":
            self._referee.ended()


@settings(max_examples=120, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_whatever_comes_the_session_keeps_the_rules_and_no_other_call_notices(steps: list[Step]) -> None:
    mailboxes = CrankedDispatcher()
    install(mailboxes)
    scene, other = WatchedScene(mailboxes), Scene(mailboxes)
    asked = 0
    try:
        for step in steps:
            if not scene.vaic.is_alive():
                break
            step.do(scene)
            kind = step.frame.get("type") if isinstance(step.frame, dict) else None
            asked += kind in ("userStream.start", "userStream.stop")
            scene.judge(step.frame)

        assert [each for each in scene.complaints.met if each[0] not in NOT_OURS] == []
        assert scene.acknowledged <= asked
        for died in scene.parent.arrived:
            assert died.reason is None or isinstance(died.reason, PeerError), died
        assert other.parent.arrived == []
        other.hears({"type": "userStream.start"})
        assert other.wire.types() == ["session.accepted", "userStream.started"]
    finally:
        for each in (scene, other):
            each.vaic.stop(block=False)
        mailboxes.drain()
