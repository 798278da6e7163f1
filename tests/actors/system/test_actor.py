"""Actors on the loop and on threads: mailboxes, timers, and one report of every end, however the actor ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pykka
import pytest

from actors.system.actor import ActorExit, LoopFuture
from actors.system.address import ParentLink, StableRef, send
from actors.system.dispatcher import LoopDispatcher, install
from actors.system.mailbox import not_scheduled
from actors.system.signals import ChildDied
from protocols.errors import TransportLost
from tests.actors.mortal import Boom, OnLoop, OnThread
from tests.cranked import CrankedDispatcher
from tests.probe import Probe, ThreadProbe

WAYS: list[tuple[str, str | None, type[BaseException] | None]] = [
    ("", None, None),
    ("on_start", None, Boom),
    ("exit in on_start", None, SystemExit),
    ("on_stop", None, Boom),
    ("exit in on_stop", None, SystemExit),
    ("", "boom", Boom),
    ("on_failure", "boom", Boom),
    ("", "exit", SystemExit),
    ("", "interrupt", KeyboardInterrupt),
    ("", "lost", TransportLost),
]
IDS = [f"{where or 'handler'}-{message or 'stop'}" for where, message, _ in WAYS]


@pytest.mark.parametrize(("dies_in", "message", "reason"), WAYS, ids=IDS)
def test_a_loop_actor_reports_its_end_once_however_it_ends(
    mailboxes: CrankedDispatcher, dies_in: str, message: str | None, reason: type[BaseException] | None
) -> None:
    parent = Probe[ChildDied]("parent")
    child = OnLoop.start(ParentLink(parent, "child", 4), dies_in)
    bystander = OnLoop.start(None)
    if message is not None:
        child.tell(message)
    else:
        child.stop(block=False)
    mailboxes.drain()
    death = parent.expect(ChildDied)
    assert (death.child, death.generation) == ("child", 4)
    assert type(death.reason) is (reason or type(None))
    parent.expect_nothing()
    assert not child.is_alive()
    assert bystander.is_alive()
    bystander.stop(block=False)
    mailboxes.drain()


@pytest.mark.parametrize(("dies_in", "message", "reason"), WAYS, ids=IDS)
def test_a_threaded_actor_reports_its_end_once_however_it_ends(
    mailboxes: CrankedDispatcher, dies_in: str, message: str | None, reason: type[BaseException] | None
) -> None:
    parent = ThreadProbe[ChildDied]()
    bystander = OnThread.start(None)
    child = OnThread.start(ParentLink(parent, "child", 1), dies_in)
    try:
        if message is not None:
            child.tell(message)
        else:
            child.stop(block=False)
    except pykka.ActorDeadError:
        assert "on_start" in dies_in
    death = parent.expect(ChildDied)
    assert type(death.reason) is (reason or type(None))
    assert bystander.is_alive()
    assert bystander.ask("still here", timeout=60) == "still here"
    bystander.stop(timeout=60)
    parent.expect_nothing()


def test_an_exception_in_init_is_raised_by_start(mailboxes: CrankedDispatcher) -> None:
    with pytest.raises(Boom):
        OnLoop.start(None, "__init__")


def test_a_timer_that_raises_is_a_death_like_any_other(mailboxes: CrankedDispatcher) -> None:
    parent = Probe[ChildDied]("parent")
    child = OnLoop.start(ParentLink(parent, "child"))
    child.tell(1.0)
    mailboxes.advance(999)
    parent.expect_nothing()
    mailboxes.advance(1)
    assert isinstance(parent.expect(ChildDied).reason, Boom)


def test_the_timers_of_an_actor_are_cancelled_when_it_ends(mailboxes: CrankedDispatcher) -> None:
    child = OnLoop.start(None)
    child.tell(1.0)
    mailboxes.drain()
    assert mailboxes.timers == 1
    child.stop(block=False)
    mailboxes.drain()
    assert mailboxes.timers == 0


@pytest.mark.parametrize(("message", "raised"), [("boom", Boom), ("exit", ActorExit)])
def test_an_ask_that_raises_is_answered_and_is_a_crash_too(
    mailboxes: CrankedDispatcher, message: str, raised: type[Exception]
) -> None:
    parent = Probe[ChildDied]("parent")
    child = OnLoop.start(ParentLink(parent, "child"))
    future = child.ask(message, block=False)
    mailboxes.drain()
    with pytest.raises(raised):
        future.get(timeout=0)
    parent.expect(ChildDied)
    assert not child.is_alive()


def test_messages_are_handled_in_order_one_at_a_time_and_those_behind_a_crash_are_dropped(
    mailboxes: CrankedDispatcher,
) -> None:
    seen: list[object] = []
    child = OnLoop.start(None, "", seen)
    for message in [*range(100), "boom", "never"]:
        child.tell(message)
    mailboxes.drain()
    assert seen == [*range(100), "boom"]


def test_an_ask_behind_a_crash_is_answered_with_the_death(mailboxes: CrankedDispatcher) -> None:
    child = OnLoop.start(None)
    child.tell("boom")
    future = child.ask("anyone?", block=False)
    mailboxes.drain()
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=0)


def test_a_message_to_a_dead_actor_is_a_dead_letter_and_no_error(mailboxes: CrankedDispatcher) -> None:
    child = OnLoop.start(None)
    child.stop(block=False)
    mailboxes.drain()
    send(child, "hello")
    stable_ref: StableRef[str] = StableRef()
    stable_ref.tell("nobody sits here")
    stable_ref.occupant = child
    stable_ref.tell("the dead sit here")


def test_an_ended_actor_leaves_no_reference_cycle(mailboxes: CrankedDispatcher) -> None:
    before = len(pykka.ActorRegistry.get_all())
    child = OnLoop.start(None)
    mailbox: Any = child.actor_inbox
    child.stop(block=False)
    mailboxes.drain()
    assert len(pykka.ActorRegistry.get_all()) == before
    assert mailbox.ready is not_scheduled
    assert mailbox.empty()


def test_a_real_loop_serves_tells_from_other_threads_and_awaited_asks() -> None:
    async def scene() -> tuple[list[object], object]:
        install(LoopDispatcher(asyncio.get_running_loop()))
        seen: list[object] = []
        actor = OnLoop.start(None, "", seen)

        def tell_all(number: int) -> None:
            for index in range(200):
                actor.tell((number, index))

        threads = [threading.Thread(target=tell_all, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        future = actor.ask("last", block=False)
        assert isinstance(future, LoopFuture)
        answer = await future.answer(timeout_s=60)
        actor.stop(block=False)
        return seen, answer

    seen, answer = asyncio.run(scene())
    assert answer == "last"
    assert len(seen) == 801
    for number in range(4):
        own = [message for message in seen if isinstance(message, tuple) and message[0] == number]
        assert own == [(number, i) for i in range(200)]


def test_a_flood_in_one_mailbox_does_not_delay_another(mailboxes: CrankedDispatcher) -> None:
    order: list[object] = []
    busy, calm = OnLoop.start(None, "", order), OnLoop.start(None, "", order)
    for number in range(1000):
        busy.tell(number)
    calm.tell("calm")
    mailboxes.drain()
    assert order.index("calm") < 100
