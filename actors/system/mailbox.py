"""What an actor has been told and has not handled yet. Each kind of actor bounds it.

A full mailbox means an actor that does not keep up, or a sender out of its mind. Of what may be missed (audio) the
newest counts; anything else ends the actor whose mailbox it is, for it would go on without what was said to it.
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

# Control messages that wait at the most, where an actor says nothing else.
MAX_MESSAGES = 1000
# One actor's turn on the loop: long enough to be cheap, short enough that its neighbours are served.
TURN_MESSAGES = 32


class MailboxFull(Exception):
    """More was told than the actor has handled for too long."""


def _content(envelope: Any) -> Any:
    return envelope.message if type(envelope) is Envelope else envelope


@dataclass(frozen=True, slots=True)
class Bound:
    """The limit of a mailbox.

    most: how many messages may wait. droppable: types of which the oldest make room when there are more; `missed`
    counts them.
    """

    most: int
    droppable: tuple[type, ...]
    missed: Counter

    def make_room(self, messages_waiting: deque[Any], new: Any) -> bool:
        """Let the oldest of what may be missed go for a newer one. False: this may not be missed, or there is none."""
        content = _content(new)
        if isinstance(content, pykka.messages._ActorStop):
            return True
        if isinstance(content, self.droppable):
            for envelope in messages_waiting:
                if isinstance(_content(envelope), self.droppable):
                    messages_waiting.remove(envelope)
                    self.missed.inc()
                    return True
        return False


# What Pykka itself puts into a mailbox; none of our messages is among them.
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
    """Whose inbox it is: a loop actor."""

    def on_first_turn(self) -> None:
        """Begin."""
        ...

    def on_receive(self, message: Any, /) -> Any: ...

    def on_envelope(self, envelope: Any, /) -> None:
        """What was asked, or one of Pykka's own."""
        ...

    def on_crash(self, error: BaseException, envelope: Any, /) -> None:
        """Handling a letter raised."""
        ...

    def on_closed(self) -> None:
        """The mailbox was closed; nothing in it will be handed over any more."""
        ...


def at_rest(_: LoopMailbox) -> None:
    """Nobody is to be told that something came."""


class LoopMailbox:
    """A loop actor's inbox, which hands over what is in it when the dispatcher says so.

    One class for all actors: what runs with every message is quick where the interpreter finds the same types again.
    What was told lies in it as it is, what was asked in Pykka's envelope. closed: as `actor_stopped`, read at no cost.
    ready: tells the dispatcher; `at_rest` while the actor has not begun, and when it has ended. kind: of what was
    handed over last.
    """

    __slots__ = (
        "_bound",
        "_name",
        "_reader",
        "_receive",
        "closed",
        "full",
        "kind",
        "messages_waiting",
        "most",
        "queued",
        "ready",
    )

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self.most = bound.most  # read with every message
        self.ready: Callable[[LoopMailbox], None] = at_rest
        self.closed = self.full = False
        self.messages_waiting: deque[Any] = deque()
        self.queued = False
        self.kind: type = type(None)
        self._name = ""
        self._reader: Reader | None = None
        self._receive: Callable[[Any], Any] | None = None

    def open(self, reader: Reader, ready: Callable[[LoopMailbox], None]) -> None:
        """Hold the actor, whom an ActorRef holds only weakly, until its end; its first turn is due."""
        self._reader, self._name = reader, type(reader).__name__
        self.ready = ready
        self.wake()

    def rest(self) -> None:
        """The actor has ended: hold it no more."""
        self.ready = at_rest
        self._reader = self._receive = None

    def take_turn(self) -> None:
        """Called by the dispatcher: begin, or hand over what has arrived, up to a turn's worth."""
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
                # Pykka's own kinds are never among ours, and this is the hot path.
                if kind in PYKKAS_OWN:
                    reader.on_envelope(envelope)
                else:
                    receive(envelope)
            except BaseException as error:  # noqa: BLE001 - an actor's edge: its parent judges
                reader.on_crash(error, envelope)
        if self.closed:
            reader.on_closed()
            return
        self.queued = False
        # Another thread may have put a message just before the flag fell.
        if messages_waiting and not self.queued:
            self.wake()

    def last_turn(self) -> tuple[str, str]:
        return self._name, self.kind.__name__

    def put(self, envelope: Any, /) -> None:
        if len(self.messages_waiting) >= self.most and not self.room(envelope):
            return
        self.messages_waiting.append(envelope)
        if not self.queued:
            self.wake()

    def room(self, envelope: Any) -> bool:
        """Called when it is full. False: there is none, and the actor has to end."""
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
    """A threaded actor's inbox. Its actor may hang in a handler, so that whoever tells finds that it is full.

    overflowed: called then, by the teller's thread.
    """

    def __init__(self, bound: Bound) -> None:
        super().__init__()
        self._bound = bound
        self._closed = False
        self.overflowed: Callable[[], None]

    def put(self, envelope: Envelope[Any], block: bool = True, timeout: float | None = None) -> None:
        """Raises: pykka.ActorDeadError when nobody is going to read what is told; what is asked is answered with it."""
        with self.mutex:
            full = len(self.queue) >= self._bound.most and not self._bound.make_room(self.queue, envelope)
            if taken := not (full or self._closed):
                self.queue.append(envelope)
                self.not_empty.notify()
        if taken:
            return
        if full:
            self.overflowed()
        dead = pykka.ActorDeadError("nobody reads this mailbox any more")
        if envelope.reply_to is None:
            raise dead
        envelope.reply_to.set_exception((type(dead), dead, None))

    def close(self) -> list[Any]:
        """Take nothing more. Returns what was told and not read; what was asked stays, to be answered."""
        with self.mutex:
            self._closed = True
            unread = [envelope.message for envelope in self.queue if envelope.reply_to is None]
            asked = [envelope for envelope in self.queue if envelope.reply_to is not None]
            self.queue.clear()
            self.queue.extend(asked)
        return unread
