"""A connection to PostgreSQL that does not wait for ever.

The server's own limits end with the server: one that is stopped, or whose disk hangs, keeps the connection open and
says nothing. Loaded only where PostgreSQL's driver is.
May import: psycopg, the standard library. Rules from: docs/specs/reliability.md 5.2.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")
# What the server may take beyond its own limit for a statement.
ANSWER_LIMIT_S = 5.0


class BoundedConnection(psycopg.Connection[Any]):
    """answer_limit_s: how long each request waits for the server; None: for ever."""

    answer_limit_s: float | None = ANSWER_LIMIT_S

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        """As psycopg's. Raises: OperationalError after answer_limit_s; then the connection is closed."""
        if self.answer_limit_s is None:
            return super().wait(gen, *args, **options)
        return super().wait(self._bounded(gen, time.monotonic() + self.answer_limit_s), *args, **options)

    def take_servers_limit(self) -> None:
        """Wait as long as the server may work on a statement, and ANSWER_LIMIT_S."""
        with self.cursor() as cursor:
            cursor.execute("SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'")
            [limit_ms] = cursor.fetchone() or (0,)
        self.rollback()
        self.answer_limit_s = limit_ms / 1000 + ANSWER_LIMIT_S if limit_ms else None

    def _bounded(self, gen: Generator[Any, Any, T], until_s: float) -> Generator[Any, Any, T]:
        try:
            wanted = next(gen)
            while True:
                # psycopg's wait returns several times a second, also if nothing has come.
                ready = yield wanted
                if not ready and time.monotonic() > until_s:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result
