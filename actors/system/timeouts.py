"""The time limits of one actor, by key. Each key has at most one timer running, whose end is a Deadline message.

May import: actors, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from actors.system.dispatcher import Timer
from actors.system.signals import Deadline

K = TypeVar("K", bound=Hashable)


class NamedTimers(Generic[K]):
    """Timers by key. K: an enum of the actor's time limits, or a union of that with keys that carry an id.

    after: the actor's `after`.
    """

    def __init__(self, after: Callable[[float, object], Timer]) -> None:
        self._after = after
        self._running: dict[K, tuple[Deadline[K], Timer]] = {}
        self._starts = 0

    def start(self, key: K, delay_s: float) -> None:
        """Start a limit, or start it again."""
        self.cancel(key)
        self._starts += 1
        deadline = Deadline(key, self._starts)
        self._running[key] = deadline, self._after(delay_s, deadline)

    def start_once(self, key: K, delay_s: float) -> None:
        """Start a limit if it does not run."""
        if key not in self._running:
            self.start(key, delay_s)

    def cancel(self, key: K) -> None:
        """Stop a limit; nothing if it does not run."""
        if (running := self._running.pop(key, None)) is not None:
            running[1].cancel()

    def expire(self, deadline: Deadline[K]) -> bool:
        """Accept a Deadline. False: the limit was cancelled, or started again, while the message was in the mailbox."""
        running = self._running.get(deadline.key)
        if running is None or running[0] != deadline:
            return False
        del self._running[deadline.key]
        return True

    def __contains__(self, key: K) -> bool:
        return key in self._running

    def clear(self) -> None:
        for key in list(self._running):
            self.cancel(key)
