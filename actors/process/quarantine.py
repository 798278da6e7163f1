"""What is known of rows that cannot be read: each is counted and logged once, by its key.

May import: actors' metrics, store, loguru, the standard library.
"""

from __future__ import annotations

from loguru import logger

from actors.metrics import UNREADABLE
from store.rows import UnreadableRow

# Rows that are remembered; those beyond are counted each time that they are met.
MOST_REMEMBERED = 10_000


class Quarantine:
    """Called with each row that is found unreadable, on any thread."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def __call__(self, row: UnreadableRow) -> None:
        if (row.table, row.key) in self._known:
            return
        if len(self._known) < MOST_REMEMBERED:
            self._known.add((row.table, row.key))
        UNREADABLE.labels(row.table).inc()
        logger.error("a row of the store cannot be read: it is set aside", table=row.table, key=row.key)
