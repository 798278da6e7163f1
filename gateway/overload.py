"""Overload protection: refuse new calls while the process is short of loop time, files, memory or threads.

May import: loguru, the standard library. Rules from: docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

import _thread
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from loguru import logger

# Open files kept free, for live calls to reconnect to the model.
RESERVED_FILES = 32
# Address space kept free under a limit (`ulimit -v`, RLIMIT_AS), for live calls: the stacks of a dozen threads.
RESERVED_ADDRESS_MB = 128
# How long a check of files, memory and threads stays valid.
CHECK_INTERVAL_S = 0.5
_FILES = next((folder for folder in ("/proc/self/fd", "/dev/fd") if Path(folder).is_dir()), None)
if sys.platform != "win32":
    import resource
_STATM = Path("/proc/self/statm")
ADDRESSES, RESIDENT = 0, 1


class OverloadGuard:
    """Called, it returns the scarce resource as the reason of a refusal, or "".

    lag_s: the loop's average lag. max_lag_s: its limit, 0: none. max_memory_mb: of resident memory, 0: none.
    """

    def __init__(self, lag_s: Callable[[], float], max_lag_s: float, max_memory_mb: int) -> None:
        self._lag_s = lag_s
        self._max_lag_s = max_lag_s
        self._max_memory_mb = max_memory_mb
        self._checked_s = 0.0
        self._short = ""

    def __call__(self) -> str:
        if self._max_lag_s and self._lag_s() > self._max_lag_s:
            return "loop is late"
        now_s = time.monotonic()
        if now_s - self._checked_s >= CHECK_INTERVAL_S:
            self._checked_s, before, self._short = now_s, self._short, self._check()
            if self._short != before:
                logger.warning(
                    "too little is left for new calls" if self._short else "there is room for new calls again",
                    of=self._short,
                )
        return self._short

    def _check(self) -> str:
        if sys.platform == "win32":
            return ""
        # Read each time: the limit can be changed from outside.
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if _FILES is not None and limit != resource.RLIM_INFINITY and open_files(_FILES) + RESERVED_FILES > limit:
            return "open files"
        if self._max_memory_mb and memory_mb() > self._max_memory_mb:
            return "memory"
        space, _ = resource.getrlimit(resource.RLIMIT_AS)
        if space != resource.RLIM_INFINITY and memory_mb(ADDRESSES) + RESERVED_ADDRESS_MB > space / 2**20:
            return "address space"
        return "" if thread_starts() else "threads"


def open_files(folder: str) -> float:
    try:
        return len(os.listdir(folder))
    except OSError:  # no descriptor is left to list the folder with
        return float("inf")


def thread_starts() -> bool:
    """Whether this process can start a thread, which each call needs. Tried, because many limits may prevent it."""
    try:
        # Not threading.Thread: its start() would wait for ever for a thread without memory for its first steps.
        _thread.start_new_thread(int, ())
    except (RuntimeError, MemoryError):
        return False
    return True


def memory_mb(column: int = RESIDENT) -> float:
    """The memory of this process, by a column of statm; 0 where the platform does not tell."""
    if sys.platform == "win32":
        return 0.0
    try:
        return int(_STATM.read_text().split()[column]) * resource.getpagesize() / 2**20
    except OSError:
        return 0.0
