"""A PostgreSQL that hangs: whoever waits for it is told in time, and goes on when it does."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

import store.bounded_connection
from store.bounded_connection import MOST_ADDRESSES, BoundedConnection
from store.database import DatabaseAway, open_database
from store.journal import Journal
from tests.store.other_process import row
from tests.store.postgres import PostgresServer

LIMIT_S = 60.0


@contextmanager
def hanging(engine: Engine) -> Iterator[None]:
    """The server's process behind the pooled connection is stopped: its socket stays open and says nothing."""
    with engine.connect() as connection:
        [pid] = connection.execute(text("SELECT pg_backend_pid()")).one()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def engine(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    if os.getuid() != 0:
        pytest.skip("only root may stop a process of the server's user")
    monkeypatch.setattr(store.bounded_connection, "ANSWER_LIMIT_S", 0.2)
    engine = open_database(f"{postgres_url}&options=-c%20statement_timeout=300ms")
    yield engine
    engine.dispose()


def test_a_server_that_hangs_within_a_transaction_raises_in_time(engine: Engine) -> None:
    journal = Journal(engine)
    assert journal.append([row(1, 0)]) == []

    def act() -> None:
        with engine.begin() as connection, hanging(engine):
            connection.execute(text("SELECT 1"))
            [pid] = connection.execute(text("SELECT pg_backend_pid()")).one()
            os.kill(pid, signal.SIGSTOP)
            try:
                connection.execute(text("SELECT 2"))
            finally:
                os.kill(pid, signal.SIGCONT)

    with pytest.raises(OperationalError, match="the server does not answer"):
        act()
    assert journal.append([row(2, 0)]) == [], "on another connection"


def test_a_connection_that_hangs_in_the_pool_is_replaced(engine: Engine) -> None:
    with hanging(engine):
        assert Journal(engine).append([row(1, 0)]) == []


def test_a_statement_may_take_as_long_as_the_server_allows(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.bounded_connection, "ANSWER_LIMIT_S", 0.1)
    for timeout in ("1s", "0"):
        engine = open_database(f"{postgres_url}&options=-c%20statement_timeout={timeout}")
        with engine.connect() as connection:
            assert connection.execute(text("SELECT pg_sleep(0.3) IS NULL")).scalar() is False
        engine.dispose()


def test_a_resolver_that_hangs_holds_up_no_connection_for_longer_than_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: may_answer.wait(LIMIT_S) and [])
    monkeypatch.setattr(store.bounded_connection, "RESOLVE_LIMIT_S", 0.01)
    try:
        with pytest.raises(DatabaseAway, match="the resolver does not answer"):
            open_database("postgresql://tieline@db.example/t")
    finally:
        may_answer.set()


def test_a_connection_is_made_to_the_address_of_a_name_that_answers(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()
    asked: list[object] = []

    def resolved(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, 1, 6, "", dead)] * 2

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with postgres.database() as name:
        url = f"postgresql://tieline@/{name}?host=dead.example:{dead[1]}&host={postgres.folder}:5432"
        engine = open_database(url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        engine.dispose()
    assert asked[0] == "dead.example"


def test_many_addresses_that_are_dead_have_less_time_each(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[object] = []

    def connect(_: object, /, conninfo: str = "", **how: object) -> None:
        limits.append((how["hostaddr"], how["connect_timeout"]))

    monkeypatch.setattr(psycopg.Connection, "connect", classmethod(connect))
    for count in (1, 3, 5):
        addresses = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{each}", 1)) for each in range(count)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=addresses, **__: found)
        BoundedConnection.connect(host="db.example", connect_timeout=5)
        assert limits.pop() == (",".join(f"192.0.2.{each}" for each in range(count)), {1: 5, 3: 3, 5: 2}[count])
        BoundedConnection.connect(host="db.example", connect_timeout="5")
        assert limits.pop()[1] == "5", "the operator's own"  # type: ignore[index]


def test_of_more_addresses_than_there_is_time_for_each_connection_tries_others(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def connect(_: object, /, conninfo: str = "", **how: object) -> None:
        tried.append(str(how["hostaddr"]))

    addresses = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{each}", 1)) for each in range(40)]
    monkeypatch.setattr(psycopg.Connection, "connect", classmethod(connect))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr("random.randrange", lambda count: len(tried) * MOST_ADDRESSES % count)
    for _ in range(8):
        BoundedConnection.connect(host="db.example", connect_timeout=5)
    assert {len(each.split(",")) for each in tried} == {MOST_ADDRESSES}
    assert len(set(",".join(tried).split(","))) == 40
