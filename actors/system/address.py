"""Where messages go: addresses, places that one actor after another may hold, and the report of an actor's end.

May import: pykka, prometheus_client, actors' counters, the standard library.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import pykka
from prometheus_client import Counter

from actors.metrics import DEAD_LETTERS

M_contra = TypeVar("M_contra", contravariant=True)
M = TypeVar("M")


class Address(Protocol[M_contra]):
    """Where messages of one kind may be sent: an ActorRef in the product, a Probe in a test."""

    def tell(self, message: M_contra, /) -> None: ...


def send(to: Address[M], message: M) -> bool:
    """Tell, unless the receiver is dead: then it is a dead letter, for a death must not spread to senders.

    Returns whether it was told.
    """
    try:
        to.tell(message)
    except pykka.ActorDeadError:
        DEAD_LETTERS.labels(type(message).__name__).inc()
        return False
    return True


class StableRef(Generic[M]):
    """A stable address for a place that one actor after another may hold. For senders on the loop's thread."""

    __slots__ = ("occupant",)

    def __init__(self) -> None:
        self.occupant: Address[M] | None = None

    def tell(self, message: M, /) -> None:
        """To whoever holds the place; a dead letter while nobody does."""
        if self.occupant is not None:
            try:
                self.occupant.tell(message)
                return
            except pykka.ActorDeadError:
                pass
        DEAD_LETTERS.labels(type(message).__name__).inc()


class BufferingRef(StableRef[M]):
    """A seat where messages wait for the next occupant; of too many the oldest are dropped and counted."""

    def __init__(self, most: int, dropped: Counter) -> None:
        self._most = most
        self._dropped = dropped
        self._waiting: deque[M] = deque()
        # What a former occupant gave back: older than whatever waits.
        self._returned: deque[M] = deque()
        super().__init__()

    @property
    def occupant(self) -> Address[M] | None:
        return self._occupant

    @occupant.setter
    def occupant(self, occupant: Address[M] | None) -> None:
        self._occupant = occupant
        for line in (self._returned, self._waiting):
            # One that has died already takes nothing, and the rest waits for the next.
            while occupant is not None and line and send(occupant, line[0]):
                line.popleft()

    def tell(self, message: M, /) -> None:
        if self._occupant is None or not send(self._occupant, message):
            self._keep(self._waiting, message)

    def back(self, message: M) -> None:
        """An occupant that has ended gives back what it did not come to, in its order."""
        self._keep(self._returned, message)

    def __len__(self) -> int:
        return len(self._returned) + len(self._waiting)

    def _keep(self, line: deque[M], message: M) -> None:
        line.append(message)
        if len(self) > self._most:
            (self._returned or self._waiting).popleft()
            self._dropped.inc()


class NullRef:
    """The address of what no one needs to hear any more."""

    def tell(self, message: object, /) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class ParentLink:
    """An actor's place under its parent: whom to tell of its end, and under which name."""

    parent: Address[Any]
    child: str
    generation: int = 0
