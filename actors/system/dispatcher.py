"""The loop dispatcher: runs the mailboxes of loop actors on the process's one event loop, and is their clock.

May import: actors' counters, loguru, the standard library.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from loguru import logger

from actors.metrics import LOOP_LAG, SLOW_TURNS

# A turn that takes longer keeps every other call waiting: it is named.
SLOW_TURN_S = 0.02
# How often the loop's lag is looked at.
LAG_PERIOD_S = 0.05
# What the last look counts for, and the most that it can tell: one pause, however long, does not make a loop late.
LAG_WEIGHT, MOST_LAG_S = 0.2, 0.2

T = TypeVar("T")


class TakesTurns(Protocol):
    """What a dispatcher runs: a loop actor's mailbox."""

    def take_turn(self) -> None: ...

    def last_turn(self) -> tuple[str, str]:
        """What was done in the last turn, for whoever wonders why it took so long: a kind of actor, and of message."""
        ...


class Timer(Protocol):
    """A message that will be told later, unless cancelled."""

    def cancel(self) -> None: ...


class Dispatcher(Protocol):
    """Runs the mailboxes of loop actors, and is their clock."""

    def ready(self, mailbox: TakesTurns) -> None:
        """Its actor has something to do. May be called from any thread."""
        ...

    def deliver(self, hand: Callable[[T], None], what: T) -> None:
        """Hand on what a socket gave, and run the mailboxes that it fills."""
        ...

    def now_ms(self) -> float:
        """Monotonic time, any origin."""
        ...

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back later, on the loop's thread. To be called from that thread."""
        ...


class LoopDispatcher:
    """The dispatcher of a running event loop; there is one in a process.

    speed: how many times faster than real time this process believes it lives; only demonstrations and tests set it.
    clock_s: monotonic time in s; it must be the one by which the loop's timers run.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, speed: float = 1.0, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._loop = loop
        self._speed = speed
        self._clock_s = clock_s
        self._thread = threading.get_ident()
        self._queue: deque[TakesTurns] = deque()
        # Whether _run runs or is going to.
        self._called = False
        # How late the loop comes to what is due, lately: one pause does not make it late.
        self.lag_s = 0.0
        self._lag_timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Measure the loop's lag from now on."""
        self._look(self._clock_s())

    def stop_watching(self) -> None:
        if self._lag_timer is not None:
            self._lag_timer.cancel()

    def ready(self, mailbox: TakesTurns) -> None:
        self._queue.append(mailbox)
        if threading.get_ident() != self._thread:
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop is closed: the process is leaving
                logger.debug("a mailbox became ready after the loop was closed")
        elif not self._called:
            self._called = True
            self._loop.call_soon(self._run)

    def deliver(self, hand: Callable[[T], None], what: T) -> None:
        # A call_soon a chunk costs as much as its validation: what it fills is run before the loop turns.
        self._called = True
        try:
            hand(what)
        finally:
            self._run()

    def now_ms(self) -> float:
        return self._clock_s() * 1000 * self._speed

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s / self._speed, callback)

    def _run(self) -> None:
        # What becomes ready meanwhile is served in the same turn of the loop, so that a chunk's two hops cost one
        # wake-up; the bound lets sockets be read between long bursts.
        self._called = True
        try:
            began_s = time.perf_counter()
            for _ in range(256):
                if not self._queue:
                    self._called = False
                    return
                mailbox = self._queue.popleft()
                mailbox.take_turn()
                ended_s = time.perf_counter()
                if ended_s - began_s > SLOW_TURN_S:
                    self._name(mailbox, ended_s - began_s)
                began_s = ended_s
        except BaseException:  # Ctrl-C between two turns: whoever still lives is served all the same
            self._loop.call_soon(self._run)
            raise
        self._loop.call_soon(self._run)

    def _name(self, mailbox: TakesTurns, took_s: float) -> None:
        actor, message = mailbox.last_turn()
        SLOW_TURNS.labels(actor).inc()
        logger.warning("a turn was slow", turn=f"{actor}: {message}", took_ms=round(took_s * 1000))

    def _look(self, due_s: float) -> None:
        now_s = self._clock_s()
        lag_s = max(0.0, now_s - due_s)
        self.lag_s += (min(lag_s, MOST_LAG_S) - self.lag_s) * LAG_WEIGHT
        LOOP_LAG.observe(lag_s)
        self._lag_timer = self._loop.call_later(LAG_PERIOD_S, self._look, now_s + LAG_PERIOD_S)


_installed: list[Dispatcher] = []


def install(dispatcher: Dispatcher) -> None:
    """Make this the dispatcher of every loop actor started from now on."""
    _installed[:] = [dispatcher]


def installed() -> Dispatcher:
    """The dispatcher of this process. Raises: IndexError when none was installed."""
    return _installed[0]
