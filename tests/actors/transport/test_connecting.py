"""A host's addresses, some of which are dead. Real sockets; one whose queue is full answers nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from actors.transport.connecting import MOST_ADDRESSES, addresses_of, connect_to_one
from store.resolving import Target

LIMIT_S = 60.0
SHORT_S = 0.05


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(stack: ExitStack) -> Target:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    return socket.AF_INET, listener.getsockname()


def refusing() -> Target:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return socket.AF_INET, closed.getsockname()


def dead(stack: ExitStack) -> Target:
    """An address at which no connection is completed or refused: its queue is full."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(3):
        filling = stack.enter_context(socket.socket())
        filling.setblocking(False)
        filling.connect_ex(listener.getsockname())
    return socket.AF_INET, listener.getsockname()


def test_an_address_that_answers_nothing_or_refuses_is_not_waited_for(stack: ExitStack) -> None:
    alive = listening(stack)
    unusable: Target = socket.AF_INET, ("255.255.255.255", 1)
    with connect_to_one([refusing(), dead(stack), unusable, alive], LIMIT_S) as connection:
        assert connection.getpeername() == alive[1]
        assert connection.getblocking()


def test_where_no_address_takes_a_connection_the_reason_is_told(stack: ExitStack) -> None:
    with pytest.raises(ConnectionRefusedError):
        connect_to_one([refusing(), refusing()], LIMIT_S)
    with pytest.raises(TimeoutError):
        connect_to_one([dead(stack), refusing()], SHORT_S)
    with pytest.raises(OSError, match="Cannot assign"):
        connect_to_one([], LIMIT_S)


def test_addresses_of_both_families_come_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(*_: object, **__: object) -> list[tuple[object, ...]]:
        six = [(socket.AF_INET6, 1, 6, "", (f"::{number}", 1, 0, 0)) for number in range(1000)]
        return [*six, (socket.AF_INET, 1, 6, "", ("127.0.0.1", 1))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    found = addresses_of("many", 1, LIMIT_S)
    assert [family for family, _ in found[:3]] == [socket.AF_INET6, socket.AF_INET, socket.AF_INET6]
    assert len(found) == MOST_ADDRESSES
