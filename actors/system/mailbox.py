"""Bounded mailboxes, one class for loop actors and one for actors with a thread.

A full mailbox means an actor that does not keep up, or a sender in a loop. Of droppable messages (audio) the oldest is
dropped; any other message that finds no room ends the receiver, which must not go on without it.
May import: pykka, prometheus_client, the standard library. Rules from: docs/specs/reliability.md 1.3.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import pykka
from prometheus_client import Counter
from pykka._envelope import Envelope

# The default capacity of a mailbox.
MAX_MESSAGES = 1000
# Messages handled in one turn: few enough not to delay the other actors, where each takes milliseconds.
TURN_MESSAGES = 2


class MailboxFull(Exception):
    """A message that is not droppable found the mailbox full."""


def _content(envelope: Any) -> Any:
    return envelope.message if type(envelope) is Envelope else envelope


@dataclass(frozen=True, slots=True)
class Bound:
    """The limit of a mailbox.

    capacity: how many messages may wait. droppable: types of which the oldest is dropped when a new one finds the
    mailbox full. dropped: counts those.
    """

    capacity: int
    droppable: tuple[type, ...]
    dropped: Counter

    def make_room(self, messages_waiting: deque[Any], new: Any) -> bool:
        """Drop the oldest droppable message for a new one. False: `new` is not droppable, or nothing waiting is."""
        content = _content(new)
        if isinstance(content, pykka.messages._ActorStop):
            return True
        if isinstance(content, self.droppable):
            for envelope in messages_waiting:
                if isinstance(_content(envelope), self.droppable):
                    messages_waiting.remove(envelope)
                    self.dropped.inc()
                    return True
        return False


# The types that Pykka itself puts into a mailbox; our messages are never of these.
PYKKAS_OWN = frozenset(
    {
        Envelope,
        pykka.messages._ActorStop,
        pykka.messages.ProxyCall,
        pykka.messages.ProxyGetAttr,
        pykka.messages.ProxySetAttr,
    }
)


class Reader(Protocol):
    """The loop actor that a mailbox belongs to."""

    def on_first_turn(self) -> None:
        """Start the actor."""
        ...

    def on_receive(self, message: Any, /) -> Any: ...

    def on_envelope(self, envelope: Any, /) -> None:
        """Handle an `ask`, or one of Pykka's own messages."""
        ...

    def on_crash(self, error: BaseException, envelope: Any, /) -> None:
        """The handler of a message raised an exception."""
        ...

    def on_closed(self) -> None:
        """The mailbox was closed; its remaining messages will not be handled."""
        ...


def not_scheduled(_: LoopMailbox) -> None:
    """The `ready` of a mailbox whose actor has not started, or has ended."""


class LoopMailbox:
    """A loop actor's inbox; the dispatcher has it hand its messages to the actor, a turn at a time.

    One class for all actors: CPython specialises the hot path for the types it has seen there. A `tell` puts the bare
    message in, an `ask` Pykka's envelope.
    closed: mirrors `actor_stopped`, without its lock. ready: schedules a turn at the dispatcher. queued: a turn is
    scheduled. kind: the type of the message handled last.
    """

    __slots__ = (
        "_bound",
        "_name",
        "_reader",
        "_receive",
        "capacity",
        "closed",
        "full",
        "kind",
        "messages_waiting",
        "queued",
        "ready",
    )

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self.capacity = bound.capacity  # a copy: read with every message
        self.ready: Callable[[LoopMailbox], None] = not_scheduled
        self.closed = self.full = False
        self.messages_waiting: deque[Any] = deque()
        self.queued = False
        self.kind: type = type(None)
        self._name = ""
        self._reader: Reader | None = None
        self._receive: Callable[[Any], Any] | None = None

    def open(self, reader: Reader, ready: Callable[[LoopMailbox], None]) -> None:
        """Keep the actor alive until its end (an ActorRef holds it weakly), and schedule its first turn."""
        self._reader, self._name = reader, type(reader).__name__
        self.ready = ready
        self.wake()

    def release(self) -> None:
        """Drop the reference to an actor that has ended."""
        self.ready = not_scheduled
        self._reader = self._receive = None

    def take_turn(self) -> None:
        """Called by the dispatcher: start the actor, or hand it up to TURN_MESSAGES messages."""
        reader, receive = self._reader, self._receive
        if reader is None:
            return
        if receive is None:
            receive = self._receive = reader.on_receive
            reader.on_first_turn()
        messages_waiting, left = self.messages_waiting, TURN_MESSAGES
        while messages_waiting and not self.closed:
            if not left:
                self.ready(self)
                return
            left -= 1
            envelope = messages_waiting.popleft()
            self.kind = kind = type(envelope)
            try:
                # Hot path: one set lookup tells Pykka's own types from ours.
                if kind in PYKKAS_OWN:
                    reader.on_envelope(envelope)
                else:
                    receive(envelope)
            except BaseException as error:  # noqa: BLE001 - an actor's edge: its parent applies the restart policy
                reader.on_crash(error, envelope)
        if self.closed:
            reader.on_closed()
            return
        self.queued = False
        # Another thread may have put a message just before the flag was cleared.
        if messages_waiting and not self.queued:
            self.wake()

    def last_turn(self) -> tuple[str, str]:
        return self._name, self.kind.__name__

    def put(self, envelope: Any, /) -> None:
        if len(self.messages_waiting) >= self.capacity and not self.make_room(envelope):
            return
        self.messages_waiting.append(envelope)
        if not self.queued:
            self.wake()

    def make_room(self, envelope: Any) -> bool:
        """Called when the mailbox is full. False: there is no room, and the actor must end."""
        if self._bound.make_room(self.messages_waiting, envelope):
            return True
        self.full = self.closed = True
        if not self.queued:
            self.wake()
        return False

    def wake(self) -> None:
        self.queued = True
        self.ready(self)

    def get(self) -> Envelope[Any]:
        envelope = self.messages_waiting.popleft()
        return envelope if type(envelope) is Envelope else Envelope(envelope)

    def empty(self) -> bool:
        return not self.messages_waiting


class ThreadMailbox(queue.Queue[Envelope[Any]]):
    """A threaded actor's inbox. The actor may hang in a handler, so the sender detects that the mailbox is full.

    overflowed: called then, in the sender's thread.
    """

    def __init__(self, bound: Bound) -> None:
        super().__init__()
        self._bound = bound
        self._closed = False
        self.overflowed: Callable[[], None]

    def put(self, envelope: Envelope[Any], block: bool = True, timeout: float | None = None) -> None:
        """Raises: pykka.ActorDeadError if the mailbox is closed or full; an `ask` is answered with that error."""
        with self.mutex:
            full = len(self.queue) >= self._bound.capacity and not self._bound.make_room(self.queue, envelope)
            if taken := not (full or self._closed):
                self.queue.append(envelope)
                self.not_empty.notify()
        if taken:
            return
        if full:
            self.overflowed()
        dead = pykka.ActorDeadError("the mailbox is closed")
        if envelope.reply_to is None:
            raise dead
        envelope.reply_to.set_exception((type(dead), dead, None))

    def close(self) -> list[Any]:
        """Accept no more messages. Returns the unread `tell` messages; each `ask` stays queued, to be answered."""
        with self.mutex:
            self._closed = True
            unread = [envelope.message for envelope in self.queue if envelope.reply_to is None]
            asked = [envelope for envelope in self.queue if envelope.reply_to is not None]
            self.queue.clear()
            self.queue.extend(asked)
        return unread
