"""Probes replace other actors in tests: they record messages, and show them when an expectation fails."""

from __future__ import annotations

import asyncio
import queue
from typing import Generic, TypeVar

M = TypeVar("M")
K = TypeVar("K")


class Probe(Generic[M]):
    """An address that only records."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrived: list[M] = []

    def tell(self, message: M, /) -> None:
        self.arrived.append(message)

    def expect(self, kind: type[K]) -> K:
        """The oldest message of this kind, taken out with all before it."""
        for index, message in enumerate(self.arrived):
            if isinstance(message, kind):
                del self.arrived[: index + 1]
                return message
        raise AssertionError(f"{self.name} was told no {kind.__name__}, but: {self.arrived!r}")

    def all(self, kind: type[K]) -> list[K]:
        """Every message of this kind; the mailbox is emptied."""
        arrived, self.arrived = self.arrived, []
        return [message for message in arrived if isinstance(message, kind)]

    def expect_nothing(self) -> None:
        assert not self.arrived, f"{self.name} was told {self.arrived!r}"


class ThreadProbe(Generic[M]):
    """A probe for messages from other threads: `expect` waits, up to a limit."""

    def __init__(self) -> None:
        self._arrived: queue.Queue[M] = queue.Queue()

    def tell(self, message: M, /) -> None:
        self._arrived.put(message)

    def expect(self, kind: type[K], limit_s: float = 60) -> K:
        """The next message, which must be of this kind."""
        message = self._arrived.get(timeout=limit_s)
        assert isinstance(message, kind), f"told {message!r}"
        return message

    def expect_nothing(self) -> None:
        assert self._arrived.empty(), f"told {self._arrived.get()!r}"


class Inbox:
    """An owner on the loop that can be waited for, whichever thread tells it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[object] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()

    def tell(self, message: object, /) -> None:
        self.loop.call_soon_threadsafe(self.queue.put_nowait, message)

    async def next(self, limit_s: float = 60) -> object:
        """The next message, waited for up to a limit."""
        async with asyncio.timeout(limit_s):
            return await self.queue.get()
