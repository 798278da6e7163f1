"""The versions of bots, and which one an effect is of.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them. An earlier release beside this one has one bot, and writes effects of no version."""
    op.create_table(
        "bot_version",
        sa.Column("bot", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bot", "digest"),
    )
    with op.batch_alter_table("effect") as table:
        table.add_column(sa.Column("bot", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("bot_digest", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Take them away."""
    with op.batch_alter_table("effect") as table:
        table.drop_column("bot_digest")
        table.drop_column("bot")
    op.drop_table("bot_version")
