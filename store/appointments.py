"""The appointment book. Of callers that race for a time, one gets it.

Functions that change the book take the connection of the caller's transaction.
May import: protocols, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from store import schema
from store.database import insert, reading


@dataclass(frozen=True, slots=True)
class Appointment:
    """One booking. resource: whose time is booked. starts_at, created_at: aware, in UTC. caller: the number, or "".

    name: the caller's, or "". effect_key: of the effect that booked it.
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
    }
    connection.execute(insert(connection.dialect.name, schema.appointment).values(row).on_conflict_do_nothing())
    return by_effect(connection, effect_key)


def by_effect(connection: Connection, effect_key: str) -> Appointment | None:
    """The appointment that an effect has booked."""
    found = _find(connection, schema.appointment.c.effect_key == effect_key)
    return found[0] if found else None


def held(connection: Connection, appointment_id: int) -> Appointment | None:
    """Read an appointment and lock it until the transaction ends. None if it does not exist.

    An id may be reused after a removal: check whose appointment it is.
    """
    query = select(schema.appointment).where(schema.appointment.c.id == appointment_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Appointment(**row)


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


def upcoming(connection: Connection, caller: str, after: datetime) -> list[Appointment]:
    """The appointments of a caller's number after a moment, the next one first."""
    column = schema.appointment.c
    found = _find(connection, column.caller == caller, column.starts_at > after)
    return sorted(found, key=lambda appointment: appointment.starts_at)


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
    rows = connection.execute(select(table).where(*where).order_by(table.c.id))
    return [Appointment(**row) for row in rows.mappings()]
