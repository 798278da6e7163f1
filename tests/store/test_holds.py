"""What is held: which calls that covers, however a number is written."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from store import schema
from store.database import open_database, reading
from store.holds import CALL, CALLER, Held, Holds, held
from store.rows import UnreadableRow, report_unreadable
from tests.store.garbage import BLOB, NOT_UTF_8, spoil


def test_holds_are_added_once_listed_and_released(engine: Engine) -> None:
    holds = Holds(engine)
    with engine.begin() as connection:
        assert holds.add(connection, f"{CALL}c-1", "a court")
        assert not holds.add(connection, f"{CALL}c-1", "again")
        assert holds.add(connection, f"{CALLER}+4930555010", "a complaint")
    assert [(each.key, each.reason) for each in holds.all()] == [
        ("call:c-1", "a court"), ("caller:+4930555010", "a complaint")
    ]  # fmt: skip
    with engine.begin() as connection:
        assert held(connection) == Held(frozenset({"c-1"}), frozenset({"0555010"}))
        assert holds.release(connection, f"{CALL}c-1")
        assert not holds.release(connection, f"{CALL}c-1")
        assert not held(connection).covers("c-1", "")


@pytest.mark.parametrize(
    ("caller", "covered"),
    [
        ("+4930555010", True),
        ("030 555010", True),
        ("sip:+4930555010@example.com;user=phone", True),
        ("+4930555011", False),
        ("anonymous", False),
        ("", False),
    ],
)
def test_a_number_is_held_however_it_is_written(engine: Engine, caller: str, covered: bool) -> None:
    with engine.begin() as connection:
        Holds(engine).add(connection, f"{CALLER}+4930555010", "")
        found = held(connection)
    assert (found.covers("c", caller), found.covers_caller(caller)) == (covered, covered)


@pytest.mark.parametrize("garbage", [BLOB, NOT_UTF_8, "'cxll:c-1'"])
def test_while_a_hold_cannot_be_read_everything_counts_as_held(sqlite_url: str, garbage: str) -> None:
    engine, told = open_database(sqlite_url), list[UnreadableRow]()
    report_unreadable(engine, told.append)
    with engine.begin() as connection:
        for call in ("c-1", "c-2"):
            Holds(engine).add(connection, f"{CALL}{call}", "a court")
    spoil(engine, schema.hold, "key", garbage, "key = 'call:c-1'")
    with reading(engine) as connection:
        found = held(connection)
    assert found.covers("c-3", "")
    assert found.covers_caller("+4930555010")
    assert [row.table for row in told] == ["hold"]
    engine.dispose()


@pytest.mark.parametrize("column", ["at", "reason", "key"])
def test_a_damaged_hold_hides_no_other(sqlite_url: str, column: str) -> None:
    engine = open_database(sqlite_url)
    with engine.begin() as connection:
        for call in ("c-1", "c-2"):
            Holds(engine).add(connection, f"{CALL}{call}", "a court")
    spoil(engine, schema.hold, column, BLOB, "key = 'call:c-1'")
    assert [each.key for each in Holds(engine).all()] == ["call:c-2"]
    engine.dispose()
