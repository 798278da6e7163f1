"""What calls have cost, by their records.

May import: SQLAlchemy, the standard library, store.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, func, select

from store import schema
from store.database import reading


def cost_since(engine: Engine, bot: str, since: datetime) -> float:
    """In US dollars, of the ended calls of a bot that began at `since` or later. For any thread."""
    column = schema.call.c
    query = select(func.coalesce(func.sum(column.cost_usd), 0.0)).where(column.bot == bot, column.started_at >= since)
    with reading(engine) as connection:
        return float(connection.scalars(query).one())
