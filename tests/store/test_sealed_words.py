"""What was said, sealed where it is stored: found nowhere in the tables, and read whole by who has the key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from protocols.sealing import KeyMissing, KeyRing, key_id
from recordings.kept import KeptRecordings
from store import effect_log, schema
from store.backup import back_up
from store.calls import CallFilter, Calls
from store.data_keys import DataKeys, KeyGone, use_ring
from store.database import open_database
from store.effect_log import LoggedEffect
from store.erasure import UNREAD, People
from store.journal import CallRecord, Journal, JournalRow, RecordingStep, TaskRecord, TurnRecord
from store.leases import Leases
from store.outbox import Letter, Outbox
from store.retention import KeptFor, Retention
from store.rows import report_unreadable
from tests.store.people import SECRET, says

AT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
RING = KeyRing([b"\1" * 32])
RECORD = CallRecord(
    conversation_id="c-1", bot="desk", caller="+4930123", media_format="raw/mulaw", outcome="completed",
    started_at=AT, ended_at=AT,
    turns=(TurnRecord(role="caller", text=SECRET, item_id="i", began_ms=1, ended_ms=2, heard_ms=1),),
    tasks=(TaskRecord(agent="book", run_id="t", states=("Ask",), result="booked", notes=(("n", "Ask", SECRET),)),),
    recording=(RecordingStep(what="yes", at_ms=5, words=SECRET),),
)  # fmt: skip
LETTER = Letter("c-1:after", "c-1", "desk", "d", "+4930123", {"transcript": SECRET})
ROWS: list[tuple[str, dict[str, Any]]] = [
    ("call", {"bot": "desk", "caller": "+4930123", "media": "raw/mulaw"}),
    ("caller_said", {"item": "i", "text": SECRET}),
    ("called", {"call": "f", "name": "book", "arguments": json.dumps({"name": SECRET})}),
    ("task", {"agent": "book", "run": "t", "state": "Ask", "result": "open", "snapshot": {"slots": {"name": SECRET}}}),
    ("recording", {"what": "yes", "at_ms": 5, "words": SECRET}),
    ("resumed", {}),
]


def written(call: str = "c-1", epoch: int = 0) -> list[JournalRow]:
    return [JournalRow(call, seq, kind, body, AT, epoch) for seq, (kind, body) in enumerate(ROWS, 1)]


@pytest.fixture
def journal(engine: Engine) -> Journal:
    """Of one call, sealed, with rows, record and letter."""
    use_ring(engine, RING)
    journal = Journal(engine)
    journal.append(written(), [(RECORD, 0)], [LETTER])
    return journal


def test_what_was_said_is_in_no_table_and_is_read_whole(engine: Engine, journal: Journal) -> None:
    assert says(engine, SECRET) == set()
    assert journal.rows("c-1") == written()
    assert journal.record("c-1") == RECORD
    journal.draft(RECORD.model_copy(update={"outcome": "lost"}))
    assert says(engine, SECRET) == set()
    assert journal.record("c-1") == RECORD.model_copy(update={"outcome": "lost"})


def test_a_letter_is_read_to_be_sent_and_is_given_up_when_its_key_is_gone(engine: Engine, journal: Journal) -> None:
    outbox = Outbox(engine)
    (letter,) = outbox.due("desk")
    assert letter.facts == {"transcript": SECRET, "effects": []}
    again = outbox.claim(letter, -1)
    assert again is not None
    assert again.facts == letter.facts
    use_ring(engine, None)
    with pytest.raises(KeyMissing):
        outbox.due("desk")
    assert [(each.key, each.status) for each in outbox.waiting()] == [("c-1:after", "due")]
    use_ring(engine, RING)
    DataKeys(engine).delete("c-1", "words")
    assert outbox.due("desk") == []
    assert [(each.key, each.status) for each in outbox.waiting()] == [("c-1:after", "dead")]


def test_one_who_has_another_key_or_none_reads_figures_and_no_words(engine: Engine, journal: Journal) -> None:
    for ring in (None, KeyRing([b"\2" * 32])):
        use_ring(engine, ring)
        with pytest.raises(KeyMissing, match=key_id(b"\1" * 32)):
            journal.rows("c-1")
        record = journal.record("c-1")
        assert record is not None
        assert record.words_unread == f"TIELINE_ENCRYPTION_KEY has no key {RING.ids[0]}"
        assert ([each.text for each in record.turns], record.tasks[0].notes, record.outcome) == ([""], (), "completed")
    use_ring(engine, RING)
    assert journal.record("c-1") == RECORD


def test_a_store_that_takes_no_keys_takes_no_rows_rather_than_lose_them(engine: Engine, journal: Journal) -> None:
    journal.prove()
    with engine.begin() as connection:
        schema.data_key.drop(connection)
    try:
        with pytest.raises((OperationalError, ProgrammingError)):
            journal.prove()
        use_ring(engine, None)
        journal.prove()
    finally:
        schema.data_key.create(engine)


def test_lists_need_no_key(engine: Engine) -> None:
    use_ring(engine, RING)
    Leases(engine, "n").open("c-1", "", {"bot": "desk"})
    Journal(engine).append(written(epoch=1))
    use_ring(engine, None)
    (live,) = Calls(engine).live(CallFilter())
    assert (live.task, live.state, live.started_at) == ("book", "Ask", AT)


def test_what_was_written_before_there_was_a_key_is_read_with_it(engine: Engine) -> None:
    journal = Journal(engine)
    journal.append(written()[:3])
    use_ring(engine, RING)
    journal.append(written())
    assert journal.rows("c-1") == written()


@pytest.mark.parametrize("column", ["seq", "kind", "conversation_id"])
def test_a_body_that_stands_elsewhere_is_not_read(engine: Engine, journal: Journal, column: str) -> None:
    told: list[str] = []
    report_unreadable(engine, lambda row: told.append(row.key))
    other, call = {"seq": 17, "kind": "bot_said", "conversation_id": "c-2"}[column], "c-1"
    with engine.begin() as connection:
        event = schema.call_event
        connection.execute(event.update().where(event.c.kind == "caller_said").values({column: other}))
    if column == "conversation_id":
        call = "c-2"
        journal.append([JournalRow("c-2", 1, "caller_said", {"text": "x"}, AT)])  # with a key of its own
    assert SECRET not in [row.body.get("text") for row in journal.rows(call)]
    assert told == [f"{call}/{17 if column == 'seq' else 2}"]


@pytest.mark.usefixtures("journal")
def test_a_persons_rows_are_told_in_clear_text_or_what_is_not(engine: Engine, tmp_path: Path) -> None:
    people = People(engine, outside=[KeptRecordings(tmp_path)])

    def told() -> list[dict[str, Any]]:
        return [row for _, row in people.rows(people.caller("+4930123"))]

    assert str(told()).count(SECRET) == 8
    assert not [row for row in told() if UNREAD in row or "kek" in row]
    use_ring(engine, None)
    assert len([row for row in told() if UNREAD in row]) == 6  # not the call's, and the one without a body
    assert people.erase(people.caller("+4930123"), "somebody", "").rows["call"] == 1  # also without the key
    assert told() == []


def test_after_their_days_words_are_gone_with_their_key(engine: Engine, journal: Journal) -> None:
    DataKeys(engine).to_seal("c-1", "audio")
    list(Retention(engine, lambda _: KeptFor(words=1)).sweep())
    assert [row["what"] for row in DataKeys(engine).rows()] == ["audio"]
    record = journal.record("c-1")
    assert record is not None
    assert (record.words_unread, record.turns[0].text) == ("", "")
    with engine.connect() as connection:
        assert "sealed" not in str(connection.scalar(select(schema.call.c.record)))


def test_the_key_of_effects_goes_with_the_last_of_them_and_not_with_the_record(engine: Engine) -> None:
    use_ring(engine, RING)
    with engine.begin() as connection:
        add = [LoggedEffect(f"c-1:t:{n}", "book", "c-1", "t", "", {"name": SECRET}, {}, AT, bot="desk") for n in (1, 2)]
        for each, days in zip(add, (5, 2), strict=True):
            assert effect_log.intend(connection, each)
            effect_log.settle(connection, each.key, "ok", {}, "", datetime.now(UTC) - timedelta(days=days))
    Journal(engine).append(written(), [(RECORD, 0)])
    keys = DataKeys(engine)
    for rule, left in ((KeptFor(record=1), ["effects"]), (KeptFor(effects=3), ["effects"]), (KeptFor(effects=1), [])):
        list(Retention(engine, {"desk": rule}.get).sweep())
        assert [row["what"] for row in keys.rows()] == left


@pytest.fixture
def backup(sqlite_url: str, tmp_path: Path) -> Iterator[Engine]:
    """A backup that was made before the call c-1 was erased, and is restored with the newest keys."""
    engine = open_database(sqlite_url)
    use_ring(engine, RING)
    for call in ("c-1", "c-2"):
        record = RECORD.model_copy(update={"conversation_id": call})
        Journal(engine).append(written(call), [(record, 0)])
    back_up(engine, tmp_path / "copy.sqlite3")
    people = People(engine, outside=[KeptRecordings(tmp_path)])
    people.erase(people.call("c-1"), "somebody", "")
    rows = list(DataKeys(engine).rows())
    engine.dispose()
    copy = open_database(f"sqlite:///{tmp_path / 'copy.sqlite3'}")
    use_ring(copy, RING)
    DataKeys(copy).put_back(rows)
    yield copy
    copy.dispose()


def test_nobody_reads_an_erased_call_in_a_backup_that_was_made_before(backup: Engine) -> None:
    journal = Journal(backup)
    assert journal.rows("c-2") == written("c-2")
    with pytest.raises(KeyGone):
        journal.rows("c-1")
    record = journal.record("c-1")
    assert record is not None
    assert (record.words_unread, record.turns[0].text) == ("its key is deleted", "")
    assert SECRET.encode() not in Path(backup.url.database or "").read_bytes()
