"""The named time limits of one actor: each runs once at a time, and tells its actor when it has run out.

May import: actors, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.dispatch import Timer
from actors.messages import Deadline

# In s: for VAIC's `start` once the model is ready, for its return after a loss, for last words to be spoken, for
# session.end after our hangup, for children to end, and for a task's step before the caller is asked for patience.
START_LIMIT_S, RESUME_LIMIT_S, FAREWELL_LIMIT_S, END_LIMIT_S, CHILDREN_LIMIT_S = 3.0, 60.0, 20.0, 5.0, 3.0
FILLER_S = 2.5


class Limits:
    """after: the actor's own, which tells it a message after a delay in s."""

    def __init__(self, after: Callable[[float, object], Timer]) -> None:
        self._after = after
        self._running: dict[str, Timer] = {}

    def start(self, name: str, delay_s: float) -> None:
        """Start a limit, or start it again."""
        self.cancel(name)
        self._running[name] = self._after(delay_s, Deadline(name))

    def cancel(self, name: str) -> None:
        """It is met, or does not matter any more; also to be called when it has run out."""
        if (timer := self._running.pop(name, None)) is not None:
            timer.cancel()

    def clear(self) -> None:
        for name in list(self._running):
            self.cancel(name)
