"""What retention needs, what is held, who does a job, and the audit.

A migration never changes once it is released, so it names its types itself. May import: Alembic, SQLAlchemy.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_WITH_WORDS = sa.text("words_gone_at IS NULL")
_REFUSED = "the audit is only ever added to"


def upgrade() -> None:
    """Add them. Calls of an earlier release have their words."""
    op.add_column("call", sa.Column("words_gone_at", _MOMENT))
    op.create_index(
        "ix_call_with_words",
        "call",
        ["bot", "started_at", "conversation_id"],
        sqlite_where=_WITH_WORDS,
        postgresql_where=_WITH_WORDS,
    )
    op.create_index("ix_effect_bot_settled_at", "effect", ["bot", "settled_at"])
    op.create_index("ix_outbox_conversation_id", "outbox", ["conversation_id"])
    op.create_table(
        "hold",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
    )
    op.create_table(
        "job",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("lease_until", _MOMENT, nullable=False),
        sa.Column("done_at", _MOMENT),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_only_added BEFORE UPDATE OR DELETE ON audit"
            " FOR EACH ROW EXECUTE FUNCTION audit_only_added()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        trigger = f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit"
        op.execute(f"{trigger} BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END")


def downgrade() -> None:
    """Take them away, the audit too."""
    for table in ("audit", "job", "hold"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_only_added()")
    op.drop_index("ix_outbox_conversation_id", "outbox")
    op.drop_index("ix_effect_bot_settled_at", "effect")
    op.drop_index("ix_call_with_words", "call")
    op.drop_column("call", "words_gone_at")
