"""For each host: how many requests at a time, and none for a while after it has failed repeatedly.

A slow system then takes its own requests' time, and not the threads of tasks that do something else.
May import: the standard library.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

# Requests to one host at a time; a bot's file may say otherwise.
AT_A_TIME = 8
# How long one waits for another to end.
QUEUE_S = 1.0
# Failures in a row after which no request is sent for a while, and then one that tries.
FAILURES = 5
REST_S = 10.0


class GateState(Enum):
    """Whether requests are sent."""

    CLOSED = "closed"  # they are
    OPEN = "open"  # none, until the rest is over
    TRIAL = "trial"  # one is under way that decides; others are not sent


class Busy(Exception):
    """No request was sent: the host fails, or has as many as it may have."""


class HostGate:
    """The gate to one host. clock_s: monotonic."""

    def __init__(self, clock_s: Callable[[], float], at_a_time: int = AT_A_TIME) -> None:
        self._clock_s = clock_s
        self._free = threading.BoundedSemaphore(at_a_time)
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until_s = 0.0
        self.state = GateState.CLOSED

    @contextmanager
    def passing(self, limit_s: float = QUEUE_S) -> Iterator[None]:
        """Hold a place while a request is under way. An exception from within is no verdict. Raises: Busy."""
        if not self._free.acquire(timeout=max(limit_s, 0.0)):
            raise Busy("too many requests at a time")
        try:
            self._enter()
            yield
        finally:
            self._free.release()

    def _enter(self) -> None:
        with self._lock:
            match self.state:
                case GateState.OPEN if self._clock_s() >= self._open_until_s:
                    self.state = GateState.TRIAL
                case GateState.OPEN | GateState.TRIAL:
                    raise Busy("the host has failed repeatedly")
                case GateState.CLOSED:
                    pass

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self.state = 0, GateState.CLOSED

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES or self.state is GateState.TRIAL:
                self.state, self._open_until_s = GateState.OPEN, self._clock_s() + REST_S


class HostGates:
    """The gates by host and port; shared by all tools of a process, so that a reload does not open them."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._gates: dict[str, HostGate] = {}
        self._lock = threading.Lock()

    def of(self, host: str) -> HostGate:
        """host: with its port."""
        with self._lock:
            return self._gates.setdefault(host, HostGate(self._clock_s))
