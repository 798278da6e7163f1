"""The journal's keeper over a real database: order, batches, records, and what a write that fails may cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pykka
import pytest
from sqlalchemy import Engine, event

from actors.messages.journal import AppendRow, CallOpening, Close, OpenLease
from actors.messages.journal_rows import BotSaidRow, JournalEntry, decode
from actors.messages.switchboard import CallClaimed, CallsLost, Unwritten
from actors.process.journal_writer import BATCH_ROWS, JournalWriter
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from store.journal import CallRecord, Journal
from store.leases import Leases
from tests.actors.calls import BEGAN
from tests.probe import ThreadProbe

# Larger than any column of a database takes: the row is a row, and cannot be written.
TOO_LARGE = 2**70


def jot(seq: int, conversation_id: str = "c-1") -> AppendRow:
    return AppendRow(JournalEntry(conversation_id, seq, BEGAN, BotSaidRow(item=f"i-{seq}", text="Hello.")))


def record(outcome: str = "completed", conversation_id: str = "c-1") -> CallRecord:
    return CallRecord(
        conversation_id=conversation_id, bot="practice", caller="", media_format="raw/mulaw", outcome=outcome,
        started_at=BEGAN, ended_at=BEGAN,
    )  # fmt: skip


class Office:
    """One keeper, the journal it writes, and its parent, who only listens."""

    def __init__(self, engine: Engine) -> None:
        self.journal = Journal(engine)
        self.leases = Leases(engine, "here")
        self.parent = ThreadProbe[ChildDied]()
        self.switchboard = ThreadProbe[CallClaimed | CallsLost | Unwritten]()
        self.commits = 0
        event.listen(engine, "commit", self._committed)
        self.writer = self.start()

    def start(self) -> pykka.ActorRef[JournalWriter]:
        self.writer = JournalWriter.start(
            ParentLink(self.parent, "journal", 1), self.journal, self.leases, self.switchboard
        )
        return self.writer

    def written(self, *messages: AppendRow | Close | OpenLease) -> None:
        """Tell all of it, and wait until the last was dealt with."""
        *first, last = messages
        for message in first:
            self.writer.tell(message)
        self.writer.ask(last, timeout=5)

    def seqs(self, conversation_id: str = "c-1") -> list[int]:
        return [row.seq for row in self.journal.rows(conversation_id)]

    def _committed(self, connection: Any) -> None:
        self.commits += 1


@pytest.fixture
def office(engine: Engine) -> Iterator[Office]:
    office = Office(engine)
    yield office
    office.writer.stop(timeout=5)


def test_a_row_alone_is_written_at_once(office: Office) -> None:
    office.written(jot(1))
    assert [decode(row) for row in office.journal.rows("c-1")] == [jot(1).entry]


def test_rows_that_arrive_while_the_database_is_busy_are_written_in_a_few_batches(
    office: Office, engine: Engine
) -> None:
    rows = 3 * BATCH_ROWS
    with engine.begin():  # holds SQLite's one pen: the keeper waits over its first row
        for seq in range(1, rows):
            office.writer.tell(jot(seq))
        last = office.writer.ask(jot(rows), block=False)
        office.commits = -1  # the one that puts the pen down
    last.get(timeout=5)
    assert 3 <= office.commits <= 4
    assert office.seqs() == list(range(1, rows + 1))


def test_a_call_is_closed_only_after_its_rows_are_written(office: Office, engine: Engine) -> None:
    with engine.begin():
        for seq in (1, 2, 3):
            office.writer.tell(jot(seq))
        last = office.writer.ask(Close(record()), block=False)
    last.get(timeout=5)
    assert office.seqs() == [1, 2, 3]
    assert office.journal.record("c-1") == record()


def test_rows_and_records_do_not_wait_behind_a_lease(office: Office) -> None:
    office.written(jot(1), Close(record()), OpenLease("c-2", "", CallOpening()))
    assert office.seqs() == [1]
    assert office.journal.record("c-1") == record()


def test_a_record_that_comes_again_replaces_the_first(office: Office) -> None:
    office.written(Close(record("failed")), Close(record("completed")), Close(record("lost", "c-2")))
    assert office.journal.record("c-1") == record("completed")
    assert office.journal.record("c-2") == record("lost", "c-2")


def test_a_writer_told_to_stop_first_writes_what_it_was_told_before(office: Office, engine: Engine) -> None:
    with engine.begin():
        for seq in range(1, 8):
            office.writer.tell(jot(seq))
        stopped = office.writer.stop(block=False)
    assert stopped.get(timeout=5)
    assert office.seqs() == [1, 2, 3, 4, 5, 6, 7]
    assert office.parent.expect(ChildDied).reason is None


def test_what_a_crashed_writer_did_not_write_is_given_back_in_order(office: Office, engine: Engine) -> None:
    with engine.begin():
        for seq in (1, 2, 3):
            office.writer.tell(jot(seq))
        office.writer.tell("nonsense")
        for told in (jot(4), Close(record()), jot(5)):
            office.writer.tell(told)
    assert isinstance(office.parent.expect(ChildDied).reason, AssertionError)
    back: list[object] = []
    while back[-1:] != [jot(5)]:
        back.append(office.switchboard.expect(Unwritten).message)
    assert back[-3:] == [jot(4), Close(record()), jot(5)]
    # Of the first three, what was not written is there too.
    assert [*office.seqs(), *(each.entry.seq for each in back[:-3] if isinstance(each, AppendRow))] == [1, 2, 3]
    office.switchboard.expect_nothing()


def test_a_row_that_is_written_twice_stays_as_it_was_and_harms_nothing(office: Office) -> None:
    office.written(jot(1), jot(1), jot(2))
    assert office.seqs() == [1, 2]
    office.parent.expect_nothing()


def test_a_row_that_cannot_be_written_is_left_out_and_the_writer_goes_on(office: Office) -> None:
    office.written(jot(1), jot(TOO_LARGE), jot(2), Close(record()))
    assert office.seqs() == [1, 2]
    assert office.journal.record("c-1") == record()
    office.parent.expect_nothing()


def test_a_row_that_cannot_be_written_costs_no_other_row_and_no_record(office: Office, engine: Engine) -> None:
    with engine.begin():
        for message in (jot(1), jot(TOO_LARGE), jot(2), Close(record())):
            office.writer.tell(message)
    office.writer.stop(timeout=5)
    office.parent.expect(ChildDied)  # its thread has said all it had to say
    assert office.seqs() == [1, 2]
    assert office.journal.record("c-1") == record()
