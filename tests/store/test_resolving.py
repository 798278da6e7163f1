"""Names are resolved within a limit, whatever the system's resolver does; it is the one that is replaced here."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from store.resolving import Target, resolve

LIMIT_S = 60.0
SHORT_S = 0.01
FOUND = (socket.AF_INET, 1, 6, "", ("192.0.2.1", 5432))


class Resolver:
    """Hangs until it may answer. asked: how often it was."""

    def __init__(self) -> None:
        self.may_answer, self.asked = threading.Event(), 0

    def __call__(self, *_: object, **__: object) -> list[tuple[object, ...]]:
        self.asked += 1
        self.may_answer.wait(LIMIT_S)
        return [FOUND]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.may_answer.set()


def test_a_resolver_that_hangs_is_not_waited_for_and_holds_one_thread_for_a_name(resolver: Resolver) -> None:
    before = threading.active_count()
    for _ in range(5):
        with pytest.raises(TimeoutError, match="the resolver does not answer"):
            resolve("db.example", 5432, SHORT_S)
    assert (resolver.asked, threading.active_count()) == (1, before + 1)


def test_all_who_ask_meanwhile_have_the_answer_and_it_is_asked_for_again_later(resolver: Resolver) -> None:
    found: list[list[Target]] = []
    waiting = [threading.Thread(target=lambda: found.append(resolve("db.example", 5432, LIMIT_S))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    resolver.may_answer.set()
    for thread in waiting:
        thread.join(LIMIT_S)
    assert found == [[(socket.AF_INET, ("192.0.2.1", 5432))]] * 3
    asked = resolver.asked
    assert resolve("db.example", 5432, LIMIT_S) == found[0]
    assert resolver.asked == asked + 1, "an answer is not kept"


def test_what_the_resolver_says_is_raised_where_it_was_asked() -> None:
    with pytest.raises(OSError, match=r"Name|not known|failure|resolution"):
        resolve("no-such-name.invalid", 5432, LIMIT_S)
    with pytest.raises(UnicodeError):
        resolve(f"{'a' * 70}.example", 5432, LIMIT_S)
