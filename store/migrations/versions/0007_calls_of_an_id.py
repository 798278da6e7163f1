"""How many calls have had a conversation id, in the lease of the first.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it. An earlier release beside this one gives a repeated id the lease of the first call, as ever."""
    with op.batch_alter_table("lease") as table:
        table.add_column(sa.Column("calls", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("lease") as table:
        table.drop_column("calls")
