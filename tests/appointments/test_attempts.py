"""Attempts to say whose an appointment is: each counted once, by call and by number, while a limit looks back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from appointments import attempts
from appointments.attempts import KEPT, Outcome
from appointments.schema import identity_attempt

NOW = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)


@pytest.fixture
def engine(either_engine: Engine) -> Engine:
    return either_engine


def tried(
    engine: Engine,
    key: str,
    outcome: Outcome = "wrong",
    caller: str = "+49301",
    call: str = "c-1",
    at: datetime = NOW,
    name: str = "Ann Fox",
) -> None:
    with engine.begin() as connection:
        attempts.attempted(connection, key=key, conversation_id=call, caller=caller, outcome=outcome, name=name, at=at)


def wrong(engine: Engine, call: str = "c-1") -> int:
    with engine.connect() as connection:
        return attempts.wrong_in_call(connection, call)


def by_number(engine: Engine, caller: str = "+49301", since: datetime = NOW - timedelta(hours=1)) -> int:
    with engine.connect() as connection:
        return attempts.wrong_by_number(connection, caller, since)


def test_a_wrong_attempt_counts_for_its_call_and_number(engine: Engine) -> None:
    tried(engine, "k1")
    tried(engine, "k2", call="c-2")
    tried(engine, "k3", caller="+49302", call="c-3")
    assert [wrong(engine, call) for call in ("c-1", "c-2", "c-3", "c-4")] == [1, 1, 1, 0]
    assert [by_number(engine, caller) for caller in ("+49301", "+49302", "+49303")] == [2, 1, 0]


def test_a_matching_or_incomplete_attempt_is_not_wrong(engine: Engine) -> None:
    tried(engine, "k1", "matched")
    tried(engine, "k2", "incomplete")
    assert (wrong(engine), by_number(engine)) == (0, 0)


def test_a_limited_attempt_counts_for_its_call_and_number_not_for_its_name(engine: Engine) -> None:
    tried(engine, "k1", "limited")
    assert (wrong(engine), by_number(engine)) == (1, 1)
    with engine.connect() as connection:
        assert attempts.wrong_names(connection, NOW) == {}


def test_wrong_names_are_counted_since_a_time_for_all_callers(engine: Engine) -> None:
    tried(engine, "k1", at=NOW - timedelta(seconds=1))
    tried(engine, "k2", call="c-2", caller="")
    tried(engine, "k3", call="c-3", caller="+49302")
    tried(engine, "k4", name="Bob Fox")
    tried(engine, "k5", "matched")
    tried(engine, "k6", "incomplete")
    tried(engine, "k7", name="")
    with engine.connect() as connection:
        assert attempts.wrong_names(connection, NOW) == {"Ann Fox": 2, "Bob Fox": 1}


def test_an_attempt_of_an_earlier_release_has_no_name(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO identity_attempt (key, conversation_id, caller, outcome, at)"
            " VALUES ('k1', 'c-1', '+49301', 'wrong', '2026-11-23 13:05:00')"
        )
    assert wrong(engine) == 1
    with engine.connect() as connection:
        assert attempts.wrong_names(connection, NOW - timedelta(days=1)) == {}


def test_an_attempt_written_again_is_the_first(engine: Engine) -> None:
    tried(engine, "k1", "wrong")
    tried(engine, "k1", "matched")
    tried(engine, "k1", "wrong")
    assert wrong(engine) == 1


def test_withheld_numbers_are_not_one_caller(engine: Engine) -> None:
    tried(engine, "k1", caller="")
    assert (wrong(engine), by_number(engine, "")) == (1, 0)


def test_a_number_is_asked_for_since_a_moment_and_that_counts(engine: Engine) -> None:
    tried(engine, "k1", at=NOW)
    assert by_number(engine, since=NOW) == 1
    assert by_number(engine, since=NOW + timedelta(seconds=1)) == 0


def test_what_no_limit_looks_back_to_is_dropped_by_the_next_attempt(engine: Engine) -> None:
    tried(engine, "k1", at=NOW - KEPT - timedelta(seconds=1))
    tried(engine, "k2", at=NOW - KEPT)
    tried(engine, "k3", at=NOW)
    with engine.connect() as connection:
        assert connection.scalars(select(func.count()).select_from(identity_attempt)).one() == 2
