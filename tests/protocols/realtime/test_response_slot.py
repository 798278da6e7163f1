"""The scheduler's tables, pair by pair, and that facts in any order reach every one of them and none that is never."""

from __future__ import annotations

from random import Random

import pytest

from protocols.errors import MisuseError
from protocols.realtime.client_events import ResponseCancel, ResponseCreate
from protocols.realtime.objects import ErrorDetail, Response, ResponseRequest, StatusDetails
from protocols.realtime.response_slot import (
    ATTEMPT,
    BUDGET,
    LIMITS_MS,
    LIVENESS,
    OWED,
    SLOT,
    SPEAKING,
    TURN,
    Attempt,
    AttemptAction,
    AttemptEvent,
    Budget,
    BudgetAction,
    BudgetEvent,
    Liveness,
    LivenessEvent,
    ResponseSlot,
    SlotAction,
    SlotEvent,
    Turn,
    TurnAction,
    TurnEvent,
)
from protocols.realtime.scheduler import ALREADY_ACTIVE, ASKED, Order, ResponseScheduler

# A response holds the slot whose id is known.
KNOWN = set(ResponseSlot) - {ResponseSlot.FREE, ResponseSlot.REQUESTED, ResponseSlot.UNKNOWN}
CANCELLED = {ResponseSlot.CANCELLED_MUTE, ResponseSlot.CANCELLED_STALLED}
MUTE = {ResponseSlot.CANCELLED_MUTE, ResponseSlot.EXCUSED_MUTE}
LIMIT = {SlotEvent.LIMIT_HEARD, SlotEvent.LIMIT_MUTE}
REFUSED = {SlotEvent.REFUSED_LIMITED, SlotEvent.REFUSED_OTHERWISE}


@pytest.mark.parametrize(("state", "event"), SLOT.pairs)
def test_every_pair_of_the_slot(state: ResponseSlot, event: SlotEvent) -> None:
    if event in LIMIT and state not in LIMITS_MS:
        with pytest.raises(MisuseError, match="no limit runs"):
            SLOT.step(state, event)
        return
    if event in REFUSED and state is not ResponseSlot.REQUESTED:
        with pytest.raises(MisuseError, match="the pending request"):
            SLOT.step(state, event)
        return
    assert SLOT.step(state, event) == said_of(state, event)


def said_of(  # noqa: C901, PLR0912, PLR0915 - one flat match
    state: ResponseSlot, event: SlotEvent
) -> tuple[ResponseSlot, tuple[SlotAction, ...]]:
    """What each event means, in words of its own."""
    mute, start, cancel = state in MUTE, SlotAction.START_LIMIT, SlotAction.SEND_CANCEL
    stalled = state is ResponseSlot.CANCELLED_STALLED
    row: tuple[ResponseSlot, tuple[SlotAction, ...]]
    match event:
        # Two voices would answer at once: only a free slot is taken.
        case SlotEvent.ASK_DUE if state is ResponseSlot.FREE:
            row = ResponseSlot.REQUESTED, (start, SlotAction.SEND_CREATE)
        case SlotEvent.SERVER_ANSWERS if state is ResponseSlot.FREE:
            row = ResponseSlot.REQUESTED, (start,)
        case SlotEvent.CREATED:
            row = ResponseSlot.AWAITING_SOUND, (start,)
        case SlotEvent.CREATED_TOO_LATE:
            row = ResponseSlot.AWAITING_SOUND, (start, cancel)
        # Silence of a response is excused by sound, be it late or the caller's own.
        case SlotEvent.SPEECH_STARTED if state in KNOWN and not stalled:
            row = ResponseSlot.EXCUSED_MUTE if mute else ResponseSlot.RUNNING, (start,)
        case SlotEvent.LIMIT_HEARD if state is ResponseSlot.AWAITING_SOUND:
            row = ResponseSlot.RUNNING, ()
        case SlotEvent.LIMIT_HEARD if state is ResponseSlot.CANCELLED_MUTE:
            row = ResponseSlot.EXCUSED_MUTE, (start,)
        case SlotEvent.LIMIT_HEARD | SlotEvent.LIMIT_MUTE if state is ResponseSlot.REQUESTED:
            row = ResponseSlot.FREE, (SlotAction.GIVE_UP_REQUEST,)
        case SlotEvent.LIMIT_HEARD | SlotEvent.LIMIT_MUTE if state is ResponseSlot.UNKNOWN:
            row = ResponseSlot.FREE, (SlotAction.REQUEST_AGAIN,)
        # What is cancelled must end; what is not, is cancelled.
        case SlotEvent.LIMIT_HEARD | SlotEvent.LIMIT_MUTE if state in CANCELLED:
            row = state, (SlotAction.REPORT_HUNG, start, cancel)
        case SlotEvent.LIMIT_HEARD | SlotEvent.LIMIT_MUTE:
            awaiting = state is ResponseSlot.AWAITING_SOUND
            row = ResponseSlot.CANCELLED_MUTE if awaiting else ResponseSlot.CANCELLED_STALLED, (start, cancel)
        case SlotEvent.REFUSED | SlotEvent.ANSWER_REFUSED if state is ResponseSlot.REQUESTED:
            row = ResponseSlot.UNKNOWN, (SlotAction.REQUEST_AGAIN, start)
        case SlotEvent.ANSWER_REFUSED:
            row = state, (SlotAction.REQUEST_ANSWER,)
        # A response that was cancelled is missed only where we cancelled it because it was mute, or stalled.
        case SlotEvent.REFUSED_LIMITED | SlotEvent.ENDED_LIMITED:
            row = ResponseSlot.FREE, (SlotAction.REPORT_LIMITED,)
        case SlotEvent.REFUSED_OTHERWISE | SlotEvent.ENDED_UNHEARD:
            row = ResponseSlot.FREE, (SlotAction.REPORT_UNHEARD,)
        case SlotEvent.ENDED_CANCELLED if mute or stalled:
            row = ResponseSlot.FREE, (SlotAction.REPORT_UNHEARD,)
        case SlotEvent.ENDED_HEARD if stalled:
            row = ResponseSlot.FREE, (SlotAction.REPORT_UNHEARD,)
        case SlotEvent.ENDED | SlotEvent.ENDED_HEARD | SlotEvent.ENDED_CANCELLED:
            row = ResponseSlot.FREE, (SlotAction.REPORT_HEARD,)
        case _:
            row = state, ()
    return row


def test_a_limit_runs_wherever_a_response_is_waited_for() -> None:
    assert LIMITS_MS.keys() == set(ResponseSlot) - {ResponseSlot.FREE}


@pytest.mark.parametrize(("state", "event"), TURN.pairs)
def test_every_pair_of_the_callers_turn(state: Turn, event: TurnEvent) -> None:
    if event is TurnEvent.ASKED and state in SPEAKING:
        with pytest.raises(MisuseError, match="while the caller speaks"):
            TURN.step(state, event)
        return
    target, action = TURN.step(state, event)
    assert (target in SPEAKING) == {
        TurnEvent.SPEECH_STARTED: True,
        TurnEvent.COMMITTED: False,
        TurnEvent.DROPPED: False,
    }.get(event, state in SPEAKING)
    assert (target in OWED) == {
        TurnEvent.SPEECH_STARTED: state in OWED,
        TurnEvent.COMMITTED: True,
        TurnEvent.DROPPED: state in OWED,
    }.get(event, False)
    assert (action is TurnAction.DROP_REQUEST) == (event is TurnEvent.COMMITTED)


@pytest.mark.parametrize(("state", "event"), ATTEMPT.pairs)
def test_every_pair_of_the_attempt(state: Attempt, event: AttemptEvent) -> None:
    target, action = ATTEMPT.step(state, event)
    if event is AttemptEvent.HEARD:
        assert (target, action) == (Attempt.FIRST, AttemptAction.NOTHING)
    elif event is AttemptEvent.LIMITED_TOO_LONG:
        assert (target, action) == (Attempt.GIVEN_UP, AttemptAction.NOTHING)
    elif event is AttemptEvent.LIMITED:
        used = Attempt.REPEATED if state is Attempt.REPEATED else Attempt.FIRST
        assert (target, action) == (used, AttemptAction.REPEAT), "a limit on rates uses up no attempt"
    elif state is not Attempt.REPEATED:
        assert (target, action) == (Attempt.REPEATED, AttemptAction.REPEAT)
    elif event is AttemptEvent.UNHEARD_MORE_PENDING:
        assert (target, action) == (Attempt.FIRST, AttemptAction.NOTHING), "what is wished has its own two attempts"
    else:
        assert (target, action) == (Attempt.GIVEN_UP, AttemptAction.NOTHING)


@pytest.mark.parametrize(("state", "event"), LIVENESS.pairs)
def test_every_pair_of_the_sessions_liveness(state: Liveness, event: LivenessEvent) -> None:
    target, _ = LIVENESS.step(state, event)
    dies = event is LivenessEvent.HUNG or (state is Liveness.UNANSWERED and event is LivenessEvent.UNANSWERED)
    assert (target is Liveness.DEAD) == (dies or state is Liveness.DEAD)
    assert (target is Liveness.ANSWERS) == (event is LivenessEvent.CREATED and state is not Liveness.DEAD)


@pytest.mark.parametrize(("state", "event"), BUDGET.pairs)
def test_every_pair_of_the_budget(state: Budget, event: BudgetEvent) -> None:
    target, action = BUDGET.step(state, event)
    if event is BudgetEvent.CALLER_ACTED:
        assert (target, action) == (Budget.WITHIN, BudgetAction.NOTHING)
    else:
        assert (
            (target is Budget.LAST_ASKED) == (action is BudgetAction.ASK_WITHOUT_FUNCTIONS) == (state is Budget.WITHIN)
        )
        assert (action is BudgetAction.SAY_OWN_WORDS) == (state is Budget.LAST_ASKED), "once a turn"


class Watched(ResponseScheduler):
    """Remembers which pairs of the slot's table were stepped through, over all its lives."""

    def __init__(self, seen: set[tuple[ResponseSlot, SlotEvent]]) -> None:
        super().__init__()
        self._seen = seen

    def _slot_changed(self, event: SlotEvent, now_ms: float) -> list[Order]:
        self._seen.add((self.slot, event))
        return super()._slot_changed(event, now_ms)


class Session:
    """A scheduler, and a server that sends anything at any time; the time jumps to a limit now and then."""

    def __init__(self, rand: Random, seen: set[tuple[ResponseSlot, SlotEvent]]) -> None:
        self.rand, self.scheduler = rand, Watched(seen)
        self.now_ms, self.responses = 0.0, 0

    def anything(self) -> list[Order]:
        due_ms = self.scheduler.next_tick_ms()
        self.now_ms = max(self.now_ms + self.rand.choice((0, 1, 500, 2500)), self.rand.choice((0, due_ms or 0)))
        from_server = (self.speaks, self.commits, self.begins, self.goes_on, self.ends, self.refuses)
        return self.rand.choice((self.want, *from_server, self.ticks, self.ticks))()

    def want(self) -> list[Order]:
        return self.scheduler.want(ResponseRequest(), self.now_ms)

    def speaks(self) -> list[Order]:
        self.scheduler.speech_started(self.now_ms)
        return []

    def commits(self) -> list[Order]:
        self.scheduler.committed(self.now_ms)
        return []

    def begins(self) -> list[Order]:
        self.responses += 1
        metadata = self.rand.choice((None, ASKED))
        return self.scheduler.created(Response(id=f"r-{self.responses}", metadata=metadata), self.now_ms)

    def ends(self) -> list[Order]:
        status = self.rand.choice(("completed", "cancelled", "failed"))
        limit = StatusDetails(error=ErrorDetail(code="rate_limit_exceeded"))
        ended = Response(
            id=f"r-{self.responses - self.rand.choice((0, 0, 0, 1))}",
            status=status,
            status_details=limit if status == "failed" and self.rand.random() < 0.5 else None,
        )
        heard, called = self.rand.random() < 0.3, self.rand.random() < 0.2
        return self.scheduler.done(ended, spoke=heard, called=called, now_ms=self.now_ms)

    def refuses(self) -> list[Order]:
        error = ErrorDetail(code=self.rand.choice((ALREADY_ACTIVE, "rate_limit_exceeded", "bad_response_create")))
        return self.scheduler.refused(error, self.now_ms) or []

    def ticks(self) -> list[Order]:
        return self.scheduler.tick(self.rand.random() < 0.4, self.now_ms)

    def goes_on(self) -> list[Order]:
        self.scheduler.part_arrived(self.now_ms)
        return []


def test_whatever_the_server_sends_two_voices_are_not_asked_for_and_every_pair_is_met() -> None:
    rand, seen = Random(16), set[tuple[ResponseSlot, SlotEvent]]()
    for _ in range(2000):
        session = Session(rand, seen)
        for _ in range(60):
            orders = session.anything()
            after = session.scheduler.slot
            creates = [order for order in orders if isinstance(order, ResponseCreate)]
            if creates:
                (create,) = creates
                assert create.response is not None
                assert create.response.metadata == ASKED
                assert after is ResponseSlot.REQUESTED
            for order in orders:
                if isinstance(order, ResponseCancel):
                    assert after in KNOWN
                    assert order.response_id == f"r-{session.responses}", "the newest holds the slot"
            assert (session.scheduler.cancel() != []) == (after in KNOWN)
            assert session.scheduler.next_tick_ms() is not None or after not in LIMITS_MS
            if session.scheduler.dead:
                break
    assert seen == SLOT.transitions.keys()
