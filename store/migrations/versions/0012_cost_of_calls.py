"""What a call has cost, for the sum of a day.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; calls of an earlier release have none."""
    op.add_column("call", sa.Column("cost_usd", sa.Float()))


def downgrade() -> None:
    """Take it away; the records stay."""
    op.drop_column("call", "cost_usd")
