"""Real processes on real databases that race for a call, or are frozen while another takes it over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

import store.database
from appointments.schema import appointment
from store import schema
from store.database import open_database, reading
from store.journal import Journal
from store.leases import Lease, Leases
from tests.store.other_process import BUSY_S, OtherProcess, row


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.database, "BUSY_LIMIT_S", BUSY_S)


@pytest.fixture
def zombie(url: str, engine: Engine) -> Iterator[OtherProcess]:
    """It holds the call c-1 under the epoch 1, and has written a row."""
    with OtherProcess(url, "zombie") as process:
        assert process.ask("open", "c-1") == 1
        assert process.ask("append", 1, 1) == 0
        yield process


def claimed(leases: Leases) -> Lease:
    lease = leases.claim("c-1", "secret")
    assert isinstance(lease, Lease)
    return lease


def count_of_all_but_leases(engine: Engine) -> dict[str, int]:
    tables = (schema.call_event, schema.effect, schema.call, appointment)
    with reading(engine) as connection:
        return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def test_racing_claims_get_an_epoch_each(url: str, engine: Engine) -> None:
    Leases(engine, "first").open("c-1", "secret", {})
    with ExitStack() as stack:
        processes = [stack.enter_context(OtherProcess(url, f"node-{number}")) for number in range(3)]
        for process in processes:
            process.tell("claim", "c-1", 60)
        epochs = [epoch for process in processes for epoch in process.answer()]
    assert sorted(epochs) == list(range(2, 182))


def test_a_process_that_was_frozen_while_its_call_was_taken_over_writes_nothing(
    zombie: OtherProcess, engine: Engine
) -> None:
    zombie.freeze()
    assert claimed(Leases(engine, "here")) == Lease("c-1", 2, {"bot": "practice"}, last_seq=1)
    before = count_of_all_but_leases(engine)
    for what, arguments in (("append", (2, 1)), ("act", (1,)), ("finish", (1,)), ("renew", ({"c-1": 1},))):
        zombie.tell(what, *arguments)
    zombie.thaw()
    assert [zombie.answer() for _ in range(4)] == [1, "Fenced", "Fenced", ["c-1"]]
    assert count_of_all_but_leases(engine) == before == {"call_event": 1, "effect": 0, "call": 0, "appointment": 0}
    assert Journal(engine).append([row(2, 2)]) == []


def test_no_row_of_the_previous_holder_follows_a_claim_however_busy_it_is(zombie: OtherProcess, engine: Engine) -> None:
    journal, leases = Journal(engine), Leases(engine, "here")
    epoch = 1
    for _ in range(40):
        zombie.tell("append_until_fenced", epoch)
        assert zombie.answer() == "begun"
        lease = claimed(leases)
        seen = [each.seq for each in journal.rows("c-1")]
        written = zombie.answer()
        assert lease.last_seq == max(seen) == written
        assert [each.seq for each in journal.rows("c-1")] == seen
        with engine.begin() as connection:
            connection.execute(schema.call_event.delete())
        epoch = lease.epoch


def test_a_claim_waits_for_a_row_that_is_being_written(url: str, engine: Engine) -> None:
    """Between the look at the epoch and the row there is no gap."""
    leases, other = Leases(engine, "here"), open_database(url)
    leases.open("c-1", "secret", {})
    done = threading.Event()

    def claim_now(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO call_event"):
            claims.append(pool.submit(claim))
            assert not done.wait(timeout=0.2)

    def claim() -> Lease:
        lease = claimed(Leases(other, "there"))
        done.set()
        return lease

    claims: list[Any] = []
    event.listen(engine, "before_cursor_execute", claim_now)
    with ThreadPoolExecutor(1) as pool:
        assert Journal(engine).append([row(1, 1)]) == []
        assert claims[0].result(timeout=60).last_seq == 1
    other.dispose()


def test_a_process_frozen_in_an_effect_does_not_block_a_claim_and_its_effect_is_rolled_back(
    postgres_url: str,
) -> None:
    engine = open_database(postgres_url)
    with OtherProcess(postgres_url, "zombie") as zombie:
        assert zombie.ask("open", "c-1") == 1
        zombie.tell("act_frozen", 1)
        zombie.wait_until_frozen()
        assert claimed(Leases(engine, "here")).epoch == 2
        zombie.thaw()
        assert zombie.answer() == "Fenced"
    assert count_of_all_but_leases(engine) == {"call_event": 0, "effect": 0, "call": 0, "appointment": 0}
    engine.dispose()


def test_a_process_frozen_while_writing_a_row_is_disconnected_by_the_server(postgres_url: str) -> None:
    url = f"{postgres_url}&options=-c%20idle_in_transaction_session_timeout=300ms"
    engine = open_database(url)
    with OtherProcess(url, "zombie") as zombie:
        assert zombie.ask("open", "c-1") == 1
        zombie.tell("append_frozen", "c-1", 1, 1)
        zombie.wait_until_frozen()
        assert claimed(Leases(engine, "here")) == Lease("c-1", 2, {"bot": "practice"}, last_seq=0)
        zombie.thaw()
        assert zombie.answer() == "OperationalError"
    assert Journal(engine).rows("c-1") == []
    engine.dispose()
