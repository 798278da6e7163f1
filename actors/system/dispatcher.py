"""The loop dispatcher: runs the mailboxes of loop actors on the process's one event loop, and is their clock.

May import: actors' metrics, loguru, the standard library.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import perf_counter
from typing import Protocol, TypeVar

from loguru import logger

from actors.metrics import LOOP_LAG, SLOW_TURNS

# A turn that takes longer delays every other call: it is logged and counted.
SLOW_TURN_S = 0.02
# Slow turns are logged at most so often: a busy machine makes many. All are counted.
SLOW_LOG_S = 1.0
# Interval between two measurements of the loop's lag.
LAG_PERIOD_S = 0.05
# The lag is an exponential moving average; a sample is capped so that one pause alone does not mean overload.
LAG_WEIGHT = 0.2
MAX_LAG_SAMPLE_S = 0.2
# Turns in one callback of the loop: sockets are read between long bursts.
MAX_TURNS = 256

T = TypeVar("T")


class TakesTurns(Protocol):
    """What a dispatcher runs: a loop actor's mailbox."""

    def take_turn(self) -> None: ...

    def last_turn(self) -> tuple[str, str]:
        """The class of the actor and of the last message it handled: names a slow turn in the log."""
        ...


class Timer(Protocol):
    """A message that will be sent later, unless cancelled."""

    def cancel(self) -> None: ...


class Dispatcher(Protocol):
    """Runs the mailboxes of loop actors, and is their clock."""

    def ready(self, mailbox: TakesTurns) -> None:
        """Schedule a turn of a mailbox. May be called from any thread."""
        ...

    def deliver(self, hand: Callable[[T], None], what: T) -> None:
        """Call `hand(what)` with data from a socket, then run the mailboxes that this filled."""
        ...

    def now_ms(self) -> float:
        """Monotonic time, any origin."""
        ...

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back later, on the loop's thread. To be called from that thread."""
        ...


class LoopDispatcher:
    """The dispatcher of a running event loop; there is one in a process.

    speed: factor by which `now_ms` and timers run faster than real time; only demonstrations and tests set it.
    clock_s: monotonic time in s; must be the clock of the loop's timers.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, speed: float = 1.0, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._loop = loop
        self._speed = speed
        self._fast_ms_per_s = 1000 * speed
        self._clock_s = clock_s
        self._thread = get_ident()
        self._queue: deque[TakesTurns] = deque()
        # Whether `_run` is running or scheduled.
        self._called = False
        # Moving average of how late the loop runs its timers.
        self.lag_s = 0.0
        self._lag_timer: asyncio.TimerHandle | None = None
        self._slow_logged_s = float("-inf")
        self._slow_unlogged = 0

    def watch(self) -> None:
        """Start to measure the loop's lag."""
        self._look(self._clock_s())

    def stop_watching(self) -> None:
        if self._lag_timer is not None:
            self._lag_timer.cancel()

    def ready(self, mailbox: TakesTurns) -> None:
        self._queue.append(mailbox)
        if get_ident() != self._thread:
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop is closed: the process is exiting
                logger.debug("a mailbox became ready after the loop was closed")
        elif not self._called:
            self._called = True
            self._loop.call_soon(self._run)

    def deliver(self, hand: Callable[[T], None], what: T) -> None:
        # Run the filled mailboxes here: a call_soon per chunk would cost as much as its validation.
        self._called = True
        try:
            hand(what)
        finally:
            self._run()

    def now_ms(self) -> float:
        return self._clock_s() * self._fast_ms_per_s

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s / self._speed, callback)

    def _run(self) -> None:
        # Mailboxes that become ready meanwhile are run in this callback too: a chunk's two hops cost one wake-up.
        self._called = True
        try:
            began_s = perf_counter()
            for _ in range(MAX_TURNS):
                if not self._queue:
                    self._called = False
                    return
                mailbox = self._queue.popleft()
                mailbox.take_turn()
                ended_s = perf_counter()
                if ended_s - began_s > SLOW_TURN_S:
                    self._report_slow(mailbox, ended_s - began_s)
                began_s = ended_s
        except BaseException:  # Ctrl-C between two turns: the remaining mailboxes must still run
            self._loop.call_soon(self._run)
            raise
        self._loop.call_soon(self._run)

    def _report_slow(self, mailbox: TakesTurns, took_s: float) -> None:
        actor, message = mailbox.last_turn()
        SLOW_TURNS.labels(actor).inc()
        now_s = perf_counter()
        if now_s - self._slow_logged_s < SLOW_LOG_S:
            self._slow_unlogged += 1
            return
        others, self._slow_unlogged, self._slow_logged_s = self._slow_unlogged, 0, now_s
        logger.warning("slow turn", turn=f"{actor}: {message}", took_ms=round(took_s * 1000), others_before=others)

    def _look(self, due_s: float) -> None:
        now_s = self._clock_s()
        lag_s = max(0.0, now_s - due_s)
        self.lag_s += (min(lag_s, MAX_LAG_SAMPLE_S) - self.lag_s) * LAG_WEIGHT
        LOOP_LAG.observe(lag_s)
        self._lag_timer = self._loop.call_later(LAG_PERIOD_S, self._look, now_s + LAG_PERIOD_S)


_installed: list[Dispatcher] = []


def install(dispatcher: Dispatcher) -> None:
    """Make this the dispatcher of every loop actor started from now on."""
    _installed[:] = [dispatcher]


def installed() -> Dispatcher:
    """The dispatcher of this process. Raises: IndexError if none was installed."""
    return _installed[0]
