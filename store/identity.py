"""Callers' attempts to identify their appointment, with the outcome of each.

Attempts are limited per call and per claimed number, because a number proves nothing and guessing must be stopped.
Functions that change it take the connection of a transaction. May import: SQLAlchemy, the standard library.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, select

from store import schema
from store.database import insert

# matched: two facts matched an appointment. incomplete: fewer than two were given. wrong: no two matched.
Outcome = Literal["matched", "incomplete", "wrong"]
# Longer than the period of any limit.
KEPT = timedelta(days=2)


def attempted(
    connection: Connection, *, key: str, conversation_id: str, caller: str, outcome: Outcome, at: datetime
) -> None:
    """Store an attempt; ignored if its key is already stored. caller: the number, or "". at: aware."""
    table = schema.identity_attempt
    row = {"key": key, "conversation_id": conversation_id, "caller": caller, "outcome": outcome, "at": at}
    connection.execute(insert(connection.dialect.name, table).values(row).on_conflict_do_nothing())
    connection.execute(table.delete().where(table.c.at < at - KEPT))


def wrong_in_call(connection: Connection, conversation_id: str) -> int:
    """The number of wrong attempts in a call."""
    column = schema.identity_attempt.c
    query = select(func.count()).where(column.conversation_id == conversation_id, column.outcome == "wrong")
    return connection.scalars(query).one()


def wrong_by_number(connection: Connection, caller: str, since: datetime) -> int:
    """The wrong attempts from a number since then; 0 if it is withheld, as many callers' are. since: aware."""
    if not caller:
        return 0
    column = schema.identity_attempt.c
    query = select(func.count()).where(column.caller == caller, column.outcome == "wrong", column.at >= since)
    return connection.scalars(query).one()
