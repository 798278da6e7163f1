"""What must be kept although its time is over, or somebody wants it erased: calls, and all of a caller.

May import: protocols, SQLAlchemy, store, the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from protocols.caller_id import digits_of
from store import schema
from store.database import insert, moment, reading
from store.rows import UnreadableRow, readable, report

CALL, CALLER = "call:", "caller:"
# By so many of their last digits two numbers are taken for one: rather one call too many is kept than one too few.
SAME_DIGITS = 7
DAMAGED = "\ufffd"  # what is read of bytes that are no text


@dataclass(frozen=True, slots=True)
class Hold:
    """key: CALL and a call's key, or CALLER and a number. reason: in the words of who asked for it."""

    key: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """What is held, to look calls up in. callers: the ends of their numbers.

    unread: the key of a hold is damaged. Then nobody knows what else is held, and everything counts as held.
    """

    calls: frozenset[str]
    callers: frozenset[str]
    unread: bool = False

    def covers(self, call: str, caller: str) -> bool:
        """Whether a call is held, by its key or its caller's number, however that is written."""
        return self.unread or call in self.calls or bool(self.callers and _end(caller) in self.callers)

    def covers_caller(self, caller: str) -> bool:
        return self.unread or _end(caller) in self.callers


def held(connection: Connection) -> Held:
    """All that is held."""
    keys: list[str] = []
    unread = False
    for key in connection.scalars(select(schema.hold.c.key)).all():
        if isinstance(key, str) and key.startswith((CALL, CALLER)) and DAMAGED not in key:
            keys.append(key)
        else:
            unread = True
            report(connection, UnreadableRow(schema.hold.name, str(key)))
    return Held(
        frozenset(each.removeprefix(CALL) for each in keys if each.startswith(CALL)),
        frozenset(_end(each.removeprefix(CALLER)) for each in keys if each.startswith(CALLER)),
        unread=unread,
    )


class Holds:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, connection: Connection, key: str, reason: str) -> bool:
        """Hold a call or a caller. False if it is held already."""
        dialect = connection.dialect.name
        row = {"key": key, "reason": reason, "at": moment(dialect)}
        added = insert(dialect, schema.hold).values(row).on_conflict_do_nothing().returning(schema.hold.c.key)
        return connection.scalar(added) is not None

    def release(self, connection: Connection, key: str) -> bool:
        """Hold it no longer. False if it is not held."""
        return connection.execute(schema.hold.delete().where(schema.hold.c.key == key)).rowcount == 1

    def all(self) -> list[Hold]:
        """All holds, the oldest first; without those that cannot be read."""
        column = schema.hold.c
        query = select(column.key, column.reason, column.at).order_by(column.at, column.key)
        with reading(self._engine) as connection:
            return readable(connection, schema.hold, query, Hold)


def _end(number: str) -> str:
    digits = digits_of(number).removeprefix("+")
    return digits[-SAME_DIGITS:] if digits else number
