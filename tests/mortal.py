"""Processes that tests start die with the test's process, also where that is killed and cleans up nothing.

Run as a program: `mortal.py PARENT COMMAND …` becomes the command, which the kernel kills when its parent ends. Linux
only; elsewhere the command is started as it is. The parent is the thread that starts it: it must be one that stays.
May import: the standard library.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def mortal(command: Sequence[str]) -> list[str]:
    """The command line to start instead of `command`."""
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-IS", __file__, str(os.getpid()), *command]


def _become(parent: int, command: list[str]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:  # else it has ended before it could be told
        os.execvp(command[0], command)  # noqa: S606 - meant


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
