"""The tables of appointments are those of a package now, which uses them as they are.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave them to it, with what is in them."""


def downgrade() -> None:
    """Make those that the release before needs and this one has not: a new database has them only from the package."""
    there = sa.inspect(op.get_bind()).get_table_names()
    if "appointment" not in there:
        op.create_table(
            "appointment",
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column("resource", sa.Text(), nullable=False),
            sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("duration_min", sa.Integer(), nullable=False),
            sa.Column("caller", sa.Text(), nullable=False),
            sa.Column("conversation_id", sa.Text(), nullable=False),
            sa.Column("effect_key", sa.Text(), nullable=False),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
            sa.Column("name", sa.Text(), nullable=False, server_default=""),
            sa.Column("code", sa.Text(), nullable=False, server_default=""),
            sa.UniqueConstraint("effect_key", name="uq_appointment_effect_key"),
            sa.UniqueConstraint("resource", "starts_at", name="uq_appointment_resource_starts_at"),
        )
        for column in ("conversation_id", "caller", "starts_at", "code"):
            op.create_index(f"ix_appointment_{column}", "appointment", [column])
    if "identity_attempt" not in there:
        op.create_table(
            "identity_attempt",
            sa.Column("key", sa.Text(), primary_key=True),
            sa.Column("conversation_id", sa.Text(), nullable=False),
            sa.Column("caller", sa.Text(), nullable=False),
            sa.Column("outcome", sa.Text(), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("name", sa.Text(), nullable=False, server_default=""),
        )
        for column in ("conversation_id", "caller", "at"):
            op.create_index(f"ix_identity_attempt_{column}", "identity_attempt", [column])
