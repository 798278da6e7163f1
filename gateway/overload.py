"""Overload protection: refuse new calls while the process is short of loop time, open files or memory.

May import: the standard library. Rules from: docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Open files kept free, for live calls to reconnect to the model.
RESERVED_FILES = 32
# How long a check of files and memory stays valid.
CHECK_INTERVAL_S = 0.5
_FILES = next((folder for folder in ("/proc/self/fd", "/dev/fd") if Path(folder).is_dir()), None)
if sys.platform != "win32":
    import resource
_STATM = Path("/proc/self/statm")


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
            self._checked_s, self._short = now_s, self._check()
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
        return ""


def open_files(folder: str) -> float:
    try:
        return len(os.listdir(folder))
    except OSError:  # no descriptor is left to list the folder with
        return float("inf")


def memory_mb() -> float:
    """The resident memory of this process; 0 where the platform does not tell."""
    if sys.platform == "win32":
        return 0.0
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        return 0.0
