"""Every pair of a model session's table: as a rule, and as what the session itself does about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from actors.messages.call import ModelReady
from actors.messages.model import Retire, Speak, TakeOver
from actors.model.phase import CONFIGURED, LIVE, SESSION, Action, Event, Phase
from actors.system.signals import ChildDied
from actors.transport.dialler import DialFailed, Dialled
from protocols.errors import MisuseError
from tests.actors.model.scene import Scene
from tests.cranked import CrankedDispatcher

SETTING_UP = {Phase.DIALLING, Phase.CONNECTED, Phase.CONFIGURING}
# They end a session in every phase in which they can happen.
ALWAYS_FATAL = {Event.DIAL_FAILED, Event.REFUSED, Event.CLOSED, Event.ANSWERS_NOTHING}
# And these only before it is live; what is overdue is the set-up, which a standby session has done.
FATAL_BEFORE = {Event.FORMAT_REFUSED: {Phase.CONNECTED, Phase.CONFIGURING, Phase.STANDBY},
                Event.ERROR: {Phase.CONNECTED, Phase.CONFIGURING, Phase.STANDBY},
                Event.SETUP_OVERDUE: SETTING_UP}  # fmt: skip


@pytest.mark.parametrize(("state", "event"), SESSION.pairs)
def test_every_pair(state: Phase, event: Event) -> None:
    if (state, event) in SESSION.never:
        with pytest.raises(MisuseError):
            SESSION.step(state, event)
        return
    target, action = SESSION.step(state, event)
    fatal = event in ALWAYS_FATAL or state in FATAL_BEFORE.get(event, ())
    assert (target is Phase.FAILED) == (action is Action.RAISE) == fatal
    assert (action is Action.GO_LIVE) == (target is Phase.LIVE and state is not Phase.LIVE)
    assert (action is Action.STAND_BY) == (target is Phase.STANDBY and state is not Phase.STANDBY)
    assert (action is Action.STOP) == (target is Phase.STOPPING and state is not Phase.STOPPING)
    assert (action is Action.CONFIGURE) == (target is Phase.CONFIGURING and state is not Phase.CONFIGURING)
    assert (action is Action.LEAVE_IF_QUIET) == (event is Event.RETIRE and state in (Phase.LIVE, Phase.RETIRING))
    assert (target is Phase.RETIRING and state is not target) == (state is Phase.LIVE and event is Event.RETIRE)
    assert (target is Phase.CONNECTED and state is not target) == (state is Phase.DIALLING and event is Event.DIALLED)
    assert target is not Phase.DIALLING
    # What was configured, or had the conversation, does not go back behind that while it lives.
    assert state not in CONFIGURED or target in (*CONFIGURED, Phase.FAILED)
    assert state not in LIVE or target in (*LIVE, Phase.FAILED)


def test_only_our_own_events_and_those_of_a_socket_are_never_expected() -> None:
    ours = {Event.DIALLED, Event.DIAL_FAILED, Event.TAKE_OVER, Event.RETIRE, Event.SETTING_REFUSED}
    assert {event for (state, event) in SESSION.never if state not in (Phase.DIALLING, Phase.FAILED)} <= ours


def created(scene: Scene) -> None:
    scene.event("session.created", session={"type": "realtime"})


def updated(scene: Scene, form: str = "audio/pcm") -> None:
    scene.event("session.updated", session={"type": "realtime", "audio": {"input": {"format": {"type": form}}}})


def retiring(scene: Scene) -> None:
    configured(scene)
    scene.event("input_audio_buffer.speech_started", item_id="u-1", audio_start_ms=100)
    scene.told(Retire())


def stopping(scene: Scene) -> None:
    configured(scene)
    scene.model.tell(Retire())  # it tells itself to stop behind what comes next


def configuring(scene: Scene) -> None:
    created(scene.dialled())


def configured(scene: Scene) -> None:
    """Live, or standing by: the scene's configuration says which."""
    configuring(scene)
    updated(scene)


REACH: dict[Phase, Callable[[Scene], object]] = {
    Phase.DIALLING: lambda scene: None,
    Phase.CONNECTED: Scene.dialled,
    Phase.CONFIGURING: configuring,
    Phase.STANDBY: configured,
    Phase.LIVE: configured,
    Phase.RETIRING: retiring,
    Phase.STOPPING: stopping,
}


def falls_quiet(scene: Scene) -> None:
    scene.event("input_audio_buffer.committed", item_id="u-1", previous_item_id=None)
    scene.created()
    scene.delta()
    scene.done()
    scene.event("conversation.item.input_audio_transcription.completed", item_id="u-1", content_index=0,
                transcript="Yes.", usage={})  # fmt: skip


def answers_nothing(scene: Scene) -> None:
    scene.event("input_audio_buffer.committed", item_id="u-1", previous_item_id=None)
    scene.told(Speak("Greet."))
    scene.mailboxes.advance(10_000)


def error(code: str, param: str) -> Callable[[Scene], None]:
    detail = {"type": "invalid_request_error", "code": code, "message": "no", "param": param}
    return lambda scene: scene.event("error", error=detail)


def closed(scene: Scene) -> None:
    scene.wire.breaks(1001)
    scene.mailboxes.drain()


def answers_dial(message: Callable[[Scene], Dialled | DialFailed]) -> Callable[[Scene], None]:
    def answer(scene: Scene) -> None:
        scene.dialler.callers[0].tell(message(scene))
        scene.mailboxes.drain()

    return answer


CAUSE: dict[Event, Callable[[Scene], object]] = {
    Event.DIALLED: answers_dial(lambda scene: Dialled(scene.wire)),
    Event.DIAL_FAILED: answers_dial(lambda scene: DialFailed(429, "refused at the upgrade")),
    Event.SESSION_CREATED: created,
    Event.SESSION_UPDATED: updated,
    Event.STANDBY_UPDATED: updated,
    Event.FORMAT_REFUSED: lambda scene: updated(scene, "audio/pcmu"),
    Event.TAKE_OVER: lambda scene: scene.told(TakeOver(replace(scene.config, standby=False))),
    Event.RETIRE: lambda scene: scene.told(Retire()),
    Event.QUIET: falls_quiet,
    Event.ERROR: error("invalid_value", "session.instructions"),
    Event.SETTING_REFUSED: error("unknown_parameter", "session.audio.output.voice"),
    Event.REFUSED: error("insufficient_quota", ""),
    Event.CLOSED: closed,
    Event.SETUP_OVERDUE: lambda scene: scene.mailboxes.advance(15_000),
    Event.ANSWERS_NOTHING: answers_nothing,
}
# By the time that these happen, one that has told itself to stop has stopped.
TOO_LATE = {(Phase.STOPPING, event) for event in (Event.QUIET, Event.SETUP_OVERDUE, Event.ANSWERS_NOTHING)}
# A standby session is configured as such, and the one that has the call is not.
OF_SPARE = {Phase.STANDBY: True, Phase.LIVE: False, Phase.RETIRING: False, Phase.STOPPING: False}
BOTH = {Event.SESSION_UPDATED: False, Event.STANDBY_UPDATED: True}
PAIRS = [
    (state, event)
    for state, event in SESSION.transitions
    if (state, event) not in TOO_LATE and OF_SPARE.get(state) in (None, BOTH.get(event, OF_SPARE.get(state)))
]


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_a_session_does_what_the_table_says(mailboxes: CrankedDispatcher, state: Phase, event: Event) -> None:
    scene = Scene(mailboxes, standby=OF_SPARE.get(state, BOTH.get(event, False)))
    REACH[state](scene)
    scene.wire.frames.clear()
    scene.call.arrived.clear()
    CAUSE[event](scene)

    target, action = SESSION.step(state, event)
    # Told to retire where it is quiet already, it stops at once.
    stops = target is Phase.STOPPING or (state, event) == (Phase.LIVE, Event.RETIRE)
    deaths = scene.parent.all(ChildDied)
    assert len(deaths) == (stops or action is Action.RAISE)
    assert all((death.reason is not None) == (action is Action.RAISE) for death in deaths)
    updates = [frame for frame in scene.wire.all("session.update") if "audio" in frame["session"]]
    assert bool(updates) == (action in (Action.CONFIGURE, Action.CONFIGURE_LESS))
    readies = [message.standby for message in scene.call.all(ModelReady)]
    assert readies == {Action.GO_LIVE: [False], Action.STAND_BY: [True]}.get(action, [])
