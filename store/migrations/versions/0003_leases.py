"""Leases of calls, and the epoch under which a row was written: 0 for a call that had no lease.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the table of leases; processes of the previous release can keep writing."""
    op.create_table(
        "lease",
        sa.Column("conversation_id", sa.Text(), primary_key=True),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("opening", sa.JSON(), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_lease_status", "lease", ["status"])
    for name in ("call_event", "effect"):
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take it away."""
    for name in ("call_event", "effect"):
        with op.batch_alter_table(name) as table:
            table.drop_column("epoch")
    op.drop_index("ix_lease_status", "lease")
    op.drop_table("lease")
