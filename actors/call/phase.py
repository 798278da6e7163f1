"""The state of a call, as two independent tables.

CALL: from the beginning to the written record; it decides when the bot hangs up. READINESS: whether caller and model
are connected, and whether the caller was greeted. The call's supervisor translates messages into events of both.
Pure data. May import: protocols, the standard library.
"""

from __future__ import annotations

from enum import Enum

from protocols.transitions import Table, go, never, rows, stay

# --- the call ---


class Phase(Enum):
    TALKING = "talking"
    FAREWELL = "farewell"  # the model says it, or a clip; the call ends once it was heard, unless it is called off
    SIGNING_OFF = "signing off"  # a recorded clip says farewell: the model is gone, and the end cannot be called off
    HANGING_UP = "hanging up"  # VAIC was told to hang up; its session.end is to come
    HANDING_OVER = "handing over"  # the journal was asked to release the call's lease
    SETTLING = "settling"  # the caller has left; tasks finish their step and the last transcript comes
    MOVED = "moved"  # another process may own the call, and writes its record; the children stop
    CLOSED = "closed"  # the record is written; the children stop


class CallEvent(Enum):
    FAREWELL_DUE = "farewell due"  # a task has ended with a hang-up or a transfer
    CALLED_OFF = "called off"  # by a new request of the caller, said during the farewell
    FAREWELL_HEARD = "farewell heard"
    FAREWELL_OVERDUE = "farewell overdue"
    MODEL_GONE = "model gone"  # permanently: no restarts are left
    GOODBYE_DUE = "goodbye due"  # nobody has answered; what the caller says into the recorded goodbye calls it off
    END_IN_WORDS = "end in words"  # the daemon ends the call; the caller is connected and can be told
    END_CALL = "end call"  # the daemon ends the call at once
    CALLER_GONE = "caller gone"  # VAIC sent session.end
    RESUME_TIMEOUT = "resume timeout"  # a lost caller did not come back in time
    TRANSFER_FAILED = "transfer failed"  # nobody has answered it, and VAIC keeps the call
    # The model was stopped before it or lost for good meanwhile, or the daemon ends the call.
    TRANSFER_FAILED_MUTE = "transfer failed (ends)"
    TRANSFER_FAILED_NEXT = "transfer failed (another next)"  # another target is to be tried
    END_TIMEOUT = "end timeout"  # VAIC did not answer our hang-up, or had no socket to receive it
    ESCALATED = "escalated"  # the VAIC session used up its restarts
    RESUMED = "resumed"  # VAIC resumed the call on another socket
    REPLACED = "replaced"  # a restarted VAIC session has taken over the socket
    MOVE_QUIET = "move: quiet"  # the call is to move to another process, and nobody speaks
    MOVE_NOW = "move: now"
    HANDED_OVER = "handed over"  # the journal has released the lease: any process may resume the call
    SETTLED = "settled"  # no task is in a step, and the transcript of the last turn has arrived
    SETTLE_TIMEOUT = "settle timeout"  # a task takes longer: what the record lacks is its end
    OVERTIME_TIMEOUT = "overtime timeout"  # a task has hung
    STOPPED = "stopped"  # by the switchboard
    CRASHED = "crashed"  # the supervisor itself


class CallAction(Enum):
    AWAIT_FAREWELL = "await farewell"
    FORGET_FAREWELL = "forget farewell"
    # Stop the model, play a recorded farewell and wait until it is heard: that of the end which is due already, a
    # transfer or a hang-up, else the event's.
    SIGN_OFF = "sign off"
    PLAY_FAREWELL = "play the farewell"  # a recorded one; again for a caller who was away
    TELL_FAILURE = "tell of the failed transfer"
    HANG_UP = "hang up"  # or transfer; without a caller's socket, END_TIMEOUT follows at once
    KEEP_END = "keep the end"  # until a transfer fails: it is carried out then
    REPEAT_HANG_UP = "repeat hang-up"
    TAKE_UP = "take up"  # say what a caller who was away has not heard
    REBIND = "rebind"  # give the caller's leg its new socket
    TURN_AWAY = "turn away"  # close a new socket: the call has ended
    SEND_ELSEWHERE = "send elsewhere"  # close the caller's socket with 1012: the call goes on at another process
    PARK = "park"  # have the journal release the call's lease
    TAKE_OUTCOME = "take outcome"  # store the event's outcome; HANG_UP stores its own
    CLOSE_WIRE = "close wire"
    SETTLE = "settle"  # wait for tasks that are in a step, and for the last transcript; SETTLED may follow at once
    RECORD_SO_FAR = "write record so far"  # and wait for the tasks: they decide what stands
    HURRY = "hurry"  # wait for the tasks no longer than SETTLE_LIMIT_S
    RECORD = "write record"
    DISBAND = "stop children"


_E, _A = CallEvent, CallAction
# VAIC has not been told yet that the call is over.
GOING_ON = (Phase.TALKING, Phase.FAREWELL, Phase.SIGNING_OFF, Phase.HANDING_OVER)
# The call has left this process or has ended: only session.end and session.resume still matter.
OVER = (Phase.MOVED, Phase.CLOSED)
_ENDED = (Phase.SETTLING, Phase.MOVED, Phase.CLOSED)
_ENDING = (Phase.HANGING_UP, *_ENDED)
_FAILED_TRANSFERS = (_E.TRANSFER_FAILED, _E.TRANSFER_FAILED_MUTE, _E.TRANSFER_FAILED_NEXT)

CALL: Table[Phase, CallEvent, tuple[CallAction, ...]] = Table(
    "call",
    Phase.TALKING,
    rows(
        # --- the farewell ---
        go((Phase.TALKING, Phase.FAREWELL), _E.FAREWELL_DUE, Phase.FAREWELL, (_A.AWAIT_FAREWELL,)),
        stay(Phase.HANDING_OVER, _E.FAREWELL_DUE, (_A.AWAIT_FAREWELL,)),
        go(Phase.FAREWELL, _E.CALLED_OFF, Phase.TALKING, (_A.FORGET_FAREWELL,)),
        stay(Phase.HANDING_OVER, _E.CALLED_OFF, (_A.FORGET_FAREWELL,)),
        stay(Phase.TALKING, _E.CALLED_OFF, ()),
        # Without a model the call cannot go on: a task that ends neither calls the end off nor delays it.
        stay(
            (Phase.SIGNING_OFF, Phase.HANGING_UP, Phase.SETTLING),
            (_E.FAREWELL_DUE, _E.CALLED_OFF),
            (),
        ),
        go(
            (Phase.FAREWELL, Phase.SIGNING_OFF, Phase.HANDING_OVER),
            (_E.FAREWELL_HEARD, _E.FAREWELL_OVERDUE),
            Phase.HANGING_UP,
            (_A.HANG_UP,),
        ),
        stay(Phase.HANGING_UP, _E.FAREWELL_HEARD, ()),
        # --- the daemon ends the call ---
        go(Phase.TALKING, _E.GOODBYE_DUE, Phase.FAREWELL, (_A.AWAIT_FAREWELL, _A.PLAY_FAREWELL)),
        go(
            (Phase.TALKING, Phase.FAREWELL, Phase.HANDING_OVER),
            _E.MODEL_GONE,
            Phase.SIGNING_OFF,
            (_A.SIGN_OFF,),
        ),
        go((Phase.TALKING, Phase.FAREWELL), _E.END_IN_WORDS, Phase.SIGNING_OFF, (_A.SIGN_OFF,)),
        # The end has begun already, and keeps its outcome.
        stay((Phase.SIGNING_OFF, *_ENDING), _E.MODEL_GONE, ()),
        stay((Phase.SIGNING_OFF, *_ENDED), _E.END_IN_WORDS, ()),
        go((Phase.TALKING, Phase.FAREWELL, Phase.SIGNING_OFF), _E.END_CALL, Phase.HANGING_UP, (_A.HANG_UP,)),
        # A transfer may fail yet, and the call go on.
        stay(Phase.HANGING_UP, (_E.END_IN_WORDS, _E.END_CALL), (_A.KEEP_END,)),
        stay(OVER, _E.END_CALL, ()),
        stay(Phase.SETTLING, _E.END_CALL, (_A.HURRY,)),
        # Do not hang up on a caller who can go on at another process. Do not wait for the journal either: should it
        # never release the lease, fencing still lets another process claim it.
        go(
            Phase.HANDING_OVER,
            (_E.GOODBYE_DUE, _E.END_IN_WORDS, _E.END_CALL),
            Phase.MOVED,
            (_A.SEND_ELSEWHERE, _A.DISBAND),
        ),
        go(Phase.HANGING_UP, (_E.END_TIMEOUT, _E.RESUME_TIMEOUT), Phase.SETTLING, (_A.SETTLE,)),
        # The call goes on, as long as there is somebody to go on with.
        go(Phase.HANGING_UP, _E.TRANSFER_FAILED, Phase.TALKING, (_A.FORGET_FAREWELL, _A.TELL_FAILURE)),
        go(Phase.HANGING_UP, _E.TRANSFER_FAILED_MUTE, Phase.SIGNING_OFF, (_A.FORGET_FAREWELL, _A.SIGN_OFF)),
        # The caller is asked to wait once more, and may call it off.
        go(
            Phase.HANGING_UP,
            _E.TRANSFER_FAILED_NEXT,
            Phase.FAREWELL,
            (_A.FORGET_FAREWELL, _A.AWAIT_FAREWELL, _A.PLAY_FAREWELL),
        ),
        # Told by the VAIC session of a socket that was replaced since.
        stay(GOING_ON, _FAILED_TRANSFERS, ()),
        # --- the caller ---
        # Also while handing over: the journal may have parked the call, and still closes it.
        go(
            GOING_ON,
            (_E.CALLER_GONE, _E.RESUME_TIMEOUT),
            Phase.SETTLING,
            (_A.TAKE_OUTCOME, _A.SETTLE),
        ),
        go(Phase.HANGING_UP, _E.CALLER_GONE, Phase.SETTLING, (_A.SETTLE,)),
        # The caller hung up before the close code arrived: no other process will write this record.
        go(Phase.MOVED, _E.CALLER_GONE, Phase.CLOSED, (_A.TAKE_OUTCOME, _A.RECORD)),
        stay((Phase.SETTLING, Phase.CLOSED), _E.CALLER_GONE, ()),
        go(
            (*GOING_ON, Phase.HANGING_UP),
            _E.ESCALATED,
            Phase.SETTLING,
            (_A.CLOSE_WIRE, _A.TAKE_OUTCOME, _A.SETTLE),
        ),
        stay((Phase.TALKING, Phase.FAREWELL, Phase.HANDING_OVER), _E.RESUMED, (_A.REBIND, _A.TAKE_UP)),
        stay((Phase.TALKING, Phase.FAREWELL, Phase.HANDING_OVER), _E.REPLACED, (_A.TAKE_UP,)),
        stay(Phase.SIGNING_OFF, _E.RESUMED, (_A.REBIND, _A.PLAY_FAREWELL)),
        stay(Phase.SIGNING_OFF, _E.REPLACED, (_A.PLAY_FAREWELL,)),
        stay(Phase.HANGING_UP, _E.RESUMED, (_A.REBIND, _A.REPEAT_HANG_UP)),
        stay(Phase.HANGING_UP, _E.REPLACED, (_A.REPEAT_HANG_UP,)),
        stay((Phase.SETTLING, Phase.CLOSED), _E.RESUMED, (_A.TURN_AWAY,)),
        stay(Phase.MOVED, _E.RESUMED, (_A.SEND_ELSEWHERE,)),
        stay(Phase.SETTLING, _E.REPLACED, ()),
        # --- to another process ---
        go(Phase.TALKING, _E.MOVE_QUIET, Phase.HANDING_OVER, (_A.PARK,)),
        # Do not move in a pause before the farewell: the call ends in a few seconds.
        stay((Phase.FAREWELL, Phase.SIGNING_OFF, Phase.HANDING_OVER, *_ENDING), _E.MOVE_QUIET, ()),
        # HANDING_OVER: ask again, because the journal's writer may have crashed before it answered.
        go(GOING_ON, _E.MOVE_NOW, Phase.HANDING_OVER, (_A.PARK,)),
        stay(_ENDING, _E.MOVE_NOW, ()),
        go(Phase.HANDING_OVER, _E.HANDED_OVER, Phase.MOVED, (_A.SEND_ELSEWHERE, _A.DISBAND)),
        # The call was parked but still ends here: writing its record ends the lease.
        stay((Phase.SIGNING_OFF, *_ENDING), _E.HANDED_OVER, ()),
        # --- the record ---
        go(
            Phase.SETTLING,
            (_E.SETTLED, _E.OVERTIME_TIMEOUT),
            Phase.CLOSED,
            (_A.RECORD, _A.DISBAND),
        ),
        stay(Phase.SETTLING, _E.SETTLE_TIMEOUT, (_A.RECORD_SO_FAR,)),
        go(GOING_ON, _E.STOPPED, Phase.CLOSED, (_A.TAKE_OUTCOME, _A.RECORD)),
        go((Phase.HANGING_UP, Phase.SETTLING), _E.STOPPED, Phase.CLOSED, (_A.RECORD,)),
        go((*GOING_ON, Phase.HANGING_UP, Phase.SETTLING), _E.CRASHED, Phase.CLOSED, (_A.TAKE_OUTCOME, _A.RECORD)),
        stay(OVER, (_E.STOPPED, _E.CRASHED), ()),
    ),
    rows(
        never(Phase.TALKING, (_E.FAREWELL_HEARD, _E.FAREWELL_OVERDUE), "no farewell is waited for"),
        never(
            (Phase.FAREWELL, Phase.SIGNING_OFF, *_ENDING),
            _E.GOODBYE_DUE,
            "silence is not watched once the end is decided",
        ),
        never(_ENDING, _E.FAREWELL_OVERDUE, "the hang-up has cancelled this timer"),
        never(Phase.SETTLING, _E.FAREWELL_HEARD, "speech facts are only recorded"),
        never((*GOING_ON, *_ENDED), _E.END_TIMEOUT, "no hang-up is waited for"),
        never(_ENDED, _E.RESUME_TIMEOUT, "all timers are cancelled"),
        never(_ENDED, _FAILED_TRANSFERS, "messages of the VAIC session are ignored"),
        never(_ENDED, _E.ESCALATED, "the VAIC session was told to stop, so its end does not count as a crash"),
        never((Phase.TALKING, Phase.FAREWELL), _E.HANDED_OVER, "the journal was not asked to release the call"),
        never(
            (*GOING_ON, Phase.HANGING_UP, *OVER),
            (_E.SETTLED, _E.SETTLE_TIMEOUT, _E.OVERTIME_TIMEOUT),
            "no task was asked to settle, or the call no longer waits for it",
        ),
        never(
            OVER,
            (_E.FAREWELL_DUE, _E.CALLED_OFF, _E.FAREWELL_HEARD, _E.REPLACED),
            "messages of tasks and of the VAIC session are ignored",
        ),
    ),
)


# --- readiness ---


class Readiness(Enum):
    NOBODY = "nobody"
    CALLER = "caller"  # the caller waits for the model
    MODEL = "model"  # the model waits for VAIC's `start`
    BOTH = "both"  # both are connected, and the caller was greeted
    MODEL_AWAY = "model away"  # after the greeting
    TAKEN_OVER = "taken over"  # from another process: the bot speaks first, because the caller heard a gap


class ReadinessEvent(Enum):
    CALLER_ARRIVED = "caller arrived"
    START_OVERDUE = "start overdue"
    MODEL_READY = "model ready"
    MODEL_LOST = "model lost"
    GREETING_LOST = "model lost (nothing heard)"  # the greeting was lost with it
    TAKEN_OVER = "call taken over"
    TAKEN_OVER_BLANK = "call taken over (nothing heard)"
    ANSWER_DUE = "answer due"  # a function call the other process left unanswered: its output will be spoken


class ReadinessAction(Enum):
    AWAIT_START = "await start"
    GREET = "greet"
    WATCH = "watch"  # for silence: the caller is there, and is not greeted again
    CATCH_UP = "catch up"  # say what had to wait for a model, or ask the caller to repeat what was lost with one
    TAKE_UP = "take up"  # say what a caller who was away has not heard; if nothing, ask what the caller said


# The model can hear and speak.
MODEL_THERE = frozenset({Readiness.MODEL, Readiness.BOTH})
# The caller has been greeted, by this process or an earlier one.
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
        # A standby session that takes over reports ready while the old one never counted as lost.
        stay(_R.MODEL, _W.MODEL_READY, (_D.AWAIT_START, _D.CATCH_UP)),
        stay(_R.BOTH, _W.MODEL_READY, (_D.CATCH_UP,)),
        go(_R.MODEL_AWAY, _W.MODEL_READY, _R.BOTH, (_D.CATCH_UP,)),
        go(_R.TAKEN_OVER, _W.MODEL_READY, _R.BOTH, (_D.TAKE_UP,)),
        stay((_R.NOBODY, _R.CALLER), _LOST, ()),
        go(_R.MODEL, _LOST, _R.NOBODY, ()),
        go(_R.BOTH, _W.MODEL_LOST, _R.MODEL_AWAY, ()),
        # A greeting of which nothing was heard is given again by the next session.
        go(_R.BOTH, _W.GREETING_LOST, _R.CALLER, ()),
        stay((_R.MODEL_AWAY, _R.TAKEN_OVER), _W.MODEL_LOST, ()),
        go(_R.NOBODY, _W.TAKEN_OVER, _R.TAKEN_OVER, ()),
        go(_R.NOBODY, _W.TAKEN_OVER_BLANK, _R.CALLER, ()),
        go(_R.TAKEN_OVER, _W.ANSWER_DUE, _R.MODEL_AWAY, (_D.WATCH,)),
        stay((_R.MODEL_AWAY, _R.CALLER), _W.ANSWER_DUE, ()),
    ),
    rows(
        never(GREETED, _W.START_OVERDUE, "the greeting has cancelled this timer, or it was never started"),
        never(
            (_R.MODEL_AWAY, _R.TAKEN_OVER), _W.GREETING_LOST, "something was heard, and a transcript forgets nothing"
        ),
        never(
            (each for each in _R if each is not _R.NOBODY),
            (_W.TAKEN_OVER, _W.TAKEN_OVER_BLANK),
            "a take-over is the first event of a call",
        ),
        never(
            (_R.NOBODY, _R.MODEL, _R.BOTH),
            _W.ANSWER_DUE,
            "calls left unanswered are restored right after the take-over, before a model is ready",
        ),
    ),
)
