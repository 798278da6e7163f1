"""Writes log lines from its own thread.

Most lines come from the event loop, where a blocked pipe or a busy disk would stop every call.
May import: actors' metrics, the standard library.
"""

from __future__ import annotations

import atexit
import os
import queue
import select
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from actors.metrics import LOG_LINES_LOST

# Lines that may wait; more are dropped and counted.
MAX_LINES = 10_000
# Lines per write.
BATCH_LINES = 500
# How long the process waits at exit for the lines to be written.
FLUSH_LIMIT_S = 2.0
# How long a line waits for others: waking the thread for each would take the interpreter lock from the loop.
GATHER_S = 0.02


class LogWriter:
    """Writes text to stderr, in order. Lines that find no room, or are not written whole, are counted."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[str] = queue.Queue(MAX_LINES)
        self._begun = False
        self._cut = False  # a line may have been written in part

    def begin(self) -> None:
        """Start the thread, and see to it that there are standard files. Further calls do nothing."""
        if not self._begun:
            self._begun = True
            _open_standard_files()
            threading.Thread(target=self._write_on, name="log", daemon=True).start()
            atexit.register(self.flush)

    def write(self, text: str) -> None:
        """Queue a line. Never blocks."""
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            LOG_LINES_LOST.inc()

    def flush(self, limit_s: float = FLUSH_LIMIT_S) -> None:
        """Wait until all lines are written, for `limit_s` at most."""
        with self._waiting.all_tasks_done:
            self._waiting.all_tasks_done.wait_for(lambda: not self._waiting.unfinished_tasks, limit_s)

    def _write_on(self) -> None:
        while True:
            texts = [self._waiting.get()]
            time.sleep(GATHER_S)
            with suppress(queue.Empty):
                while len(texts) < BATCH_LINES:
                    texts.append(self._waiting.get_nowait())
            self._put(texts)
            for _ in texts:
                self._waiting.task_done()

    def _put(self, texts: Sequence[str]) -> None:
        """Write lines to stderr, and count those of which it did not take all."""
        # What is left of a line, as on a disk that was full, must not be the beginning of another event's.
        begin = "\n" * self._cut
        stream, written = sys.stderr, 0
        try:
            descriptor = _descriptor_of(stream)
            if descriptor is None:
                stream.write(begin + "".join(texts))
                stream.flush()
                self._cut = False
                return
            stream.flush()  # what others have written comes first
            # Not through the stream: without a buffer (PYTHONUNBUFFERED) it takes no notice of what a write has left.
            data = (begin + "".join(texts)).encode(stream.encoding, "backslashreplace")
            while written < len(data):
                written += _some(descriptor, data[written:])
            self._cut = False
        except (AttributeError, OSError, ValueError):  # there is no stderr, it is closed, or its disk full
            self._cut = True
            whole = data[:written].count(b"\n") - len(begin) if written else 0
            LOG_LINES_LOST.inc(len(texts) - max(whole, 0))


def _open_standard_files() -> None:
    """Open the null device as standard input, output and error where whoever started the process has closed them.

    Else a socket of the loop's would get their numbers: what writes to standard error would write into it, and libuv
    ends a process that closes it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _descriptor_of(stream: object) -> int | None:
    """None for a stream that is no file of the operating system's, as one of a test."""
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]  # else the error below
    except (AttributeError, OSError, ValueError):
        return None


def _some(descriptor: int, data: bytes) -> int:
    """Write at least one byte. Returns how many. Waits while there is no room, as in a pipe that somebody else has told
    not to block. Raises: OSError.
    """
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            select.select((), (descriptor,), ())


WRITER = LogWriter()
