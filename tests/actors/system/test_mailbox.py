"""Mailboxes are bounded: the oldest droppable message makes room, any other message that finds none ends its actor."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import pykka
import pytest
from prometheus_client import Counter

from actors.metrics import MISSED
from actors.system.actor import LoopActor, ThreadActor
from actors.system.address import BufferingRef, ParentLink
from actors.system.mailbox import MAX_MESSAGES, MailboxFull
from actors.system.signals import ChildDied
from tests.actors.calls import WaitingDispatcher
from tests.probe import Probe, ThreadProbe

CAPACITY = 10


class Sound(NamedTuple):
    number: int


@dataclass(frozen=True)
class Word:
    number: int


@dataclass(frozen=True)
class Hang:
    """Hold the handler until the test lets it go."""

    entered: threading.Event = field(default_factory=threading.Event)
    freed: threading.Event = field(default_factory=threading.Event)


class _Script:
    max_messages = CAPACITY
    droppable: ClassVar[tuple[type, ...]] = (Sound,)

    def __init__(self, parent_link: ParentLink | None = None) -> None:
        super().__init__(parent_link)  # type: ignore[call-arg]  # the actor class beside it
        self.seen: list[object] = []
        self.unread: list[object] = []

    def on_receive(self, message: object) -> object:
        match message:
            case Hang():
                message.entered.set()
                message.freed.wait(5)
            case "boom":
                raise ValueError
            case "seen":
                return [*self.seen]
            case _:
                self.seen.append(message)
        return None

    def on_unread(self, message: object) -> None:
        if message == "trap":
            raise KeyboardInterrupt
        self.unread.append(message)


class OnLoop(_Script, LoopActor):
    pass


class OnThread(_Script, ThreadActor):
    pass


def dropped(kind: type) -> float:
    value: float = MISSED.labels(kind.__name__)._value.get()
    return value


def test_every_actor_has_a_bounded_mailbox() -> None:
    assert LoopActor.max_messages == ThreadActor.max_messages == MAX_MESSAGES


def test_the_oldest_droppable_message_is_dropped_and_no_other(mailboxes: WaitingDispatcher) -> None:
    actor = OnLoop.start()
    before = dropped(OnLoop)
    actor.tell(Word(1))
    for number in range(CAPACITY + 3):
        actor.tell(Sound(number))
    mailboxes.drain()
    seen = actor.ask("seen", block=False)
    mailboxes.drain()
    assert dropped(OnLoop) - before == 4
    assert seen.get(timeout=0) == [Word(1), *map(Sound, range(4, CAPACITY + 3))]


def test_a_full_mailbox_takes_a_stop_but_no_message_that_is_not_droppable(mailboxes: WaitingDispatcher) -> None:
    parent = Probe[ChildDied]("parent")
    actor = OnLoop.start(ParentLink(parent, "child"))
    for number in range(CAPACITY):
        actor.tell(Sound(number))
    actor.stop(block=False)  # is accepted by a full mailbox
    mailboxes.drain()
    assert parent.expect(ChildDied).reason is None
    other = OnLoop.start(ParentLink(parent, "other"))
    for number in range(CAPACITY):
        other.tell(Sound(number))
    other.tell(Word(1))  # is not droppable, and there is no room for it
    with pytest.raises(pykka.ActorDeadError):
        other.tell(Word(2))
    mailboxes.drain()
    assert isinstance(parent.expect(ChildDied).reason, MailboxFull)


def test_a_thread_that_hangs_keeps_the_newest_droppable_messages_too(mailboxes: WaitingDispatcher) -> None:
    actor, hangs = OnThread.start(), Hang()
    script: OnThread = actor._actor_weakref()  # type: ignore[assignment]
    before = dropped(OnThread)
    actor.tell(hangs)
    assert hangs.entered.wait(5)
    for number in range(CAPACITY + 5):
        actor.tell(Sound(number))
    hangs.freed.set()
    actor.stop(timeout=60)  # is accepted, and waits its turn
    assert script.seen == [*map(Sound, range(5, CAPACITY + 5))]
    assert dropped(OnThread) - before == 5


def test_messages_that_a_thread_left_unread_are_given_back_in_order(mailboxes: WaitingDispatcher) -> None:
    parent, hangs = ThreadProbe[ChildDied](), Hang()
    actor = OnThread.start(ParentLink(parent, "child"))
    script: OnThread = actor._actor_weakref()  # type: ignore[assignment]
    actor.tell(hangs)
    for message in (Word(1), "boom", Word(2), Word(3)):
        actor.tell(message)
    asked = actor.ask(Word(4), block=False)
    hangs.freed.set()
    assert isinstance(parent.expect(ChildDied).reason, ValueError)
    assert script.unread == [Word(2), Word(3)]
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=60)
    with pytest.raises(pykka.ActorDeadError):
        actor.tell(Word(5))


@pytest.mark.parametrize("kind", [OnLoop, OnThread])
def test_the_end_is_reported_even_if_on_unread_raises(
    mailboxes: WaitingDispatcher, kind: type[OnLoop | OnThread]
) -> None:
    parent, hangs = ThreadProbe[ChildDied](), Hang()
    hangs.freed.set()
    actor = kind.start(ParentLink(parent, "child"))
    script: OnLoop | OnThread = actor._actor_weakref()  # type: ignore[assignment]
    unread = script.unread
    for message in (hangs, "boom", "trap", Word(1)):
        actor.tell(message)
    mailboxes.drain()
    assert isinstance(parent.expect(ChildDied).reason, ValueError)
    assert unread == [Word(1)]


class Deaf:
    """Accepts a number of messages, then is dead."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.taken: list[int] = []

    def tell(self, message: int, /) -> None:
        if len(self.taken) == self.takes:
            raise pykka.ActorDeadError
        self.taken.append(message)


def test_buffered_messages_survive_an_occupant_that_dies_at_once() -> None:
    dropped = Counter("test_dropped", "In this test.", registry=None)
    room = BufferingRef[int](4, lambda _: dropped.inc())
    for number in (3, 4, 5):
        room.tell(number)
    room.requeue(1)
    room.requeue(2)  # the capacity is four
    assert (len(room.kept), dropped._value.get()) == (4, 1)
    first, second = Deaf(2), Deaf(9)
    room.occupant = first
    assert (first.taken, len(room.kept)) == ([2, 3], 2)
    room.tell(6)  # it is dead
    room.occupant = None
    room.occupant = second
    room.tell(7)
    assert (second.taken, len(room.kept)) == ([4, 5, 6, 7], 0)
    assert dropped._value.get() == 1
