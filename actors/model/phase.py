"""The phases of one model session, from dialling to its end, as a transition table.

Pure data: session.py turns messages into events and carries the actions out.
May import: protocols.transitions, the standard library. Rules from: docs/specs/openai-realtime.md 1.3 to 1.5, 4.1, 4.8.
"""

from __future__ import annotations

from enum import Enum

from protocols.transitions import Table, go, never, rows, stay


class Phase(Enum):
    DIALLING = "dialling"
    CONNECTED = "connected"  # the socket is open; waits for session.created
    CONFIGURING = "configuring"  # session.update was sent; waits for session.updated
    STANDBY = "standby"  # configured, without the conversation: another session has the call
    LIVE = "live"  # has the conversation
    RETIRING = "retiring"  # live until the next quiet moment
    STOPPING = "stopping"  # its stop is queued; messages queued before that are still handled
    FAILED = "failed"  # raised an error: its supervisor decides what comes next


class Event(Enum):
    DIALLED = "dialled"
    DIAL_FAILED = "dial failed"
    SESSION_CREATED = "session.created"
    SESSION_UPDATED = "session.updated"
    STANDBY_UPDATED = "standby updated"  # session.updated, in a standby session
    FORMAT_REFUSED = "format refused"  # session.updated with another audio format, which would be noise to the caller
    TAKE_OVER = "told to take over"
    RETIRE = "told to retire"  # another session stands by
    QUIET = "quiet"  # nobody speaks, and nothing is owed
    ERROR = "error"
    SETTING_REFUSED = "setting refused"  # that the call can do without
    REFUSED = "refused for good"  # an error that a retry will not change
    CLOSED = "socket closed"
    SETUP_OVERDUE = "set-up overdue"
    ANSWERS_NOTHING = "answers nothing"  # the response scheduler's verdict


class Action(Enum):
    NOTHING = ""
    CONFIGURE = "send session.update"
    CONFIGURE_LESS = "send a smaller session.update"
    STAND_BY = "tell the call: standby"
    GO_LIVE = "send the conversation, tell the call: ready"
    LEAVE_IF_QUIET = "stop if quiet"
    STOP = "stop"
    RAISE = "raise the error"


# The session has the conversation: items and responses may be sent to it.
LIVE = (Phase.LIVE, Phase.RETIRING, Phase.STOPPING)
# A session.update was sent: later changes must be sent as well.
CONFIGURED = (Phase.CONFIGURING, Phase.STANDBY, *LIVE)

_SETTING_UP = (Phase.DIALLING, Phase.CONNECTED, Phase.CONFIGURING)
_CONNECTED = tuple(phase for phase in Phase if phase not in (Phase.DIALLING, Phase.FAILED))
_DIAL = (Event.DIALLED, Event.DIAL_FAILED)
_UPDATED = (Event.SESSION_UPDATED, Event.STANDBY_UPDATED)
_FATAL = (Event.REFUSED, Event.CLOSED, Event.ANSWERS_NOTHING)
_FROM_SERVER = (Event.SESSION_CREATED, *_UPDATED, Event.FORMAT_REFUSED, Event.QUIET, Event.ERROR, *_FATAL[:2])

SESSION: Table[Phase, Event, Action] = Table(
    "model session",
    Phase.DIALLING,
    rows(
        # The life of an active session, and of one that stands by until it takes over.
        {
            (Phase.DIALLING, Event.DIALLED): (Phase.CONNECTED, Action.NOTHING),
            (Phase.CONNECTED, Event.SESSION_CREATED): (Phase.CONFIGURING, Action.CONFIGURE),
            (Phase.CONFIGURING, Event.SETTING_REFUSED): (Phase.CONFIGURING, Action.CONFIGURE_LESS),
            (Phase.CONFIGURING, Event.SESSION_UPDATED): (Phase.LIVE, Action.GO_LIVE),
            (Phase.CONFIGURING, Event.STANDBY_UPDATED): (Phase.STANDBY, Action.STAND_BY),
            (Phase.STANDBY, Event.TAKE_OVER): (Phase.LIVE, Action.GO_LIVE),
            (Phase.LIVE, Event.RETIRE): (Phase.RETIRING, Action.LEAVE_IF_QUIET),
            (Phase.RETIRING, Event.RETIRE): (Phase.RETIRING, Action.LEAVE_IF_QUIET),
            (Phase.RETIRING, Event.QUIET): (Phase.STOPPING, Action.STOP),
        },
        # Another session is ready, and this one holds nothing that could be lost.
        go(_SETTING_UP, Event.RETIRE, Phase.STOPPING, Action.STOP),
        stay(Phase.STOPPING, (Event.DIALLED, Event.RETIRE), Action.NOTHING),
        go((Phase.DIALLING, Phase.STOPPING), Event.DIAL_FAILED, Phase.FAILED, Action.RAISE),
        # The echo of a later session.update, or unsolicited.
        stay((Phase.CONNECTED, Phase.STANDBY, *LIVE), _UPDATED, Action.NOTHING),
        # The server sends this once; a repetition does not mean a new session.
        stay(CONFIGURED, Event.SESSION_CREATED, Action.NOTHING),
        go((Phase.CONNECTED, Phase.CONFIGURING, Phase.STANDBY), Event.FORMAT_REFUSED, Phase.FAILED, Action.RAISE),
        stay(LIVE, Event.FORMAT_REFUSED, Action.NOTHING),
        stay(
            (Phase.CONNECTED, Phase.CONFIGURING, Phase.STANDBY, Phase.LIVE, Phase.STOPPING), Event.QUIET, Action.NOTHING
        ),
        # In a live session an error is about one late event; before that it refuses the configuration.
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
        never((*_SETTING_UP, *LIVE), Event.TAKE_OVER, "only a session that reported standby is told to take over"),
        never(Phase.STANDBY, Event.RETIRE, "only the active session is told to retire"),
        never(
            (Phase.DIALLING, Phase.CONNECTED, Phase.STANDBY, *LIVE),
            Event.SETTING_REFUSED,
            "there is only one configuration, and it is sent or taken",
        ),
        never(Phase.FAILED, Event, "the actor has ended"),
    ),
)
