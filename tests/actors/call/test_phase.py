"""Every pair of a call's tables: as a rule, and as what the call itself does about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.call.farewell import PendingHangup, hangup_without_model
from actors.call.handover import DRAIN, Drain, DrainEvent
from actors.call.phase import (
    CALL,
    GREETED,
    MODEL_THERE,
    OVER,
    READINESS,
    CallAction,
    CallEvent,
    Phase,
    Readiness,
    ReadinessAction,
    ReadinessEvent,
)
from actors.call.silence import MOST_ATTEMPTS, LineEvent, SilenceWatch
from actors.call.supervisor import CallSupervisor
from actors.clips import Clip
from actors.messages.call import (
    BotBegan,
    BotHeard,
    CallerSaid,
    CallerSpeaks,
    CallTimer,
    ClipHeard,
    EndCall,
    MoveCall,
    Parked,
    ResponseEnded,
    TaskAnswered,
    TaskSettled,
    TransferFailed,
    VaicEnded,
    VaicReady,
)
from actors.messages.journal import DraftRecord, Park, WriteRecord
from actors.messages.vaic import Transfer
from actors.system.signals import ChildDied, Deadline
from fsm.answer import Answer, TaskStatus
from protocols.errors import MisuseError
from protocols.ledger import ItemHeard
from tests.actors.calls import Call, StuckOven, WaitingDispatcher, with_a_hanging_task

A, E, P = CallAction, CallEvent, Phase

# --- the rules ---


@pytest.mark.parametrize(("state", "event"), CALL.pairs)
def test_every_pair_of_the_call(state: Phase, event: CallEvent) -> None:
    if (state, event) in CALL.never:
        with pytest.raises(MisuseError):
            CALL.step(state, event)
        return
    target, actions = CALL.step(state, event)
    moves = target is not state
    # A call leaves at most one record, and none only where another process may have it.
    assert (A.RECORD in actions) == (moves and target is P.CLOSED)
    assert (A.PARK in actions) == (target is P.HANDING_OVER and event in (E.MOVE_QUIET, E.MOVE_NOW) and bool(actions))
    assert (A.SETTLE in actions) == (moves and target is P.SETTLING)
    assert (A.HANG_UP in actions) == (moves and target is P.HANGING_UP)
    assert (A.SIGN_OFF in actions) == (moves and target is P.SIGNING_OFF)
    # The outcome is known before it is needed: of a hang-up it is its own.
    if moves and target in (P.SETTLING, P.CLOSED):
        known = state in (P.HANGING_UP, P.SETTLING)
        assert A.TAKE_OUTCOME in actions or known
    # Both ask for another event when they are carried out, which must find the phase that they have led to.
    assert not {A.SETTLE, A.HANG_UP} & set(actions[:-1])
    # There is no way back, but from a transfer that nobody answers.
    assert state not in OVER or target in OVER
    assert state is not P.SETTLING or target in (P.SETTLING, P.CLOSED)
    failed = {
        E.TRANSFER_FAILED: P.TALKING,
        E.TRANSFER_FAILED_MUTE: P.SIGNING_OFF,
        E.TRANSFER_FAILED_NEXT: P.FAREWELL,
    }.get(event)
    assert state is not P.HANGING_UP or target in (P.HANGING_UP, P.SETTLING, P.CLOSED) or target is failed
    # A caller's return is answered in every phase.
    if event is E.RESUMED:
        assert {A.REBIND, A.TURN_AWAY, A.SEND_ELSEWHERE} & set(actions)


@pytest.mark.parametrize("phase", [each for each in P if each not in OVER])
@pytest.mark.parametrize("end", [E.CALLER_GONE, E.STOPPED, E.CRASHED])
def test_every_end_leads_to_a_record(phase: Phase, end: CallEvent) -> None:
    target, actions = CALL.step(phase, end)
    if target is P.SETTLING:
        target, actions = CALL.step(target, E.SETTLE_TIMEOUT)
        assert (target, actions) == (P.SETTLING, (A.RECORD_SO_FAR,))
        target, actions = CALL.step(target, E.OVERTIME_TIMEOUT)
    assert target is P.CLOSED
    assert A.RECORD in actions


@pytest.mark.parametrize(("state", "event"), READINESS.pairs)
def test_every_pair_of_the_readiness(state: Readiness, event: ReadinessEvent) -> None:
    if (state, event) in READINESS.never:
        with pytest.raises(MisuseError):
            READINESS.step(state, event)
        return
    target, actions = READINESS.step(state, event)
    restored = event in (ReadinessEvent.TAKEN_OVER, ReadinessEvent.ANSWER_DUE)
    greeted_now = target in GREETED and state not in GREETED and not restored
    assert (ReadinessAction.GREET in actions) == greeted_now
    assert (target in MODEL_THERE and state not in MODEL_THERE) <= (event is ReadinessEvent.MODEL_READY)
    if event in (ReadinessEvent.MODEL_LOST, ReadinessEvent.GREETING_LOST):
        assert target not in MODEL_THERE
        assert actions == ()
    if event is ReadinessEvent.MODEL_READY:
        assert target in MODEL_THERE
        # What is owed for our having been away is said once: nothing leads back.
        assert (ReadinessAction.TAKE_UP in actions) == (state is Readiness.TAKEN_OVER)
        assert (ReadinessAction.CATCH_UP in actions) == (state is not Readiness.TAKEN_OVER)
    assert (target is Readiness.TAKEN_OVER and state is not target) <= (event is ReadinessEvent.TAKEN_OVER)
    assert (ReadinessAction.AWAIT_START in actions) == (
        event is ReadinessEvent.MODEL_READY and target is Readiness.MODEL
    )


@pytest.mark.parametrize(("state", "event"), DRAIN.pairs)
def test_every_pair_of_the_drain(state: Drain, event: DrainEvent) -> None:
    target, move = DRAIN.step(state, event)
    wanted = event in (DrainEvent.MOVE_WANTED, DrainEvent.MOVE_NOW)
    assert (target is Drain.LEAVING) == (wanted or state is Drain.LEAVING)
    assert (move is E.MOVE_QUIET) == (state is Drain.LEAVING and event is DrainEvent.QUIET)
    now = event is DrainEvent.MOVE_NOW or (state is Drain.LEAVING and event is DrainEvent.CALLER_AWAY)
    assert (move is E.MOVE_NOW) == now


# --- the call itself ---


class Scene:
    """A call with a task in the middle of a step, so that no phase passes by itself."""

    def __init__(self, mailboxes: WaitingDispatcher, oven: StuckOven) -> None:
        self.call = with_a_hanging_task(mailboxes, oven)
        actor = self.call.ref._actor_weakref()
        assert isinstance(actor, CallSupervisor)
        self.actor = actor

    def told(self, *messages: object) -> None:
        self.call.told(*messages)

    def status(self) -> TaskStatus:
        status = self.actor._tasks.runs["t1"].status
        assert status is not None
        return status

    def task_ends(self, outcome: str) -> None:
        self.told(TaskAnswered("t1", "call-2", Answer("{}", outcome), self.status()))

    def overdue(self, timer: CallTimer) -> None:
        """A time limit runs out: that of the phase, or one that began before it."""
        timers = self.actor._call_timers
        timers.start_once(timer, 60.0)
        self.told(timers._running[timer][0])

    def beyond_repair(self) -> None:
        child = self.actor._children._children["vaic"]
        for _ in range(3):
            child.history.died(RuntimeError("a bug"), self.call.mailboxes.now_ms() / 1000, lambda: 0.0)
        self.told(ChildDied("vaic", child.generation, RuntimeError("a bug")))


def heard(item: str) -> BotHeard:
    return BotHeard(ItemHeard(item, 100, 100, 0, complete=True), barged_in=False)


def farewell_heard(scene: Scene) -> None:
    """Whichever farewell is waited for."""
    scene.told(ResponseEnded("completed", ("bye",), 0, {}), heard("bye"))
    scene.told(ClipHeard(Clip.CALL_AGAIN, ItemHeard("clip", 100, 100, 0, complete=True)))


def farewell_overdue(scene: Scene) -> None:
    """It has begun, and is never heard to its end."""
    scene.told(BotBegan("bye"))
    scene.overdue(CallTimer.FAREWELL)


def silence_without_end(scene: Scene) -> None:
    """The last limit of a silence that nobody has broken."""
    scene.actor._silence = silence = SilenceWatch(8.0)
    silence.happened(LineEvent.OPENED)
    for _ in range(2 * MOST_ATTEMPTS):  # each is asked by the model, then by a clip
        silence.overdue()
    scene.overdue(CallTimer.SILENCE)


def transfer_fails(scene: Scene, pending: PendingHangup) -> None:
    scene.actor._hangup = pending
    scene.told(TransferFailed("busy"))


def farewell(scene: Scene) -> None:
    scene.call.answered("call-3", "end_call")


def handing_over(scene: Scene) -> None:
    farewell(scene)  # so that there is a farewell to be heard, or called off
    scene.told(MoveCall(now=True))


def moved(scene: Scene) -> None:
    scene.told(MoveCall(now=True), Parked())


def settling(scene: Scene) -> None:
    scene.told(VaicEnded("client-disconnected"))


def closed(scene: Scene) -> None:
    settling(scene)
    scene.overdue(CallTimer.SETTLE)
    scene.overdue(CallTimer.OVERTIME)


REACH: dict[Phase, Callable[[Scene], None]] = {
    P.TALKING: lambda scene: None,
    P.FAREWELL: farewell,
    P.SIGNING_OFF: lambda scene: scene.told(EndCall("drained", in_words=True)),
    P.HANGING_UP: lambda scene: scene.told(EndCall("ours")),
    P.HANDING_OVER: handing_over,
    P.MOVED: moved,
    P.SETTLING: settling,
    P.CLOSED: closed,
}

# STOPPED and CRASHED leave no actor to be looked at: what they write is.
HAPPENS: dict[CallEvent, Callable[[Scene], object]] = {
    E.FAREWELL_DUE: lambda scene: scene.task_ends("hangup"),
    E.CALLED_OFF: lambda scene: scene.told(CallerSpeaks("u-x", True, 0), CallerSaid("u-x", "Stop!")),
    E.FAREWELL_HEARD: farewell_heard,
    E.FAREWELL_OVERDUE: farewell_overdue,
    E.MODEL_GONE: lambda scene: scene.overdue(CallTimer.MODEL),
    E.GOODBYE_DUE: silence_without_end,
    E.END_IN_WORDS: lambda scene: scene.told(EndCall("drained", in_words=True)),
    E.END_CALL: lambda scene: scene.told(EndCall("drained")),
    E.CALLER_GONE: lambda scene: scene.told(VaicEnded("client-disconnected")),
    E.RESUME_TIMEOUT: lambda scene: scene.overdue(CallTimer.RESUME),
    E.TRANSFER_FAILED: lambda scene: transfer_fails(scene, PendingHangup(Transfer("tel:1", "asked"), "transferred")),
    E.TRANSFER_FAILED_MUTE: lambda scene: transfer_fails(
        scene, hangup_without_model({"all": Transfer("tel:1", "asked")})
    ),
    E.TRANSFER_FAILED_NEXT: lambda scene: transfer_fails(
        scene, PendingHangup(Transfer("tel:1", "asked", next=Transfer("tel:2", "asked")), "transferred")
    ),
    E.END_TIMEOUT: lambda scene: scene.overdue(CallTimer.END),
    E.ESCALATED: Scene.beyond_repair,
    E.RESUMED: lambda scene: scene.call.resumes(),
    E.REPLACED: lambda scene: scene.told(VaicReady()),
    E.MOVE_QUIET: lambda scene: scene.told(MoveCall(now=False), heard("before")),
    E.MOVE_NOW: lambda scene: scene.told(MoveCall(now=True)),
    E.HANDED_OVER: lambda scene: scene.told(Parked()),
    E.SETTLED: lambda scene: scene.told(TaskSettled("t1", None, scene.status())),
    E.SETTLE_TIMEOUT: lambda scene: scene.overdue(CallTimer.SETTLE),
    E.OVERTIME_TIMEOUT: lambda scene: scene.overdue(CallTimer.OVERTIME),
}
# In a call these are told of in phases in which the supervisor does not listen any more.
UNHEARD = {(P.MOVED, E.MODEL_GONE), (P.CLOSED, E.MODEL_GONE)}
PAIRS = [pair for pair in CALL.pairs if pair in CALL.transitions and pair[1] in HAPPENS and pair not in UNHEARD]


@pytest.fixture
def scene(mailboxes: WaitingDispatcher, stuck: StuckOven) -> Scene:
    return Scene(mailboxes, stuck)


@pytest.mark.parametrize(("phase", "event"), PAIRS)
def test_a_call_does_what_its_table_says(scene: Scene, phase: Phase, event: CallEvent) -> None:
    REACH[phase](scene)
    assert scene.actor._phase is phase
    scene.call.journal.arrived.clear()
    HAPPENS[event](scene)
    target, actions = CALL.transitions[phase, event]
    assert scene.actor._phase is target
    asked = [type(each) for each in scene.call.journal.arrived]
    assert asked.count(Park) == actions.count(A.PARK)
    assert asked.count(WriteRecord) == actions.count(A.RECORD)
    assert asked.count(DraftRecord) == actions.count(A.RECORD_SO_FAR)


# What ends each phase in which nothing else happens; of those that are over only the children's ends are waited for.
# While the bot speaks no limit runs in TALKING: its session and its play stream have their own.
LIMITS = {
    P.TALKING: CallTimer.SILENCE,
    P.FAREWELL: CallTimer.FAREWELL,
    P.SIGNING_OFF: CallTimer.FAREWELL,
    P.HANGING_UP: CallTimer.END,
    P.HANDING_OVER: CallTimer.SILENCE,
    P.SETTLING: CallTimer.SETTLE,
}


@pytest.mark.parametrize("phase", [each for each in P if each not in OVER])
def test_a_limit_runs_in_every_phase(scene: Scene, phase: Phase) -> None:
    REACH[phase](scene)
    assert LIMITS[phase] in scene.actor._call_timers


def test_a_limit_runs_while_the_caller_or_the_model_is_missing(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes)
    actor = call.ref._actor_weakref()
    assert isinstance(actor, CallSupervisor)

    def running() -> tuple[Readiness, set[CallTimer]]:
        awaited = {CallTimer.MODEL, CallTimer.START, CallTimer.SILENCE, CallTimer.RESUME}
        return actor._readiness, {timer for timer in awaited if timer in actor._call_timers}

    seen = [running()]
    call.model_is_ready()
    seen.append(running())
    call.model.breaks()
    mailboxes.drain()
    call.starts()
    seen.append(running())
    mailboxes.advance(1000)
    call.model_is_ready()
    seen.append(running())
    call.bot_says("Hello.", ms=100)
    mailboxes.advance(100)
    call.model.breaks()
    mailboxes.drain()
    seen.append(running())
    call.wire.breaks()
    mailboxes.drain()
    seen.append(running())
    assert seen == [
        (Readiness.NOBODY, {CallTimer.MODEL}),
        (Readiness.MODEL, {CallTimer.START}),
        (Readiness.CALLER, {CallTimer.MODEL, CallTimer.START}),  # the second from before
        (Readiness.BOTH, {CallTimer.SILENCE}),
        (Readiness.MODEL_AWAY, {CallTimer.MODEL, CallTimer.SILENCE}),
        (Readiness.MODEL_AWAY, {CallTimer.MODEL, CallTimer.RESUME}),
    ]


def test_every_event_but_the_ends_of_the_supervisor_itself_is_tried() -> None:
    assert set(CallEvent) - set(HAPPENS) == {E.STOPPED, E.CRASHED}


# By phase: the outcome when the switchboard stops the call, and when the call crashes. "": another process writes it.
LAST_OUTCOMES = {
    P.TALKING: ("drained", "failed"),
    P.FAREWELL: ("drained", "failed"),
    P.SIGNING_OFF: ("drained", "failed"),
    P.HANGING_UP: ("ours", "failed"),
    P.HANDING_OVER: ("drained", "failed"),
    P.MOVED: ("", ""),
    P.SETTLING: ("client-disconnected", "failed"),
    P.CLOSED: ("client-disconnected", "client-disconnected"),
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("crashes", [False, True], ids=["stopped", "crashed"])
def test_a_call_that_is_gone_has_left_its_record(scene: Scene, phase: Phase, crashes: bool) -> None:
    REACH[phase](scene)
    if crashes:
        scene.told(Deadline({}, 1))  # type: ignore[type-var]  # its key cannot be looked for, in any phase
    else:
        scene.call.ref.stop(block=False)
        scene.call.mailboxes.drain()
    assert scene.call.is_gone()
    outcome = LAST_OUTCOMES[phase][crashes]
    assert [record.outcome for record in scene.call.records()] == [outcome] * bool(outcome)
