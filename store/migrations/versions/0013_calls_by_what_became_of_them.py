"""Calls are found by when they began, by bot, caller and outcome, and by their tasks and errors.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_call_started_at": ["started_at", "conversation_id"],
    "ix_call_bot_started_at": ["bot", "started_at", "conversation_id"],
    "ix_call_caller_started_at": ["caller", "started_at", "conversation_id"],
    "ix_call_outcome_started_at": ["outcome", "started_at", "conversation_id"],
}


def upgrade() -> None:
    """Add them. Calls of an earlier release have no tasks and errors to be found by; their records have."""
    op.add_column("call", sa.Column("tasks", sa.Text()))
    op.add_column("call", sa.Column("errors", sa.Text()))
    for name, columns in _INDEXES.items():
        op.create_index(name, "call", columns)


def downgrade() -> None:
    """Take them away; the records stay."""
    for name in _INDEXES:
        op.drop_index(name, "call")
    op.drop_column("call", "errors")
    op.drop_column("call", "tasks")
