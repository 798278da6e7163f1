"""The tables of the appointment tasks, in the store or in a database of a bot's own.

In a database that an earlier release has made, the store's own migrations have built the first two.
May import: store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, MetaData, Table, UniqueConstraint, func

from store.package_tables import PackageTables, PersonalTable
from store.schema import Text, UtcDateTime

# A column `conversation_id` holds the call's key: see store/call_keys.py.
metadata = MetaData()

appointment = Table(
    "appointment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource", Text, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("duration_min", Integer, nullable=False),
    Column("caller", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("effect_key", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False, server_default=func.now()),
    Column("code", Text, nullable=False, server_default=""),
    UniqueConstraint("effect_key", name="uq_appointment_effect_key"),
    UniqueConstraint("resource", "starts_at", name="uq_appointment_resource_starts_at"),
    Index("ix_appointment_conversation_id", "conversation_id"),
    Index("ix_appointment_caller", "caller"),
    Index("ix_appointment_starts_at", "starts_at"),
    Index("ix_appointment_code", "code"),
)

# One row for every attempt of a caller to identify an appointment; deleted after some days.
identity_attempt = Table(
    "identity_attempt",
    metadata,
    Column("key", Text, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Index("ix_identity_attempt_conversation_id", "conversation_id"),
    Index("ix_identity_attempt_caller", "caller"),
    Index("ix_identity_attempt_at", "at"),
)

# One row for every effect in a database of a bot's own, with its outcome; in the store, `effect` has them.
appointment_effect = Table(
    "appointment_effect",
    metadata,
    Column("key", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("values", JSON, nullable=False),
    Column("say", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_appointment_effect_at", "at"),
)


# The entry point `tieline.tables`.
prepare = PackageTables(
    metadata,
    personal=(
        PersonalTable(appointment, needed=lambda now: appointment.c.starts_at > now),
        PersonalTable(identity_attempt, with_record=True),
    ),
)
