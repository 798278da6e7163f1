"""A database that is unavailable for a while: what is raised, and that a retry loses nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

import store.database
from store import schema
from store.database import open_database
from store.journal import Journal
from store.leases import Lease, Leases
from tests.store.other_process import OtherProcess, record, renewed, row
from tests.store.postgres import PostgresServer, running_server


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that may be stopped: the session's is for everybody."""
    try:
        yield from running_server()
    except FileNotFoundError as error:
        pytest.skip(f"PostgreSQL is not installed (apt-get install postgresql): {error}")


def test_sqlite_locked_by_a_frozen_process_raises_in_time_and_a_retry_loses_nothing(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.database, "BUSY_LIMIT_S", 0.5)
    engine = open_database(sqlite_url)
    leases, journal = Leases(engine, "here"), Journal(engine)
    leases.open("c-1", "secret", {})
    journal.append([row(1, 1)])
    with OtherProcess(sqlite_url, "there") as other:
        assert other.ask("open", "c-2") == 1
        other.tell("append_frozen", "c-2", 1, 1)
        other.wait_until_frozen()
        with pytest.raises(OperationalError, match="locked"):
            journal.append([row(2, 1), row(3, 1)])
        assert [each.seq for each in journal.rows("c-1")] == [1], "reading goes on"
    assert journal.append([row(2, 1), row(3, 1)]) == []
    assert [each.seq for each in journal.rows("c-1")] == [1, 2, 3]
    assert renewed(leases, {"c-1": 1}) == set()
    engine.dispose()


def test_connections_recover_when_the_server_is_restarted(server: PostgresServer) -> None:
    engine = open_database(server.url("postgres"))
    leases, journal = Leases(engine, "here"), Journal(engine)
    leases.open("c-1", "secret", {"bot": "practice"})
    assert journal.append([row(1, 1)]) == []
    server.stop("immediate")
    for what in (
        lambda: journal.append([row(2, 1)]),
        lambda: journal.finish(record(), 1),
        lambda: journal.rows("c-1"),
        lambda: renewed(leases, {"c-1": 1}),
        lambda: leases.claim("c-1", "secret"),
        lambda: leases.open("c-2", "secret", {}),
        leases.orphans,
    ):
        with pytest.raises(OperationalError):
            what()
    server.start()
    assert journal.append([row(2, 1)]) == [], "what was acknowledged is there, and so is the lease"
    assert [each.seq for each in journal.rows("c-1")] == [1, 2]
    assert renewed(leases, {"c-1": 1}) == set()
    assert leases.claim("c-1", "secret") == Lease("c-1", 2, {"bot": "practice"}, last_seq=2)
    engine.dispose()


def test_a_server_that_dies_within_a_transaction_raises_an_operational_error_and_keeps_nothing(
    server: PostgresServer,
) -> None:
    engine = open_database(server.url("postgres"))

    def lose_it() -> None:
        with engine.begin() as connection:
            connection.execute(schema.lease.delete())
            server.stop("immediate")
            connection.execute(schema.lease.delete())

    Leases(engine, "here").open("c-3", "secret", {})
    with pytest.raises(OperationalError):
        lose_it()
    server.start()
    assert renewed(Leases(engine, "here"), {"c-3": 1}) == set()
    engine.dispose()


@pytest.mark.parametrize(
    ("limit", "sentence"), [("statement", "SELECT pg_sleep(3)"), ("lock", "UPDATE lease SET node = 'x'")]
)
def test_a_statement_that_times_out_raises_an_operational_error(postgres_url: str, limit: str, sentence: str) -> None:
    engine = open_database(f"{postgres_url}&options=-c%20{limit}_timeout=600ms")
    Leases(engine, "here").open("c-1", "secret", {})
    with engine.begin() as holder, engine.connect() as other:
        holder.execute(schema.lease.update().values(node="y"))
        with pytest.raises(OperationalError, match=f"{limit} timeout"):
            other.exec_driver_sql(sentence)
    engine.dispose()


def test_a_server_demoted_to_a_standby_raises_an_operational_error(postgres_url: str) -> None:
    engine = open_database(f"{postgres_url}&options=-c%20default_transaction_read_only=on")
    assert Journal(engine).rows("c-1") == []
    for what in (lambda: Journal(engine).append([row(1, 0)]), lambda: Leases(engine, "here").open("c-1", "secret", {})):
        with pytest.raises(OperationalError, match="read-only"):
            what()
    engine.dispose()
