"""One row that is locked or refused costs its own call at most: on PostgreSQL, with another process looking on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import OperationalError

import actors.process.journal_writer
from actors.messages.journal import AppendRow, CallOpening, OpenLease, Park, RenewLeases, WriteRecord
from actors.messages.journal_rows import BotSaidRow, JournalEntry
from actors.messages.switchboard import CallClaimed, CallsForgotten, CallsLost, StoreTried, Unwritten
from actors.process.journal_writer import JournalWriter
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from store import schema
from store.database import open_database
from store.journal import Journal
from store.leases import Lease, LeaseRefused, Leases, Orphan
from tests.actors.bots import Folders
from tests.counted import counted
from tests.probe import ThreadProbe
from tests.store.other_process import AT, record


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_database(postgres_url)
    yield engine
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS refuses ON call_event")
    engine.dispose()


@pytest.fixture
def somebody(postgres_url: str) -> Iterator[Connection]:
    """Somebody's transaction that is left open."""
    other = open_database(postgres_url)
    with other.connect() as connection, connection.begin() as transaction:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield connection
        if transaction.is_active:
            transaction.rollback()
    other.dispose()


def until_of(engine: Engine) -> dict[str, object]:
    column = schema.lease.c
    with engine.begin() as connection:
        return {row[0]: row[1] for row in connection.execute(select(column.conversation_id, column.touched_at))}


def holder(engine: Engine, *calls: str, **times: float) -> Leases:
    leases = Leases(engine, "holder", times.get("ttl_s", 15.0), times.get("window_s", 60.0))
    for call in calls:
        assert isinstance(leases.open(call, "", {}), Lease)
    return leases


# --- leases ---


def test_a_lease_that_somebody_has_locked_holds_up_the_renewal_of_no_other(
    engine: Engine, somebody: Connection
) -> None:
    here = holder(engine, "c-1", "c-2")
    before = until_of(engine)
    somebody.exec_driver_sql("SELECT * FROM lease WHERE conversation_id = 'c-1' FOR UPDATE")
    here.renew(here.held)
    after = until_of(engine)
    assert after["c-1"] == before["c-1"]
    assert after["c-2"] > before["c-2"]  # type: ignore[operator]
    assert here.lost(here.held) == set(), "and it is not taken for another process's"


def test_a_lease_that_the_database_refuses_to_change_holds_up_the_renewal_of_no_other(engine: Engine) -> None:
    here = holder(engine, "c-1", "c-2", "c-3")
    before = until_of(engine)
    with refusing(engine, "lease", "55000", "UPDATE"):
        with pytest.raises(OperationalError):
            here.renew(here.held)
        after = until_of(engine)
    assert {call for call in after if after[call] > before[call]} == {"c-2", "c-3"}  # type: ignore[operator]


def test_a_table_that_is_locked_does_not_hold_the_renewals_for_longer_the_more_calls_there_are(
    engine: Engine, somebody: Connection
) -> None:
    here = holder(engine, *(f"c-{number}" for number in range(64)), ttl_s=9)
    somebody.exec_driver_sql("LOCK TABLE lease IN ACCESS EXCLUSIVE MODE")
    tries: list[object] = []
    event.listen(engine, "begin", tries.append)
    with pytest.raises(OperationalError):
        here.renew(here.held)
    assert len(tries) <= 3, "a lock is waited for a second long, and a round has two"


def test_leases_that_a_round_did_not_get_to_are_the_first_of_the_next(engine: Engine) -> None:
    here = holder(engine, *(f"c-{number}" for number in range(1, 9)), ttl_s=0)  # a round has no time for a second try
    before = until_of(engine)
    with refusing(engine, "lease", "55000", "UPDATE"):
        for _ in range(10):
            with pytest.raises(OperationalError):
                here.renew(here.held)
        after = until_of(engine)
    assert {call for call in after if after[call] == before[call]} == {"c-1"}


def test_a_database_that_cannot_be_connected_to_is_tried_once_a_round(engine: Engine, postgres_url: str) -> None:
    away = create_engine(make_url(postgres_url).set(host="127.0.0.1", port=1))
    tries: list[object] = []
    event.listen(away, "do_connect", lambda *args: tries.append(args))
    here = Leases(engine, "holder", renewing=away)
    for number in range(8):
        here.open(f"c-{number}", "", {})
    with pytest.raises(OperationalError):
        here.renew(here.held)
    assert len(tries) == 1
    away.dispose()


def test_a_process_that_shows_itself_keeps_calls_whose_leases_it_cannot_renew(engine: Engine) -> None:
    """Whatever holds up the renewals: the row of the process is another one."""
    here, other = holder(engine, "c-1", ttl_s=0), Leases(engine, "other", ttl_s=0, window_s=0)
    here.show_life()
    [seen] = other.orphans()
    here.show_life()
    assert other.adopt(seen) == LeaseRefused("held")
    [again] = other.orphans()
    assert again != seen, "so its window begins anew"
    assert isinstance(other.adopt(again), Lease), "it has died"


def test_a_process_does_not_end_its_own_calls(engine: Engine) -> None:
    here = holder(engine, "c-1", "c-2", ttl_s=0, window_s=0)
    assert here.orphans() == []
    here.forget("c-2")  # its record could not be written
    here.show_life()
    assert [each.key for each in here.orphans()] == ["c-2"]


def test_a_parked_call_is_judged_by_its_lease_alone(engine: Engine) -> None:
    here, other = holder(engine, "c-1", ttl_s=0), Leases(engine, "other", ttl_s=0, window_s=0)
    here.park("c-1", 1)
    [seen] = other.orphans()
    here.show_life()
    assert other.orphans() == [seen]


def test_an_orphan_that_somebody_has_locked_is_left_for_the_next_look(engine: Engine, somebody: Connection) -> None:
    holder(engine, "c-1", ttl_s=0)
    other = Leases(engine, "other", ttl_s=0, window_s=0)
    seen: list[Orphan] = other.orphans()
    somebody.exec_driver_sql("SELECT * FROM lease WHERE conversation_id = 'c-1' FOR UPDATE")
    assert other.adopt(seen[0]) == LeaseRefused("held")
    somebody.rollback()
    assert isinstance(other.adopt(seen[0]), Lease)


# --- rows ---


@contextmanager
def refusing(
    engine: Engine, table: str, state: str, event: str = "INSERT", whom: str = "NEW.conversation_id = 'c-1'"
) -> Iterator[None]:
    """The database fails for each row of the call c-1, with this code. whom: or for others, in SQL."""
    raised = f"RAISE EXCEPTION 'no' USING ERRCODE = '{state}'"
    body = f"BEGIN IF {whom} THEN {raised}; END IF; RETURN NEW; END"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger AS $$ {body} $$ LANGUAGE plpgsql"
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER refuses BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TRIGGER refuses ON {table}")


class Told(ThreadProbe[CallClaimed | CallsForgotten | CallsLost | StoreTried | Unwritten]):
    """What the switchboard hears; `answers`, `unleased`: of the store, last."""

    answers, unleased = True, 0

    def tell(self, message: CallClaimed | CallsForgotten | CallsLost | StoreTried | Unwritten, /) -> None:
        if isinstance(message, StoreTried):
            self.answers, self.unleased = message.answered, message.unleased
        else:
            super().tell(message)


class Office:
    def __init__(self, engine: Engine) -> None:
        self.journal, self.leases = Journal(engine), Leases(engine, "here")
        self.switchboard = Told()
        self.start()

    def start(self) -> None:
        self.writer = JournalWriter.start(
            ParentLink(ThreadProbe[ChildDied](), "journal", 1), self.journal, self.leases, Folders(), self.switchboard
        )

    def told(self, *messages: object) -> None:
        for message in messages:
            self.writer.ask(message, timeout=60)

    def seqs(self, call: str) -> list[int]:
        return [row.seq for row in self.journal.rows(call)]


@pytest.fixture
def office(engine: Engine) -> Iterator[Office]:
    office = Office(engine)
    yield office
    office.writer.stop(timeout=60)


def said(call: str, seq: int) -> AppendRow:
    return AppendRow(JournalEntry(call, seq, AT, BotSaidRow(item=f"i-{seq}", text="Hello.")))


def begun(*calls: str) -> list[object]:
    return [OpenLease(call, "", CallOpening()) for call in calls]


def lost() -> float:
    return counted("tieline_lost_journal_rows_total")


@pytest.mark.parametrize("state", ["53100", "40001", "57P01"])
def test_rows_of_one_call_that_fail_as_if_for_now_hold_up_those_of_no_other(
    office: Office, engine: Engine, state: str
) -> None:
    before = lost()
    office.told(*begun("c-1", "c-2"))
    with refusing(engine, "call_event", state):
        office.told(said("c-1", 1), said("c-2", 1), said("c-1", 2), said("c-2", 2), WriteRecord(record("c-2")))
        assert (office.seqs("c-1"), office.seqs("c-2")) == ([], [1, 2])
        assert office.journal.record("c-2") is not None
        office.told(RenewLeases())
        assert office.switchboard.answers
        assert office.leases.held == {"c-1": 1}
    office.told(RenewLeases(), said("c-1", 3))
    assert office.seqs("c-1") == [1, 2, 3]
    assert lost() == before


def test_what_fails_too_often_is_given_up_and_counted(
    office: Office, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.process.journal_writer, "MOST_HELD_TRIES", 2)
    before = lost()
    office.told(*begun("c-1"))
    with refusing(engine, "call_event", "53100"):
        office.told(said("c-1", 1), said("c-1", 2), WriteRecord(record("c-1")), RenewLeases(), RenewLeases())
        assert lost() == before + 2
        assert office.journal.record("c-1") is not None, "its record is taken"
    office.told(RenewLeases())
    assert office.seqs("c-1") == []


def test_a_lease_that_somebody_has_locked_holds_up_the_rows_of_its_own_call(
    office: Office, somebody: Connection
) -> None:
    before = lost()
    office.told(*begun("c-1", "c-2"))
    somebody.exec_driver_sql("SELECT * FROM lease WHERE conversation_id = 'c-1' FOR UPDATE")
    office.told(said("c-1", 1), said("c-2", 1), RenewLeases(), said("c-2", 2))
    assert (office.seqs("c-1"), office.seqs("c-2")) == ([], [1, 2])
    somebody.rollback()
    office.told(RenewLeases())
    assert (office.seqs("c-1"), lost()) == ([1], before)


def forgets(engine: Engine, *calls: str) -> None:
    """The store loses leases, as one that was restored from a copy that was behind."""
    with engine.begin() as connection:
        connection.execute(schema.lease.delete().where(schema.lease.c.conversation_id.in_(calls)))


def test_rows_that_wait_reach_the_table_also_if_the_store_has_forgotten_the_lease_meanwhile(
    office: Office, engine: Engine, somebody: Connection
) -> None:
    before = lost()
    office.told(*begun("c-1"))
    somebody.exec_driver_sql("SELECT * FROM lease WHERE conversation_id = 'c-1' FOR UPDATE")
    office.told(said("c-1", 1), said("c-1", 2))
    somebody.rollback()
    forgets(engine, "c-1")
    office.told(RenewLeases(), said("c-1", 3))
    assert (office.seqs("c-1"), lost()) == ([1, 2, 3], before)
    assert office.switchboard.expect(CallsForgotten) == CallsForgotten(("c-1",))


def test_rows_that_are_tried_one_by_one_too(office: Office, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.process.journal_writer, "MOST_HELD_TRIES", 1)
    before = lost()
    office.told(*begun("c-1"))
    with refusing(engine, "call_event", "53100"):
        office.told(said("c-1", 1), said("c-1", 2), WriteRecord(record("c-1")))
    forgets(engine, "c-1")
    office.told(RenewLeases())
    assert (office.seqs("c-1"), lost()) == ([1, 2], before)
    assert office.journal.record("c-1") == record("c-1")


def test_what_waits_of_a_call_that_leaves_is_written_with_its_record_and_its_lease_then_let_go(
    office: Office, engine: Engine, somebody: Connection
) -> None:
    office.told(*begun("c-1", "c-2"))
    with refusing(engine, "call_event", "53100"):
        office.told(said("c-1", 1), WriteRecord(record("c-1")), Park("c-1", None))
    somebody.exec_driver_sql("SELECT * FROM lease WHERE conversation_id = 'c-2' FOR UPDATE")
    office.told(said("c-2", 1), Park("c-2", None))
    somebody.rollback()
    office.told(RenewLeases())
    assert (office.seqs("c-1"), office.seqs("c-2")) == ([1], [1])
    assert office.journal.record("c-1") == record("c-1")
    with engine.begin() as connection:
        column = schema.lease.c
        statuses = connection.execute(select(column.conversation_id, column.status)).all()
    assert dict(map(tuple, statuses)) == {"c-1": "ended", "c-2": "parked"}
    assert not office.leases.has("c-1")
    assert not office.leases.has("c-2")


def test_what_waits_of_a_call_goes_to_the_next_writer_under_the_key_of_that_call(
    office: Office, engine: Engine
) -> None:
    """Its id may be another call's by then."""
    office.told(*begun("c-1"))
    with refusing(engine, "call_event", "53100"):
        office.told(said("c-1", 1), WriteRecord(record("c-1")))
        office.told(*begun("c-1"))
        office.writer.stop(timeout=60)
        back = office.switchboard.expect(Unwritten).message
        office.start()
        office.told(back)
    office.told(said("c-1", 1), RenewLeases())
    assert office.leases.key("c-1") == "c-1~2"
    assert (office.seqs("c-1"), office.seqs("c-1~2")) == ([1], [1])
    assert office.journal.record("c-1") == record("c-1")
    assert office.journal.record("c-1~2") is None


def test_many_leases_that_somebody_has_locked_are_not_waited_for_one_after_the_other(
    office: Office, engine: Engine, somebody: Connection
) -> None:
    calls = [f"c-{number}" for number in range(1, 41)]
    office.told(*begun(*calls, "free"))
    tries: list[object] = []
    event.listen(engine, "begin", tries.append)
    somebody.exec_driver_sql("SELECT * FROM lease WHERE conversation_id LIKE 'c-%%' FOR UPDATE")
    for call in calls:
        office.writer.tell(said(call, 1))
    office.told(said("free", 1), RenewLeases())
    assert office.seqs("free") == [1]
    assert len(tries) < len(calls)
    assert [office.seqs(call) for call in calls] == [[]] * len(calls)
    somebody.rollback()
    for call in calls:  # a round writes at least one, and on a machine that is not busy all
        if not office.seqs(call):
            office.told(RenewLeases())
    assert [office.seqs(call) for call in calls] == [[1]] * len(calls)


def test_a_lease_that_is_refused_costs_its_own_call_and_closes_no_process(office: Office, engine: Engine) -> None:
    with refusing(engine, "lease", "XX001"):
        office.told(*begun("c-1", "c-2"))
        assert office.leases.held == {"c-2": 1}
        assert not office.switchboard.unleased
        office.told(said("c-1", 1), RenewLeases())
        assert not office.switchboard.unleased
    office.told(RenewLeases())
    assert (office.leases.held, office.seqs("c-1")) == ({"c-1": 1, "c-2": 1}, [1])


def test_leases_that_are_all_refused_are_told(office: Office, engine: Engine) -> None:
    with refusing(engine, "lease", "XX001", whom="TRUE"):
        office.told(*begun("c-1"))
        assert office.switchboard.unleased == 1
    office.told(RenewLeases())
    assert office.switchboard.unleased == 0


def test_a_lease_that_cannot_be_written_is_told_and_written_later_with_what_followed(
    office: Office, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lease RENAME COLUMN touched_at TO touched")
    try:
        office.told(*begun("c-1"), said("c-1", 1), WriteRecord(record("c-1")))
        assert (office.leases.held, office.switchboard.unleased) == ({}, 1)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE lease RENAME COLUMN touched TO touched_at")
    office.told(RenewLeases())
    with engine.begin() as connection:
        assert connection.execute(select(schema.lease.c.status, schema.lease.c.epoch)).all() == [("ended", 1)]
    assert (office.seqs("c-1"), office.journal.record("c-1")) == ([1], record("c-1"))
