"""When the store counts as away, and when its writer counts as hanging."""

from __future__ import annotations

from actors.policies import STORE_LIMIT_S, WRITER_LIMIT_S
from actors.process.store_health import FILE_LOST, KEEPER_HANGS, NO_ANSWER, NO_LEASE, REFUSES, StoreHealth


def test_a_store_is_away_when_it_has_not_answered_for_the_limit_and_back_with_its_first_answer() -> None:
    health = StoreHealth(100)
    assert health.fault(100 + STORE_LIMIT_S) == ""
    assert health.fault(100 + STORE_LIMIT_S + 0.1) == NO_ANSWER
    health.tried(200)
    assert health.fault(200) == NO_ANSWER, "it was tried in vain"
    health.answered(201)
    assert health.fault(201 + STORE_LIMIT_S) == ""


def test_a_writer_that_tries_does_not_hang_however_long_the_store_is_away() -> None:
    health = StoreHealth(0)
    for now_s in range(0, 600, 6):
        health.tried(now_s)
        assert not health.writer_hangs(now_s + WRITER_LIMIT_S)
    assert health.writer_hangs(600 + WRITER_LIMIT_S)


def test_the_keeper_is_waited_for_as_the_writer_is_once_it_has_spoken() -> None:
    health = StoreHealth(0)
    health.answered(100)
    assert health.fault(100) == ""
    health.kept(100, answered=False)
    assert health.fault(100) == NO_ANSWER, "it has never had an answer"
    health.kept(101)
    health.answered(101 + STORE_LIMIT_S + 1)
    assert health.fault(101 + STORE_LIMIT_S + 1) == KEEPER_HANGS, "the writer has its answers"
    health.kept(101 + STORE_LIMIT_S + 1, answered=False)
    assert health.fault(101 + STORE_LIMIT_S + 1) == NO_ANSWER, "it tries in vain"
    health.kept(120)
    assert health.fault(120) == ""


def test_a_store_that_refuses_and_a_lease_that_is_not_written_are_faults_at_once() -> None:
    health = StoreHealth(0)
    health.kept(1, "the schema is at 0003")
    assert (health.fault(1), health.refusal) == (REFUSES, "the schema is at 0003")
    health.kept(2)
    health.answered(2, unleased=1)
    assert health.fault(2) == NO_LEASE
    health.answered(3)
    assert health.fault(3) == ""


def test_a_lost_file_is_a_fault_until_it_is_back() -> None:
    health = StoreHealth(0)
    health.file_is("/var/lib/tieline.sqlite3")
    health.answered(1)
    assert health.fault(1) == FILE_LOST
    health.file_is("")
    assert health.fault(1) == ""
