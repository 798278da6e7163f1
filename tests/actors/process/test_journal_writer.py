"""The JournalWriter over a real database: order, batches, records, and what a failed write costs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pykka
import pytest
from sqlalchemy import Engine, Table, event
from sqlalchemy.exc import DatabaseError, OperationalError

import actors.process.journal_writer
from actors.messages.journal import (
    AppendRow,
    CallOpening,
    ClaimCall,
    DraftRecord,
    JournalMessage,
    OpenLease,
    Park,
    RenewLeases,
    WriteRecord,
)
from actors.messages.journal_rows import BotSaidRow, JournalEntry, UnreadRow, decode
from actors.messages.switchboard import CallClaimed, CallsForgotten, CallsLost, StoreTried, Unwritten
from actors.process.journal_writer import BATCH_ROWS, MOST_TRIES, JournalWriter
from actors.process.store_health import NO_ANSWER
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from fsm.effects import Ok
from protocols.sealing import KeyRing, key_id
from store import schema
from store.data_keys import use_ring
from store.journal import CallRecord, Journal, JournalRow
from store.leases import Lease, Leases
from store.outbox import Outbox
from tests.actors.bots import Folders, telling
from tests.actors.calls import BEGAN
from tests.actors.tasks.oven import database_lost
from tests.counted import counted
from tests.probe import ThreadProbe
from tests.store.garbage import columns_of, spoil
from tests.store.other_process import renewed

# Too large for a column of a database: a valid row that cannot be written.
TOO_LARGE = 2**70


def append(seq: int, conversation_id: str = "c-1") -> AppendRow:
    return AppendRow(JournalEntry(conversation_id, seq, BEGAN, BotSaidRow(item=f"i-{seq}", text="Hello.")))


def record(outcome: str = "completed", conversation_id: str = "c-1") -> CallRecord:
    return CallRecord(
        conversation_id=conversation_id, bot="practice", caller="", media_format="raw/mulaw", outcome=outcome,
        started_at=BEGAN, ended_at=BEGAN,
    )  # fmt: skip


class ListeningSwitchboard(ThreadProbe[CallClaimed | CallsForgotten | CallsLost | Unwritten]):
    """tried: what it was told of the store, which any message may bring about."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = ThreadProbe[StoreTried]()

    def tell(self, message: CallClaimed | CallsForgotten | CallsLost | StoreTried | Unwritten, /) -> None:
        if isinstance(message, StoreTried):
            self.tried.tell(message)
        else:
            super().tell(message)


class Office:
    """One writer, the journal it writes, and a parent that only listens."""

    def __init__(self, engine: Engine, **leases: float) -> None:
        self.journal = Journal(engine)
        self.leases = Leases(engine, "here", leases.get("ttl_s", 15.0), leases.get("window_s", 60.0))
        self.parent = ThreadProbe[ChildDied]()
        self.switchboard = ListeningSwitchboard()
        self.bots = Folders("practice")
        self.commits = 0
        event.listen(engine, "commit", self._committed)
        self.writer = self.start()

    def start(self) -> pykka.ActorRef[JournalWriter]:
        self.writer = JournalWriter.start(
            ParentLink(self.parent, "journal", 1), self.journal, self.leases, self.bots, self.switchboard
        )
        return self.writer

    def written(self, *messages: JournalMessage) -> None:
        """Send all messages, and wait until the last one is handled."""
        *first, last = messages
        for message in first:
            self.writer.tell(message)
        self.writer.ask(last, timeout=60)

    def seqs(self, conversation_id: str = "c-1") -> list[int]:
        return [row.seq for row in self.journal.rows(conversation_id)]

    def _committed(self, connection: Any) -> None:
        self.commits += 1


@pytest.fixture
def office(engine: Engine) -> Iterator[Office]:
    office = Office(engine)
    yield office
    office.writer.stop(timeout=60)


def test_a_row_alone_is_written_at_once(office: Office) -> None:
    office.written(append(1))
    assert [decode(row) for row in office.journal.rows("c-1")] == [append(1).entry]


def test_rows_that_arrive_while_the_database_is_busy_are_written_in_a_few_batches(
    office: Office, engine: Engine
) -> None:
    rows = 3 * BATCH_ROWS
    with engine.begin():  # holds SQLite's write lock: the writer waits with its first row
        for seq in range(1, rows):
            office.writer.tell(append(seq))
        last = office.writer.ask(append(rows), block=False)
        office.commits = -1  # without the commit that releases the lock
    last.get(timeout=60)
    assert 3 <= office.commits <= 4
    assert office.seqs() == list(range(1, rows + 1))


def test_a_call_is_closed_only_after_its_rows_are_written(office: Office, engine: Engine) -> None:
    with engine.begin():
        for seq in (1, 2, 3):
            office.writer.tell(append(seq))
        last = office.writer.ask(WriteRecord(record()), block=False)
    last.get(timeout=60)
    assert office.seqs() == [1, 2, 3]
    assert office.journal.record("c-1") == record()


def test_rows_and_records_do_not_wait_behind_a_lease(office: Office) -> None:
    office.written(append(1), WriteRecord(record()), OpenLease("c-2", "", CallOpening()))
    assert office.seqs() == [1]
    assert office.journal.record("c-1") == record()


def test_a_draft_is_written_with_the_rows_before_it_and_replaced_by_the_record(office: Office) -> None:
    office.written(append(1), DraftRecord(record("lost")))
    assert (office.seqs(), office.journal.record("c-1")) == ([1], record("lost"))
    office.written(append(2), WriteRecord(record("completed")))
    assert (office.seqs(), office.journal.record("c-1")) == ([1, 2], record("completed"))


def test_a_record_that_comes_again_replaces_the_first(office: Office) -> None:
    office.written(WriteRecord(record("failed")), WriteRecord(record("completed")), WriteRecord(record("lost", "c-2")))
    assert office.journal.record("c-1") == record("completed")
    assert office.journal.record("c-2") == record("lost", "c-2")


def opens(conversation_id: str = "c-1", credential: str = "secret") -> OpenLease:
    return OpenLease(conversation_id, credential, CallOpening(bot="practice"))


def test_two_calls_with_one_id_leave_two_journals_and_two_records(office: Office) -> None:
    before = counted("tieline_conversation_ids_repeated_total")
    office.written(opens(), append(1), append(2), WriteRecord(record("transferred")))
    office.written(opens(), append(1), DraftRecord(record("client-disconnected")))
    assert office.leases.held == {"c-1~2": 1}
    assert office.seqs("c-1~2") == [1]
    office.written(append(2), append(3), WriteRecord(record("completed")))
    assert (office.seqs("c-1"), office.journal.record("c-1")) == ([1, 2], record("transferred"))
    assert (office.seqs("c-1~2"), office.journal.record("c-1~2")) == ([1, 2, 3], record("completed", "c-1~2"))
    assert office.leases.held == {}
    assert counted("tieline_conversation_ids_repeated_total") == before + 1


def test_a_call_with_a_repeated_id_is_taken_over_and_given_away_under_its_key(office: Office, engine: Engine) -> None:
    office.written(opens(), append(1), WriteRecord(record()), opens(), append(1), Park("c-1", None))
    there = Leases(engine, "there")
    claimed = there.claim("c-1", "secret")
    assert isinstance(claimed, Lease)
    assert (claimed.key, claimed.epoch, claimed.last_seq) == ("c-1~2", 2, 1)
    there.park("c-1~2", 2)
    office.written(ClaimCall("c-1", "secret"))
    told = office.switchboard.expect(CallClaimed)
    assert told.claim.conversation_id == "c-1"
    assert told.resume_state is not None
    assert len(told.resume_state.rows) == 1
    office.written(append(2))
    assert office.seqs("c-1~2") == [1, 2]


def test_a_call_whose_version_the_store_cannot_give_now_is_tried_again_and_keeps_it(office: Office) -> None:
    office.written(opens(), append(1), Park("c-1", None))
    office.bots.store_errors = [OperationalError("", {}, Exception("a lock")) for _ in range(MOST_TRIES)]
    office.written(ClaimCall("c-1", "secret"))
    assert office.switchboard.expect(CallClaimed).reason == NO_ANSWER
    assert office.leases.held == {}
    office.written(ClaimCall("c-1", "secret"))
    assert office.switchboard.expect(CallClaimed).resume_state is not None


def test_a_call_with_a_repeated_id_that_another_process_has_taken_is_lost(office: Office, engine: Engine) -> None:
    office.written(opens(), append(1), WriteRecord(record()), opens())
    assert isinstance(Leases(engine, "there").claim("c-1", "secret"), Lease)
    office.written(RenewLeases())
    assert office.switchboard.expect(CallsLost) == CallsLost(("c-1",))
    assert office.leases.held == {}


def test_a_call_whose_rows_the_store_has_lost_is_reported_once(office: Office, engine: Engine) -> None:
    office.written(opens(), append(1), append(2), opens("c-2"), append(1, "c-2"), RenewLeases())
    with engine.begin() as connection:  # restored from a moment before the last row
        connection.execute(schema.call_event.delete().where(schema.call_event.c.seq == 2))
    office.written(RenewLeases(), RenewLeases())
    assert office.switchboard.expect(CallsForgotten) == CallsForgotten(("c-1",))
    office.switchboard.expect_nothing()
    assert office.leases.held == {"c-1": 1, "c-2": 1}
    office.written(append(3), WriteRecord(record()), RenewLeases())
    assert office.seqs() == [1, 3]
    office.switchboard.expect_nothing()


@pytest.mark.parametrize("first", [RenewLeases(), append(2), DraftRecord(record()), Park("c-1", None)])
@pytest.mark.parametrize("lost", ["lease", "takeover"])
def test_a_call_whose_lease_the_store_has_lost_goes_on(
    office: Office, engine: Engine, lost: str, first: JournalMessage
) -> None:
    """As after a restored backup, or a failover to a copy that was behind."""
    office.written(opens(), append(1), WriteRecord(record("failed")), opens(), append(1))
    office.written(ClaimCall("c-1", "secret"))
    office.switchboard.expect(CallClaimed)
    with engine.begin() as connection:
        mine = schema.lease.c.conversation_id == "c-1~2"
        if lost == "lease":
            connection.execute(schema.lease.delete().where(mine))
        else:
            connection.execute(schema.lease.update().where(mine).values(epoch=1, node="there"))
    office.written(first)
    assert office.switchboard.expect(CallsForgotten) == CallsForgotten(("c-1",))
    if not isinstance(first, Park):
        office.written(append(3), RenewLeases(), WriteRecord(record()), RenewLeases())
        assert office.seqs("c-1~2") == [1, *([2] if isinstance(first, AppendRow) else []), 3]
        assert office.journal.record("c-1~2") == record("completed", "c-1~2")
    assert office.journal.record("c-1") == record("failed")
    office.switchboard.expect_nothing()
    assert (office.leases.held, office.leases.key("c-1")) == ({}, "c-1")


def test_a_writer_told_to_stop_first_writes_what_it_was_told_before(office: Office, engine: Engine) -> None:
    with engine.begin():
        for seq in range(1, 8):
            office.writer.tell(append(seq))
        stopped = office.writer.stop(block=False)
    assert stopped.get(timeout=60)
    assert office.seqs() == [1, 2, 3, 4, 5, 6, 7]
    assert office.parent.expect(ChildDied).reason is None


def test_what_a_crashed_writer_did_not_write_is_given_back_in_order(office: Office, engine: Engine) -> None:
    with engine.begin():
        office.writer.tell(DraftRecord(record()))  # it waits for the database meanwhile
        for seq in (1, 2, 3):
            office.writer.tell(append(seq))
        office.writer.tell("nonsense")
        for told in (append(4), WriteRecord(record()), append(5)):
            office.writer.tell(told)
    assert isinstance(office.parent.expect(ChildDied).reason, AssertionError)
    back: list[object] = []
    while back[-1:] != [append(5)]:
        back.append(office.switchboard.expect(Unwritten).message)
    assert back[-3:] == [append(4), WriteRecord(record()), append(5)]
    # So are the first three, which it was about to write.
    assert back[:-3] == [append(seq) for seq in (1, 2, 3)]
    office.switchboard.expect_nothing()


def test_a_row_that_is_written_twice_stays_as_it_was_and_harms_nothing(office: Office) -> None:
    office.written(append(1), append(1), append(2))
    assert office.seqs() == [1, 2]
    office.parent.expect_nothing()


def test_a_row_that_cannot_be_written_is_left_out_and_the_writer_goes_on(office: Office) -> None:
    office.written(append(1), append(TOO_LARGE), append(2), WriteRecord(record()))
    assert office.seqs() == [1, 2]
    assert office.journal.record("c-1") == record()
    office.parent.expect_nothing()


def test_a_row_that_cannot_be_written_costs_no_other_row_and_no_record(office: Office, engine: Engine) -> None:
    with engine.begin():
        for message in (append(1), append(TOO_LARGE), append(2), WriteRecord(record())):
            office.writer.tell(message)
    office.writer.stop(timeout=60)
    office.parent.expect(ChildDied)  # its thread sends nothing more
    assert office.seqs() == [1, 2]
    assert office.journal.record("c-1") == record()


# --- calls that other processes have left ---

OPENING = CallOpening(bot="practice", caller="+4930123", media="raw/mulaw")


def leaves(engine: Engine, rows: list[tuple[str, dict[str, Any]]], call: str = "c-1", **opening: Any) -> None:
    """Another process begins a call, writes rows of these kinds and bodies, and is gone."""
    Leases(engine, "there", ttl_s=0, window_s=0).open(call, "", OPENING.model_dump() | opening)
    Journal(engine).append([
        JournalRow(conversation_id=call, seq=seq, kind=kind, body=body, at=BEGAN + timedelta(seconds=seq), epoch=1)
        for seq, (kind, body) in enumerate(rows)
    ])  # fmt: skip


def passed_over() -> dict[str, float]:
    whys = ("unknown kind", "unknown field", "cannot be read")
    name = "tieline_passed_over_journal_rows_total"
    return {why: counted(name, why=why) for why in whys}


def test_a_call_of_a_newer_release_is_taken_over_and_what_is_not_known_is_counted(engine: Engine) -> None:
    office, before = Office(engine, window_s=60), passed_over()
    leaves(
        engine,
        [
            ("call", {"bot": "practice", "voice": "marin", "pace": 2}),
            ("bot_said", {"item": "i-1", "text": "Hello.", "mood": "kind"}),
            ("bot_said", {"item": "i-2"}),
            ("caller_smiled", {"teeth": 32}),
        ],
        version="7f",
    )
    office.written(ClaimCall("c-1", ""))
    left = office.switchboard.expect(CallClaimed).resume_state
    assert left is not None
    assert left.opening == OPENING
    assert [entry.row for entry in left.rows[1:]] == [
        BotSaidRow(item="i-1", text="Hello."),
        UnreadRow("bot_said", known=True),
        UnreadRow("caller_smiled", known=False),
    ]
    assert {why: count - before[why] for why, count in passed_over().items()} == {
        "unknown kind": 1, "unknown field": 3, "cannot be read": 1,
    }  # fmt: skip
    office.writer.stop(timeout=5)


def test_a_call_whose_words_need_a_key_that_is_not_here_is_left_for_a_process_that_has_it(
    engine: Engine, log_lines: list[str]
) -> None:
    use_ring(engine, KeyRing([b"\1" * 32]))
    leaves(engine, [("call", {"bot": "practice"}), ("bot_said", {"item": "i-1", "text": "Hello."})])
    use_ring(engine, KeyRing([b"\2" * 32]))
    office = Office(engine)
    office.written(ClaimCall("c-1", ""))
    assert office.switchboard.expect(CallClaimed).resume_state is None
    assert any("cannot be taken over here" in line and key_id(b"\1" * 32) in line for line in log_lines)
    use_ring(engine, KeyRing([b"\2" * 32, b"\1" * 32]))
    office.written(ClaimCall("c-1", ""))
    left = office.switchboard.expect(CallClaimed).resume_state
    assert left is not None
    assert [entry.row for entry in left.rows[1:]] == [BotSaidRow(item="i-1", text="Hello.")]
    office.written(AppendRow(JournalEntry("c-1", 7, BEGAN, BotSaidRow(item="i-2", text="It goes on."))))
    assert office.seqs() == [0, 1, 7]
    office.writer.stop(timeout=5)


def test_a_call_whose_key_is_damaged_costs_no_other_call_a_row(engine: Engine) -> None:
    use_ring(engine, KeyRing([b"\1" * 32]))
    office, before = Office(engine), counted("tieline_lost_journal_rows_total")
    office.written(append(1), append(1, "c-2"))
    with engine.begin() as connection:
        keys = schema.data_key
        connection.execute(keys.update().where(keys.c.conversation_id == "c-1").values(sealed="AAAA"))
    with engine.begin():  # one batch
        office.writer.tell(append(2))
        office.writer.tell(append(2, "c-2"))
        last = office.writer.ask(append(3, "c-2"), block=False)
    last.get(timeout=60)
    office.writer.stop(timeout=60)
    assert office.seqs("c-2") == [1, 2, 3]
    assert counted("tieline_lost_journal_rows_total") - before == 1


def test_an_orphan_whose_words_need_a_key_that_is_not_here_is_ended_by_a_process_that_has_it(engine: Engine) -> None:
    use_ring(engine, KeyRing([b"\1" * 32]))
    leaves(engine, [("call", {"bot": "practice"}), ("bot_said", {"item": "i-1", "text": "Hello."})])
    use_ring(engine, None)
    office = Office(engine, ttl_s=0.0, window_s=0.0)
    office.written(RenewLeases(), RenewLeases())
    assert office.journal.record("c-1") is None
    use_ring(engine, KeyRing([b"\1" * 32]))
    office.written(RenewLeases(), RenewLeases())
    assert office.journal.record("c-1") is not None
    office.writer.stop(timeout=5)


def test_a_call_whose_lease_cannot_be_read_is_still_a_call(engine: Engine) -> None:
    office = Office(engine, window_s=60)
    leaves(engine, [("call", {})], media=["raw/mulaw"])
    office.written(ClaimCall("c-1", ""))
    left = office.switchboard.expect(CallClaimed).resume_state
    assert left is not None
    assert (left.opening, len(left.rows)) == (CallOpening(), 1)
    office.writer.stop(timeout=5)


def test_a_claim_that_comes_too_late_is_dropped_and_the_call_stays_where_it_is(office: Office, engine: Engine) -> None:
    there = Leases(engine, "there")
    there.open("c-1", "", OPENING.model_dump())
    with database_lost(engine):  # from the first attempt on
        office.written(ClaimCall("c-1", "", until_s=time.monotonic() + 0.2))
    office.written(ClaimCall("c-1", "", until_s=time.monotonic()), RenewLeases())
    assert renewed(there, there.held) == set()
    office.switchboard.expect_nothing()
    office.parent.expect_nothing()


# --- what the switchboard learns of the store ---


def test_the_switchboard_is_told_that_the_store_answers_and_that_it_is_away(
    office: Office, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.process.journal_writer, "TELL_EVERY_S", 0.0)
    office.written(RenewLeases())
    assert office.switchboard.tried.expect(StoreTried).answered
    with database_lost(engine):
        office.writer.tell(append(1))
        assert not office.switchboard.tried.expect(StoreTried).answered
        assert not office.switchboard.tried.expect(StoreTried).answered, "at each attempt"
    while not office.switchboard.tried.expect(StoreTried).answered:
        pass
    assert office.seqs() == [1]


def test_the_switchboard_is_told_once_a_second_at_most(office: Office) -> None:
    office.written(*map(append, range(1, 50)), RenewLeases(), RenewLeases())
    assert office.switchboard.tried.expect(StoreTried).answered
    office.switchboard.tried.expect_nothing()


def test_the_switchboard_is_told_at_once_that_the_store_is_away_or_back(
    office: Office, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.process.journal_writer, "TELL_EVERY_S", 3_600.0)
    office.written(append(1))
    assert office.switchboard.tried.expect(StoreTried).answered
    with database_lost(engine):
        office.writer.tell(append(2))
        assert not office.switchboard.tried.expect(StoreTried).answered
    assert office.switchboard.tried.expect(StoreTried).answered


# --- rows that cannot be read ---

DAMAGED = columns_of(schema.lease, schema.call_event)


@pytest.mark.parametrize(("table", "column", "garbage"), DAMAGED)
def test_a_damaged_row_of_a_dead_call_ends_no_writer_and_is_met_once(
    engine: Engine, table: Table, column: str, garbage: str
) -> None:
    for call in ("c-1", "c-2"):
        leaves(engine, [("call", {}), ("bot_said", {"item": "i-1", "text": "Hello."})], call=call)
    spoil(
        engine, table, column, garbage, f"conversation_id = 'c-1'{' AND seq = 1' if table is not schema.lease else ''}"
    )
    office = Office(engine, ttl_s=0, window_s=0)
    office.written(RenewLeases(), RenewLeases(), append(1, "c-3"))
    kept = office.journal.record("c-2")
    assert kept is not None
    assert kept.outcome == "lost"
    assert office.seqs("c-3") == [1]
    again = [each.key for each in office.leases.orphans()]
    assert "c-2" not in again
    assert "c-1" not in again
    office.parent.expect_nothing()
    office.writer.stop(timeout=60)


@pytest.mark.parametrize(("table", "column", "garbage"), DAMAGED)
def test_a_damaged_row_of_a_call_that_is_resumed_costs_that_call_at_most(
    engine: Engine, table: Table, column: str, garbage: str
) -> None:
    opening = {"bot": "practice", "caller": "+4930123", "media": "raw/mulaw"}
    for call in ("c-1", "c-2"):
        leaves(engine, [("call", opening), ("bot_said", {"item": "i-1", "text": "Hello."})], call=call)
    spoil(
        engine, table, column, garbage, f"conversation_id = 'c-1'{' AND seq = 1' if table is not schema.lease else ''}"
    )
    office = Office(engine)
    office.written(ClaimCall("c-1", ""), ClaimCall("c-2", ""))
    first, second = (office.switchboard.expect(CallClaimed) for _ in range(2))
    assert second.resume_state is not None
    if first.resume_state is not None:
        state = first.resume_state
        assert state.opening == OPENING, "the journal's first row has it too"
        news = [state.last_seq + 1, state.last_seq + 2]
        office.written(*map(append, news))
        assert office.seqs()[-2:] == news
    office.parent.expect_nothing()
    office.writer.stop(timeout=60)


def test_a_table_that_cannot_be_read_at_all_ends_no_writer(office: Office, engine: Engine) -> None:
    def malformed(*_: object) -> None:
        raise DatabaseError("SELECT", {}, sqlite3.DatabaseError("database disk image is malformed"))

    event.listen(engine, "begin", malformed)
    office.written(*[RenewLeases()] * 12)
    event.remove(engine, "begin", malformed)
    assert not office.switchboard.tried.expect(StoreTried).answered
    office.parent.expect_nothing()
    office.written(append(1))
    assert office.seqs() == [1]


def test_a_dead_call_that_cannot_be_ended_is_in_the_way_of_no_other(engine: Engine) -> None:
    for call in ("c-1", "c-2"):
        leaves(engine, [("call", {})], call=call)
    refuses = "BEFORE UPDATE ON lease WHEN OLD.conversation_id = 'c-1' BEGIN SELECT RAISE(ABORT, 'damaged'); END"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER damaged {refuses}")
    office = Office(engine, ttl_s=0, window_s=0)
    office.written(RenewLeases())
    assert office.journal.record("c-2") is not None
    assert office.leases.orphans(at_most=1) == [], "nor later"
    office.parent.expect_nothing()
    office.writer.stop(timeout=60)


@pytest.mark.parametrize("read", ["max(", "call_event.kind"])
def test_a_dead_call_that_cannot_be_read_now_is_ended_later_with_its_record(engine: Engine, read: str) -> None:
    for call in ("c-1", "c-2"):
        leaves(engine, [("call", {})], call=call)

    def interrupted(_: object, _cursor: object, statement: str, values: tuple[object, ...], *_more: object) -> None:
        if statement.startswith("SELECT") and read in statement and "c-1" in values:
            raise OperationalError(statement, {}, sqlite3.OperationalError("interrupted"))

    office = Office(engine, ttl_s=0, window_s=0)
    event.listen(engine, "before_cursor_execute", interrupted)
    office.written(RenewLeases())
    event.remove(engine, "before_cursor_execute", interrupted)
    assert office.journal.record("c-2") is not None
    assert office.journal.record("c-1") is None
    office.written(RenewLeases(), RenewLeases())
    kept = office.journal.record("c-1")
    assert kept is not None
    assert kept.outcome == "lost"
    office.writer.stop(timeout=60)


@pytest.mark.parametrize("message", [ClaimCall("c-1", ""), RenewLeases()])
def test_a_journal_that_makes_no_sense_costs_its_own_call(engine: Engine, message: JournalMessage) -> None:
    """Rows that can be read, with a number for which no code is prepared."""
    endless = {"item": "i-1", "began_ms": 0, "heard_ms": 10**400, "generated_ms": 10**401, "complete": False}
    odd: list[tuple[str, dict[str, Any]]] = [
        ("call", {}),
        ("bot_said", {"item": "i-1", "text": "Hello."}),
        ("bot_heard", endless | {"barged_in": True}),
    ]
    leaves(engine, odd)
    leaves(engine, [("call", {})], call="c-2")
    office = Office(engine, ttl_s=0, window_s=0)
    office.written(message, RenewLeases(), RenewLeases())
    office.parent.expect_nothing()
    assert office.journal.record("c-2") is not None
    assert office.leases.orphans() == []
    office.writer.stop(timeout=60)


@pytest.mark.parametrize(("last", "outcome"), [("caller_smiled", "lost"), ("ended", "completed")])
def test_a_call_that_nobody_resumes_gets_a_record_from_its_journal(engine: Engine, last: str, outcome: str) -> None:
    leaves(engine, [
        ("call", {}), ("response", {"usage": {"input_tokens": 7}}), ("error", {"text": "model: TransportLost"}),
        (last, {"outcome": "completed"}),
    ])  # fmt: skip
    office = Office(engine, ttl_s=0, window_s=0)
    before = counted("tieline_calls_ended_total", outcome=outcome)
    office.written(RenewLeases())
    kept = office.journal.record("c-1")
    assert kept is not None
    assert (kept.bot, kept.outcome, kept.usage, kept.errors) == (
        "practice", outcome, {"input_tokens": 7}, ("model: TransportLost",),
    )  # fmt: skip
    office.written(RenewLeases())
    assert counted("tieline_calls_ended_total", outcome=outcome) - before == 1, "as many are counted as have a record"
    assert (kept.started_at, kept.ended_at) == (BEGAN, BEGAN + timedelta(seconds=3))
    rows = office.journal.rows("c-1")
    assert (rows[-1].kind, rows[-1].body, rows[-1].at) == ("ended", {"outcome": outcome}, kept.ended_at)
    assert [row.seq for row in rows] == list(range(len(rows)))
    assert [row.kind for row in rows].count("ended") == 1
    office.writer.stop(timeout=5)


def test_what_a_dead_process_has_not_counted_of_its_call_is_counted_with_the_calls_end(engine: Engine) -> None:
    """It counts an answer when all its stages are known: of two that of the second never was."""
    turns: list[tuple[str, dict[str, Any]]] = []
    for number, at_ms in enumerate((1000, 9000)):
        heard = {"began_ms": at_ms + 900, "heard_ms": 500, "generated_ms": 500, "sent_ms": at_ms + 890}
        turns += [
            ("caller_began", {"item": f"u-{number}", "began_ms": at_ms}),
            ("caller_spoke", {"item": f"u-{number}", "began_ms": at_ms, "ended_ms": at_ms + 500}),
            ("bot_heard", {"item": f"i-{number}", "complete": True, "barged_in": False} | heard),
        ]
    ended = {"status": "completed", "items": ["i-0"], "asked_ms": 1510, "first_ms": 1880}
    leaves(engine, [("call", {"bot": "practice"}), *turns[:3], ("response", ended), *turns[3:]])
    office = Office(engine, ttl_s=0, window_s=0)
    figures: dict[str, dict[str, str]] = {
        "answer_seconds_count": {},
        "answer_stage_seconds_count": {"stage": "playout"},
    }
    before = [counted(f"tieline_{name}", bot="practice", **labels) for name, labels in figures.items()]
    office.written(RenewLeases())
    after = [counted(f"tieline_{name}", bot="practice", **labels) for name, labels in figures.items()]
    assert [now - was for now, was in zip(after, before, strict=True)] == [1, 1]
    office.writer.stop(timeout=5)


def test_a_call_that_was_taken_over_after_its_end_and_is_lost_then_has_an_end_again(engine: Engine) -> None:
    leaves(engine, [("call", {}), ("ended", {"outcome": "failed"}), ("inherited", {})])
    office = Office(engine, ttl_s=0, window_s=0)
    office.written(RenewLeases())
    kept = office.journal.record("c-1")
    assert kept is not None
    assert kept.outcome == "lost"
    assert [row.kind for row in office.journal.rows("c-1")] == ["call", "ended", "inherited", "ended"]
    office.writer.stop(timeout=5)


# --- what is told of calls that have ended ---


TELLING = telling("practice", lambda _: Ok())


def test_what_is_to_be_told_of_a_call_is_written_with_its_record(office: Office, engine: Engine) -> None:
    office.bots.versions = {("practice", "1"): TELLING}
    ended = record().model_copy(update={"bot_digest": "1"})
    office.written(append(1), WriteRecord(ended), append(1, "c-2"), WriteRecord(record(conversation_id="c-2")))
    office.written(RenewLeases())
    [letter] = Outbox(engine).waiting()  # the present version of the bot tells nothing
    assert (letter.key, letter.facts["outcome"]) == ("c-1:after", "completed")
    assert office.journal.record("c-2") is not None


def test_a_version_that_cannot_be_had_now_holds_the_record_up_and_loses_nothing(office: Office, engine: Engine) -> None:
    office.bots.present_bots = {"practice": TELLING}
    office.bots.store_errors = [OperationalError("SELECT", {}, OSError("the connection was lost"))]
    office.written(WriteRecord(record()), RenewLeases())
    assert office.journal.record("c-1") == record()
    assert [letter.key for letter in Outbox(engine).waiting()] == ["c-1:after"]


def test_a_draft_tells_nobody(office: Office, engine: Engine) -> None:
    office.bots.present_bots = {"practice": TELLING}
    office.written(DraftRecord(record()), RenewLeases())
    assert Outbox(engine).waiting() == []


def test_what_is_written_of_a_call_that_another_process_has_is_counted_and_logged_once(
    office: Office, engine: Engine, log_lines: list[str]
) -> None:
    office.written(opens(), append(1))
    assert isinstance(Leases(engine, "there").claim("c-1", "secret"), Lease)
    before = counted("tieline_fenced_journal_rows_total")
    office.written(append(2), append(3))
    office.written(append(4), DraftRecord(record()))
    office.written(WriteRecord(record()))
    assert counted("tieline_fenced_journal_rows_total") == before + 5
    assert office.seqs() == [1]
    assert office.journal.record("c-1") is None
    assert sum("another process has are not written" in line for line in log_lines) == 1
    assert sum("another process has taken this call over" in line for line in log_lines) == 1
