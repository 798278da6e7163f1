"""A hand-cranked dispatcher for tests of actors: nothing runs and no time passes unless the test says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from actors.system.dispatcher import FeelsOverload, TakesTurns, Timer

T = TypeVar("T")


class CrankedDispatcher:
    """Mailboxes run and the clock advances only when the test says so."""

    def __init__(self) -> None:
        self._now_ms = 0.0
        self._queue: deque[TakesTurns] = deque()
        self._timers: list[_CrankedTimer] = []

    def ready(self, mailbox: TakesTurns) -> None:
        self._queue.append(mailbox)

    def deliver(self, hand: Callable[[T], None], what: T) -> None:
        hand(what)

    def line_up(self, turn: Callable[[None], None]) -> None:
        turn(None)

    def now_ms(self) -> float:
        return self._now_ms

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        timer = _CrankedTimer(self._now_ms + delay_s * 1000, callback, self._timers)
        self._timers.append(timer)
        return timer

    def relieve(self, feels: FeelsOverload) -> None:
        pass  # it is never late

    def drain(self) -> None:
        """Run every mailbox until all are empty."""
        while self._queue:
            self._queue.popleft().take_turn()

    def advance(self, delay_ms: float) -> None:
        """Let time pass: due timers fire in order, mailboxes run after each."""
        self.drain()
        until_ms = self._now_ms + delay_ms
        while due := [timer for timer in self._timers if timer.at_ms <= until_ms]:
            timer = min(due, key=lambda each: each.at_ms)
            self._timers.remove(timer)
            self._now_ms = max(self._now_ms, timer.at_ms)
            timer.callback()
            self.drain()
        self._now_ms = until_ms

    @property
    def timers(self) -> int:
        """How many timers wait."""
        return len(self._timers)


@dataclass(eq=False, slots=True)
class _CrankedTimer:
    at_ms: float
    callback: Callable[[], None]
    waiting: list[_CrankedTimer]

    def cancel(self) -> None:
        if self in self.waiting:
            self.waiting.remove(self)
