"""The log of effects: what was meant, and what came of it, each under its key.

What changes it is given the transaction that it is to be part of: for a call that has a lease, a `leases.fenced` one.
May import: protocols, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from store import schema
from store.database import insert

# intended: nobody knows yet what came of it. unclear: nobody will find out but a human.
Status = Literal["intended", "ok", "refused", "failed", "unclear", "undone"]


@dataclass(frozen=True, slots=True)
class LoggedEffect:
    """One effect. slots: agreed on; facts: known to the task; values: what came of it; all as JSON has them.

    say: what the caller is told of a refusal or a failure. intended_at: aware. epoch: of the lease under which it was
    last intended, 0 where the call has none. settled_at: of its outcome; while it is intended, when somebody has last
    taken it over.
    """

    key: str
    name: str
    conversation_id: str
    run_id: str
    caller: str
    slots: Mapping[str, Any]
    facts: Mapping[str, Any]
    intended_at: datetime
    status: Status = "intended"
    values: Mapping[str, Any] = field(default_factory=dict)
    say: str = ""
    epoch: int = 0
    settled_at: datetime | None = None


def find(connection: Connection, key: str) -> LoggedEffect | None:
    """What is known under a key."""
    rows = _select(connection, schema.effect.c.key == key)
    return rows[0] if rows else None


def intend(connection: Connection, effect: LoggedEffect) -> bool:
    """Write down that an effect is about to be carried out. False where its key is known already.

    Waits for a transaction that has written the same key and is still open.
    """
    row = {name: getattr(effect, name) for name in LoggedEffect.__dataclass_fields__}
    statement = (
        insert(connection.dialect.name, schema.effect).values(row).on_conflict_do_nothing(index_elements=["key"])
    )
    # Not by rowcount, which PostgreSQL's driver does not know of an INSERT.
    return connection.scalar(statement.returning(schema.effect.c.key)) is not None


def take_over(connection: Connection, known: LoggedEffect, at: datetime, epoch: int = 0) -> bool:
    """Go on with what somebody else has intended. False where it is settled, or another one has taken it over.

    known: as it was found. at: aware; from then on it counts as under way, and under this epoch. When it was first
    intended does not change: its age is counted from there.
    """
    column = schema.effect.c
    untouched = column.settled_at.is_(None) if known.settled_at is None else column.settled_at == known.settled_at
    statement = (
        schema.effect.update()
        .where(column.key == known.key, column.status == "intended", column.intended_at == known.intended_at, untouched)
        .values(settled_at=at, epoch=epoch)
    )
    return connection.execute(statement).rowcount == 1


def keep(connection: Connection, keys: Collection[str], at: datetime) -> None:
    """They are still being carried out: nobody else is to take them over."""
    column = schema.effect.c
    ours = column.key.in_(keys) & (column.status == "intended")
    connection.execute(schema.effect.update().where(ours).values(settled_at=at))


def settle(connection: Connection, key: str, status: Status, values: Mapping[str, Any], say: str, at: datetime) -> None:
    """Write down what came of it. The first outcome stays; only what was unclear may still become clear."""
    column = schema.effect.c
    changes = {"status": status, "values": dict(values), "say": say, "settled_at": at}
    open_still = column.status.in_(("intended", "unclear"))
    connection.execute(schema.effect.update().where(column.key == key, open_still).values(changes))


def take_back(connection: Connection, key: str, at: datetime) -> bool:
    """Write down that what was done is undone. False where it was not done, or was taken back before."""
    column = schema.effect.c
    statement = schema.effect.update().where(column.key == key, column.status == "ok")
    return connection.execute(statement.values(status="undone", settled_at=at)).rowcount == 1


def decide(connection: Connection, known: LoggedEffect, status: Status, at: datetime, say: str = "") -> bool:
    """Change what is known of it, whatever that is. say: why. False where it is no longer as it was found."""
    column = schema.effect.c
    as_found = (column.key == known.key) & (column.status == known.status)
    statement = schema.effect.update().where(as_found).values(status=status, say=say, settled_at=at)
    return connection.execute(statement).rowcount == 1


def unsettled(connection: Connection, before: datetime) -> list[LoggedEffect]:
    """What was intended, and taken over, before a moment, and nobody knows what came of it."""
    column = schema.effect.c
    touched = func.coalesce(column.settled_at, column.intended_at)
    return _select(connection, (column.status == "intended") & (touched < before))


def unclear(connection: Connection) -> list[LoggedEffect]:
    """What may have been done, and is left to be found out."""
    return _select(connection, schema.effect.c.status == "unclear")


def _select(connection: Connection, where: Any) -> list[LoggedEffect]:
    columns = [schema.effect.c[name] for name in LoggedEffect.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(where).order_by(schema.effect.c.intended_at))
    return [LoggedEffect(**row) for row in rows.mappings()]
