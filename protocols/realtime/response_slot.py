"""The response scheduler's state: five independent transition tables.

SLOT: the state of the default conversation's only response. TURN: whether the caller speaks, and is owed an answer.
ATTEMPT: whether a response that nobody heard was requested again. LIVENESS: whether the session answers requests.
BUDGET: whether more responses may be requested in one turn of the caller.
Pure data. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.4 to 4.6, 6, 7.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from protocols.transitions import Table, go, never, rows, stay

# A request that is neither answered nor refused within this time frees the slot. A cancelled response must end within
# it too.
REQUEST_LIMIT_MS = 5000
# A response that has no audio within this time is cancelled.
MUTE_LIMIT_MS = 5000
# A response of which no other part arrives within this time is cancelled.
STALL_LIMIT_MS = 5000


# --- the slot ---


class ResponseSlot(Enum):
    """The state of the response. Responses begun by the server's voice detection take the same slot as ours."""

    FREE = "free"
    REQUESTED = "requested"  # by us, or owed by the server to a caller's turn
    AWAITING_SOUND = "awaiting sound"  # it exists, but has no audio yet
    RUNNING = "running"  # it has audio, or the caller's speech is the reason that it has none
    CANCELLED_MUTE = "cancelled: mute"  # by us; its end must come within a limit
    EXCUSED_MUTE = "excused: mute"  # the same, but audio came late, or the caller speaks
    CANCELLED_STALLED = "cancelled: stalled"  # by us, because no more of it came; its end must come within a limit
    UNKNOWN = "unknown holds it"  # a response holds the slot of which we received no `response.created`


class SlotEvent(Enum):
    ASK_DUE = "ask due"  # a request is pending, the caller is silent, and no pause is in force
    SERVER_ANSWERS = "server will answer"
    CREATED = "created"
    CREATED_TOO_LATE = "created too late"  # while the caller speaks, so the server's interruption did not reach it
    SPEECH_STARTED = "speech started"
    LIMIT_HEARD = "limit passed (heard)"
    LIMIT_MUTE = "limit passed (mute)"
    REFUSED = "refused: another active"
    REFUSED_LIMITED = "refused: rate limit"
    REFUSED_OTHERWISE = "refused: other error"
    ANSWER_REFUSED = "owed answer refused"  # the server's own answer to the caller's turn: our response came first
    ENDED = "ended"  # it called functions, or the caller speaks
    ENDED_HEARD = "ended heard"  # it had audio
    ENDED_CANCELLED = "ended unheard (cancelled)"
    ENDED_LIMITED = "ended unheard (rate limit)"
    ENDED_UNHEARD = "ended unheard"


class SlotAction(Enum):
    START_LIMIT = "start limit"  # of the state entered
    SEND_CREATE = "send response.create"
    SEND_CANCEL = "send response.cancel"
    REQUEST_AGAIN = "request again"  # make the last request pending again
    REQUEST_ANSWER = "request an answer"
    GIVE_UP_REQUEST = "give up the request"  # and make it pending again
    REPORT_HUNG = "report it hung"
    REPORT_HEARD = "report it heard"
    REPORT_UNHEARD = "report it unheard"
    REPORT_LIMITED = "report it limited"  # unheard, because of a rate limit


# The time limit of each state, counted from START_LIMIT; a free slot has none.
LIMITS_MS: Mapping[ResponseSlot, int] = {
    ResponseSlot.REQUESTED: REQUEST_LIMIT_MS,
    ResponseSlot.AWAITING_SOUND: MUTE_LIMIT_MS,
    ResponseSlot.RUNNING: STALL_LIMIT_MS,
    ResponseSlot.CANCELLED_MUTE: REQUEST_LIMIT_MS,
    ResponseSlot.EXCUSED_MUTE: STALL_LIMIT_MS,
    ResponseSlot.CANCELLED_STALLED: REQUEST_LIMIT_MS,
    ResponseSlot.UNKNOWN: STALL_LIMIT_MS,
}
# In these it is counted from the latest part of a response as well.
FROM_LATEST_PART = frozenset({ResponseSlot.RUNNING, ResponseSlot.EXCUSED_MUTE, ResponseSlot.UNKNOWN})

_TAKEN = tuple(slot for slot in ResponseSlot if slot is not ResponseSlot.FREE)
_UNPRESSED = (
    ResponseSlot.FREE,
    ResponseSlot.REQUESTED,
    ResponseSlot.AWAITING_SOUND,
    ResponseSlot.RUNNING,
    ResponseSlot.UNKNOWN,
)
_MUTE = (ResponseSlot.CANCELLED_MUTE, ResponseSlot.EXCUSED_MUTE)
_PRESSED = (*_MUTE, ResponseSlot.CANCELLED_STALLED)
_LIMIT = (SlotEvent.LIMIT_HEARD, SlotEvent.LIMIT_MUTE)

SLOT: Table[ResponseSlot, SlotEvent, tuple[SlotAction, ...]] = Table(
    "response slot",
    ResponseSlot.FREE,
    rows(
        {
            (ResponseSlot.FREE, SlotEvent.ASK_DUE): (
                ResponseSlot.REQUESTED,
                (SlotAction.START_LIMIT, SlotAction.SEND_CREATE),
            ),
            (ResponseSlot.FREE, SlotEvent.SERVER_ANSWERS): (ResponseSlot.REQUESTED, (SlotAction.START_LIMIT,)),
        },
        # A pending request waits for the slot, the server's answer for the end of the running response: see ENDED.
        stay(_TAKEN, (SlotEvent.ASK_DUE, SlotEvent.SERVER_ANSWERS), ()),
        # The server decides: the newest response holds the slot, whatever our state was.
        go(ResponseSlot, SlotEvent.CREATED, ResponseSlot.AWAITING_SOUND, (SlotAction.START_LIMIT,)),
        go(
            ResponseSlot,
            SlotEvent.CREATED_TOO_LATE,
            ResponseSlot.AWAITING_SOUND,
            (SlotAction.START_LIMIT, SlotAction.SEND_CANCEL),
        ),
        # While the caller speaks no audio is passed on, so its absence says nothing about the session.
        go(
            (ResponseSlot.AWAITING_SOUND, ResponseSlot.RUNNING),
            SlotEvent.SPEECH_STARTED,
            ResponseSlot.RUNNING,
            (SlotAction.START_LIMIT,),
        ),
        go(_MUTE, SlotEvent.SPEECH_STARTED, ResponseSlot.EXCUSED_MUTE, (SlotAction.START_LIMIT,)),
        stay(
            (ResponseSlot.FREE, ResponseSlot.REQUESTED, ResponseSlot.CANCELLED_STALLED, ResponseSlot.UNKNOWN),
            SlotEvent.SPEECH_STARTED,
            (),
        ),
        go(ResponseSlot.REQUESTED, _LIMIT, ResponseSlot.FREE, (SlotAction.GIVE_UP_REQUEST,)),
        {
            # The limit goes on from the latest part.
            (ResponseSlot.AWAITING_SOUND, SlotEvent.LIMIT_HEARD): (ResponseSlot.RUNNING, ()),
            (ResponseSlot.AWAITING_SOUND, SlotEvent.LIMIT_MUTE): (
                ResponseSlot.CANCELLED_MUTE,
                (SlotAction.START_LIMIT, SlotAction.SEND_CANCEL),
            ),
            (ResponseSlot.CANCELLED_MUTE, SlotEvent.LIMIT_HEARD): (
                ResponseSlot.EXCUSED_MUTE,
                (SlotAction.START_LIMIT,),
            ),
            (ResponseSlot.CANCELLED_MUTE, SlotEvent.LIMIT_MUTE): (
                ResponseSlot.CANCELLED_MUTE,
                (SlotAction.REPORT_HUNG, SlotAction.START_LIMIT, SlotAction.SEND_CANCEL),
            ),
        },
        go(
            (ResponseSlot.RUNNING, ResponseSlot.EXCUSED_MUTE),
            _LIMIT,
            ResponseSlot.CANCELLED_STALLED,
            (SlotAction.START_LIMIT, SlotAction.SEND_CANCEL),
        ),
        stay(
            ResponseSlot.CANCELLED_STALLED,
            _LIMIT,
            (SlotAction.REPORT_HUNG, SlotAction.START_LIMIT, SlotAction.SEND_CANCEL),
        ),
        # Our request was refused because another response holds the slot; its end decides what comes next.
        go(
            ResponseSlot.REQUESTED,
            (SlotEvent.REFUSED, SlotEvent.ANSWER_REFUSED),
            ResponseSlot.UNKNOWN,
            (SlotAction.REQUEST_AGAIN, SlotAction.START_LIMIT),
        ),
        # Its end was missed, or never comes: try again.
        go(ResponseSlot.UNKNOWN, _LIMIT, ResponseSlot.FREE, (SlotAction.REQUEST_AGAIN,)),
        stay((slot for slot in ResponseSlot if slot is not ResponseSlot.REQUESTED), SlotEvent.REFUSED, ()),
        stay(
            (slot for slot in ResponseSlot if slot is not ResponseSlot.REQUESTED),
            SlotEvent.ANSWER_REFUSED,
            (SlotAction.REQUEST_ANSWER,),
        ),
        go(ResponseSlot.REQUESTED, SlotEvent.REFUSED_LIMITED, ResponseSlot.FREE, (SlotAction.REPORT_LIMITED,)),
        go(ResponseSlot.REQUESTED, SlotEvent.REFUSED_OTHERWISE, ResponseSlot.FREE, (SlotAction.REPORT_UNHEARD,)),
        # The end of a response that we did not know of frees the slot too: nothing else would.
        go(ResponseSlot, SlotEvent.ENDED, ResponseSlot.FREE, (SlotAction.REPORT_HEARD,)),
        # Half a sentence is not an answer.
        go(ResponseSlot.CANCELLED_STALLED, SlotEvent.ENDED_HEARD, ResponseSlot.FREE, (SlotAction.REPORT_UNHEARD,)),
        go(
            (slot for slot in ResponseSlot if slot is not ResponseSlot.CANCELLED_STALLED),
            SlotEvent.ENDED_HEARD,
            ResponseSlot.FREE,
            (SlotAction.REPORT_HEARD,),
        ),
        go(ResponseSlot, SlotEvent.ENDED_LIMITED, ResponseSlot.FREE, (SlotAction.REPORT_LIMITED,)),
        go(ResponseSlot, SlotEvent.ENDED_UNHEARD, ResponseSlot.FREE, (SlotAction.REPORT_UNHEARD,)),
        # A cancelled response counts as heard, unless we cancelled it because it was mute or stalled.
        go(_UNPRESSED, SlotEvent.ENDED_CANCELLED, ResponseSlot.FREE, (SlotAction.REPORT_HEARD,)),
        go(_PRESSED, SlotEvent.ENDED_CANCELLED, ResponseSlot.FREE, (SlotAction.REPORT_UNHEARD,)),
    ),
    rows(
        never(ResponseSlot.FREE, _LIMIT, "no limit runs"),
        never(
            (slot for slot in ResponseSlot if slot is not ResponseSlot.REQUESTED),
            (SlotEvent.REFUSED_LIMITED, SlotEvent.REFUSED_OTHERWISE),
            "only an error about the pending request is one",
        ),
    ),
)


# --- the caller's turn ---


class Turn(Enum):
    SILENT = "silent"
    SPEAKING = "speaking"
    ANSWER_OWED = "answer owed"  # by the server, to a turn that is in the conversation
    SPEAKING_AGAIN = "speaking, answer owed"


class TurnEvent(Enum):
    SPEECH_STARTED = "speech started"
    COMMITTED = "turn committed"
    DROPPED = "turn dropped"  # it ended uncommitted, or we committed it: the server will not answer it
    SERVER_ANSWERED = "server answered"  # a response began that we had not requested
    ASKED = "we asked"  # for a response, which answers the caller's turn as well
    OVERDUE = "answer overdue"


class TurnAction(Enum):
    NOTHING = ""
    DROP_REQUEST = "drop request"


SPEAKING = frozenset({Turn.SPEAKING, Turn.SPEAKING_AGAIN})
OWED = frozenset({Turn.ANSWER_OWED, Turn.SPEAKING_AGAIN})
_PAID = (TurnEvent.SERVER_ANSWERED, TurnEvent.OVERDUE)

TURN: Table[Turn, TurnEvent, TurnAction] = Table(
    "caller's turn",
    Turn.SILENT,
    rows(
        go((Turn.SILENT, Turn.SPEAKING), TurnEvent.SPEECH_STARTED, Turn.SPEAKING, TurnAction.NOTHING),
        go((Turn.ANSWER_OWED, Turn.SPEAKING_AGAIN), TurnEvent.SPEECH_STARTED, Turn.SPEAKING_AGAIN, TurnAction.NOTHING),
        # The server's answer sees every function output that the pending request was for.
        go(Turn, TurnEvent.COMMITTED, Turn.ANSWER_OWED, TurnAction.DROP_REQUEST),
        go((Turn.SILENT, Turn.SPEAKING), TurnEvent.DROPPED, Turn.SILENT, TurnAction.NOTHING),
        go((Turn.ANSWER_OWED, Turn.SPEAKING_AGAIN), TurnEvent.DROPPED, Turn.ANSWER_OWED, TurnAction.NOTHING),
        go((Turn.SILENT, Turn.ANSWER_OWED), (*_PAID, TurnEvent.ASKED), Turn.SILENT, TurnAction.NOTHING),
        go((Turn.SPEAKING, Turn.SPEAKING_AGAIN), _PAID, Turn.SPEAKING, TurnAction.NOTHING),
    ),
    never(SPEAKING, TurnEvent.ASKED, "nothing is asked for while the caller speaks: its answer covers the request"),
)


# --- attempts ---


class Attempt(Enum):
    """A response that should have been heard and was not is requested once more: the caller must not meet silence."""

    FIRST = "first"
    REPEATED = "repeated"
    GIVEN_UP = "given up"  # the last response was not heard either, and is not requested again


class AttemptEvent(Enum):
    HEARD = "heard"
    UNHEARD = "unheard"
    UNHEARD_MORE_PENDING = "unheard (more pending)"  # another request is pending, and will be heard instead
    LIMITED = "rate limit"
    LIMITED_TOO_LONG = "rate limit (too long)"  # longer than a caller can be asked to wait


class AttemptAction(Enum):
    NOTHING = ""
    REPEAT = "request again"  # after the wait, if a rate limit was hit


_UNHEARD = (AttemptEvent.UNHEARD, AttemptEvent.UNHEARD_MORE_PENDING)

ATTEMPT: Table[Attempt, AttemptEvent, AttemptAction] = Table(
    "attempt",
    Attempt.FIRST,
    rows(
        go(Attempt, AttemptEvent.HEARD, Attempt.FIRST, AttemptAction.NOTHING),
        go((Attempt.FIRST, Attempt.GIVEN_UP), _UNHEARD, Attempt.REPEATED, AttemptAction.REPEAT),
        go(Attempt.REPEATED, AttemptEvent.UNHEARD, Attempt.GIVEN_UP, AttemptAction.NOTHING),
        go(Attempt.REPEATED, AttemptEvent.UNHEARD_MORE_PENDING, Attempt.FIRST, AttemptAction.NOTHING),
        # A rate limit is no failure of the session, and the wait for its end has a limit of its own.
        go((Attempt.FIRST, Attempt.GIVEN_UP), AttemptEvent.LIMITED, Attempt.FIRST, AttemptAction.REPEAT),
        stay(Attempt.REPEATED, AttemptEvent.LIMITED, AttemptAction.REPEAT),
        go(Attempt, AttemptEvent.LIMITED_TOO_LONG, Attempt.GIVEN_UP, AttemptAction.NOTHING),
    ),
    {},
)


# --- the session ---


class Liveness(Enum):
    ANSWERS = "answers"
    UNANSWERED = "unanswered"  # the last request had no answer
    DEAD = "dead"  # it accepts requests but answers none


class LivenessEvent(Enum):
    CREATED = "response created"
    UNANSWERED = "request unanswered"
    HUNG = "cancelled response hung"  # neither audio nor its end arrived


LIVENESS: Table[Liveness, LivenessEvent, None] = Table(
    "session's liveness",
    Liveness.ANSWERS,
    rows(
        go((Liveness.ANSWERS, Liveness.UNANSWERED), LivenessEvent.CREATED, Liveness.ANSWERS, None),
        go(Liveness.ANSWERS, LivenessEvent.UNANSWERED, Liveness.UNANSWERED, None),
        go(Liveness.UNANSWERED, LivenessEvent.UNANSWERED, Liveness.DEAD, None),
        go((Liveness.ANSWERS, Liveness.UNANSWERED), LivenessEvent.HUNG, Liveness.DEAD, None),
        # The session is about to be closed: nothing it still sends changes that.
        stay(Liveness.DEAD, LivenessEvent, None),
    ),
    {},
)


# --- the budget of a turn ---


class Budget(Enum):
    """Whether more responses may be requested before the caller speaks or presses a key again."""

    WITHIN = "within"
    LAST_ASKED = "last asked"  # without functions, so that the model speaks and then waits
    SPENT = "spent"  # nothing more is requested


class BudgetEvent(Enum):
    ASKED_BEYOND = "asked beyond"  # another response is due, but the budget of the turn is used up
    CALLER_ACTED = "caller acted"


class BudgetAction(Enum):
    NOTHING = ""
    ASK_WITHOUT_FUNCTIONS = "ask without functions"
    SAY_OWN_WORDS = "say own words"  # a recorded sentence, and no request
    DROP = "drop request"


BUDGET: Table[Budget, BudgetEvent, BudgetAction] = Table(
    "turn's budget",
    Budget.WITHIN,
    rows(
        go(Budget.WITHIN, BudgetEvent.ASKED_BEYOND, Budget.LAST_ASKED, BudgetAction.ASK_WITHOUT_FUNCTIONS),
        go(Budget.LAST_ASKED, BudgetEvent.ASKED_BEYOND, Budget.SPENT, BudgetAction.SAY_OWN_WORDS),
        stay(Budget.SPENT, BudgetEvent.ASKED_BEYOND, BudgetAction.DROP),
        go(Budget, BudgetEvent.CALLER_ACTED, Budget.WITHIN, BudgetAction.NOTHING),
    ),
    {},
)
