"""The actors of a call stay small enough for the interpreter's fast way to read and write their attributes."""

from __future__ import annotations

import gc

import pytest

from actors.call_supervisor import CallSupervisor
from actors.openai_socket import OpenAISocket
from actors.runtime import LoopActor
from actors.vaic_socket import VaicSocket
from tests.actors.calls import Call, WaitingDispatcher

# CPython gives an object with as many entries a hash table of its own: 1.5 KB, and a search with every `self.x`.
TABLE_OF_ITS_OWN = 30


@pytest.mark.parametrize("kind", [CallSupervisor, VaicSocket, OpenAISocket])
def test_an_actor_shares_the_keys_of_its_kind(mailboxes: WaitingDispatcher, kind: type[LoopActor]) -> None:
    call = Call(mailboxes)
    alive = [each for each in gc.get_objects() if type(each) is kind and not each.actor_stopped.is_set()]
    assert alive
    assert len(vars(alive[0])) < TABLE_OF_ITS_OWN
    call.ref.stop(block=False)
    mailboxes.drain()
