"""Addresses that outlive their actors: what is sent to nobody is counted, or kept for who comes next."""

from __future__ import annotations

import pykka
from prometheus_client import CollectorRegistry, Counter

from actors.metrics import DEAD_LETTERS
from actors.system.address import BufferingRef, NullRef, StableRef, send
from tests.probe import Probe


class Dead:
    """The address of an actor that has ended; before that it takes as many messages as `takes`."""

    def __init__(self, takes: int = 0) -> None:
        self.takes = takes
        self.arrived: list[str] = []

    def tell(self, message: str, /) -> None:
        if self.takes <= 0:
            raise pykka.ActorDeadError
        self.takes -= 1
        self.arrived.append(message)


def dead_letters() -> float:
    return float(DEAD_LETTERS.labels("str")._value.get())


def buffering(capacity: int = 3) -> tuple[BufferingRef[str], Counter]:
    dropped = Counter("dropped", "For a test.", registry=CollectorRegistry())
    return BufferingRef(capacity, lambda _: dropped.inc()), dropped


def test_sending_tells_whether_it_was_delivered_and_counts_what_was_not() -> None:
    before = dead_letters()
    assert send(Probe[str]("alive"), "a")
    assert dead_letters() == before
    assert not send(Dead(), "b")
    assert dead_letters() == before + 1


def test_a_stable_reference_delivers_to_the_current_actor() -> None:
    ref, first, second = StableRef[str](), Probe[str]("first"), Probe[str]("second")
    for occupant in (first, second):
        ref.occupant = occupant
        ref.tell("hello")
    assert (first.arrived, second.arrived) == (["hello"], ["hello"])


def test_what_a_stable_reference_cannot_deliver_is_a_dead_letter() -> None:
    ref, before = StableRef[str](), dead_letters()
    ref.tell("to nobody")
    ref.occupant = Dead()
    ref.tell("to the dead")
    assert dead_letters() == before + 2


def test_a_buffer_keeps_messages_for_the_next_actor_in_order_and_those_given_back_first() -> None:
    ref, _ = buffering()
    ref.tell("2")
    ref.requeue("1")
    ref.tell("3")
    assert len(ref.kept) == 3
    ref.occupant = Probe[str]("next")
    assert ref.occupant.arrived == ["1", "2", "3"]
    assert len(ref.kept) == 0
    ref.tell("4")
    assert ref.occupant.arrived[-1] == "4"


def test_what_an_actor_that_dies_meanwhile_did_not_take_waits_for_the_one_after() -> None:
    ref, _ = buffering()
    for message in "123":
        ref.tell(message)
    ref.occupant = dying = Dead(takes=1)
    assert (dying.arrived, len(ref.kept)) == (["1"], 2)
    ref.tell("4")
    ref.occupant = Probe[str]("next")
    assert ref.occupant.arrived == ["2", "3", "4"]


def test_a_full_buffer_drops_the_oldest_and_counts_it() -> None:
    ref, dropped = buffering(capacity=2)
    ref.requeue("1")
    ref.tell("2")
    assert dropped._value.get() == 0
    ref.tell("3")
    ref.tell("4")
    assert dropped._value.get() == 2
    ref.occupant = Probe[str]("next")
    assert ref.occupant.arrived == ["3", "4"]


def test_a_null_reference_accepts_every_message() -> None:
    before = dead_letters()
    NullRef().tell("anything")
    assert dead_letters() == before
