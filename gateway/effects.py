"""The effects in the database, for the commands that list and settle them.

May import: actors, fsm, store, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from actors.tasks.effect_runner import EffectRunner
from fsm.registry import load_agents
from store.database import open_database, shown

__all__ = ["EffectRunner", "effect_runner", "shown"]


@contextmanager
def effect_runner(database_url: str) -> Iterator[EffectRunner]:
    """A runner outside the daemon. Raises: MisuseError if the database or a task cannot be opened, or is not there."""
    engine = open_database(database_url, create=False)
    try:
        yield EffectRunner(engine, load_agents(), lambda: datetime.now(UTC))
    finally:
        engine.dispose()
