"""Another process with the same database, which executes commands line by line and can be frozen in between.

python -m tests.store.other_process URL NODE reads `[command, arguments]`, and prints the result or the exception.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy import event

import store.database
from appointments import bookings
from store import effect_log
from store.database import open_database
from store.effect_log import LoggedEffect
from store.journal import CallRecord, Journal, JournalRow
from store.leases import Lease, Leases, fenced

ROOT = Path(__file__).parents[2]
# Only end what hangs on a busy machine: a wait for an answer; one for SQLite's lock, where processes race.
LIMIT_S, BUSY_S = 300, 120.0
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


class OtherProcess:
    """The process, as seen by the test; killed at the end of the block."""

    def __init__(self, url: str, node: str) -> None:
        command = [sys.executable, "-m", "tests.store.other_process", url, node]
        # Unbuffered: a line that lies in a buffer is not seen by who waits for the pipe.
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, bufsize=0)

    def __enter__(self) -> Self:
        assert self.answer() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=60)

    def tell(self, what: str, *arguments: Any) -> None:
        """Send a command; a frozen process reads it when it is resumed."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([what, arguments]).encode() + b"\n")

    def answer(self) -> Any:
        """The next answer: the result, or the name of the exception."""
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], LIMIT_S)
        assert readable, "no answer in time"
        return json.loads(self._process.stdout.readline())

    def ask(self, what: str, *arguments: Any) -> Any:
        self.tell(what, *arguments)
        return self.answer()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        self.wait_until_frozen()

    def wait_until_frozen(self) -> None:
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)


def row(seq: int, epoch: int, conversation_id: str = "c-1") -> JournalRow:
    return JournalRow(conversation_id=conversation_id, seq=seq, kind="said", body={}, at=AT, epoch=epoch)


def record(conversation_id: str = "c-1", outcome: str = "completed") -> CallRecord:
    return CallRecord(
        conversation_id=conversation_id,
        bot="practice",
        caller="+4930123",
        media_format="raw/lpcm16",
        outcome=outcome,
        started_at=AT,
        ended_at=AT + timedelta(seconds=42),
    )


def renewed(leases: Leases, held: dict[str, int]) -> set[str]:
    """Renew leases. Returns the keys that do not have their epoch."""
    leases.renew(held)
    return leases.lost(held)


class _Deeds:
    def __init__(self, url: str, node: str) -> None:
        self._engine = open_database(url)
        self._journal = Journal(self._engine)
        self._leases = Leases(self._engine, node)

    def open(self, conversation_id: str) -> int:
        opened = self._leases.open(conversation_id, "secret", {"bot": "practice"})
        assert isinstance(opened, Lease)
        return opened.epoch

    def claim(self, conversation_id: str, times: int) -> list[int]:
        """Claim repeatedly, from three threads."""
        with ThreadPoolExecutor(3) as pool:
            claimed = list(pool.map(lambda _: self._leases.claim(conversation_id, "secret"), range(times)))
        return [each.epoch for each in claimed if isinstance(each, Lease)]

    def renew(self, held: dict[str, int]) -> list[str]:
        return sorted(renewed(self._leases, held))

    def append(self, seq: int, epoch: int) -> int:
        """Append rows; returns how many were not written."""
        return len(self._journal.append([row(seq, epoch)]))

    def append_until_fenced(self, epoch: int) -> int:
        """Append until fenced; reports the beginning, then the number of rows written."""
        seq = 0
        while not self._journal.append([row(seq + 1, epoch)]):
            seq += 1
            if seq == 1:
                _say("begun")
        return seq

    def append_frozen(self, conversation_id: str, seq: int, epoch: int) -> int:
        """Append a row, and freeze between reading the epoch and writing the row."""
        event.listen(self._engine, "before_cursor_execute", _freeze_before_a_row)
        return len(self._journal.append([row(seq, epoch, conversation_id)]))

    def finish(self, epoch: int) -> None:
        self._journal.finish(record(), epoch)

    def act(self, epoch: int) -> None:
        """Book, with intent and outcome in the same transaction."""
        with fenced(self._engine, "c-1", epoch) as connection:
            self._act(connection, epoch)

    def act_frozen(self, epoch: int) -> None:
        """The same, and freeze before the commit."""
        with fenced(self._engine, "c-1", epoch) as connection:
            self._act(connection, epoch)
            os.kill(os.getpid(), signal.SIGSTOP)

    def _act(self, connection: Any, epoch: int) -> None:
        meant = LoggedEffect(f"k-{epoch}", "book", "c-1", "t1", "", {}, {}, AT, epoch=epoch)
        assert effect_log.intend(connection, meant)
        bookings.book(connection, resource="practice", starts_at=AT, duration_min=30, caller="",
                          conversation_id="c-1", effect_key=meant.key)  # fmt: skip
        effect_log.settle(connection, meant.key, "ok", {}, "", AT)


def _freeze_before_a_row(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
    if statement.startswith("INSERT INTO call_event"):
        os.kill(os.getpid(), signal.SIGSTOP)


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(url: str, node: str) -> None:
    store.database.BUSY_LIMIT_S = BUSY_S
    deeds = _Deeds(url, node)
    _say("ready")
    for line in sys.stdin:
        what, arguments = json.loads(line)
        deed: Callable[..., Any] = getattr(deeds, what)
        try:
            _say(deed(*arguments))
        except Exception as error:  # noqa: BLE001 - the test says which it wants
            _say(type(error).__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
