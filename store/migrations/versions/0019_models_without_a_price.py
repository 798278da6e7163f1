"""The models of a call that had no price, for sums that say what they lack.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; of calls of an earlier release it is not known."""
    op.add_column("call", sa.Column("unpriced", sa.Text()))


def downgrade() -> None:
    """Take it away; the records stay."""
    op.drop_column("call", "unpriced")
