"""What calls cost their PostgreSQL, and how far one server goes: `python -m benchmarks.store [--calls N]`.

One Tieline and a PostgreSQL of its own, calls of the load generator: both sides stream, the caller interrupts every ten
seconds, the model sends transcripts, a call lasts a minute. Transactions, rows and bytes of the write-ahead log are the
server's own counts, less what the process costs without calls. Then pgbench on the same server, which is the measure of
what this machine's PostgreSQL can do, since a transaction of ours is about one of `--skip-some-updates`.

Counts do not depend on how busy the machine is; pgbench does. Needs PostgreSQL's programs. Linux only.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from benchmarks.contenders import Wiring, running, tieline, wired
from benchmarks.surroundings import generated, postgres
from lab.load.run_state import LoadSettings
from tests.store.postgres import PostgresServer

# The server reports what a connection did a second after it, at its next transaction.
SETTLE_S = 8.0
COUNTS = """
SELECT xact_commit + xact_rollback, tup_inserted, tup_updated, tup_deleted, pg_current_wal_lsn() - '0/0'
FROM pg_stat_database WHERE datname = current_database()
"""
TURN_S, CALL_S = 10.0, 60.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What a server has done since it was made. wal: bytes of its write-ahead log."""

    transactions: float
    inserted: float
    updated: float
    deleted: float
    wal: float

    @classmethod
    def now(cls, connection: psycopg.Connection[tuple[Any, ...]]) -> Counts:
        row = connection.execute(COUNTS).fetchone()
        assert row is not None
        return cls(*(float(each) for each in row))

    def since(self, before: Counts, idle: Counts | None = None, seconds: float = 0.0, per: float = 1.0) -> Counts:
        """The difference, less what `seconds` without calls cost, by `per`."""
        names = ("transactions", "inserted", "updated", "deleted", "wal")

        def one(name: str) -> float:
            less = getattr(idle, name) * seconds if idle else 0.0
            return float((getattr(self, name) - getattr(before, name) - less) / per)

        return Counts(*map(one, names))

    def __str__(self) -> str:
        rows = f"{self.inserted:.1f} rows inserted, {self.updated:.1f} updated, {self.deleted:.1f} deleted"
        return f"{self.transactions:.1f} transactions, {rows}, {self.wal / 1024:.1f} KB of log"


def placed(wiring: Wiring, calls: int, seconds: float) -> None:
    """Let calls begin and end for so long."""
    settings = LoadSettings(
        url=f"ws://127.0.0.1:{wiring.port}",
        calls=calls,
        seconds=seconds,
        model_port=wiring.model_port,
        call_s=CALL_S,
        turn_s=TURN_S,
        transcripts=True,
        patient=True,
    )
    generated(settings, apart=False)


def pgbench(server: PostgresServer, database: str, seconds: int, clients: int) -> float:
    """The transactions a second that the server commits to disk, with so many clients."""
    run = partial(subprocess.run, check=True, capture_output=True, text=True)
    where = ["--host", str(server.folder), "--username", "tieline", database]
    run(["pgbench", "--initialize", "--scale", "10", "--quiet", *where])
    load = ["--skip-some-updates", "--client", str(clients), "--jobs", "2", "--time", str(seconds), "--no-vacuum"]
    found = re.search(r"tps = ([\d.]+)", run(["pgbench", *load, *where]).stdout)
    assert found is not None
    return float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pgbench-s", type=int, default=20)
    parser.add_argument("--to", type=int, default=5000, help="calls in progress to tell the cost of")
    options = parser.parse_args()
    with (
        postgres() as server,
        server.database() as database,
        wired("raw/lpcm16_24") as wiring,
        server.connection(database) as ours,
    ):
        with running(tieline(settings={"TIELINE_DATABASE_URL": server.url(database)}), wiring):
            time.sleep(SETTLE_S)
            before = Counts.now(ours)
            time.sleep(options.seconds / 2)
            idle = Counts.now(ours).since(before, per=options.seconds / 2)
            print(f"a process without calls, a second: {idle}")
            before, began_s = Counts.now(ours), time.monotonic()
            placed(wiring, options.calls, options.seconds)
            time.sleep(SETTLE_S)
            took_s = time.monotonic() - began_s
            minutes = options.calls * options.seconds / 60
            each = Counts.now(ours).since(before, idle, took_s, minutes)
            print(f"a call, a minute: {each}")
        if options.pgbench_s:
            rate = pgbench(server, database, options.pgbench_s, 16)
            wanted = options.to / 60 * each.transactions
            log = options.to / 60 * each.wal / 2**20
            print(f"{options.to} calls: {wanted:.0f} transactions and {log:.1f} MB of log a second, "
                  f"of {rate:.0f} transactions a second by pgbench here: {wanted / rate:.0%}")  # fmt: skip


if __name__ == "__main__":
    main()
