"""The named time limits of one actor: each runs once at a time, and tells its actor when it has run out.

May import: actors, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.messages.call import Deadline
from actors.system.dispatcher import Timer

# In s: for VAIC's `start` once the model is ready, for its return after a loss, for last words to be spoken, for
# session.end after our hangup, for tasks to end their step, for a model to be had, and for a last sentence of ours.
START_LIMIT_S, RESUME_LIMIT_S, FAREWELL_LIMIT_S, END_LIMIT_S, SETTLE_LIMIT_S = 3.0, 60.0, 20.0, 6.0, 3.0
MODEL_LIMIT_S, CLIP_LIMIT_S = 20.0, 10.0


class NamedTimers:
    """after: the actor's own, which tells it a message after a delay in s."""

    def __init__(self, after: Callable[[float, object], Timer]) -> None:
        self._after = after
        self._running: dict[str, Timer] = {}

    def start(self, name: str, delay_s: float) -> None:
        """Start a limit, or start it again."""
        self.cancel(name)
        self._running[name] = self._after(delay_s, Deadline(name))

    def start_once(self, name: str, delay_s: float) -> None:
        """Start a limit if it does not run."""
        if name not in self._running:
            self.start(name, delay_s)

    def cancel(self, name: str) -> None:
        """It is met, or does not matter any more; also to be called when it has run out."""
        if (timer := self._running.pop(name, None)) is not None:
            timer.cancel()

    def __contains__(self, name: str) -> bool:
        return name in self._running

    def clear(self) -> None:
        for name in list(self._running):
            self.cancel(name)
