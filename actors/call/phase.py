"""Where a call is in its life, as two tables side by side: each of them changes without asking the other.

CALL: from its beginning to the record it leaves; when a bot hangs up is decided here. READINESS: which of the two sides
is there to talk, and whether the caller was greeted. The supervisor of a call translates what it is told to events.
Pure data. May import: protocols, the standard library.
"""

from __future__ import annotations

from enum import Enum

from protocols.transitions import Table, go, never, rows, stay

# --- the call ---


class Phase(Enum):
    TALKING = "talking"
    LAST_WORDS = "last words"  # of the model: the call ends once they were heard
    SIGNING_OFF = "signing off"  # in a sentence of ours: there is no model any more, and no way back
    HANGING_UP = "hanging up"  # VAIC was told to, and is to answer with session.end
    HANDING_OVER = "handing over"  # the journal was asked to leave the call to another process
    SETTLING = "settling"  # the caller has left; tasks in the middle of a step end it, for the record to be true
    MOVED = "moved"  # another process may have it, and writes its record; the children end
    CLOSED = "closed"  # its record is written; the children end


class CallEvent(Enum):
    FAREWELL_DUE = "farewell due"  # a task has ended with a hang-up or a transfer
    CALLED_OFF = "called off"  # the caller speaks into the last words, or a task has ended after which the call goes on
    FAREWELL_HEARD = "farewell heard"
    FAREWELL_OVERDUE = "farewell overdue"
    MODEL_GONE = "model gone"  # for good
    END_IN_WORDS = "end in words"  # the daemon wants the call to end, and the caller can be told so
    END_CALL = "end call"  # it wants so at once
    CALLER_GONE = "caller gone"  # VAIC's last word on the call
    RESUME_TIMEOUT = "resume timeout"  # a lost caller is not back
    END_TIMEOUT = "end timeout"  # VAIC does not answer our hang-up; or nobody was there to be told of it
    ESCALATED = "escalated"  # the caller's side is beyond repair
    RESUMED = "resumed"  # VAIC is back on another socket
    REPLACED = "replaced"  # another actor has taken over the socket of a caller's side that crashed
    MOVE_QUIET = "move: quiet"  # the call is to go on at another process, and nobody speaks
    MOVE_NOW = "move: now"
    HANDED_OVER = "handed over"  # the journal has left the call to whoever it is resumed at
    TASKS_SETTLED = "tasks settled"
    SETTLE_TIMEOUT = "settle timeout"
    STOPPED = "stopped"  # by the switchboard
    CRASHED = "crashed"  # the supervisor itself


class CallAction(Enum):
    AWAIT_FAREWELL = "await farewell"
    FORGET_FAREWELL = "forget farewell"
    SIGN_OFF = "sign off"  # let the model go; say a sentence of ours, and await that it is heard
    SAY_AGAIN = "say it again"  # that sentence: the caller was away
    HANG_UP = "hang up"  # or transfer; with nobody there to be told, END_TIMEOUT follows at once
    REPEAT_HANG_UP = "repeat hang-up"
    TAKE_UP = "take up"  # say what is owed to a caller who was away
    REBIND = "rebind"  # the caller's side to its new socket
    TURN_AWAY = "turn away"  # a new socket, for the call has ended
    SEND_ELSEWHERE = "send elsewhere"  # the caller, or a new socket, for the call goes on at another process
    PARK = "park"  # have the journal leave the call to whoever it is resumed at
    TAKE_OUTCOME = "take outcome"  # that of the event; HANG_UP has taken its own
    CLOSE_WIRE = "close wire"
    SETTLE = "settle"  # have tasks end the step they are in; with none of them in one, TASKS_SETTLED follows at once
    RECORD = "write record"
    DISBAND = "stop children"


_E, _A = CallEvent, CallAction
# Nobody has been told yet that the call is over.
_GOING_ON = (Phase.TALKING, Phase.LAST_WORDS, Phase.SIGNING_OFF, Phase.HANDING_OVER)
# The call is not ours to change any more; of what it is told, only the caller's end and return still matter.
OVER = frozenset({Phase.MOVED, Phase.CLOSED})
_ENDED = (Phase.SETTLING, Phase.MOVED, Phase.CLOSED)
_ENDING = (Phase.HANGING_UP, *_ENDED)

CALL: Table[Phase, CallEvent, tuple[CallAction, ...]] = Table(
    "call",
    Phase.TALKING,
    rows(
        # --- the farewell ---
        go((Phase.TALKING, Phase.LAST_WORDS), _E.FAREWELL_DUE, Phase.LAST_WORDS, (_A.AWAIT_FAREWELL,)),
        stay(Phase.HANDING_OVER, _E.FAREWELL_DUE, (_A.AWAIT_FAREWELL,)),
        go(Phase.LAST_WORDS, _E.CALLED_OFF, Phase.TALKING, (_A.FORGET_FAREWELL,)),
        stay(Phase.HANDING_OVER, _E.CALLED_OFF, (_A.FORGET_FAREWELL,)),
        stay(Phase.TALKING, _E.CALLED_OFF, ()),
        # Without a model there is nobody to go on with: a task that ends calls nothing off, and puts nothing off.
        stay(
            (Phase.SIGNING_OFF, Phase.HANGING_UP, Phase.SETTLING),
            (_E.FAREWELL_DUE, _E.CALLED_OFF),
            (),
        ),
        go(
            (Phase.LAST_WORDS, Phase.SIGNING_OFF, Phase.HANDING_OVER),
            (_E.FAREWELL_HEARD, _E.FAREWELL_OVERDUE),
            Phase.HANGING_UP,
            (_A.HANG_UP,),
        ),
        stay(Phase.HANGING_UP, _E.FAREWELL_HEARD, ()),
        # --- our end of it ---
        go(
            (Phase.TALKING, Phase.LAST_WORDS, Phase.HANDING_OVER),
            _E.MODEL_GONE,
            Phase.SIGNING_OFF,
            (_A.SIGN_OFF,),
        ),
        go((Phase.TALKING, Phase.LAST_WORDS), _E.END_IN_WORDS, Phase.SIGNING_OFF, (_A.SIGN_OFF,)),
        # Whoever signs off says so already; whoever hangs up keeps the outcome it has.
        stay((Phase.SIGNING_OFF, *_ENDING), (_E.MODEL_GONE, _E.END_IN_WORDS), ()),
        go((Phase.TALKING, Phase.LAST_WORDS, Phase.SIGNING_OFF), _E.END_CALL, Phase.HANGING_UP, (_A.HANG_UP,)),
        stay(_ENDING, _E.END_CALL, ()),
        # A caller who can go on elsewhere is not hung up on because this process must end. Nor is the journal waited
        # for: should it never park the call, the fence lets another process claim it all the same.
        go(
            Phase.HANDING_OVER,
            (_E.END_IN_WORDS, _E.END_CALL),
            Phase.MOVED,
            (_A.SEND_ELSEWHERE, _A.DISBAND),
        ),
        go(Phase.HANGING_UP, (_E.END_TIMEOUT, _E.RESUME_TIMEOUT), Phase.SETTLING, (_A.SETTLE,)),
        # --- the caller ---
        # Also one who is being handed over: the journal may have parked the call, and closes it all the same.
        go(
            _GOING_ON,
            (_E.CALLER_GONE, _E.RESUME_TIMEOUT),
            Phase.SETTLING,
            (_A.TAKE_OUTCOME, _A.SETTLE),
        ),
        go(Phase.HANGING_UP, _E.CALLER_GONE, Phase.SETTLING, (_A.SETTLE,)),
        # He hung up before he heard that he was to go elsewhere: nobody else will write this record.
        go(Phase.MOVED, _E.CALLER_GONE, Phase.CLOSED, (_A.TAKE_OUTCOME, _A.RECORD)),
        stay((Phase.SETTLING, Phase.CLOSED), _E.CALLER_GONE, ()),
        go(
            (*_GOING_ON, Phase.HANGING_UP),
            _E.ESCALATED,
            Phase.SETTLING,
            (_A.CLOSE_WIRE, _A.TAKE_OUTCOME, _A.SETTLE),
        ),
        stay((Phase.TALKING, Phase.LAST_WORDS, Phase.HANDING_OVER), _E.RESUMED, (_A.REBIND, _A.TAKE_UP)),
        stay((Phase.TALKING, Phase.LAST_WORDS, Phase.HANDING_OVER), _E.REPLACED, (_A.TAKE_UP,)),
        stay(Phase.SIGNING_OFF, _E.RESUMED, (_A.REBIND, _A.SAY_AGAIN)),
        stay(Phase.SIGNING_OFF, _E.REPLACED, (_A.SAY_AGAIN,)),
        stay(Phase.HANGING_UP, _E.RESUMED, (_A.REBIND, _A.REPEAT_HANG_UP)),
        stay(Phase.HANGING_UP, _E.REPLACED, (_A.REPEAT_HANG_UP,)),
        stay((Phase.SETTLING, Phase.CLOSED), _E.RESUMED, (_A.TURN_AWAY,)),
        stay(Phase.MOVED, _E.RESUMED, (_A.SEND_ELSEWHERE,)),
        stay(Phase.SETTLING, _E.REPLACED, ()),
        # --- to another process ---
        go(Phase.TALKING, _E.MOVE_QUIET, Phase.HANDING_OVER, (_A.PARK,)),
        # A pause before the last words is not the moment to leave: in a few seconds there is nothing left to move.
        stay((Phase.LAST_WORDS, Phase.SIGNING_OFF, Phase.HANDING_OVER, *_ENDING), _E.MOVE_QUIET, ()),
        # HANDING_OVER: asked again, for the journal's writer may have died over it.
        go(_GOING_ON, _E.MOVE_NOW, Phase.HANDING_OVER, (_A.PARK,)),
        stay(_ENDING, _E.MOVE_NOW, ()),
        go(Phase.HANDING_OVER, _E.HANDED_OVER, Phase.MOVED, (_A.SEND_ELSEWHERE, _A.DISBAND)),
        # It was parked, and ends here all the same: its record ends the lease.
        stay((Phase.SIGNING_OFF, *_ENDING), _E.HANDED_OVER, ()),
        # --- the record ---
        go(
            Phase.SETTLING,
            (_E.TASKS_SETTLED, _E.SETTLE_TIMEOUT),
            Phase.CLOSED,
            (_A.RECORD, _A.DISBAND),
        ),
        go(_GOING_ON, _E.STOPPED, Phase.CLOSED, (_A.TAKE_OUTCOME, _A.RECORD)),
        go((Phase.HANGING_UP, Phase.SETTLING), _E.STOPPED, Phase.CLOSED, (_A.RECORD,)),
        go((*_GOING_ON, Phase.HANGING_UP, Phase.SETTLING), _E.CRASHED, Phase.CLOSED, (_A.TAKE_OUTCOME, _A.RECORD)),
        stay(OVER, (_E.STOPPED, _E.CRASHED), ()),
    ),
    rows(
        never(Phase.TALKING, (_E.FAREWELL_HEARD, _E.FAREWELL_OVERDUE), "no farewell is waited for"),
        never(_ENDING, _E.FAREWELL_OVERDUE, "the hang-up has cancelled its limit"),
        never(Phase.SETTLING, _E.FAREWELL_HEARD, "what is heard is only written down"),
        never((*_GOING_ON, *_ENDED), _E.END_TIMEOUT, "no hang-up is waited for"),
        never(_ENDED, _E.RESUME_TIMEOUT, "all limits are cancelled"),
        never(_ENDED, _E.ESCALATED, "the caller's side was told to end, and its death is no surprise"),
        never((Phase.TALKING, Phase.LAST_WORDS), _E.HANDED_OVER, "the journal was not asked to"),
        never(
            (*_GOING_ON, Phase.HANGING_UP, *OVER),
            (_E.TASKS_SETTLED, _E.SETTLE_TIMEOUT),
            "no task was asked to settle, or it is not waited for any more",
        ),
        never(
            OVER,
            (_E.FAREWELL_DUE, _E.CALLED_OFF, _E.FAREWELL_HEARD, _E.REPLACED),
            "neither tasks nor the caller's side are listened to",
        ),
    ),
)


# --- who is there ---


class Readiness(Enum):
    NOBODY = "nobody"
    CALLER = "caller"  # waits for a model to be greeted by
    MODEL = "model"  # waits for VAIC's `start`
    BOTH = "both"  # and the caller was greeted
    MODEL_AWAY = "model away"  # after the greeting
    TAKEN_OVER = "taken over"  # from another process: the caller is owed words for our having been away


class ReadinessEvent(Enum):
    CALLER_ARRIVED = "caller arrived"
    START_OVERDUE = "start overdue"
    MODEL_READY = "model ready"
    MODEL_LOST = "model lost"
    GREETING_LOST = "model lost, nothing heard"  # what was to be the greeting went with it
    TAKEN_OVER = "call taken over"
    TAKEN_OVER_BLANK = "call taken over, nothing heard"
    ANSWER_DUE = "answer due"  # a function call that another process has not answered: its answer comes by itself


class ReadinessAction(Enum):
    AWAIT_START = "await start"
    GREET = "greet"
    CATCH_UP = "catch up"  # say what could not be said without a model, or ask for what was lost with one
    TAKE_UP = "take up"  # say what is owed to a caller who was away; and if nothing is, ask


# The model can hear and speak.
MODEL_THERE = frozenset({Readiness.MODEL, Readiness.BOTH})
# The caller has been greeted, by whichever process.
GREETED = frozenset({Readiness.BOTH, Readiness.MODEL_AWAY, Readiness.TAKEN_OVER})

_R, _W, _D = Readiness, ReadinessEvent, ReadinessAction
_LOST = (_W.MODEL_LOST, _W.GREETING_LOST)
_START = (_W.CALLER_ARRIVED, _W.START_OVERDUE)

READINESS: Table[Readiness, ReadinessEvent, tuple[ReadinessAction, ...]] = Table(
    "readiness",
    Readiness.NOBODY,
    rows(
        go(_R.NOBODY, _START, _R.CALLER, ()),
        go(_R.NOBODY, _W.MODEL_READY, _R.MODEL, (_D.AWAIT_START, _D.CATCH_UP)),
        go(_R.MODEL, _START, _R.BOTH, (_D.GREET,)),
        go(_R.CALLER, _W.MODEL_READY, _R.BOTH, (_D.GREET, _D.CATCH_UP)),
        stay(_R.CALLER, _START, ()),
        stay((_R.BOTH, _R.MODEL_AWAY, _R.TAKEN_OVER), _W.CALLER_ARRIVED, ()),
        # A session that takes over from another gets ready without the other having been missed.
        stay(_R.MODEL, _W.MODEL_READY, (_D.AWAIT_START, _D.CATCH_UP)),
        stay(_R.BOTH, _W.MODEL_READY, (_D.CATCH_UP,)),
        go(_R.MODEL_AWAY, _W.MODEL_READY, _R.BOTH, (_D.CATCH_UP,)),
        go(_R.TAKEN_OVER, _W.MODEL_READY, _R.BOTH, (_D.TAKE_UP,)),
        stay((_R.NOBODY, _R.CALLER), _LOST, ()),
        go(_R.MODEL, _LOST, _R.NOBODY, ()),
        go(_R.BOTH, _W.MODEL_LOST, _R.MODEL_AWAY, ()),
        # A greeting that nobody heard of is given again by the next session.
        go(_R.BOTH, _W.GREETING_LOST, _R.CALLER, ()),
        stay((_R.MODEL_AWAY, _R.TAKEN_OVER), _W.MODEL_LOST, ()),
        go(_R.NOBODY, _W.TAKEN_OVER, _R.TAKEN_OVER, ()),
        go(_R.NOBODY, _W.TAKEN_OVER_BLANK, _R.CALLER, ()),
        go(_R.TAKEN_OVER, _W.ANSWER_DUE, _R.MODEL_AWAY, ()),
        stay((_R.MODEL_AWAY, _R.CALLER), _W.ANSWER_DUE, ()),
    ),
    rows(
        never(GREETED, _W.START_OVERDUE, "the greeting has cancelled the limit, or never had one"),
        never(
            (_R.MODEL_AWAY, _R.TAKEN_OVER), _W.GREETING_LOST, "something was heard, and a transcript forgets nothing"
        ),
        never(
            (each for each in _R if each is not _R.NOBODY),
            (_W.TAKEN_OVER, _W.TAKEN_OVER_BLANK),
            "a call is taken over before it begins",
        ),
        never(
            (_R.NOBODY, _R.MODEL, _R.BOTH),
            _W.ANSWER_DUE,
            "what another process has left is told of between the taking over and a model",
        ),
    ),
)
