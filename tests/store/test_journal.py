"""The journal and the records of calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError, StatementError

from protocols.errors import Fenced
from store import schema
from store.database import reading
from store.journal import CallRecord, Journal, JournalRow, TaskRecord, TurnRecord
from store.leases import Lease, LeaseRefused, Leases

BEGAN = datetime(2026, 11, 23, 14, 5, 3, 250_000, tzinfo=UTC)


def row(seq: int, kind: str = "said", conversation_id: str = "c-1", **body: object) -> JournalRow:
    particulars: Any = body
    return JournalRow(conversation_id=conversation_id, seq=seq, kind=kind, body=particulars, at=BEGAN)


RECORD = CallRecord(
    conversation_id="c-1",
    bot="practice",
    caller="+4930123",
    media_format="raw/lpcm16_24",
    outcome="completed",
    started_at=BEGAN,
    ended_at=BEGAN + timedelta(seconds=42),
    turns=(
        TurnRecord(role="bot", text="Hello.", item_id="i-1", began_ms=120, ended_ms=900, heard_ms=780),
        TurnRecord(role="caller", text="Grüß Gott", item_id="i-2", began_ms=None, ended_ms=None, heard_ms=0),
    ),
    tasks=(TaskRecord(agent="book_appointment", run_id="t1", states=("CollectDate", "Booked"), result="booked"),),
    barge_ins=1,
    errors=("task:t1: ZeroDivisionError",),
    usage={"input_tokens": 7},
)


def test_rows_are_read_in_order_by_conversation(engine: Engine) -> None:
    journal = Journal(engine)
    journal.append([row(2, text="später", nested={"a": [1, None]}), row(1), row(1, conversation_id="c-2")])
    assert journal.rows("c-1") == [row(1), row(2, text="später", nested={"a": [1, None]})]
    assert journal.rows("c-3") == []


def test_a_row_written_again_keeps_its_first_content_and_blocks_no_other(engine: Engine) -> None:
    journal = Journal(engine)
    journal.append([row(1, "first")])
    journal.append([row(1, "second"), row(2)])
    assert [each.kind for each in journal.rows("c-1")] == ["first", "said"]


def test_an_empty_batch_writes_nothing(engine: Engine) -> None:
    Journal(engine).append([])
    assert Journal(engine).rows("c-1") == []


def test_a_batch_is_written_whole_or_not_at_all(engine: Engine) -> None:
    nobody: Any = None  # as pydantic would never let it be
    broken = replace(row(2), kind=nobody)
    with pytest.raises(IntegrityError) as caught:
        Journal(engine).append([row(1, text="what a caller said"), broken])
    assert "what a caller said" not in str(caught.value)
    assert Journal(engine).rows("c-1") == []


def test_a_row_that_is_no_json_is_not_written(engine: Engine) -> None:
    thing: Any = object()
    with pytest.raises((StatementError, TypeError)):
        Journal(engine).append([row(1), replace(row(2), body={"thing": thing})])
    assert Journal(engine).rows("c-1") == []


def test_a_record_is_read_as_it_was_written(engine: Engine) -> None:
    journal = Journal(engine)
    assert journal.record("c-1") is None
    journal.finish(RECORD)
    assert journal.record("c-1") == RECORD


def test_the_searchable_fields_of_records_have_columns(engine: Engine) -> None:
    Journal(engine).finish(RECORD)
    with reading(engine) as connection:
        stored = connection.execute(select(schema.call)).mappings().one()
    assert (stored["bot"], stored["caller"], stored["outcome"]) == ("practice", "+4930123", "completed")
    assert (stored["started_at"], stored["ended_at"]) == (RECORD.started_at, RECORD.ended_at)


def test_a_record_written_again_replaces_the_first(engine: Engine) -> None:
    journal = Journal(engine)
    journal.finish(RECORD)
    journal.finish(RECORD.model_copy(update={"outcome": "failed"}))
    stored = journal.record("c-1")
    assert stored is not None
    assert stored.outcome == "failed"


def test_a_draft_leaves_the_lease_to_the_record_that_replaces_it_and_is_fenced(engine: Engine) -> None:
    journal, leases, others = Journal(engine), Leases(engine, "node-1"), Leases(engine, "node-2")
    leases.open(RECORD.conversation_id, "secret", {})
    journal.draft(RECORD.model_copy(update={"errors": ("so far",)}), epoch=1)
    journal.finish(RECORD, epoch=1)
    assert journal.record(RECORD.conversation_id) == RECORD
    assert others.claim(RECORD.conversation_id, "secret") == LeaseRefused("ended")
    leases.open("c-2", "secret", {})
    second = RECORD.model_copy(update={"conversation_id": "c-2"})
    journal.draft(second, epoch=1)
    assert isinstance(others.claim("c-2", "secret"), Lease), "a draft does not end the call"
    with pytest.raises(Fenced):
        journal.draft(second.model_copy(update={"outcome": "late"}), epoch=1)
    assert journal.record("c-2") == second


def test_who_waits_for_ends_is_told_of_each_record_once_it_is_written_and_of_no_draft(engine: Engine) -> None:
    told: list[tuple[str, bool]] = []

    def ended(key: str) -> None:
        told.append((key, Journal(engine).record(key) is not None))

    journal = Journal(engine, ended)
    lease = Leases(engine, "here").open("c-1", "", {})
    assert isinstance(lease, Lease)
    journal.append([replace(row(1), epoch=lease.epoch)])
    journal.draft(RECORD, lease.epoch)
    with pytest.raises(Fenced):
        journal.finish(RECORD, lease.epoch + 1)
    assert told == []
    other = RECORD.model_copy(update={"conversation_id": "c-2"})
    journal.append([], [(RECORD, lease.epoch), (other, 0)])
    assert told == [("c-1", True), ("c-2", True)]


def test_a_record_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        CallRecord.model_validate(RECORD.model_dump() | {"ended_at": BEGAN.replace(tzinfo=None)})


def test_the_journal_may_be_written_while_others_read(engine: Engine) -> None:
    journal = Journal(engine)
    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(journal.append, [row(seq)]) for seq in range(1, 41)]
        read = [pool.submit(journal.rows, "c-1") for _ in range(40)]
    assert [future.exception() for future in written] == [None] * 40
    assert [future.exception() for future in read] == [None] * 40
    assert [each.seq for each in journal.rows("c-1")] == list(range(1, 41))


def test_texts_that_postgresql_or_utf8_cannot_hold_lose_no_row_and_no_record(engine: Engine) -> None:
    odd, clean = "a\0b\ud800c", "a\ufffdb\ufffdc"
    journal = Journal(engine)
    assert journal.append([row(1, odd, text=odd, nested={odd: [odd]})]) == []
    assert journal.rows("c-1") == [row(1, clean, text=clean, nested={clean: [clean]})]
    journal.finish(RECORD.model_copy(update={"bot": odd, "caller": odd, "outcome": odd, "errors": (odd,)}))
    kept = RECORD.model_copy(update={"bot": clean, "caller": clean, "outcome": clean, "errors": (clean,)})
    assert journal.record("c-1") == kept
    assert journal.record(odd) is None
    assert journal.begun([odd]) == frozenset()


def test_the_calls_whose_row_is_missing_are_found(engine: Engine) -> None:
    journal = Journal(engine)
    journal.append([row(1), row(2), row(1, conversation_id="c-2"), row(3, conversation_id="c-3")])
    assert journal.missing({"c-1": 2, "c-2": 1, "c-3": 3}) == []
    assert journal.missing({"c-1": 3, "c-2": 1, "c-3": 2, "c-4": 1}) == ["c-1", "c-3", "c-4"]
