"""A PostgreSQL that hangs: whoever waits for it is told in time, and goes on when it does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

import store.bounded_connection
from store.database import open_database
from store.journal import Journal
from tests.store.other_process import row


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
