"""The named time limits of one actor: each runs once at a time, and tells its actor when it has run out.

May import: actors, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.system.dispatcher import Timer
from actors.system.signals import Deadline


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
