"""The audit: who read, exported, erased, held or settled what. A row is only ever added, and names the one before it.

Each row holds a hash over its own content and the hash of the row before it: none can be changed, taken out or put in
without all later ones being written anew. What only the last rows' loss could hide shows where their hash was noted
elsewhere: a receipt of an erasure has one. Rows name calls by their ids, and no callers.
May import: protocols, SQLAlchemy, store, the standard library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from protocols.text import well_formed, well_formed_json
from store import schema
from store.database import reading

# An arbitrary key of PostgreSQL's advisory lock: one transaction at a time adds to the chain.
CHAIN_LOCK = 7_132_655
# What stands before the first row.
GENESIS = "0" * 64
PAGE = 1000
# Rows among which one is looked for that says the same.
NEAR = 64


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row. what: a verb. about: a call's key, an effect's, a receipt's, or "". facts: more, as JSON."""

    seq: int
    at: datetime
    who: str
    what: str
    about: str
    facts: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class ChainState:
    """rows: how many are as they were written, from the first on. head: hash of the last. fault: what is not; ""."""

    rows: int
    head: str
    fault: str = ""


def note(
    connection: Connection, who: str, what: str, about: str = "", facts: Mapping[str, Any] | None = None, once: str = ""
) -> AuditRow:
    """Add a row, in the transaction of what it tells of, or before it. Waits for others that add one.

    once: what several processes do for one request is told once, under this name of it.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({CHAIN_LOCK})")
    table = schema.audit
    seq = connection.scalar(select(func.max(table.c.seq))) or 0
    if once:
        near = select(table).where(table.c.seq > seq - NEAR, table.c.what == what, table.c.about == about)
        for known in connection.execute(near).mappings():
            if known["facts"].get("request") == once:
                return AuditRow(**known)
    previous = connection.scalar(select(table.c.hash).where(table.c.seq == seq)) or GENESIS
    told = {**(facts or {}), **({"request": once} if once else {})}
    # As it will be read.
    told = json.loads(well_formed_json(json.dumps(told)))
    row = {
        "seq": seq + 1, "at": datetime.now(UTC), "who": well_formed(who), "what": what, "about": well_formed(about),
        "facts": told, "previous": previous,
    }  # fmt: skip
    whole = AuditRow(**row, hash=_hash(**row))
    connection.execute(table.insert().values(row | {"hash": whole.hash}))
    return whole


class Audit:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(
        self, who: str, what: str, about: str = "", facts: Mapping[str, Any] | None = None, once: str = ""
    ) -> AuditRow:
        """As `note`, in a transaction of its own: what it tells of may be done once this has returned."""
        with self._engine.begin() as connection:
            return note(connection, who, what, about, facts, once)

    def rows(self, after: int = 0) -> Iterator[AuditRow]:
        """All rows, the oldest first. after: only those with a higher seq."""
        while True:
            page = self._page(after)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].seq

    def last(self, limit: int) -> list[AuditRow]:
        """The last rows, the oldest of them first."""
        with reading(self._engine) as connection:
            newest = select(schema.audit).order_by(schema.audit.c.seq.desc()).limit(limit)
            rows = connection.execute(newest).mappings().all()
        return [AuditRow(**row) for row in reversed(rows)]

    def verify(self, seq: int = 0, head: str = "") -> ChainState:
        """Whether all rows are as they were written. seq, head: of a row that was noted elsewhere; 0: none."""
        rows, last = 0, GENESIS
        for row in self.rows():
            if row.seq != rows + 1:
                return ChainState(rows, last, f"row {rows + 1} is missing: row {row.seq} follows")
            if row.previous != last:
                return ChainState(rows, last, f"row {row.seq} does not follow the one before it")
            content = {name: getattr(row, name) for name in AuditRow.__dataclass_fields__ if name != "hash"}
            if row.hash != _hash(**content):
                return ChainState(rows, last, f"row {row.seq} was changed")
            if row.seq == seq and row.hash != head:
                return ChainState(rows, last, f"row {row.seq} is another one than was noted: all were written anew")
            rows, last = row.seq, row.hash
        if seq > rows:
            return ChainState(rows, last, f"row {seq}, which was noted, is missing: the last is row {rows}")
        return ChainState(rows, last)

    def _page(self, after: int) -> list[AuditRow]:
        query = select(schema.audit).where(schema.audit.c.seq > after).order_by(schema.audit.c.seq).limit(PAGE)
        with reading(self._engine) as connection:
            return [AuditRow(**row) for row in connection.execute(query).mappings()]


def _hash(*, at: datetime, **row: Any) -> str:
    content = json.dumps(row | {"at": at.astimezone(UTC).isoformat()}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
