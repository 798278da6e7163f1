"""Writes log lines from its own thread.

Most lines come from the event loop, where a blocked pipe or a busy disk would stop every call.
May import: actors' metrics, the standard library.
"""

from __future__ import annotations

import atexit
import queue
import sys
import threading
import time
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
    """Writes text to stderr, in order. Lines that find no room are dropped and counted."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[str] = queue.Queue(MAX_LINES)
        self._begun = False

    def begin(self) -> None:
        """Start the thread. Further calls do nothing."""
        if not self._begun:
            self._begun = True
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
        cut = False  # a line may have been written in part
        while True:
            texts = [self._waiting.get()]
            time.sleep(GATHER_S)
            with suppress(queue.Empty):
                while len(texts) < BATCH_LINES:
                    texts.append(self._waiting.get_nowait())
            try:
                # What is left of a line, as on a disk that was full, must not be the beginning of another event's.
                sys.stderr.write("\n" * cut + "".join(texts))
                sys.stderr.flush()
                cut = False
            except (OSError, ValueError):  # stderr is closed, or its disk full
                cut = True
                LOG_LINES_LOST.inc(len(texts))
            for _ in texts:
                self._waiting.task_done()


WRITER = LogWriter()
