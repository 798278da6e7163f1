"""The keys with which what is kept of a call is encrypted.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their table. What an earlier release has written is not encrypted."""
    op.create_table(
        "data_key",
        sa.Column("conversation_id", sa.Text(), primary_key=True),
        sa.Column("what", sa.Text(), primary_key=True),
        sa.Column("kek", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_data_key_kek", "data_key", ["kek", "conversation_id"])


def downgrade() -> None:
    """Take it away: nobody can read any more what was encrypted."""
    op.drop_table("data_key")
