"""Addresses: where messages are sent, and references that stay valid when an actor is restarted.

May import: pykka, loguru, actors' metrics, the standard library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import pykka
from loguru import logger

from actors.metrics import DEAD_LETTERS

M_contra = TypeVar("M_contra", contravariant=True)
M = TypeVar("M")


class Address(Protocol[M_contra]):
    """Where messages of one kind may be sent: an ActorRef in the product, a Probe in a test."""

    def tell(self, message: M_contra, /) -> None: ...


def send(to: Address[M], message: M) -> bool:
    """Tell; a message to a dead actor is counted as a dead letter and raises nothing, so deaths do not spread.

    Returns whether the message was delivered to a mailbox.
    """
    try:
        to.tell(message)
    except pykka.ActorDeadError:
        DEAD_LETTERS.labels(type(message).__name__).inc()
        return False
    return True


class StableRef(Generic[M]):
    """An address that outlives the actor behind it: the supervisor sets `occupant` at each restart.

    For senders on the loop's thread.
    """

    __slots__ = ("occupant",)

    def __init__(self) -> None:
        self.occupant: Address[M] | None = None

    def tell(self, message: M, /) -> None:
        """Tell the current actor; without one the message is a dead letter."""
        if self.occupant is not None:
            try:
                self.occupant.tell(message)
                return
            except pykka.ActorDeadError:
                pass
        DEAD_LETTERS.labels(type(message).__name__).inc()


class BufferingRef(StableRef[M]):
    """A StableRef that keeps messages while it has no actor, for the next one.

    capacity: how many messages it keeps; above that the oldest is dropped, and `dropped` is called with it.
    """

    def __init__(self, capacity: int, dropped: Callable[[M], object]) -> None:
        self._capacity = capacity
        self._dropped = dropped
        self._waiting: deque[M] = deque()
        # Messages that an ended actor gave back: older than all in `_waiting`.
        self._returned: deque[M] = deque()
        super().__init__()

    @property
    def occupant(self) -> Address[M] | None:
        return self._occupant

    @occupant.setter
    def occupant(self, occupant: Address[M] | None) -> None:
        self._occupant = occupant
        for line in (self._returned, self._waiting):
            # `send` fails if this actor has died already: the rest waits for the next one.
            while occupant is not None and line and send(occupant, line[0]):
                line.popleft()

    def tell(self, message: M, /) -> None:
        if self._occupant is None or not send(self._occupant, message):
            self._keep(self._waiting, message)

    def requeue(self, message: M) -> None:
        """Take back a message that an ended actor did not handle. To be called in the order of the messages."""
        self._keep(self._returned, message)

    @property
    def kept(self) -> list[M]:
        """The messages that wait for an actor, the oldest first."""
        return [*self._returned, *self._waiting]

    def _keep(self, line: deque[M], message: M) -> None:
        line.append(message)
        if len(self._returned) + len(self._waiting) > self._capacity:
            self._dropped((self._returned or self._waiting).popleft())


class NullRef:
    """An address that discards every message."""

    def tell(self, message: object, /) -> None:
        """Discard it."""


@dataclass(frozen=True, slots=True)
class ParentLink:
    """Where an actor reports its end.

    parent: told ChildDied. child: the actor's name there. generation: counts the starts under that name, from 0.
    log: bound to the conversation that the actor works for.
    """

    parent: Address[Any]
    child: str
    generation: int = 0
    log: Any = field(default=logger, compare=False, repr=False)

    def log_end(self, error: BaseException) -> None:
        """Log an end by a bug of ours, with its traceback."""
        self.log.opt(exception=error, depth=1).error("child died", child=self.child)
