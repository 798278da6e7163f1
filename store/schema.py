"""The tables, for SQLite and PostgreSQL alike. The migrations must build exactly these.

May import: protocols, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.2.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, Connection, DateTime, Float, Index, Integer, MetaData, Table, event, text
from sqlalchemy import Text as AnyText
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from protocols.errors import MisuseError
from protocols.text import well_formed


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC: SQLite has no time zones, and would return a different moment."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise MisuseError("a datetime to be stored has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Text(TypeDecorator[str]):
    """A text without what PostgreSQL or UTF-8 cannot hold. JSON columns: `database` serialises them likewise."""

    impl = AnyText
    cache_ok = True

    @property
    def python_type(self) -> type[str]:
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else well_formed(value)


# A column `conversation_id` holds the call's key: see store/call_keys.py.
metadata = MetaData()

# One row per effect, by key; written before the effect, or in one transaction with it.
effect = Table(
    "effect",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("slots", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("status", Text, nullable=False),
    Column("values", JSON, nullable=False),
    Column("say", Text, nullable=False),
    Column("intended_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("bot", Text, nullable=False, server_default=""),
    Column("bot_digest", Text, nullable=False, server_default=""),
    Index("ix_effect_status", "status"),
    Index("ix_effect_conversation_id", "conversation_id"),
    Index("ix_effect_caller_intended_at", "caller", "intended_at"),
    Index("ix_effect_bot_settled_at", "bot", "settled_at"),
)

_WITH_WORDS = text("words_gone_at IS NULL")

call = Table(
    "call",
    metadata,
    Column("conversation_id", Text, primary_key=True),
    Column("bot", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("media_format", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("outcome", Text),
    Column("record", JSON),
    Column("cost_usd", Float),
    # To be found by; NULL of a call that an earlier release has written, as the models without a price, a line each.
    Column("tasks", Text),
    Column("errors", Text),
    Column("unpriced", Text),
    # Since when its words and its journal are deleted; NULL while they are there.
    Column("words_gone_at", UtcDateTime),
    Index("ix_call_started_at", "started_at", "conversation_id"),
    Index("ix_call_bot_started_at", "bot", "started_at", "conversation_id"),
    Index("ix_call_caller_started_at", "caller", "started_at", "conversation_id"),
    Index("ix_call_outcome_started_at", "outcome", "started_at", "conversation_id"),
    Index(
        "ix_call_with_words", "bot", "started_at", "conversation_id",
        sqlite_where=_WITH_WORDS, postgresql_where=_WITH_WORDS,
    ),
)  # fmt: skip

call_event = Table(
    "call_event",
    metadata,
    Column("conversation_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
)

# What VoiceAI Connect has reported of calls; see store/call_reports.py. One may come before the call's record.
call_report = Table(
    "call_report",
    metadata,
    Column("conversation_id", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("facts", JSON, nullable=False),
)

# One row per version of a bot, with its files: a process that takes a call over may have others.
# written_at: or later, when it was last in use.
bot_version = Table(
    "bot_version",
    metadata,
    Column("bot", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("files", JSON, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
)

# One row per call: which process may write for it. Renewed every few seconds, so its times have no index.
# calls: in the row of an id's first call, how many calls have had the id.
lease = Table(
    "lease",
    metadata,
    Column("conversation_id", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
    Column("status", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("opening", JSON, nullable=False),
    Column("touched_at", UtcDateTime, nullable=False),
    Column("calls", Integer, nullable=False, server_default="1"),
    Index("ix_lease_status", "status"),
)

# One row per call of whose end somebody is told; see store/outbox.py. due_at: of the next try, or of the end of the one
# that is under way; once it was sent or given up, when that was.
outbox = Table(
    "outbox",
    metadata,
    Column("key", Text, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("bot", Text, nullable=False),
    Column("bot_digest", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("status", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Index("ix_outbox_status_due_at", "status", "due_at"),
    Index("ix_outbox_conversation_id", "conversation_id"),
)

# One row per process that lives, whether or not it has calls; renewed with its leases. node: as in its leases.
node = Table(
    "node",
    metadata,
    Column("node", Text, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("facts", JSON, nullable=False, server_default="{}"),
)

# One row per key with which something of a call is encrypted; see store/data_keys.py. what: "words", "audio"
# or "effects". kek: the id of the key that wraps it.
data_key = Table(
    "data_key",
    metadata,
    Column("conversation_id", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("kek", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Index("ix_data_key_kek", "kek", "conversation_id"),
)

# What of no deadline and no erasure is deleted. key: "call:" and a call's key, or "caller:" and a number.
hold = Table(
    "hold",
    metadata,
    Column("key", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# Jobs that one process at a time does. done_at: when the last round was over.
job = Table(
    "job",
    metadata,
    Column("name", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
)

# Who did what with people's data; see store/audit.py. Rows are only ever added.
audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

_REFUSED = "the audit is only ever added to"
_GUARDS = {
    "sqlite": [
        f"CREATE TRIGGER {name} BEFORE {change} BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        for name, change in {
            "audit_no_update": "UPDATE ON audit",
            "audit_no_delete": "DELETE ON audit",
            # INSERT OR REPLACE fires no trigger of DELETE.
            "audit_no_replace": "INSERT ON audit WHEN NEW.seq <= (SELECT max(seq) FROM audit)",
        }.items()
    ],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$",
        "CREATE TRIGGER audit_only_added BEFORE UPDATE OR DELETE ON audit"
        " FOR EACH ROW EXECUTE FUNCTION audit_only_added()",
        "CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()",
    ],
}


@event.listens_for(audit, "after_create")
def _guard(_: Table, connection: Connection, **__: object) -> None:
    for statement in _GUARDS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
