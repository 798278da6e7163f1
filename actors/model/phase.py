"""The life of one model session, from dialling to its end: what may happen in each phase, and what is then to be done.

Pure data: session.py turns messages into events and carries the actions out.
May import: protocols.transitions, the standard library. Rules from: docs/specs/openai-realtime.md 1.3 to 1.5, 4.1, 4.8.
"""

from __future__ import annotations

from enum import Enum

from protocols.transitions import Table, go, never, rows, stay


class Phase(Enum):
    DIALLING = "dialling"
    CONNECTED = "connected"  # there is a socket; session.created is to come
    CONFIGURING = "configuring"  # session.update was sent; session.updated is to come
    STANDBY = "standby"  # configured, without the conversation: another session has the call
    LIVE = "live"  # it hears and speaks
    RETIRING = "retiring"  # live until the next moment at which nothing can be lost
    STOPPING = "stopping"  # told itself to stop; what is in its mailbox before that is still served
    FAILED = "failed"  # it raised: its supervisor decides what comes next


class Event(Enum):
    DIALLED = "dialled"
    DIAL_FAILED = "dial failed"
    SESSION_CREATED = "session.created"
    SESSION_UPDATED = "session.updated"
    SPARE_UPDATED = "spare updated"  # session.updated, to one that is to stand by
    FORMAT_REFUSED = "format refused"  # session.updated, with another format: that is noise on the line
    TAKE_OVER = "told to take over"
    RETIRE = "told to retire"  # another session stands by
    QUIET = "quiet"  # nobody speaks, and nothing is owed
    ERROR = "error"
    REFUSED = "refused for good"  # by an error after which asking again changes nothing
    CLOSED = "socket closed"
    SETUP_OVERDUE = "set-up overdue"
    ANSWERS_NOTHING = "answers nothing"  # so the scheduler judges


class Action(Enum):
    NOTHING = ""
    CONFIGURE = "send session.update"
    STAND_BY = "tell the call: standby"
    GO_LIVE = "send the conversation, tell the call: ready"
    LEAVE_IF_QUIET = "stop if quiet"
    STOP = "stop"
    RAISE = "raise the error"


# It has the conversation: what is told to the model reaches it.
LIVE = (Phase.LIVE, Phase.RETIRING, Phase.STOPPING)
# It was sent a session.update: later changes are to be sent as well.
CONFIGURED = (Phase.CONFIGURING, Phase.STANDBY, *LIVE)

_SETTING_UP = (Phase.DIALLING, Phase.CONNECTED, Phase.CONFIGURING)
_CONNECTED = tuple(phase for phase in Phase if phase not in (Phase.DIALLING, Phase.FAILED))
_DIAL = (Event.DIALLED, Event.DIAL_FAILED)
_UPDATED = (Event.SESSION_UPDATED, Event.SPARE_UPDATED)
_FATAL = (Event.REFUSED, Event.CLOSED, Event.ANSWERS_NOTHING)
_FROM_SERVER = (Event.SESSION_CREATED, *_UPDATED, Event.FORMAT_REFUSED, Event.QUIET, Event.ERROR, *_FATAL[:2])

SESSION: Table[Phase, Event, Action] = Table(
    "model session",
    Phase.DIALLING,
    rows(
        # The way of a session that has the call, and of one that stands by until it is given the call.
        {
            (Phase.DIALLING, Event.DIALLED): (Phase.CONNECTED, Action.NOTHING),
            (Phase.CONNECTED, Event.SESSION_CREATED): (Phase.CONFIGURING, Action.CONFIGURE),
            (Phase.CONFIGURING, Event.SESSION_UPDATED): (Phase.LIVE, Action.GO_LIVE),
            (Phase.CONFIGURING, Event.SPARE_UPDATED): (Phase.STANDBY, Action.STAND_BY),
            (Phase.STANDBY, Event.TAKE_OVER): (Phase.LIVE, Action.GO_LIVE),
            (Phase.LIVE, Event.RETIRE): (Phase.RETIRING, Action.LEAVE_IF_QUIET),
            (Phase.RETIRING, Event.RETIRE): (Phase.RETIRING, Action.LEAVE_IF_QUIET),
            (Phase.RETIRING, Event.QUIET): (Phase.STOPPING, Action.STOP),
        },
        # Another session is ready, and this one has nothing to lose yet.
        go(_SETTING_UP, Event.RETIRE, Phase.STOPPING, Action.STOP),
        stay(Phase.STOPPING, (Event.DIALLED, Event.RETIRE), Action.NOTHING),
        go((Phase.DIALLING, Phase.STOPPING), Event.DIAL_FAILED, Phase.FAILED, Action.RAISE),
        # The echo of a change, or of what was not asked for.
        stay((Phase.CONNECTED, Phase.STANDBY, *LIVE), _UPDATED, Action.NOTHING),
        # The server says this once; said again, it is no other session.
        stay(CONFIGURED, Event.SESSION_CREATED, Action.NOTHING),
        go((Phase.CONNECTED, Phase.CONFIGURING, Phase.STANDBY), Event.FORMAT_REFUSED, Phase.FAILED, Action.RAISE),
        stay(LIVE, Event.FORMAT_REFUSED, Action.NOTHING),
        stay(
            (Phase.CONNECTED, Phase.CONFIGURING, Phase.STANDBY, Phase.LIVE, Phase.STOPPING), Event.QUIET, Action.NOTHING
        ),
        # In a live session an error is somebody's who was a moment too late; before, it refuses the configuration.
        go((Phase.CONNECTED, Phase.CONFIGURING, Phase.STANDBY), Event.ERROR, Phase.FAILED, Action.RAISE),
        stay(LIVE, Event.ERROR, Action.NOTHING),
        go(_CONNECTED, _FATAL, Phase.FAILED, Action.RAISE),
        go(Phase.DIALLING, Event.ANSWERS_NOTHING, Phase.FAILED, Action.RAISE),
        go(_SETTING_UP, Event.SETUP_OVERDUE, Phase.FAILED, Action.RAISE),
        stay((Phase.STANDBY, *LIVE), Event.SETUP_OVERDUE, Action.NOTHING),
    ),
    rows(
        never(
            (Phase.CONNECTED, Phase.CONFIGURING, Phase.STANDBY, Phase.LIVE, Phase.RETIRING), _DIAL, "it is dialled once"
        ),
        never(Phase.DIALLING, _FROM_SERVER, "there is no socket yet"),
        never((*_SETTING_UP, *LIVE), Event.TAKE_OVER, "the call tells only a session that said it stands by"),
        never(Phase.STANDBY, Event.RETIRE, "the call tells only the session that has it"),
        never(Phase.FAILED, Event, "the actor has ended"),
    ),
)
