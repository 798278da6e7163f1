"""What VoiceAI Connect has measured of calls.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table. Processes of an earlier release leave it as it is."""
    op.create_table(
        "call_report",
        sa.Column("conversation_id", sa.Text(), primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("call_report")
