"""The circuit breaker to the model, for all calls of a process: what cannot succeed is not tried again.

One wrong answer proves nothing about the others: behind one address there are many nodes, and one of them may be ill.
The circuit opens when several different calls were refused for one reason and nothing has succeeded between them; then
one attempt at a time is made, and the first success closes it. The process makes it by itself when it is due, unless a
call comes first: it opens a socket, or a session like a call's where that is what was refused.
May import: protocols, loguru, the standard library. Rules from: docs/specs/reliability.md 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum, IntEnum

from loguru import logger

from protocols.transitions import Table, never, rows, stay

# So many different calls must be refused. Each of them tries twice, so a node that is ill among three is taken for all
# of them in one of 27 times, and then for FIRST_PROBE_S.
REFUSED_CALLS = 3
# From the opening to the first probe; doubled after each that fails, because it may have met the node that is ill.
FIRST_PROBE_S = 0.25
# The longest time between probes: a wrong key or an empty account is not repaired in seconds.
PROBE_S = 15.0


class Milestone(IntEnum):
    """How far a model session has come, and so what a success speaks for: for itself and what comes before it."""

    UPGRADE = 1  # the socket
    SESSION = 2  # the configuration
    RESPONSE = 3  # an answer


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"  # one attempt is made


class Event(Enum):
    ATTEMPT = "an attempt"
    PROBE_DUE = "an attempt, and a probe is due"
    REFUSED = "refused"
    ALL_REFUSED = "refused, as several calls were"
    WORKED = "worked"  # at least as far as the step that was refused


class Action(Enum):
    NOTHING = ""
    LET_PASS = "let it pass"  # noqa: S105 - no password
    PROBE = "let it pass, and no other"
    TURN_AWAY = "turn it away"
    OPEN = "open"
    WAIT_LONGER = "wait longer for the next probe"
    CLOSE = "close"


CIRCUIT: Table[State, Event, Action] = Table(
    "circuit breaker",
    State.CLOSED,
    rows(
        {
            (State.CLOSED, Event.ALL_REFUSED): (State.OPEN, Action.OPEN),
            (State.OPEN, Event.PROBE_DUE): (State.PROBING, Action.PROBE),
            (State.PROBING, Event.WORKED): (State.CLOSED, Action.CLOSE),
            # Of an attempt from before the opening.
            (State.OPEN, Event.WORKED): (State.CLOSED, Action.CLOSE),
            (State.PROBING, Event.REFUSED): (State.OPEN, Action.WAIT_LONGER),
            (State.PROBING, Event.ALL_REFUSED): (State.OPEN, Action.WAIT_LONGER),
            # The probe has neither failed nor worked: its call has ended, or the path was lost.
            (State.PROBING, Event.PROBE_DUE): (State.PROBING, Action.PROBE),
        },
        stay(State.CLOSED, Event.ATTEMPT, Action.LET_PASS),
        stay(State.CLOSED, (Event.REFUSED, Event.WORKED), Action.NOTHING),
        stay((State.OPEN, State.PROBING), Event.ATTEMPT, Action.TURN_AWAY),
        # Attempts that were on their way: they say nothing new.
        stay(State.OPEN, (Event.REFUSED, Event.ALL_REFUSED), Action.NOTHING),
    ),
    never(State.CLOSED, Event.PROBE_DUE, "a closed circuit lets every attempt pass"),
)


class Circuit:
    """The breaker of one key and configuration. now_s: monotonic.

    reason: why the last attempt was refused. step: at which step.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._state = CIRCUIT.start
        self._calls: set[str] = set()  # that were refused for this reason since something worked
        self.step = Milestone.UPGRADE
        self._probe_s = FIRST_PROBE_S
        self._due_s = 0.0  # when the next probe may pass
        self._closed_s = -math.inf
        self.reason = ""

    @property
    def is_open(self) -> bool:
        return self._state is not State.CLOSED

    @property
    def probe_in_s(self) -> float:
        """When to make an attempt without a call, of an open circuit."""
        return max(0.0, self._due_s - self._now_s())

    def lets_through(self) -> bool:
        due = self.is_open and self.probe_in_s == 0
        return self._take(Event.PROBE_DUE if due else Event.ATTEMPT) in (Action.LET_PASS, Action.PROBE)

    def refused(self, reason: str, call: str, step: Milestone) -> None:
        """The model has refused a call in a way that another attempt with the same request would not change."""
        if (reason, step) != (self.reason, self.step):
            self._calls, self.reason, self.step = set(), reason, step
        if len(self._calls) < REFUSED_CALLS:
            self._calls.add(call)
        self._take(Event.ALL_REFUSED if len(self._calls) == REFUSED_CALLS else Event.REFUSED)

    def worked(self, step: Milestone) -> None:
        """A session has come so far."""
        if step >= self.step:
            self._take(Event.WORKED)
            self._calls.clear()

    def _take(self, event: Event) -> Action:
        self._state, action = CIRCUIT.step(self._state, event)
        match action:
            case Action.OPEN:
                logger.error("the model refuses several calls: circuit breaker opened", reason=self.reason)
                # Soon after it was closed: what closed it was not what calls are refused for.
                again = self._now_s() - self._closed_s < PROBE_S
                self._probe_s = min(2 * self._probe_s, PROBE_S) if again else FIRST_PROBE_S
                self._due_s = self._now_s() + self._probe_s
            case Action.PROBE:
                self._due_s = self._now_s() + PROBE_S
            case Action.WAIT_LONGER:
                self._probe_s = min(2 * self._probe_s, PROBE_S)
                self._due_s = self._now_s() + self._probe_s
            case Action.CLOSE:
                self._closed_s = self._now_s()
                logger.info("the model accepts us again: circuit breaker closed")
            case Action.NOTHING | Action.LET_PASS | Action.TURN_AWAY:
                pass
        return action
