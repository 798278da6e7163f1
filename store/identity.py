"""How often callers tried to say which appointment is theirs, and how that came out.

A number is a claim, so whoever guesses is stopped: by the call, and by the number that the calls claim to come from.
What changes it is given the transaction that it is to be part of. May import: SQLAlchemy, the standard library.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, func, select

from store import schema
from store.database import insert

# matched: two facts were those of an appointment. incomplete: fewer than two were given. wrong: no two matched.
Outcome = Literal["matched", "incomplete", "wrong"]
# Longer than any limit looks back.
KEPT = timedelta(days=2)


def attempted(
    connection: Connection, *, key: str, conversation_id: str, caller: str, outcome: Outcome, at: datetime
) -> None:
    """Write an attempt down; again under one key, it is the first. caller: the number, or "". at: aware."""
    table = schema.identity_attempt
    row = {"key": key, "conversation_id": conversation_id, "caller": caller, "outcome": outcome, "at": at}
    connection.execute(insert(connection.dialect.name, table).values(row).on_conflict_do_nothing())
    connection.execute(table.delete().where(table.c.at < at - KEPT))


def wrong_in_call(connection: Connection, conversation_id: str) -> int:
    """How many attempts of a call were wrong."""
    column = schema.identity_attempt.c
    query = select(func.count()).where(column.conversation_id == conversation_id, column.outcome == "wrong")
    return connection.scalars(query).one()


def wrong_by_number(connection: Connection, caller: str, since: datetime) -> int:
    """How many attempts from a number were wrong since then; 0 for nobody, who is no one caller. since: aware."""
    if not caller:
        return 0
    column = schema.identity_attempt.c
    query = select(func.count()).where(column.caller == caller, column.outcome == "wrong", column.at >= since)
    return connection.scalars(query).one()
