"""The code of an appointment, and callers' attempts to identify one.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the table of attempts. Earlier appointments have no code, so no code matches them."""
    op.create_table(
        "identity_attempt",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_identity_attempt_conversation_id", "identity_attempt", ["conversation_id"])
    op.create_index("ix_identity_attempt_caller", "identity_attempt", ["caller"])
    op.create_index("ix_identity_attempt_at", "identity_attempt", ["at"])
    with op.batch_alter_table("appointment") as table:
        table.add_column(sa.Column("code", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_appointment_starts_at", "appointment", ["starts_at"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_appointment_starts_at", "appointment")
    with op.batch_alter_table("appointment") as table:
        table.drop_column("code")
    op.drop_table("identity_attempt")
