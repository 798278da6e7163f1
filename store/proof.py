"""Whether the database takes what this release writes, found out without leaving anything in it.

Told apart by it: a row that is refused, and a table that takes none; an outage, and tables that were changed.
May import: SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.2.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import Engine, Table, false, select
from sqlalchemy.exc import DBAPIError

from protocols.errors import MisuseError
from store import migration, schema
from store.causes import code_of
from store.database import moment, reading
from store.files import raise_mark

# What the journal's rows and records need.
JOURNAL_TABLES = (schema.call, schema.call_event)
# The key of the rows that are written and taken back; no call has it.
_NOBODY = f"\x01{uuid.uuid4().hex}"


def prove(engine: Engine, tables: Collection[Table] = tuple(schema.metadata.sorted_tables)) -> None:
    """Have the database check a statement that writes all columns of each table, and take back a row of the journal or
    of the leases.

    Raises: the driver's error, as SQLAlchemy has it.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        for table in tables:
            # No row: rights, columns and locks are looked at, and no trigger or constraint.
            none = select(*table.columns).where(false())
            connection.execute(table.insert().from_select(list(table.columns.keys()), none, include_defaults=False))
        now = moment(connection.dialect.name)
        rows: dict[Table, dict[str, Any]] = {
            schema.call_event: {"seq": 0, "kind": "proof", "body": {}, "at": now},
            schema.lease: {
                "node": "", "epoch": 1, "lease_until": now, "status": "ended", "credential": "", "opening": {},
                "touched_at": now,
            },
        }  # fmt: skip
        for table in filter(tables.__contains__, rows):  # in order, to prevent deadlocks
            connection.execute(table.insert().values(conversation_id=_NOBODY, **rows[table]))
        if connection.dialect.name != "sqlite":
            transaction.rollback()
            return
        raise_mark(connection)
        # SQLite writes nothing before it commits: only that finds out that the disk is full.
        for table in filter(tables.__contains__, rows):
            connection.execute(table.delete().where(table.c.conversation_id == _NOBODY))
        transaction.commit()


def refusal(engine: Engine, error: Exception) -> str:
    """Why it was not proven, for an operator: that the tables are of another revision, or else the database's code."""
    try:
        with reading(engine) as connection:
            found = migration.tables(connection)
            here = found.known[-1]
            if not found.newer and found.revision != here:
                return f"the schema is at {found.revision or 'none'}, this release needs {here}: tieline db upgrade"
    except MisuseError as wrong:
        return str(wrong)
    except DBAPIError:
        pass
    return f"the tables cannot be written: {code_of(error)}"
