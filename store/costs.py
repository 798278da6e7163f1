"""What calls have cost, by their records.

May import: SQLAlchemy, the standard library, store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, func, select

from store import schema
from store.calls import CallFilter, conditions
from store.database import reading, reading_long
from store.rows import DAMAGE


def cost_since(engine: Engine, bot: str, since: datetime) -> float:
    """In US dollars, of the ended calls of a bot that began at `since` or later. For any thread."""
    column = schema.call.c
    query = select(func.coalesce(func.sum(column.cost_usd), 0.0)).where(column.bot == bot, column.started_at >= since)
    with reading(engine) as connection:
        return float(connection.scalars(query).one())


@dataclass(frozen=True, slots=True)
class DayOfBot:
    """What the calls of a bot have cost that began on a day. day: in UTC. unpriced: calls without a cost.

    partly: calls that have used a model without a price beside what they have cost. models: that had no price.
    """

    day: date
    bot: str
    calls: int
    unpriced: int
    cost_usd: float
    partly: int = 0
    models: frozenset[str] = frozenset()


def costs_by_day(engine: Engine, which: CallFilter) -> list[DayOfBot]:
    """Of the calls that have ended and are meant, the newest day first, then by bot. For any thread."""
    column = schema.call.c
    on_postgres = engine.dialect.name == "postgresql"
    began = func.timezone("UTC", column.started_at) if on_postgres else column.started_at
    day = func.to_char(began, "YYYY-MM-DD") if on_postgres else func.strftime("%Y-%m-%d", began)
    sums = func.count(), func.count(column.cost_usd), func.coalesce(func.sum(column.cost_usd), 0.0)
    # Not the column itself: NULL and "" mean the same here.
    models = func.coalesce(column.unpriced, "")
    query = select(day, column.bot, models, *sums).where(*conditions(which)).group_by(day, column.bot, models)
    found: dict[tuple[date, str], DayOfBot] = {}
    with reading_long(engine) as connection:
        for row in connection.execute(query):
            if (part := _part_of_day(*row)) is not None:
                whole = found.get((part.day, part.bot))
                found[part.day, part.bot] = part if whole is None else _together(whole, part)
    return sorted(found.values(), key=lambda each: (-each.day.toordinal(), each.bot))


def _part_of_day(on: Any, bot: Any, models: Any, calls: int, priced: int, cost_usd: Any) -> DayOfBot | None:
    """Of the calls that lack the same prices; None for calls whose day or bot is damaged."""
    try:
        day = date.fromisoformat(on)
    except DAMAGE:
        return None
    if not isinstance(bot, str):
        return None
    lacking = frozenset(models.splitlines()) if isinstance(models, str) else frozenset()
    return DayOfBot(day, bot, calls, calls - priced, float(cost_usd), priced if lacking else 0, lacking)


def _together(one: DayOfBot, other: DayOfBot) -> DayOfBot:
    return replace(
        one,
        calls=one.calls + other.calls,
        unpriced=one.unpriced + other.unpriced,
        cost_usd=one.cost_usd + other.cost_usd,
        partly=one.partly + other.partly,
        models=one.models | other.models,
    )
