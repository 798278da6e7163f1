"""The name of an attempt to identify an appointment, by which attempts are limited.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it. An earlier release beside this one leaves it empty: its attempts count for the call and the number."""
    with op.batch_alter_table("identity_attempt") as table:
        table.add_column(sa.Column("name", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("identity_attempt") as table:
        table.drop_column("name")
