"""A timer wheel for all streams: each stream sends in its slot of every turn.

May import: the standard library.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Protocol

from lab.load.figures import Histogram
from lab.load.line import clock_us

NEAR_US = 1500  # below this, spin unless `patient`: the loop's timers have a resolution of 1 ms


class Sends(Protocol):
    """A stream that is talking."""

    def send_chunk(self, now_us: int) -> None: ...


class Wheel:
    """Streams join at random slots, as calls do, and keep them.

    patient: sends up to a millisecond late, and does not spin while it waits.
    late: the generator's own delay in sending chunks.
    """

    def __init__(self, period_ms: float, random: Random, *, patient: bool = False) -> None:
        # Slots of 0.1 ms: finer than the time it takes to send their chunks.
        self._slots: list[set[Sends]] = [set() for _ in range(max(1, round(period_ms * 10)))]
        self._slot_us = period_ms * 1000 / len(self._slots)
        self._random = random
        self._near_us = 0 if patient else NEAR_US
        self._places: dict[Sends, int] = {}
        self._at = 0
        self._stopped = False
        self.late = Histogram()

    def join(self, stream: Sends) -> None:
        place = self._places[stream] = self._random.randrange(len(self._slots))
        self._slots[place].add(stream)

    def leave(self, stream: Sends) -> None:
        place = self._places.pop(stream, None)
        if place is not None:
            self._slots[place].discard(stream)

    def stop(self) -> None:
        self._stopped = True

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run until stopped."""
        self._loop, self._begun_us = loop, clock_us()
        self._turn()

    def _turn(self) -> None:
        if self._stopped:
            return
        slots = self._slots
        now_us = clock_us()
        due_us = self._begun_us + self._at * self._slot_us
        while due_us <= now_us:
            streams = slots[self._at % len(slots)]
            if streams:
                for stream in tuple(streams):
                    stream.send_chunk(now_us := clock_us())
                self.late.add(int(now_us - due_us))
            self._at += 1
            due_us = self._begun_us + self._at * self._slot_us
        if self._places and due_us - now_us < self._near_us:
            self._loop.call_soon(self._turn)
        else:
            self._loop.call_later(0.001, self._turn)
