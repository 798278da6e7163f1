"""DTMF digits, collected until they make a complete answer to what a task asked.

Not an actor: a part of a call's supervisor. May import: actors, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.messages.call import CallTimer, CallTimerKey
from actors.system.timeouts import NamedTimers
from actors.tasks.router import TaskRouter

NEXT_KEY_S = 3.0  # longest pause between two keys of one answer


class DtmfCollector:
    """Collects the keys pressed while a task asks for them, until `#`, the wanted length or a pause.

    taken: called with the keys, whether a task took them, and the time in ms on `now_ms`'s clock.
    """

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
        """Hand over what was collected: no more keys follow."""
        self._timers.cancel(CallTimer.KEYS)
        keys, self._keys = self._keys.partition("#")[0], ""
        now_ms = self._now_ms()
        self._taken(keys, self._tasks.pressed(keys, now_ms), now_ms)
