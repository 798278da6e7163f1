"""What a call's write waits for while old calls are deleted: `python -m benchmarks.retention [--calls N]`.

SQLite and a PostgreSQL of its own, each filled with calls of which a part is kept no longer. Threads write rows of
calls in progress as the journal's writer does, in turns without a sweep and with one: the daemon's, with its pauses, in
the same process. Ten million rows: `--on postgresql --calls 300000 --due 0.2 --finish 600`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from math import ceil
from pathlib import Path
from string import Template
from typing import Any

from sqlalchemy import Connection, Engine

from benchmarks.surroundings import postgres
from store.database import open_database
from store.journal import CallRecord, Journal, JournalRow, TurnRecord
from store.leases import Lease, Leases
from store.retention import KeptFor, Retention

# Rows of a call's journal; calls whose rows lie beside one another, because they were in progress at the same time.
ROWS, TOGETHER = 33, 500
DAYS = 60.0
# How often a writer writes, rows of how many calls each time: about what 500 calls cost a process.
EVERY_S, AT_ONCE, LIVE = 0.02, 6, 100
SAID = "I would like to come on Thursday, in the afternoon if that is possible, and it is about my left knee. " * 2

# The key of a call by its number, without an order, as ids have none; the moment so many seconds ago; whole numbers.
SQL = {
    "sqlite": {
        "key": "printf('%08x', (n * 2654435761) % 4294967296)",
        "started": "strftime('%Y-%m-%d %H:%M:%f000', 'now', printf('-%.3f seconds', $age))",
        "later": "strftime('%Y-%m-%d %H:%M:%f000', 'now', printf('-%.3f seconds', $age - e * 2))",
        "json": "",
        "calls": "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s LIMIT $calls) SELECT n FROM s) s",
        "rows": "(WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s LIMIT $all) SELECT $split FROM s) s",
    },
    "postgresql": {
        "key": "to_hex((n::bigint * 2654435761) % 4294967296)",
        "started": "now() - make_interval(secs => $age)",
        "later": "now() - make_interval(secs => $age - e * 2)",
        "json": "::json",
        "calls": "generate_series(0, $calls - 1) AS s(n)",
        "rows": "(SELECT $split FROM generate_series(0, $all - 1) AS s(i)) s",
    },
}
SPLIT = f"i / {TOGETHER * ROWS} * {TOGETHER} + i % {TOGETHER} AS n, i % {TOGETHER * ROWS} / {TOGETHER} AS e"
FILL = (
    """INSERT INTO call_event (conversation_id, seq, kind, body, at, epoch)
    SELECT $key, e + 1, CASE WHEN e = 0 THEN 'call' ELSE 'caller_said' END,
    CASE WHEN e = 0 THEN $began ELSE $said END, $later, 1 FROM $rows""",
    """INSERT INTO call (conversation_id, bot, caller, media_format, started_at, ended_at, outcome, record)
    SELECT $key, 'desk', '+4930555010', 'raw/lpcm16', $started, $started, 'completed', $record FROM $calls""",
    """INSERT INTO lease (conversation_id, node, epoch, lease_until, status, credential, opening, touched_at, calls)
    SELECT $key, 'n', 1, $started, 'ended', 'c', $began, $started, 1 FROM $calls""",
    """INSERT INTO outbox
    (key, conversation_id, bot, bot_digest, caller, facts, status, tries, reason, written_at, due_at)
    SELECT $key, $key, 'desk', '', '', $said, 'sent', 1, '', $started, $started FROM $calls""",
    """INSERT INTO effect (key, name, conversation_id, run_id, caller, slots, facts, status, "values", say,
    intended_at, settled_at, epoch, bot, bot_digest) SELECT $key, 'book', $key, 't', '', $said, $said, 'ok',
    $said, '', $started, $started, 1, 'desk', '' FROM $calls WHERE n % 3 = 0""",
)


def filled(engine: Engine, calls: int) -> int:
    """Calls of the last DAYS, as many on each: journal, record, lease, a letter each, and an effect of every third.

    Returns how many rows that are.
    """
    turn = TurnRecord(role="caller", text=SAID, item_id="item_1", began_ms=0, ended_ms=9, heard_ms=9)
    at = datetime.now(UTC)
    record = CallRecord(
        conversation_id="c", bot="desk", caller="+4930555010", media_format="raw/lpcm16", outcome="completed",
        started_at=at, ended_at=at, turns=(turn,) * 10,
    )  # fmt: skip
    given = {
        "record": record.model_dump_json(),
        "said": json.dumps({"item": "item_1", "text": SAID}),
        "began": json.dumps({"bot": "desk", "caller": "+4930555010"}),
    }
    dialect = engine.dialect.name
    of = {name: value for name, value in SQL[dialect].items() if name != "json"}
    of |= {name: f"'{value}'{SQL[dialect]['json']}" for name, value in given.items()}
    age = f"({DAYS * 86_400} - n * {DAYS * 86_400 / calls})"
    numbers = {"age": age, "calls": str(calls), "all": str(calls * ROWS), "split": SPLIT}
    made = 0
    with _patient(engine) as connection:
        for statement in FILL:
            whole = Template(Template(statement).substitute(of)).substitute(numbers)
            made += connection.exec_driver_sql(whole.replace("%", "%%") if dialect == "postgresql" else whole).rowcount
        for statement in ("VACUUM ANALYZE", "CHECKPOINT") if dialect == "postgresql" else ():
            connection.exec_driver_sql(statement)
    return made


@contextmanager
def _patient(engine: Engine) -> Iterator[Connection]:
    """A connection whose statements take as long as they take."""
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            yield connection
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        raw: Any = connection.connection.driver_connection
        raw.take_servers_limit()
        yield connection
        connection.invalidate()


@dataclass
class Measured:
    """What writers have waited for, in ms, by whether a sweep was going on; and what that did."""

    waits: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    held: list[float] = field(default_factory=list)
    rows: int = 0
    batches: int = 0
    swept_s: float = 0.0


def part(values: list[float], of_all: float) -> float:
    """A percentile."""
    return sorted(values)[min(len(values) - 1, ceil(len(values) * of_all) - 1)] if values else 0.0


class Load:
    """The writers of calls in progress, and a sweep that goes on while it may."""

    def __init__(self, engine: Engine, writers: int, rule: KeptFor) -> None:
        self.measured = Measured()
        self.over = threading.Event()
        self._sweeps, self._stop = threading.Event(), threading.Event()
        self._engine, self._rule = engine, rule
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(writers)]
        self._threads.append(threading.Thread(target=self._sweep))

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._sweeps.set()
            for thread in self._threads:
                thread.join()

    def sweeps(self, on: bool, seconds: float) -> None:
        """Go on for so long, with a sweep or without; with one, at most until it is over."""
        (self._sweeps.set if on else self._sweeps.clear)()
        began_s = time.monotonic()
        if on:
            self.over.wait(seconds)
            self.measured.swept_s += time.monotonic() - began_s
        else:
            time.sleep(seconds)

    def _write(self, number: int) -> None:
        leases, journal = Leases(self._engine, f"node-{number}", ttl_s=86_400), Journal(self._engine)
        keys = []
        for call in range(LIVE):
            lease = leases.open(f"live-{number}-{call}", "credential", {})
            assert isinstance(lease, Lease)
            keys.append(lease.key)
        numbers = count()
        due_s = time.monotonic()
        while not self._stop.is_set():
            some = [next(numbers) for _ in range(AT_ONCE)]
            body = {"item": "item_1", "text": SAID}
            rows = [
                JournalRow(keys[n % LIVE], n // LIVE + 1, "caller_said", dict(body), datetime.now(UTC), 1) for n in some
            ]
            on, began_s = self._sweeps.is_set() and not self.over.is_set(), time.perf_counter()
            journal.append(rows)
            self.measured.waits[on].append((time.perf_counter() - began_s) * 1000)
            due_s = max(due_s + EVERY_S, time.monotonic())
            self._stop.wait(due_s - time.monotonic())

    def _sweep(self) -> None:
        measured = self.measured
        for batch in Retention(self._engine, lambda _: self._rule).sweep():
            measured.rows += batch.rows
            measured.batches += 1
            if batch.rows:
                measured.held.append(batch.seconds * 1000)
            self._stop.wait(batch.pause_s)
            self._sweeps.wait()
            if self._stop.is_set():
                return
        self.over.set()


def measure(engine: Engine, options: argparse.Namespace) -> None:
    began_s = time.monotonic()
    rows = filled(engine, options.calls)
    print(f"{engine.dialect.name}: {rows} rows in {time.monotonic() - began_s:.0f} s", flush=True)
    kept = DAYS * (1 - options.due)
    # Words of all that is due, the rest of its older half.
    load = Load(engine, options.writers, KeptFor(words=ceil(kept), record=ceil((kept + DAYS) / 2), effects=ceil(kept)))
    measured = load.measured
    with load.running():
        load.sweeps(False, 2.0)
        for waits in measured.waits.values():
            waits.clear()
        for _ in range(options.turns):
            for on in (False, True):
                load.sweeps(on, options.seconds)
        for on, waits in measured.waits.items():
            values = ", ".join(f"p{100 * of_all:g} {part(waits, of_all):.1f}" for of_all in (0.5, 0.9, 0.99, 0.999))
            print(f"  a write {'with a sweep' if on else 'without'}: {values} ms ({len(waits)})")
        without, beside = (part(measured.waits[on], 0.99) for on in (False, True))
        print(f"  p99 with a sweep / without: {beside / without:.2f}", flush=True)
        if options.finish:
            load.sweeps(True, options.finish)
    held = f"p50 {part(measured.held, 0.5):.1f}, p99 {part(measured.held, 0.99):.1f} ms"
    ended = "to its end" if load.over.is_set() else "not to its end"
    print(f"  swept {measured.swept_s:.0f} s, {ended}: {measured.rows} rows, {measured.rows / measured.swept_s:.0f} a"
          f" second; {measured.batches} batches, a transaction {held}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retention", description=__doc__.splitlines()[0])
    parser.add_argument("--on", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--calls", type=int, default=15_000, help=f"each {ROWS} rows of journal and three or four more")
    parser.add_argument("--due", type=float, default=0.5, help="the part that is kept no longer")
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a turn")
    parser.add_argument(
        "--finish", type=float, default=0.0, help="then go on until it is over, at most so many seconds"
    )
    options = parser.parse_args()
    sys.setswitchinterval(0.0005)  # as the daemon
    if options.on != "postgresql":
        with tempfile.TemporaryDirectory(prefix="tieline-retention-") as folder:
            engine = open_database(f"sqlite:///{Path(folder) / 'db.sqlite3'}")
            measure(engine, options)
            engine.dispose()
    if options.on != "sqlite":
        with postgres() as server, server.database() as database:
            engine = open_database(server.url(database))
            measure(engine, options)
            engine.dispose()


if __name__ == "__main__":
    main()
