"""Keys, gathered until they make an answer to what a task has asked.

Not an actor: a part of a call's supervisor. May import: actors, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.messages.call import CallTimer, CallTimerKey
from actors.system.timeouts import NamedTimers
from actors.tasks.router import TaskRouter

# So long after a key another may follow.
NEXT_KEY_S = 3.0


class DtmfCollector:
    """taken: told the keys, whether a task takes them, and when it was."""

    def __init__(
        self,
        tasks: TaskRouter,
        timers: NamedTimers[CallTimerKey],
        now_ms: Callable[[], float],
        taken: Callable[[str, bool, float], None],
    ) -> None:
        self._tasks = tasks
        self._timers = timers
        self._now_ms = now_ms
        self._taken = taken
        self._keys = ""

    def pressed(self, digits: str) -> None:
        wanted = self._tasks.keys_wanted()
        if wanted is None:
            self._taken(digits, False, self._now_ms())
            return
        self._keys += digits
        if "#" in self._keys or len(self._keys) == wanted:
            self.complete()
        else:
            self._timers.start(CallTimer.KEYS, NEXT_KEY_S)

    def complete(self) -> None:
        """No more keys follow."""
        self._timers.cancel(CallTimer.KEYS)
        keys, self._keys = self._keys.partition("#")[0], ""
        now_ms = self._now_ms()
        self._taken(keys, self._tasks.pressed(keys, now_ms), now_ms)
