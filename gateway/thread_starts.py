"""Threads that cannot begin: who starts one is told so, and does not wait for it for ever.

`threading.Thread.start` waits for the first steps of the thread. One that has no memory for them, as under a limit of
the address space, ends without a word: the loop, which starts threads for dials and tasks, would stand still with all
calls, also when there is memory again.
May import: the standard library. Rules from: docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

import threading
import time
from typing import Final

# For a thread's first steps, which take a millisecond, or a tenth of a second on a busy machine.
START_LIMIT_S = 5.0
# After one that did not begin nobody waits for another: the loop would stand still for all that calls need.
AGAIN_S = 5.0
_START: Final = threading.Thread.start


class _Begun(threading.Event):
    """What a thread sets when it runs."""

    none_before_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        """As Event's. Raises: RuntimeError, as where there can be no thread."""
        if not super().wait(START_LIMIT_S if timeout is None else timeout):
            _Begun.none_before_s = time.monotonic() + AGAIN_S
            raise RuntimeError("can't start new thread: it does not run")
        return True


def bound_thread_starts() -> None:
    """From now on no start of a thread in this process takes longer than START_LIMIT_S; then it raises RuntimeError.

    Of all threads, because libraries start them as well.
    """
    threading.Thread.start = _start  # type: ignore[assignment, method-assign]


def _start(thread: threading.Thread) -> None:
    if not thread._started.is_set():  # type: ignore[attr-defined]  # noqa: SLF001 - else `start` itself raises
        if time.monotonic() < _Begun.none_before_s:
            raise RuntimeError("can't start new thread: the last one did not run")
        # There is no other way to what `start` waits for.
        thread._started = _Begun()  # type: ignore[attr-defined]  # noqa: SLF001
    _START(thread)
