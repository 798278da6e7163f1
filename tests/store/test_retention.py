"""What is deleted when its time is over, in which pieces, and what is never touched."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from appointments.schema import appointment, identity_attempt
from store import retention, schema
from store.database import open_database, unsynced
from store.holds import CALL, CALLER, Holds
from store.journal import Journal
from store.retention import (
    LEAST_ROWS,
    LONGEST_PAUSE_S,
    MOST_ROWS,
    OTHERS_SHARE,
    SHORTEST_PAUSE_S,
    Batch,
    JobLost,
    KeptFor,
    Retention,
    SweepPace,
    without_words,
)
from tests.store.garbage import columns_of, spoil
from tests.store.people import NUMBER, SECRET, add_call, calls_in, says

RULE = KeptFor(words=30, record=365, effects=90)


def swept(engine: Engine, rule: KeptFor | None = RULE) -> list[Batch]:
    return list(Retention(engine, lambda _: rule).sweep())


def test_words_go_first_then_the_record_and_effects_by_their_own_age(engine: Engine) -> None:
    for key, days in (("new", 29), ("words", 31), ("effects", 91), ("old", 366)):
        add_call(engine, key, days)
    swept(engine)
    assert calls_in(engine, schema.call_event) == {"new"}
    assert calls_in(engine, schema.outbox) == {"new"}
    assert calls_in(engine, schema.call) == calls_in(engine, schema.lease) == {"new", "words", "effects"}
    assert calls_in(engine, schema.effect) == {"new", "words"}
    assert calls_in(engine, identity_attempt) == {"new", "words", "effects"}
    assert calls_in(engine, appointment) == {"new", "words", "effects", "old"}  # a calendar
    record = Journal(engine).record("words")
    assert record is not None
    assert (record.turns[0].text, record.tasks[0].notes, record.outcome) == ("", (), "completed")
    with engine.connect() as connection:
        rows = connection.execute(select(schema.call.c.conversation_id, schema.call.c.record))
        texts = {key: json.dumps(record) for key, record in rows}
    assert {key for key, text in texts.items() if SECRET in text} == {"new"}


def test_a_second_sweep_finds_nothing(engine: Engine) -> None:
    add_call(engine, "words", 31)
    assert sum(each.rows for each in swept(engine)) > 0
    assert sum(each.rows for each in swept(engine)) == 0


def test_without_a_rule_or_with_none_for_a_bot_all_is_kept(engine: Engine) -> None:
    add_call(engine, "c", 4000)
    assert sum(each.rows for each in swept(engine, KeptFor())) == sum(each.rows for each in swept(engine, None)) == 0
    assert calls_in(engine, schema.call_event) == {"c"}


def test_each_bot_has_its_own_rule(engine: Engine) -> None:
    add_call(engine, "a", 10, bot="a")
    add_call(engine, "b", 10, bot="b")
    list(Retention(engine, {"a": KeptFor(words=5, record=5, effects=5), "b": RULE}.get).sweep())
    assert calls_in(engine, schema.call) == calls_in(engine, schema.effect) == {"b"}


@pytest.mark.parametrize("lease", ["open", "parked"])
def test_a_call_in_progress_is_never_touched_however_old_it_is(engine: Engine, lease: str) -> None:
    add_call(engine, "c", 4000, lease=lease)
    add_call(engine, "no record", 4000, lease=lease, record=False)
    before = says(engine, SECRET)
    assert sum(each.rows for each in swept(engine)) == 0
    assert says(engine, SECRET) == before


@pytest.mark.parametrize("status", ["intended", "unclear"])
def test_an_effect_without_an_outcome_is_never_deleted(engine: Engine, status: str) -> None:
    add_call(engine, "c", 4000, status=status)
    swept(engine)
    assert calls_in(engine, schema.effect) == {"c"}
    assert calls_in(engine, schema.call) == set()


def test_a_letter_that_waits_stays(engine: Engine) -> None:
    for letter in ("due", "dead", "sent"):
        add_call(engine, letter, 4000, letter=letter)
    swept(engine)
    assert calls_in(engine, schema.outbox) == {"due"}


@pytest.mark.parametrize("key", [f"{CALL}c-held", f"{CALLER}{NUMBER}", f"{CALLER}030 555010"])
def test_what_is_held_is_kept(engine: Engine, key: str) -> None:
    add_call(engine, "c-held", 4000)
    add_call(engine, "other", 4000, caller="+4930999888")
    with engine.begin() as connection:
        assert Holds(engine).add(connection, key, "a court")
    assert sum(each.held for each in swept(engine)) == 3  # words, record, effect
    for table in (schema.call, schema.call_event, schema.effect):
        assert calls_in(engine, table) == {"c-held"}
    with engine.begin() as connection:
        assert Holds(engine).release(connection, key)
    swept(engine)
    assert calls_in(engine, schema.call) == set()


def test_a_long_journal_is_deleted_in_pieces(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LEAST_ROWS", 4)
    monkeypatch.setitem(retention.BUDGET_S, engine.dialect.name, 0.0)
    add_call(engine, "c", 31, events=10)
    words = [each.rows for each in swept(engine) if each.what == "words"]
    assert words == [4, 4, 4]  # the last: two events, the record, the letter


def test_a_transaction_that_takes_long_is_followed_by_a_smaller_one() -> None:
    pace, rows = SweepPace(budget_s=1.0), []
    for seconds in (0.4, 0.4, 0.6, 1.1, 1.1, 1.1, 1.1, 1.1):
        pace.took(seconds)
        rows.append(pace.rows)
    assert rows == [32, 48, 48, 36, 27, 20, LEAST_ROWS, LEAST_ROWS]
    for _ in range(MOST_ROWS):
        pace.took(0.0)
    assert pace.rows == MOST_ROWS


@pytest.mark.parametrize(
    ("worked_s", "pause_s"), [(0.0, SHORTEST_PAUSE_S), (0.01, 0.01 / (1 - OTHERS_SHARE) - 0.01), (60, LONGEST_PAUSE_S)]
)
def test_the_pause_is_as_long_as_the_work_demands(worked_s: float, pause_s: float) -> None:
    assert Batch("words", "desk", worked_s=worked_s).pause_s == pytest.approx(pause_s)


def test_a_call_that_another_transaction_has_locked_is_left_to_the_next_round(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    rows, call = schema.call_event, schema.call
    for key in ("a", "its record", "its journal", "z"):
        add_call(engine, key, 31)
    with engine.begin() as somebody:
        somebody.execute(select(call).where(call.c.conversation_id == "its record").with_for_update())
        somebody.execute(select(rows).where(rows.c.conversation_id == "its journal").with_for_update())
        assert sum(each.things for each in swept(engine) if each.what == "words") == 2
        assert without_words_now(engine) == {"a", "z"}
    assert sum(each.things for each in swept(engine) if each.what == "words") == 2
    assert calls_in(engine, rows) == set()
    assert without_words_now(engine) == {"a", "its record", "its journal", "z"}
    engine.dispose()


def without_words_now(engine: Engine) -> set[str]:
    column = schema.call.c
    with engine.connect() as connection:
        return set(connection.scalars(select(column.conversation_id).where(column.words_gone_at.is_not(None))))


def test_a_connection_of_a_sweep_commits_to_the_disk_again_after_it(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    with unsynced(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


def test_a_sweep_ends_when_another_process_has_the_job(engine: Engine) -> None:
    add_call(engine, "c", 31)
    with pytest.raises(JobLost):
        list(Retention(engine, lambda _: RULE, keep=lambda _: False).sweep())
    assert calls_in(engine, schema.call_event) == {"c"}


def test_what_belongs_to_no_record_is_deleted_too(engine: Engine) -> None:
    add_call(engine, "lease", 31, record=False)
    add_call(engine, "journal", 31, record=False, lease="")
    add_call(engine, "young", 29, record=False)
    add_call(engine, "young journal", 29, record=False, lease="")
    swept(engine)
    assert calls_in(engine, schema.call_event) == {"young", "young journal"}
    assert calls_in(engine, schema.lease) == {"young"}


def test_what_belongs_to_no_record_is_found_behind_calls_that_have_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PAGE", 2)
    monkeypatch.setattr(retention, "WINDOW", 2)
    for key in ("a", "b", "d", "e"):
        add_call(engine, key, 29)
    for key in ("c", "f"):
        add_call(engine, key, 31, record=False, lease="ended" if key == "c" else "")
    swept(engine)
    assert calls_in(engine, schema.call_event) == {"a", "b", "d", "e"}


def test_the_lease_that_counts_the_calls_of_an_id_stays_and_says_nothing_else(engine: Engine) -> None:
    add_call(engine, "c", 4000)
    with engine.begin() as connection:
        connection.execute(update(schema.lease).values(calls=2))
    swept(engine)
    assert calls_in(engine, schema.call) == set()
    assert calls_in(engine, schema.lease) == {"c"}
    assert "lease" not in says(engine, NUMBER)


def test_what_would_be_deleted_is_counted_and_nothing_is_changed(engine: Engine) -> None:
    for key, days in (("new", 29), ("words", 31), ("old", 366)):
        add_call(engine, key, days)
    with engine.begin() as connection:
        Holds(engine).add(connection, f"{CALL}words", "")
    due = {each.what: (each.things, each.held) for each in Retention(engine, lambda _: RULE).due()}
    assert due == {"words": (1, 1), "record": (1, 0), "effects": (1, 0)}
    assert calls_in(engine, schema.call_event) == {"new", "words", "old"}


def test_a_record_that_cannot_be_read_loses_its_words_all_the_same() -> None:
    assert without_words('{"turns": [') is None
    assert without_words(None) is None
    assert without_words("[]") is None
    later = {"turns": [{"text": SECRET, "role": "bot", "heard_words": SECRET}], "outcome": "x", "later": 1}
    assert without_words(json.dumps(later)) == {
        "turns": [{"text": "", "role": "bot"}], "tasks": [], "recording": [], "outcome": "x", "later": 1
    }  # fmt: skip


def test_sqlite_overwrites_what_was_deleted(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    add_call(engine, "c", 4000, events=400)
    with engine.begin() as connection:
        connection.execute(appointment.delete())
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    swept(engine)
    engine.dispose()  # the last connection writes the log back
    assert NUMBER.encode() not in file.read_bytes()
    assert SECRET.encode() not in file.read_bytes()


class Files:
    """What is kept of calls outside the database, and cannot be deleted for one of them."""

    name = "recordings"

    def __init__(self, stuck: str) -> None:
        self.stuck = stuck
        self.deleted: list[tuple[str, bool]] = []

    def delete(self, call: str, began: datetime | None) -> int:
        if call == self.stuck:
            raise OSError("a disk")
        self.deleted.append((call, began is not None))
        return 1

    def listed(self, call: str, began: datetime | None) -> list[str]:
        return []


def test_files_go_before_their_record_and_a_call_whose_files_cannot_go_is_kept(engine: Engine) -> None:
    for key in ("a", "stuck"):
        add_call(engine, key, 400)
    add_call(engine, "stray", 400, record=False)
    files, failures = Files("stuck"), list[OSError]()
    retention = Retention(engine, lambda _: KeptFor(record=365), outside=[files], failed=failures.append)
    list(retention.sweep())
    assert files.deleted == [("a", True), ("stray", False)]
    assert len(failures) == 1
    assert calls_in(engine, schema.call) == calls_in(engine, schema.lease) == {"stuck"}
    files.stuck = ""
    list(retention.sweep())
    assert calls_in(engine, schema.call) == set()


def test_a_damaged_row_in_any_column_keeps_nothing_of_other_calls(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/store.sqlite3")
    tables = schema.call, schema.call_event, schema.lease, schema.effect, schema.outbox
    for number, (table, column, garbage) in enumerate(columns_of(*tables)):
        key = f"bad-{number}"
        add_call(engine, key, 366, record=table is not schema.call_event)
        first = " AND seq = 1" if table is schema.call_event else ""
        spoil(engine, table, column, garbage, f"conversation_id = '{key}'{first}")
    add_call(engine, "old", 366)
    swept(engine)
    for table in tables:
        assert "old" not in calls_in(engine, table)
