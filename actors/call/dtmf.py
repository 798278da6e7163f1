"""DTMF digits, collected until they make a complete answer to what a task asked.

Not an actor: a part of a call's supervisor. May import: actors, fsm, the standard library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from actors.messages.call import CallTimer, CallTimerKey
from actors.metrics import KEYS_BOUNCED
from actors.system.timeouts import NamedTimers
from actors.tasks.router import TaskRouter
from fsm.secret import DOTS

NEXT_KEY_S = 3.0  # longest pause between two keys of an answer that it ends
# The same where the number of keys ends the answer, so that waiting for a slow thumb delays nobody.
NEXT_KEY_OF_MORE_S = 5.0
# Of what is read off a card, in groups.
NEXT_KEY_OF_SECRET_S = 10.0
BOUNCE_MS = 80.0  # the same key again within this is one press: two by hand are at least 100 ms apart
# Of unasked keys: what PCI DSS lets be kept of a card's number, the issuer's part; and the pause that ends a row.
MOST_STORED = 8
SAME_ROW_MS = 30_000.0
MOST_WAITING = 64  # keys pressed ahead


class UnaskedKeys:
    """What is stored of keys that no task has asked for: of a row as long as a card's number only its beginning.

    They come one by one, so that no row of the journal looks like such a number.
    """

    __slots__ = ("_last_ms", "_pressed")

    def __init__(self) -> None:
        self._pressed = 0
        self._last_ms = float("-inf")

    def stored(self, keys: str, at_ms: float) -> str:
        """The keys, spaced, with dots for those that go on a long row. at_ms: when they were pressed."""
        if at_ms - self._last_ms > SAME_ROW_MS:
            self._pressed = 0
        self._last_ms = at_ms
        kept = keys[: max(0, MOST_STORED - self._pressed)]
        self._pressed += len(keys)
        return " ".join((*kept, DOTS) if len(kept) < len(keys) else kept)


class DtmfCollector:
    """Collects the keys pressed while a task asks for them, until `#`, the expected length or a pause.

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
        self._keys = ""  # of the current answer
        self._waiting: deque[tuple[str, float]] = deque()  # keys not handled yet, with their times in ms
        self._last = ("", float("-inf"))  # the last key, and when it was pressed

    def pressed(self, digits: str) -> None:
        """Take the keys of one event."""
        now_ms = self._now_ms()
        (key, at_ms), self._last = self._last, (digits[-1], now_ms)
        if digits == key and now_ms - at_ms < BOUNCE_MS:
            KEYS_BOUNCED.inc()
            return
        self._waiting.extend((each, now_ms) for each in digits[: MOST_WAITING - len(self._waiting)])
        self.go_on()

    def go_on(self) -> None:
        """Handle the waiting keys; each belongs to the question that is asked at that moment."""
        while self._waiting:
            wanted = self._tasks.keys_wanted()
            if wanted is None and self._tasks.busy:
                return  # they answer the question that this step will ask
            if wanted is None:
                at_ms = self._waiting[-1][1]
                keys = "".join(key for key, _ in self._waiting)
                self._waiting.clear()
                self._taken(keys, False, at_ms)
                return
            key, at_ms = self._waiting.popleft()
            if key == "#" and not self._keys:
                continue  # it ends an answer that its length has ended already, or none
            self._keys += key
            if key == "#" or len(self._keys) == wanted:
                self._complete(at_ms)
            else:
                pause_s = NEXT_KEY_OF_MORE_S if wanted else NEXT_KEY_S
                self._timers.start(CallTimer.KEYS, NEXT_KEY_OF_SECRET_S if self._tasks.sensitive else pause_s)

    def complete(self) -> None:
        """The answer is complete: pass on the collected keys."""
        self._complete(self._now_ms())

    def _complete(self, at_ms: float) -> None:
        self._timers.cancel(CallTimer.KEYS)
        keys, self._keys = self._keys.removesuffix("#"), ""
        self._taken(keys, self._tasks.pressed(keys, at_ms), at_ms)
