"""A connection to PostgreSQL that does not wait for ever.

The server's own limits end with the server: one that is stopped, or whose disk hangs, keeps the connection open and
says nothing. So does a resolver, and each of many addresses that are dead. Loaded only where PostgreSQL's driver is.
May import: store.resolving, psycopg, the standard library. Rules from: docs/specs/reliability.md 5.2.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Generator, Iterator
from pathlib import PurePath
from typing import Any, Self, TypeVar

import psycopg

from store.resolving import resolve

T = TypeVar("T")
# What the server may take beyond its own limit for a statement.
ANSWER_LIMIT_S = 5.0
# For a name to be resolved; and for all the addresses together that are tried. With an answer that does not come, and
# the five seconds between two uses, less than WRITER_LIMIT_S (actors/policies.py).
RESOLVE_LIMIT_S = 5.0
CONNECT_LIMIT_S = 10.0
# The least time for an address, which libpq's documentation asks for.
LEAST_CONNECT_S = 2
# For so many there is time; of more, each connection tries others.
MOST_ADDRESSES = int(CONNECT_LIMIT_S / LEAST_CONNECT_S)
_PORT = "5432"


class BoundedConnection(psycopg.Connection[Any]):
    """answer_limit_s: how long each request waits for the server; None: for ever."""

    answer_limit_s: float | None = ANSWER_LIMIT_S

    @classmethod
    def connect(cls, conninfo: str = "", **how: Any) -> Self:
        """As psycopg's, with the names of its hosts resolved in time, and less time for each where they are many.

        Raises: OperationalError.
        """
        hosts = str(how.get("host") or os.environ.get("PGHOST", ""))
        if hosts and not how.get("hostaddr"):
            reached = _some(list(_reached(hosts, str(how.get("port") or os.environ.get("PGPORT", "")))))
            names = "host", "hostaddr", "port"
            how |= {name: ",".join(each) for name, each in zip(names, zip(*reached, strict=True), strict=True)}
            if isinstance(limit_s := how.get("connect_timeout"), int):  # one of the URL is a text, and stays
                how["connect_timeout"] = min(limit_s, max(LEAST_CONNECT_S, int(CONNECT_LIMIT_S / len(reached))))
        return super().connect(conninfo, **how)

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


def _some(reached: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Those to be tried now, in their order; of many, others each time."""
    if len(reached) <= MOST_ADDRESSES:
        return reached
    begin = random.randrange(len(reached))
    return (reached + reached)[begin : begin + MOST_ADDRESSES]


def _reached(hosts: str, ports: str) -> Iterator[tuple[str, str, str]]:
    """Host, address and port of each address of hosts, as libpq lists them; of a socket's folder without an address.

    A host that cannot be resolved is left out. Raises: OperationalError, if none can be.
    """
    listed, given = hosts.split(","), ports.split(",")
    until_s, why, any_found = time.monotonic() + RESOLVE_LIMIT_S, "", False
    for number, host in enumerate(listed):
        port = (given[number] if len(given) == len(listed) else given[0]) or _PORT
        if not host or PurePath(host).is_absolute() or host.startswith("@"):
            any_found = True
            yield host, "", port
            continue
        try:
            found = resolve(host, int(port), max(0.1, until_s - time.monotonic()))
        except (OSError, ValueError) as error:  # ValueError: of what is no name, or no port
            why = f"failed to resolve host {host!r}: {error}"
            continue
        for _, address in dict.fromkeys(found):
            any_found = True
            yield host, str(address[0]), port
    if not any_found:
        raise psycopg.OperationalError(why)
