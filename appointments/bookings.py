"""The appointment book. If callers race for the same time, exactly one gets it.

Functions that change the book take the connection of the caller's transaction.
May import: appointments, store, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, false, or_, select
from sqlalchemy.exc import IntegrityError

from appointments import schema
from store.database import insert, reading
from store.rows import readable, readable_one

# Short enough to be remembered and repeated on the telephone; not a proof by itself, and guesses are counted.
CODE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Appointment:
    """One booking. resource: whose time is booked. starts_at, created_at: aware, in UTC. caller: the number, or "".

    name: under which it is booked, or "". code: told to the caller at the booking, or "".
    effect_key: of the effect that booked it.
    """

    id: int
    resource: str
    starts_at: datetime
    duration_min: int
    caller: str
    conversation_id: str
    effect_key: str
    created_at: datetime
    name: str = ""
    code: str = ""


def code_of(effect_key: str) -> str:
    """The code of a booking: the same if its effect is repeated, and not derivable from the booking's data."""
    return f"{int(hashlib.sha256(effect_key.encode()).hexdigest(), 16) % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def book(
    connection: Connection,
    *,
    resource: str,
    starts_at: datetime,
    duration_min: int,
    caller: str,
    conversation_id: str,
    effect_key: str,
    name: str = "",
) -> Appointment | None:
    """Book a time; None if it is taken. Repeated under the same effect key, it returns the first booking.

    starts_at: aware. Only equal starts conflict; overlaps are not checked.
    """
    row = {
        "resource": resource,
        "starts_at": starts_at,
        "duration_min": duration_min,
        "caller": caller,
        "conversation_id": conversation_id,
        "effect_key": effect_key,
        "name": name,
        "code": code_of(effect_key),
    }
    connection.execute(insert(connection.dialect.name, schema.appointment).values(row).on_conflict_do_nothing())
    return by_effect(connection, effect_key)


def by_effect(connection: Connection, effect_key: str) -> Appointment | None:
    """The appointment that an effect has booked."""
    found = _find(connection, schema.appointment.c.effect_key == effect_key)
    return found[0] if found else None


def held(connection: Connection, appointment_id: int) -> Appointment | None:
    """Read an appointment and lock it until the transaction ends. None if it does not exist.

    An id may be reused after a removal: check whose appointment it is. Raises: UnreadableRow.
    """
    query = select(schema.appointment).where(schema.appointment.c.id == appointment_id).with_for_update()
    return readable_one(connection, schema.appointment, query, Appointment)


def move(connection: Connection, appointment_id: int, starts_at: datetime) -> bool:
    """Give an appointment another time. False if that is taken, or the appointment does not exist."""
    column = schema.appointment.c
    statement = schema.appointment.update().where(column.id == appointment_id).values(starts_at=starts_at)
    try:
        with connection.begin_nested():
            return connection.execute(statement).rowcount == 1
    except IntegrityError:
        return False


def remove(connection: Connection, appointment_id: int) -> bool:
    """Remove an appointment, which frees its time. False if it does not exist."""
    statement = schema.appointment.delete().where(schema.appointment.c.id == appointment_id)
    return connection.execute(statement).rowcount == 1


def upcoming(
    connection: Connection,
    resource: str,
    after: datetime,
    *,
    caller: str = "",
    code: str = "",
    day: tuple[datetime, datetime] | None = None,
) -> list[Appointment]:
    """A resource's appointments after a moment of a number, with a code or on a day (any of them), the next one first.

    An empty number or code matches nothing. day: its begin and its end, which is excluded; both aware.
    """
    column = schema.appointment.c
    by: list[ColumnElement[bool]] = []
    if caller:
        by.append(column.caller == caller)
    if code:
        by.append(column.code == code)
    if day is not None:
        by.append(and_(column.starts_at >= day[0], column.starts_at < day[1]))
    found = _find(connection, or_(false(), *by), column.starts_at > after)
    # Not by the query: the index of resource and time would be preferred to those of what the caller says.
    return sorted((each for each in found if each.resource == resource), key=lambda each: each.starts_at)


def at(connection: Connection, resource: str, starts_at: datetime) -> Appointment | None:
    """The appointment at a time; None if the time is free."""
    column = schema.appointment.c
    found = _find(connection, column.resource == resource, column.starts_at == starts_at)
    return found[0] if found else None


def free_times(connection: Connection, resource: str, candidates: Sequence[datetime]) -> list[datetime]:
    """Those of the candidates at which nothing starts yet, in their order."""
    column = schema.appointment.c
    query = select(column.starts_at).where(column.resource == resource, column.starts_at.in_(candidates))
    taken = set(connection.scalars(query))
    return [each for each in candidates if each not in taken]


class AppointmentBook:
    """The book for callers without a transaction, on any thread.

    Raises: SQLAlchemy's OperationalError if the database is unavailable.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def book(
        self,
        resource: str,
        starts_at: datetime,
        duration_min: int,
        caller: str,
        conversation_id: str,
        effect_key: str,
        name: str = "",
    ) -> Appointment | None:
        """`book` in its own transaction."""
        with self._engine.begin() as connection:
            return book(
                connection,
                resource=resource,
                starts_at=starts_at,
                duration_min=duration_min,
                caller=caller,
                conversation_id=conversation_id,
                effect_key=effect_key,
                name=name,
            )

    def by_conversation(self, conversation_id: str) -> list[Appointment]:
        """The appointments booked in one call, in order."""
        with reading(self._engine) as connection:
            return _find(connection, schema.appointment.c.conversation_id == conversation_id)

    def all(self) -> list[Appointment]:
        """Every appointment, in the order of booking."""
        with reading(self._engine) as connection:
            return _find(connection)


def _find(connection: Connection, *where: ColumnElement[Any]) -> list[Appointment]:
    table = schema.appointment
    return readable(connection, table, select(table).where(*where).order_by(table.c.id), Appointment)
