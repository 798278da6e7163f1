"""What this process is short of: whoever would come on top of that is better off elsewhere.

May import: the standard library. Rules from: docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

# So many open files are kept for live calls to dial again; looked at so often.
FILES_RESERVE, LOOK_EVERY_S = 32, 0.5
_FILES = next((folder for folder in ("/proc/self/fd", "/dev/fd") if Path(folder).is_dir()), None)
if sys.platform != "win32":
    import resource
_STATM = Path("/proc/self/statm")


class OverloadGuard:
    """Called: what is short, in a word or two; "" when there is enough of everything.

    lag_s: how late the loop is lately. max_lag_s: 0 for however late. max_memory_mb: 0 for as much as there is.
    """

    def __init__(self, lag_s: Callable[[], float], max_lag_s: float, max_memory_mb: int) -> None:
        self._lag_s = lag_s
        self._max_lag_s = max_lag_s
        self._max_memory_mb = max_memory_mb
        self._looked_s = 0.0
        self._short = ""

    def __call__(self) -> str:
        if self._max_lag_s and self._lag_s() > self._max_lag_s:
            return "loop is late"
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s, self._short = now_s, self._look()
        return self._short

    def _look(self) -> str:
        if sys.platform == "win32":
            return ""
        # The limit is read anew: it may be changed from outside.
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if _FILES is not None and most != resource.RLIM_INFINITY and open_files(_FILES) + FILES_RESERVE > most:
            return "open files"
        if self._max_memory_mb and memory_mb() > self._max_memory_mb:
            return "memory"
        return ""


def open_files(folder: str) -> float:
    try:
        return len(os.listdir(folder))
    except OSError:  # there is not even one left to look with
        return float("inf")


def memory_mb() -> float:
    """Resident, of this process; 0 where nothing tells."""
    if sys.platform == "win32":
        return 0.0
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        return 0.0
