"""What an actor has been told and has not handled yet. Each kind of actor bounds it.

A full mailbox means an actor that does not keep up, or a sender out of its mind. Of what may be missed (audio) the
newest counts; anything else ends the actor whose mailbox it is, for it would go on without what was said to it.
May import: pykka, prometheus_client, the standard library. Rules from: specs/reliability.md 1.3.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pykka
from prometheus_client import Counter
from pykka._envelope import Envelope

# Control messages that wait at the most, where an actor says nothing else.
MOST_LETTERS = 1000


class MailboxFull(Exception):
    """More was told than the actor has handled for too long."""


def _content(letter: Any) -> Any:
    return letter.message if type(letter) is Envelope else letter


@dataclass(frozen=True, slots=True)
class Bound:
    """most: how many messages may wait. missable: those of which, when there are more, the newest count; the others are
    counted as missed.
    """

    most: int
    missable: tuple[type, ...]
    missed: Counter

    def make_room(self, letters: deque[Any], new: Any) -> bool:
        """Let the oldest of what may be missed go for a newer one. False: this may not be missed, or there is none."""
        content = _content(new)
        if isinstance(content, pykka.messages._ActorStop):
            return True
        if isinstance(content, self.missable):
            for letter in letters:
                if isinstance(_content(letter), self.missable):
                    letters.remove(letter)
                    self.missed.inc()
                    return True
        return False


def at_rest() -> None:
    """Nobody is to be told that something came."""


class LoopMailbox:
    """A loop actor's inbox. It holds its actor, whom an ActorRef holds only weakly, until the actor's end.

    What was told lies in it as it is, what was asked in Pykka's envelope. closed: as `actor_stopped`, read at no cost.
    ready: tells the dispatcher; `at_rest` while the actor has not begun, and when it has ended.
    """

    __slots__ = ("_bound", "closed", "full", "letters", "most", "queued", "ready")

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self.most = bound.most  # read with every message
        self.ready: Callable[[], None] = at_rest
        self.closed = self.full = False
        self.letters: deque[Any] = deque()
        self.queued = False

    def put(self, letter: Any, /) -> None:
        if len(self.letters) >= self.most and not self.room(letter):
            return
        self.letters.append(letter)
        if not self.queued:
            self.wake()

    def room(self, letter: Any) -> bool:
        """Called when it is full. False: there is none, and the actor has to end."""
        if self._bound.make_room(self.letters, letter):
            return True
        self.full = self.closed = True
        if not self.queued:
            self.wake()
        return False

    def wake(self) -> None:
        self.queued = True
        self.ready()

    def get(self) -> Envelope[Any]:
        letter = self.letters.popleft()
        return letter if type(letter) is Envelope else Envelope(letter)

    def empty(self) -> bool:
        return not self.letters


class ThreadMailbox(queue.Queue[Envelope[Any]]):
    """A threaded actor's inbox. Its actor may hang in a handler, so that whoever tells finds that it is full.

    overflowed: called then, by the teller's thread.
    """

    def __init__(self, bound: Bound) -> None:
        super().__init__()
        self._bound = bound
        self._closed = False
        self.overflowed: Callable[[], None]

    def put(self, letter: Envelope[Any], block: bool = True, timeout: float | None = None) -> None:
        """Raises: pykka.ActorDeadError when nobody is going to read what is told; what is asked is answered with it."""
        with self.mutex:
            full = len(self.queue) >= self._bound.most and not self._bound.make_room(self.queue, letter)
            if taken := not (full or self._closed):
                self.queue.append(letter)
                self.not_empty.notify()
        if taken:
            return
        if full:
            self.overflowed()
        dead = pykka.ActorDeadError("nobody reads this mailbox any more")
        if letter.reply_to is None:
            raise dead
        letter.reply_to.set_exception((type(dead), dead, None))

    def close(self) -> list[Any]:
        """Take nothing more. Returns what was told and not read; what was asked stays, to be answered."""
        with self.mutex:
            self._closed = True
            unread = [letter.message for letter in self.queue if letter.reply_to is None]
            asked = [letter for letter in self.queue if letter.reply_to is not None]
            self.queue.clear()
            self.queue.extend(asked)
        return unread
