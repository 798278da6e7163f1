"""Writes log lines from a thread of its own.

Whoever logs is most often the event loop, and a pipe that nobody reads, or a disk that is busy, would stop every call.
May import: actors' counters, the standard library.
"""

from __future__ import annotations

import atexit
import queue
import sys
import threading
import time
from contextlib import suppress

from actors.metrics import LOG_LINES_LOST

# What waits to be written at the most, and is written at once; and how long an end waits for it.
MOST_MESSAGES, AT_ONCE, LAST_LINES_S = 10_000, 500, 2.0
# A line waits so long for others: a thread that is woken for each takes the interpreter from the loop each time.
GATHER_S = 0.02


class LogWriter:
    """Text for stderr, in order. What finds no room is counted, and missed."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[str] = queue.Queue(MOST_MESSAGES)
        self._begun = False

    def begin(self) -> None:
        """Once a process."""
        if not self._begun:
            self._begun = True
            threading.Thread(target=self._write_on, name="log", daemon=True).start()
            atexit.register(self.flush)

    def write(self, text: str) -> None:
        """Never blocks."""
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            LOG_LINES_LOST.inc()

    def flush(self, limit_s: float = LAST_LINES_S) -> None:
        """Return when all is written, or when it takes too long."""
        with self._waiting.all_tasks_done:
            self._waiting.all_tasks_done.wait_for(lambda: not self._waiting.unfinished_tasks, limit_s)

    def _write_on(self) -> None:
        while True:
            texts = [self._waiting.get()]
            time.sleep(GATHER_S)
            with suppress(queue.Empty):
                while len(texts) < AT_ONCE:
                    texts.append(self._waiting.get_nowait())
            try:
                sys.stderr.write("".join(texts))
                sys.stderr.flush()
            except (OSError, ValueError):  # whoever reads it has closed it
                LOG_LINES_LOST.inc(len(texts))
            for _ in texts:
                self._waiting.task_done()


WRITER = LogWriter()
