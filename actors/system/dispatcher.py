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
from weakref import WeakSet

from loguru import logger

from actors.metrics import LOOP_LAG, LOOP_OVERLOADS, SLOW_TURNS

# A turn that takes longer delays every other call: it is logged and counted.
SLOW_TURN_S = 0.02
# Slow turns are logged at most so often: a busy machine makes many. All are counted.
SLOW_LOG_S = 1.0
# Interval between two measurements of the loop's lag.
LAG_PERIOD_S = 0.05
# The lag is an exponential moving average; a sample is capped so that one pause alone does not mean overload.
LAG_WEIGHT = 0.2
MAX_LAG_SAMPLE_S = 0.2
# The loop is overloaded once its average lag has been over this limit for OVERLOADED_AFTER_S in a row: audio stutters.
# So it is if for as long those who line up have never all been served: without them it would stutter as well.
# It is until both have been under it for RELIEVED_AFTER_S, longer, so that those who caused it do not go on and off.
OVERLOAD_LAG_S = 0.05
OVERLOADED_AFTER_S = 1.0
RELIEVED_AFTER_S = 30.0
# How long turns go on in one callback of the loop: sockets are read between long bursts. The last may take longer. Less
# than SLOW_TURN_S, so that a slow turn is always the last, and only that one is looked at.
RUN_LIMIT_S = 0.002
# What data of a socket or a timer leads to is done before all that waits, for as long as this. Audio takes a tenth of
# it, and so comes before the beginnings and ends of calls, which take many times as long and wait for one another.
AT_ONCE_S = 0.0005

T = TypeVar("T")


class TakesTurns(Protocol):
    """What a dispatcher runs: a loop actor's mailbox."""

    def take_turn(self) -> None: ...

    def last_turn(self) -> tuple[str, str]:
        """The class of the actor and of the last message it handled: names a slow turn in the log."""
        ...


class FeelsOverload(Protocol):
    """What makes the loop do less while it is overloaded."""

    def overload(self, began: bool, /) -> None:
        """An overload of the loop has begun or is over."""
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
        """Call `hand(what)` with data from a socket, then run the mailboxes that this filled.

        What takes longer than AT_ONCE_S goes on behind what others have left. To be called from the loop's thread.
        """
        ...

    def line_up(self, turn: Callable[[None], None]) -> None:
        """Call `turn(None)` once those who lined up before were called: one in each turn of the loop.

        So all of them together delay the others by one turn. To be called from the loop's thread.
        """
        ...

    def now_ms(self) -> float:
        """Monotonic time, any origin."""
        ...

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back later, on the loop's thread. To be called from that thread."""
        ...

    def relieve(self, feels: FeelsOverload) -> None:
        """Tell this from now on, while it exists, when an overload begins and ends; at once if there is one."""
        ...


class Overload:
    """Whether the loop is overloaded, by its lag. now_s: monotonic, any origin, at the beginning."""

    def __init__(self, now_s: float) -> None:
        self.is_on = False
        # The time at which the lag was last on this state's own side of the limit: what the other side is counted from.
        self._since_s = now_s

    def measured(self, lag_s: float, now_s: float) -> bool:
        """Take the lag, or how long somebody was in the line. Returns whether an overload has just begun or ended."""
        if (lag_s > OVERLOAD_LAG_S) is self.is_on:
            self._since_s = now_s
        elif now_s - self._since_s >= (RELIEVED_AFTER_S if self.is_on else OVERLOADED_AFTER_S):
            self.is_on, self._since_s = not self.is_on, now_s
            return True
        return False


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
        self._at_once: deque[TakesTurns] = deque()  # filled by what is being delivered
        self._delivering = False
        # Whether `_run` is running or scheduled. Only the loop's thread changes it; see `_run` for how others read it.
        self._called = False
        self._line: deque[Callable[[None], None]] = deque()
        self._line_since_s = 0.0  # since when there was always somebody in it
        # Moving average of how late the loop runs its timers.
        self.lag_s = 0.0
        self._lag_timer: asyncio.TimerHandle | None = None
        self._overload = Overload(clock_s())
        self._relieved: WeakSet[FeelsOverload] = WeakSet()
        self._slow_logged_s = float("-inf")
        self._slow_unlogged = 0

    def watch(self) -> None:
        """Start to measure the loop's lag."""
        self._look(self._clock_s())

    def stop_watching(self) -> None:
        if self._lag_timer is not None:
            self._lag_timer.cancel()

    def ready(self, mailbox: TakesTurns) -> None:
        if self._delivering and get_ident() == self._thread:
            self._at_once.append(mailbox)
            return
        self._queue.append(mailbox)
        if not self._called:
            self._call()

    def deliver(self, hand: Callable[[T], None], what: T) -> None:
        if self._delivering:
            hand(what)  # whoever delivers goes on with what this fills
            return
        self._delivering = True
        try:
            hand(what)
            # Here: a call_soon per chunk would cost as much as its validation.
            self._take_turns(self._at_once, AT_ONCE_S)
        finally:
            self._delivering = False
            while self._at_once:
                self.ready(self._at_once.popleft())

    def line_up(self, turn: Callable[[None], None]) -> None:
        if not self._line:
            self._line_since_s = self._clock_s()
            self._loop.call_soon(self._serve_line)
        self._line.append(turn)

    def now_ms(self) -> float:
        return self._clock_s() * self._fast_ms_per_s

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s / self._speed, self.deliver, _call_back, callback)

    def relieve(self, feels: FeelsOverload) -> None:
        self._relieved.add(feels)
        if self._overload.is_on:
            feels.overload(True)

    def _serve_line(self) -> None:
        turn = self._line.popleft()
        if self._line:
            self._loop.call_soon(self._serve_line)
        self.deliver(turn, None)

    def _call(self) -> None:
        if get_ident() == self._thread:
            self._called = True
            self._loop.call_soon(self._run)
            return
        try:
            self._loop.call_soon_threadsafe(self._run)
        except RuntimeError:  # the loop is closed: the process is exiting
            logger.debug("a mailbox became ready after the loop was closed")

    def _run(self) -> None:
        self._called = True
        try:
            if self._take_turns(self._queue, RUN_LIMIT_S):
                self._called = False
                # Another thread, which appends first, may have read the flag just before it was cleared.
                if not self._queue:
                    return
                self._called = True
        except BaseException:  # Ctrl-C between two turns: the remaining mailboxes must still run
            self._loop.call_soon(self._run)
            raise
        self._loop.call_soon(self._run)

    def _take_turns(self, queue: deque[TakesTurns], for_s: float) -> bool:
        """Run mailboxes, also those that become ready meanwhile. Returns whether all were run in that time."""
        now_s = perf_counter()
        until_s = now_s + for_s
        while queue:
            began_s, mailbox = now_s, queue.popleft()
            mailbox.take_turn()
            now_s = perf_counter()
            if now_s > until_s:
                if now_s - began_s > SLOW_TURN_S:
                    self._report_slow(mailbox, now_s - began_s)
                return False
        return True

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
        line_s = now_s - self._line_since_s if self._line else 0.0
        if self._overload.measured(max(self.lag_s, line_s), now_s):
            self._tell_overload(self._overload.is_on)
        self._lag_timer = self._loop.call_later(LAG_PERIOD_S, self._look, now_s + LAG_PERIOD_S)

    def _tell_overload(self, began: bool) -> None:
        if began:
            LOOP_OVERLOADS.inc()
            logger.warning("the loop is overloaded: each socket may send less", lag_ms=round(self.lag_s * 1000))
        else:
            logger.info("the loop is not overloaded any more: sockets may send as much as before")
        for each in list(self._relieved):
            each.overload(began)


def _call_back(callback: Callable[[], None]) -> None:
    callback()


_installed: list[Dispatcher] = []


def install(dispatcher: Dispatcher) -> None:
    """Make this the dispatcher of every loop actor started from now on."""
    _installed[:] = [dispatcher]


def installed() -> Dispatcher:
    """The dispatcher of this process. Raises: IndexError if none was installed."""
    return _installed[0]
