"""Reads what the bots with a budget a day have spent today, on a thread, for the calls on the loop.

May import: actors.spending, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from actors.spending import Spending
from store.costs import cost_since

# A budget is a matter of dollars, and a call costs cents a minute.
READ_EVERY_S = 30.0


class SpendingReader:
    """A job that is done every READ_EVERY_S. now: the wall clock."""

    def __init__(self, engine: Engine, spending: Spending, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._spending = spending
        self._now = now

    def read(self) -> None:
        """One round. Raises: the driver's error, as SQLAlchemy has it; what was read before still holds."""
        self._spending.read(
            {
                bot: cost_since(self._engine, bot, self._now().astimezone(zone).replace(hour=0, minute=0, second=0))
                for bot, zone in self._spending.watched.items()
            }
        )
