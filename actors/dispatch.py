"""The loop dispatcher: runs the mailboxes of loop actors on the process's one event loop, and is their clock.

May import: loguru, the standard library.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from loguru import logger


class TakesTurns(Protocol):
    """What a dispatcher runs: a loop actor."""

    def take_turn(self) -> None: ...


class Timer(Protocol):
    """A message that will be told later, unless cancelled."""

    def cancel(self) -> None: ...


class Dispatcher(Protocol):
    """Runs the mailboxes of loop actors, and is their clock."""

    def ready(self, actor: TakesTurns) -> None:
        """The actor has something to do. May be called from any thread."""
        ...

    def deliver(self, hand: Callable[[bytes], None], data: bytes) -> None:
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
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, speed: float = 1.0) -> None:
        self._loop = loop
        self._speed = speed
        self._thread = threading.get_ident()
        self._queue: deque[TakesTurns] = deque()
        # Whether _run runs or is going to.
        self._called = False

    def ready(self, actor: TakesTurns) -> None:
        self._queue.append(actor)
        if threading.get_ident() != self._thread:
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop is closed: the process is leaving
                logger.debug("a mailbox became ready after the loop was closed")
        elif not self._called:
            self._called = True
            self._loop.call_soon(self._run)

    def deliver(self, hand: Callable[[bytes], None], data: bytes) -> None:
        # A call_soon a chunk costs as much as its validation: what it fills is run before the loop turns.
        if self._called:
            hand(data)
            return
        self._called = True
        try:
            hand(data)
        finally:
            self._run()

    def now_ms(self) -> float:
        return time.monotonic() * 1000 * self._speed

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s / self._speed, callback)

    def _run(self) -> None:
        # What becomes ready meanwhile is served in the same turn of the loop, so that a chunk's two hops cost one
        # wake-up; the bound lets sockets be read between long bursts.
        self._called = True
        try:
            for _ in range(256):
                if not self._queue:
                    self._called = False
                    return
                self._queue.popleft().take_turn()
        except BaseException:  # Ctrl-C between two turns: whoever still lives is served all the same
            self._loop.call_soon(self._run)
            raise
        self._loop.call_soon(self._run)


_installed: list[Dispatcher] = []


def install(dispatcher: Dispatcher) -> None:
    """Make this the dispatcher of every loop actor started from now on."""
    _installed[:] = [dispatcher]


def installed() -> Dispatcher:
    """The dispatcher of this process. Raises: IndexError when none was installed."""
    return _installed[0]
