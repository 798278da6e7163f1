"""What Alembic runs: the migrations, on the connection and in the transaction that the caller has opened.

May import: store, Alembic.
"""

from __future__ import annotations

from alembic import context

from store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
