"""Indexes for what is counted of a call and of a caller's number before an effect, and for codes of appointments.

A migration never changes once it is released, so it names its types itself. May import: Alembic.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build them."""
    op.create_index("ix_effect_conversation_id", "effect", ["conversation_id"])
    op.create_index("ix_effect_caller_intended_at", "effect", ["caller", "intended_at"])
    op.create_index("ix_appointment_code", "appointment", ["code"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_appointment_code", "appointment")
    op.drop_index("ix_effect_caller_intended_at", "effect")
    op.drop_index("ix_effect_conversation_id", "effect")
