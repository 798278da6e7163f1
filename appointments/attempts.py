"""Callers' attempts to identify their appointment, with the outcome of each.

Attempts are limited per call, per claimed number and per claimed name, because neither number nor name proves anything
and guessing must be stopped.
Functions that change it take the connection of a transaction.
May import: appointments, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, select

from appointments import schema
from store.database import insert

# matched: two facts matched an appointment. incomplete: fewer than two were given. wrong: no two matched. limited: not
# looked at, or two facts not accepted, after too many wrong ones; it does not count against its name.
Outcome = Literal["matched", "incomplete", "wrong", "limited"]
_UNPROVEN: tuple[Outcome, ...] = ("wrong", "limited")
# Longer than the period of any limit.
KEPT = timedelta(days=2)


def attempted(
    connection: Connection, *, key: str, conversation_id: str, caller: str, outcome: Outcome, name: str, at: datetime
) -> None:
    """Store an attempt; ignored if its key is already stored. caller: the number, or "". name: as said. at: aware."""
    table = schema.identity_attempt
    row = {
        "key": key,
        "conversation_id": conversation_id,
        "caller": caller,
        "outcome": outcome,
        "name": name,
        "at": at,
    }
    connection.execute(insert(connection.dialect.name, table).values(row).on_conflict_do_nothing())
    connection.execute(table.delete().where(table.c.at < at - KEPT))


def wrong_in_call(connection: Connection, conversation_id: str) -> int:
    """The number of wrong attempts in a call."""
    column = schema.identity_attempt.c
    query = select(func.count()).where(column.conversation_id == conversation_id, column.outcome.in_(_UNPROVEN))
    return connection.scalars(query).one()


def wrong_by_number(connection: Connection, caller: str, since: datetime) -> int:
    """The wrong attempts from a number since then; 0 if it is withheld, as many callers' are. since: aware."""
    if not caller:
        return 0
    column = schema.identity_attempt.c
    query = select(func.count()).where(column.caller == caller, column.outcome.in_(_UNPROVEN), column.at >= since)
    return connection.scalars(query).one()


def wrong_names(connection: Connection, since: datetime) -> dict[str, int]:
    """The names of the wrong attempts since then, as said, and how many there were of each. since: aware."""
    column = schema.identity_attempt.c
    query = (
        select(column.name, func.count())
        .where(column.at >= since, column.outcome == "wrong", column.name != "")
        .group_by(column.name)
    )
    return {str(name): int(times) for name, times in connection.execute(query)}
