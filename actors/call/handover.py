"""How a draining process hands a call over to another one: while nobody speaks.

Pure data. May import: protocols, actors.call.phase, the standard library. Rules from: docs/specs/reliability.md 4.1.
"""

from __future__ import annotations

from enum import Enum

from actors.call.phase import CallEvent
from protocols.transitions import Table, go, rows, stay

# WebSocket close code; VAIC answers it with session.resume, which the load balancer sends to another process.
SERVICE_RESTART = 1012


class Drain(Enum):
    STAYING = "staying"
    LEAVING = "leaving"  # leaves at the next quiet moment


class DrainEvent(Enum):
    MOVE_WANTED = "move wanted"
    MOVE_NOW = "move now"  # without waiting for a quiet moment
    QUIET = "quiet"  # the bot was heard to its end, and neither the caller nor a task has begun anything since
    CALLER_AWAY = "caller away"  # the caller has no socket; session.resume may reach another process as well


# The action is the event for the call's table, if any.
DRAIN: Table[Drain, DrainEvent, CallEvent | None] = Table(
    "drain",
    Drain.STAYING,
    rows(
        go(Drain, DrainEvent.MOVE_WANTED, Drain.LEAVING, None),
        go(Drain, DrainEvent.MOVE_NOW, Drain.LEAVING, CallEvent.MOVE_NOW),
        stay(Drain.STAYING, (DrainEvent.QUIET, DrainEvent.CALLER_AWAY), None),
        stay(Drain.LEAVING, DrainEvent.QUIET, CallEvent.MOVE_QUIET),
        stay(Drain.LEAVING, DrainEvent.CALLER_AWAY, CallEvent.MOVE_NOW),
    ),
    {},
)
