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

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from protocols.text import well_formed, well_formed_json
from store import schema
from store.database import reading
from store.rows import readable

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
        for known in readable(connection, table, near, AuditRow):
            if known.facts.get("request") == once:
                return known
    # Whatever somebody has put there: the audit goes on, and what it follows does not verify.
    previous = str(connection.scalar(select(table.c.hash).where(table.c.seq == seq)) or GENESIS)
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

    def rows(self) -> Iterator[AuditRow]:
        """All rows that can be read, the oldest first."""
        for page in self._pages():
            yield from (row for row in page.values() if row is not None)

    def last(self, limit: int) -> list[AuditRow]:
        """The last rows, the oldest of them first."""
        with reading(self._engine) as connection:
            newest = select(schema.audit).order_by(schema.audit.c.seq.desc()).limit(limit)
            return readable(connection, schema.audit, newest, AuditRow)[::-1]

    def verify(self, seq: int = 0, head: str = "") -> ChainState:
        """Whether all rows are as they were written. seq, head: of a row that was noted elsewhere; 0: none."""
        rows, last = 0, GENESIS
        for number, row in (each for page in self._pages() for each in page.items()):
            if number != rows + 1:
                why = (
                    f"row {rows + 1} is missing: row {number} follows" if number > rows else f"row {number} was put in"
                )
                return ChainState(rows, last, why)
            if row is None:
                return ChainState(rows, last, f"row {number} was changed: it cannot be read")
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

    def _pages(self) -> Iterator[dict[int, AuditRow | None]]:
        """All rows by their seq, also such as nobody has written here; None for one that cannot be read."""
        table, seq = schema.audit, schema.audit.c.seq
        more: tuple[ColumnElement[bool], ...] = ()
        while True:
            with reading(self._engine) as connection:
                keys = list(connection.scalars(select(seq).where(*more).order_by(seq).limit(PAGE)))
                if not keys:
                    return
                page = select(table).where(seq.between(keys[0], keys[-1])).order_by(seq)
                rows = {row.seq: row for row in readable(connection, table, page, AuditRow)}
            yield {key: rows.get(key) for key in keys}
            more = (seq > keys[-1],)


def _hash(*, at: datetime, **row: Any) -> str:
    content = json.dumps(row | {"at": at.astimezone(UTC).isoformat()}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
