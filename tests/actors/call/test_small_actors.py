"""Costs of a call that all calls share: small actors, and nothing left to the garbage collector."""

from __future__ import annotations

import gc
import weakref

import pytest

from actors.call.supervisor import CallSupervisor
from actors.model.session import OpenAISocket
from actors.system.actor import LoopActor
from actors.vaic.session import VaicSocket
from tests.actors.calls import Call, WaitingDispatcher

KINDS = [CallSupervisor, VaicSocket, OpenAISocket]
# CPython gives an object with as many entries a hash table of its own: 1.5 KB, and a search with every `self.x`.
TABLE_OF_ITS_OWN = 30


def alive() -> list[LoopActor]:
    """The actor objects of these classes in memory, ended ones included."""
    return [each for each in gc.get_objects() if type(each) in KINDS and vars(each)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_actor_shares_the_keys_of_its_kind(mailboxes: WaitingDispatcher, kind: type[LoopActor]) -> None:
    before = alive()  # of tests that ran before, and that nobody has looked for since
    call = Call(mailboxes)
    (actor,) = (each for each in alive() if type(each) is kind and each not in before)
    assert len(vars(actor)) < TABLE_OF_ITS_OWN
    call.ref.stop(block=False)
    mailboxes.drain()


@pytest.mark.usefixtures("no_collector")
def test_a_call_that_has_ended_is_gone_without_the_collector(mailboxes: WaitingDispatcher) -> None:
    before = alive()
    call = Call(mailboxes).greeted()
    actors = [weakref.ref(each) for each in alive() if each not in before]
    assert len(actors) == len(KINDS)
    call.ends()
    mailboxes.advance(10_000)
    assert [each() for each in actors] == [None] * len(KINDS)
