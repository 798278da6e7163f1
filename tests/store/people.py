"""Calls with all that belongs to them, as a daemon leaves them, of a chosen age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Table, func, insert, select

from appointments.schema import appointment, identity_attempt
from store import schema
from store.journal import CallRecord, TaskRecord, TurnRecord

NOW = datetime.now(UTC)
NUMBER = "+4930555010"
SECRET = "my name is Rumpelstiltskin"
TABLES = (
    schema.call, schema.call_event, schema.call_report, schema.lease, schema.effect, schema.outbox, identity_attempt,
    appointment,
)  # fmt: skip


def add_call(  # noqa: PLR0913 - what a call may have
    engine: Engine, key: str, days_ago: float, *, caller: str = NUMBER, bot: str = "desk", lease: str = "ended",
    status: str = "ok", events: int = 3, letter: str = "sent", starts_in_days: float = -1.0, record: bool = True,
) -> None:  # fmt: skip
    """A call with journal, effect, letter, attempt, appointment and lease; "" for those to be left out."""
    at = NOW - timedelta(days=days_ago)
    turn = TurnRecord(role="caller", text=SECRET, item_id="i", began_ms=0, ended_ms=9, heard_ms=9)
    task = TaskRecord(agent="book", run_id="t", states=("Ask",), result="completed", notes=(("n", "Ask", SECRET),))
    whole = CallRecord(
        conversation_id=key, bot=bot, caller=caller, media_format="m", outcome="completed", started_at=at, ended_at=at,
        turns=(turn,), tasks=(task,),
    )  # fmt: skip
    rows: list[tuple[Table, dict[str, Any]]] = []
    if record:
        of_call = {"conversation_id": key, "bot": bot, "caller": caller, "media_format": "m", "outcome": "completed"}
        rows.append((
            schema.call,
            of_call | {"started_at": at, "ended_at": at, "record": whole.model_dump(mode="json"), "cost_usd": 0.1},
        ))  # fmt: skip
    began = {"bot": bot, "caller": caller}
    for seq in range(1, events + 1):
        body = began if seq == 1 else {"item": "i", "text": SECRET}
        kind = "call" if seq == 1 else "caller_said"
        rows.append((schema.call_event, {"conversation_id": key, "seq": seq, "kind": kind, "body": body, "at": at}))
    if lease:
        rows.append((
            schema.lease,
            {"conversation_id": key, "node": "n", "epoch": 1, "lease_until": at, "status": lease, "credential": "c",
             "opening": began, "touched_at": at},
        ))  # fmt: skip
    if status:
        settled = None if status == "intended" else at
        rows.append((
            schema.effect,
            {"key": f"{key}:t:1", "name": "book", "conversation_id": key, "run_id": "t", "caller": caller,
             "slots": {"name": SECRET}, "facts": {}, "status": status, "values": {}, "say": "", "intended_at": at,
             "settled_at": settled, "bot": bot},
        ))  # fmt: skip
    if letter:
        rows.append((
            schema.outbox,
            {"key": f"{key}:after", "conversation_id": key, "bot": bot, "bot_digest": "", "caller": caller,
             "facts": {"transcript": SECRET}, "status": letter, "tries": 1, "reason": "", "written_at": at,
             "due_at": at},
        ))  # fmt: skip
    rows.append(
        (schema.call_report, {"conversation_id": key, "received_at": at, "facts": {"delays": [{"turn_ms": 900}]}})
    )
    rows.append((
        identity_attempt,
        {"key": key, "conversation_id": key, "caller": caller, "outcome": "wrong", "at": at, "name": SECRET},
    ))  # fmt: skip
    starts = NOW + timedelta(days=starts_in_days)
    rows.append((
        appointment,
        {"resource": key, "starts_at": starts, "duration_min": 30, "caller": caller, "conversation_id": key,
         "effect_key": f"{key}:t:1", "name": SECRET},
    ))  # fmt: skip
    with engine.begin() as connection:
        for table, row in rows:
            connection.execute(insert(table).values(row))


def counts(engine: Engine, *tables: Table) -> dict[str, int]:
    """How many rows there are, by table."""
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables or TABLES
        }


def calls_in(engine: Engine, table: Table) -> set[str]:
    """The calls of which a table has rows."""
    with engine.connect() as connection:
        return set(connection.scalars(select(table.c.conversation_id)))


def says(engine: Engine, text: str) -> set[str]:
    """The tables in which a text stands, in any column."""
    found = set()
    with engine.connect() as connection:
        for table in TABLES:
            if any(text in str(row) for row in connection.execute(select(table))):
                found.add(table.name)
    return found
