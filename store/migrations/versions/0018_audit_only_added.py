"""The audit refuses to be emptied at once, and rows in the place of others: what deletes without a trigger of DELETE.

A migration never changes once it is released. May import: Alembic.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two guards."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added()"
        )
        return
    # INSERT OR REPLACE fires no trigger of DELETE.
    op.execute(
        "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN NEW.seq <= (SELECT max(seq) FROM audit)"
        " BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END"
    )


def downgrade() -> None:
    """Take them away."""
    on = " ON audit" if op.get_bind().dialect.name == "postgresql" else ""
    name = "audit_not_emptied" if on else "audit_no_replace"
    op.execute(f"DROP TRIGGER {name}{on}")
