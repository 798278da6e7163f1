"""Fixtures for tests of calls: mailboxes that wait for threads, services with a database."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pykka
import pytest

from actors.system.dispatcher import install
from tests.actors.calls import StuckOven, WaitingDispatcher


@pytest.fixture
def mailboxes() -> Iterator[WaitingDispatcher]:
    """A dispatcher whose `until` waits for threads; no actor outlives its test."""
    dispatcher = WaitingDispatcher()
    install(dispatcher)
    yield dispatcher
    left = pykka.ActorRegistry.get_all()
    for ref in left:
        ref.stop(block=False)
    dispatcher.drain()
    for ref in left:
        assert ref.actor_stopped.wait(5), f"{ref} hangs"


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Turn the garbage collector off, so that reference cycles stay until the end of the test."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def stuck() -> Iterator[StuckOven]:
    """An effect that hangs until it is released, at the latest by the end of the test."""
    oven = StuckOven()
    yield oven
    oven.freed.set()
