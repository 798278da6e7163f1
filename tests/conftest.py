"""What all rooms' tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pykka
import pytest
from hypothesis import settings

from actors.dispatch import install
from tests.cranked import CrankedDispatcher


@pytest.fixture
def mailboxes() -> Iterator[CrankedDispatcher]:
    """The dispatcher of this test's loop actors, turned by hand; what is left alive is stopped afterwards."""
    dispatcher = CrankedDispatcher()
    install(dispatcher)
    yield dispatcher
    for ref in pykka.ActorRegistry.get_all():
        ref.stop(block=False)
    dispatcher.drain()


# pytest tests/fsm/test_random.py --hypothesis-profile=thorough: more than ten thousand random conversations.
settings.register_profile("thorough", max_examples=1500, deadline=None)
