"""Which signals end the daemon, and what they do before it can take them.

May import: the standard library.
"""

from __future__ import annotations

import asyncio
import signal
from types import FrameType

# They begin a drain; SIGHUP comes when the terminal is closed.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Other servers open their logs anew for them, or tell something; Python would end at once, with all calls.
IGNORED = (signal.SIGUSR1, signal.SIGUSR2)


def leave_at_once() -> None:
    """Until the event loop takes those of ENDING there is nothing to drain: one of them ends the process, with code 0.

    Without it the first process of a container would ignore them, and be killed when the drain should have been over.
    """
    for each in ENDING:
        signal.signal(each, _leave)
    for each in IGNORED:
        signal.signal(each, signal.SIG_IGN)


def take_no_more(loop: asyncio.AbstractEventLoop) -> None:
    """The drain is over: a further signal must not end the process in what is left, with a code of its own.

    A loop that is closed would give the signals back their default.
    """
    for each in ENDING:
        loop.remove_signal_handler(each)
        signal.signal(each, signal.SIG_IGN)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
