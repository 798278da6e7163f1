"""Effects with their intents and outcomes; the name an appointment is under.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the table of effects."""
    op.create_table(
        "effect",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("slots", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("say", sa.Text(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_effect_status", "effect", ["status"])
    with op.batch_alter_table("appointment") as table:
        table.add_column(sa.Column("name", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_appointment_caller", "appointment", ["caller"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_appointment_caller", "appointment")
    with op.batch_alter_table("appointment") as table:
        table.drop_column("name")
    op.drop_table("effect")
