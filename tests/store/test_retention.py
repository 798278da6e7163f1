"""What docs/operations.md says may be deleted: its own SQL, on tables with old and new, ended and open calls."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, insert, select, text

from appointments.schema import identity_attempt
from store import schema

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
(BLOCK,) = re.findall(r"^```sql\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NOW = datetime.now(UTC)
OLD, NEW = NOW - timedelta(days=91), NOW - timedelta(days=89)
ANY: dict[str, Any] = {
    "bot": "b",
    "caller": "+49",
    "media_format": "m",
    "run_id": "t1",
    "node": "n",
    "epoch": 1,
    "seq": 1,
}
MORE: dict[str, Any] = {"name": "book", "kind": "call", "body": {}, "slots": {}, "facts": {}, "values": {}, "say": ""}
REST: dict[str, Any] = {"credential": "", "opening": {}, "record": {}, "outcome": "completed", "seq": 1}


def put(engine: Engine, table: Table, **values: object) -> None:
    row = {name: value for name, value in (ANY | MORE | REST).items() if name in table.c}
    with engine.begin() as connection:
        connection.execute(insert(table).values(**row | values))


def test_the_sql_of_the_page_deletes_what_is_old_and_over_and_nothing_else(engine: Engine) -> None:
    calls = {
        "old": (OLD, "ended"),
        "new": (NEW, "ended"),
        "old-but-open": (OLD, "open"),
        "old-but-parked": (OLD, "parked"),
    }
    for key, (at, status) in calls.items():
        put(engine, schema.call, conversation_id=key, started_at=at, ended_at=at)
        put(engine, schema.call_event, conversation_id=key, at=at)
        put(engine, schema.lease, conversation_id=key, lease_until=at, touched_at=at, status=status)
        put(engine, identity_attempt, key=key, conversation_id=key, at=at, outcome="match")
    for status in ("ok", "refused", "failed", "undone", "unclear", "intended"):
        for age, at in (("old", OLD), ("new", NEW)):
            settled = None if status == "intended" else at
            put(engine, schema.effect, key=f"{age}:{status}", conversation_id=age, status=status, intended_at=at,
                settled_at=settled)  # fmt: skip
    block = BLOCK
    if engine.dialect.name == "postgresql":  # as the page says
        block = block.replace("datetime('now', '-90 days')", "now() - interval '90 days'")
    with engine.begin() as connection:
        for statement in block.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))

    def left(table: Table) -> set[str]:
        key = table.c["key"] if "key" in table.c else table.c["conversation_id"]
        with engine.connect() as connection:
            return set(connection.execute(select(key)).scalars())

    kept = {"new", "old-but-open", "old-but-parked"}
    assert (left(schema.call), left(schema.call_event), left(schema.lease)) == (kept, kept, kept)
    assert left(identity_attempt) == {"new"}
    new = {f"new:{each}" for each in ("ok", "refused", "failed", "undone", "unclear", "intended")}
    assert left(schema.effect) == new | {"old:unclear", "old:intended"}
