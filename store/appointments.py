"""The appointment book: who is expected when. Whatever races for a time, one caller gets it.

May import: protocols, SQLAlchemy, the standard library. Rules from: specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from store import schema
from store.database import reading


@dataclass(frozen=True, slots=True)
class Appointment:
    """One booking. resource: whose time it is. starts_at, created_at: aware, in UTC. caller: the number, or ""."""

    id: int
    resource: str
    starts_at: datetime
    duration_min: int
    caller: str
    conversation_id: str
    effect_key: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Booked:
    """The time is the caller's. appointment: as first booked under this effect key."""

    appointment: Appointment


@dataclass(frozen=True, slots=True)
class Taken:
    """The time is somebody else's; nothing was written."""


class AppointmentBook:
    """For all threads. Raises SQLAlchemy's OperationalError where the database cannot be had."""

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
    ) -> Booked | Taken:
        """Book in one transaction, and once for an effect key: again returns the first booking.

        starts_at: aware. Times are told apart by their start alone; overlaps are not looked for.
        """
        row = {
            "resource": resource,
            "starts_at": starts_at,
            "duration_min": duration_min,
            "caller": caller,
            "conversation_id": conversation_id,
            "effect_key": effect_key,
        }
        by_key = schema.appointment.c.effect_key == effect_key
        try:
            with self._engine.begin() as connection:
                if found := _find(connection, by_key):
                    return Booked(found[0])
                connection.execute(schema.appointment.insert().values(row))
                return Booked(_find(connection, by_key)[0])
        except IntegrityError:
            # Either the time is taken, or on PostgreSQL the same effect was carried out beside us.
            with reading(self._engine) as connection:
                found = _find(connection, by_key)
            return Booked(found[0]) if found else Taken()

    def free_times(self, resource: str, candidates: Sequence[datetime]) -> list[datetime]:
        """Those of the candidates at which nothing starts yet, in their order."""
        column = schema.appointment.c
        query = select(column.starts_at).where(column.resource == resource, column.starts_at.in_(candidates))
        with reading(self._engine) as connection:
            taken = set(connection.scalars(query))
        return [each for each in candidates if each not in taken]

    def by_conversation(self, conversation_id: str) -> list[Appointment]:
        """What was booked in one call, in the order it was."""
        with reading(self._engine) as connection:
            return _find(connection, schema.appointment.c.conversation_id == conversation_id)

    def all(self) -> list[Appointment]:
        """Every appointment, in the order they were booked."""
        with reading(self._engine) as connection:
            return _find(connection)


def _find(connection: Connection, *where: ColumnElement[Any]) -> list[Appointment]:
    table = schema.appointment
    rows = connection.execute(select(table).where(*where).order_by(table.c.id))
    return [Appointment(**row) for row in rows.mappings()]
