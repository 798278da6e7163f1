"""Rows that cannot be read: each is reported by its key, and costs nobody who does not need it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from appointments import attempts, bookings
from appointments.bookings import AppointmentBook
from appointments.schema import appointment, identity_attempt
from store import effect_log, schema
from store.database import open_database, reading
from store.effect_log import LoggedEffect
from store.journal import Journal
from store.leases import LeaseRefused, Leases
from store.rows import UnreadableRow, report_unreadable
from tests.store.garbage import BLOB, NOT_UTF_8, columns_of, garbage_for, spoil
from tests.store.other_process import AT, record, renewed, row


class Store:
    """A SQLite database. reported: what was found unreadable."""

    def __init__(self, url: str) -> None:
        self.engine = open_database(url)
        self.reported: list[tuple[str, str]] = []
        report_unreadable(self.engine, lambda row: self.reported.append((row.table, row.key)))
        self.journal, self.book = Journal(self.engine), AppointmentBook(self.engine)

    def fill(self) -> None:
        """Add two of each kind of row, of the calls c-1 and c-2."""
        dead = Leases(self.engine, "dead", ttl_s=0, window_s=0)
        for number, call in enumerate(("c-1", "c-2")):
            dead.open(call, "secret", {"bot": "practice"})
            self.journal.append([row(1, 1, call), row(2, 1, call)])
            self.journal.draft(record(call), 1)
            self.book.book("practice", AT + timedelta(hours=number), 30, "+4930123", call, f"{call}:t1:1", "Ada")
            with self.engine.begin() as connection:
                effect_log.intend(
                    connection,
                    LoggedEffect(f"{call}:t1:1", "pizza.bake", call, "t1", "", {}, {}, AT + timedelta(number)),
                )
                attempts.attempted(
                    connection, key=call, conversation_id=call, caller="", outcome="wrong", name="Ada", at=AT
                )


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    """A SQLite file with two of each kind of row, to be copied: a dozen commits take longer than most tests."""
    file = Path(shutil.copy(migrated_file, tmp_path_factory.mktemp("filled")))
    store = Store(f"sqlite:///{file}")
    store.fill()
    store.engine.dispose()
    return file


@pytest.fixture
def store(tmp_path: Path, filled_file: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{shutil.copy(filled_file, tmp_path)}")
    yield store
    store.engine.dispose()


def seqs(store: Store, call: str) -> list[int]:
    return [each.seq for each in store.journal.rows(call)]


@pytest.mark.parametrize(("table", "column", "garbage"), columns_of(schema.call_event, keys=False))
def test_a_row_of_a_journal_is_left_out(store: Store, table: Table, column: str, garbage: str) -> None:
    spoil(store.engine, table, column, garbage, "conversation_id = 'c-1' AND seq = 1")
    kept = seqs(store, "c-1")
    # A text is a text, even one that was damaged.
    assert (kept, store.reported) in (([2], [("call_event", "c-1/1")]), ([1, 2], []))
    assert (kept == [1, 2]) == (column == "kind" and "AS TEXT" in garbage)
    assert seqs(store, "c-2") == [1, 2]


@pytest.mark.parametrize(("table", "column", "garbage"), columns_of(schema.effect, keys=False))
def test_an_effect_that_cannot_be_read_hides_no_other_and_is_never_taken_for_one_that_was_not_done(
    store: Store, table: Table, column: str, garbage: str
) -> None:
    spoil(store.engine, table, column, garbage, "conversation_id = 'c-1'")
    with reading(store.engine) as connection:
        left = [each.key for each in effect_log.intended(connection) + effect_log.unclear(connection)]
        assert "c-2:t1:1" in left
        if "c-1:t1:1" in left:  # what was damaged is a text still
            assert effect_log.find(connection, "c-1:t1:1") is not None
        else:
            with pytest.raises(UnreadableRow, match="effect c-1:t1:1"):
                effect_log.find(connection, "c-1:t1:1")
    with store.engine.begin() as connection:
        assert not effect_log.intend(connection, LoggedEffect("c-1:t1:1", "pizza.bake", "c-1", "t1", "", {}, {}, AT))


def test_a_row_that_is_not_found_again_by_its_key_is_reported(store: Store) -> None:
    spoil(store.engine, schema.effect, "key", NOT_UTF_8, "conversation_id = 'c-1'")
    spoil(store.engine, schema.effect, "slots", BLOB, "conversation_id = 'c-2'")
    with reading(store.engine) as connection:
        assert effect_log.intended(connection) == []
    assert [table for table, _ in store.reported] == ["effect", "effect"]
    assert "c-2:t1:1" in [key for _, key in store.reported]


@pytest.mark.parametrize(("table", "column", "garbage"), columns_of(appointment, keys=False))
def test_an_appointment_that_cannot_be_read_hides_no_other_and_keeps_its_time(
    store: Store, table: Table, column: str, garbage: str
) -> None:
    spoil(store.engine, table, column, garbage, "id = 1")
    assert 2 in [each.id for each in store.book.all()]
    with reading(store.engine) as connection:
        found = bookings.upcoming(connection, "practice", AT - timedelta(days=1), caller="+4930123")
    assert 2 in [each.id for each in found]
    assert all(isinstance(each.starts_at, datetime) and isinstance(each.name, str) for each in found)
    if column not in ("starts_at", "resource"):
        assert store.book.book("practice", AT, 30, "", "c-9", "c-9:t1:1") is None


@pytest.mark.parametrize(("table", "column", "garbage"), columns_of(schema.lease))
def test_a_lease_that_cannot_be_read_costs_its_own_call_at_most(
    store: Store, table: Table, column: str, garbage: str
) -> None:
    holder, other = Leases(store.engine, "holder"), Leases(store.engine, "other", ttl_s=0, window_s=0)
    for call in ("c-1", "c-2"):
        holder.claim(call, "secret")
    spoil(store.engine, table, column, garbage, "conversation_id = 'c-1'")
    assert renewed(holder, holder.held) <= {"c-1"}
    assert "c-2" in [each.key for each in other.orphans()]
    for each in other.orphans():
        other.adopt(each)
    claimed = Leases(store.engine, "third").claim("c-1", "secret")
    assert isinstance(claimed, LeaseRefused) or isinstance(claimed.epoch, int)
    assert not isinstance(Leases(store.engine, "third").claim("c-2", "secret"), LeaseRefused)


@pytest.mark.parametrize("garbage", garbage_for(schema.lease.c.conversation_id))
@pytest.mark.parametrize("column", ["conversation_id", "status"])
def test_a_lease_whose_key_or_status_cannot_be_read_is_reported_and_in_the_way_of_no_other(
    store: Store, column: str, garbage: str
) -> None:
    other = Leases(store.engine, "other", ttl_s=0, window_s=0)
    spoil(store.engine, schema.lease, column, garbage, "conversation_id = 'c-1'")
    ended: list[str] = []
    for _ in range(3):
        for each in other.orphans(at_most=1):
            if not isinstance(other.adopt(each), LeaseRefused):
                other.end(each.key, other.epoch(each.key))
                ended.append(each.key)
    assert ended == ["c-2"]
    assert "lease" in [table for table, _ in store.reported]


@pytest.mark.parametrize(("table", "column", "garbage"), columns_of(schema.call, keys=False))
def test_a_record_that_cannot_be_read_is_named_and_may_be_written_again(
    store: Store, table: Table, column: str, garbage: str
) -> None:
    spoil(store.engine, table, column, garbage, "conversation_id = 'c-1'")
    if column == "record" and garbage != "'null'":
        with pytest.raises(UnreadableRow, match="call c-1"):
            store.journal.record("c-1")
        assert store.reported == [("call", "c-1")]
    store.journal.finish(record("c-1"), 1)
    assert store.journal.record("c-1") == record("c-1")


@pytest.mark.parametrize(("table", "column", "garbage"), columns_of(identity_attempt))
def test_an_attempt_that_cannot_be_read_counts_at_most_as_one(
    store: Store, table: Table, column: str, garbage: str
) -> None:
    spoil(store.engine, table, column, garbage, "conversation_id = 'c-1'")
    with store.engine.begin() as connection:
        assert sum(attempts.wrong_names(connection, AT - timedelta(minutes=5)).values()) in (1, 2)
        assert attempts.wrong_in_call(connection, "c-2") == 1
        attempts.attempted(connection, key="c-3", conversation_id="c-3", caller="", outcome="wrong", name="Bo", at=AT)


def test_a_journal_with_a_damaged_number_still_has_a_last_one(store: Store) -> None:
    spoil(store.engine, schema.call_event, "seq", "'zzz'", "conversation_id = 'c-1' AND seq = 1")
    lease = Leases(store.engine, "other").claim("c-1", "secret")
    assert not isinstance(lease, LeaseRefused)
    assert (lease.last_seq, seqs(store, "c-1")) == (2, [2])
    assert store.reported == [("call_event", "c-1/zzz")]


def test_json_of_another_shape_is_unreadable_in_postgresql_too(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    reported: list[Any] = []
    report_unreadable(engine, reported.append)
    Journal(engine).append([row(1, 0), row(2, 0)])
    spoil(engine, schema.call_event, "body", "'[1]'", "seq = 1")
    assert [each.seq for each in Journal(engine).rows("c-1")] == [2]
    spoil(engine, schema.call_event, "at", "'infinity'", "seq = 2")
    assert Journal(engine).rows("c-1") == []
    assert [each.key for each in reported] == ["c-1/1", "c-1/1", "c-1/2"]
    engine.dispose()
