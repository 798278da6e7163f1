"""CPU time and memory of a process and its children, read from /proc: Linux only.

May import: lab.load.figures, the standard library.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter

from lab.load.figures import Process

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


class Watched:
    """The processes under test: one by its id, with its descendants. Ended processes are not counted."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._spent_s, self._at_s = self._cpu_s(), perf_counter()

    def take(self) -> Process:
        """The usage since the last call."""
        spent_s, at_s = self._cpu_s(), perf_counter()
        share = (spent_s - self._spent_s) / max(at_s - self._at_s, 1e-9)
        self._spent_s, self._at_s = spent_s, at_s
        return Process(core_share=max(0.0, share), rss_mb=self.rss_mb())

    def rss_mb(self) -> float:
        pages = (_read(pid, "statm").split() for pid in _family(self._pid))
        return sum(int(each[1]) * _PAGE_MB for each in pages if len(each) > 1)

    def _cpu_s(self) -> float:
        return sum(map(cpu_s, _family(self._pid)))


def cpu_s(pid: int) -> float:
    """CPU time of one process so far, without its children's; 0 if it has ended."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if len(fields) > 12 else 0.0


def _family(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        found += [int(child) for child in _read(each, f"task/{each}/children").split()]
    return found


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
