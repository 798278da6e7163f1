"""Leases: which process may write for a call, which may take it over, and how late writes are rejected."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, select

from appointments.bookings import AppointmentBook, book
from protocols.errors import ClaimOverdue, Fenced
from store import schema
from store.database import open_database, reading
from store.journal import Journal
from store.leases import Lease, LeaseRefused, Leases, delete_leases, fenced, in_progress, living
from tests.store.other_process import AT, record, renewed, row

OPENING = {"bot": "practice", "caller": "+4930123", "media": {"name": "raw/lpcm16", "rate": 16000}, "names": ["Grüß"]}
TTL_S, WINDOW_S = 15.0, 60.0


@pytest.fixture
def here(engine: Engine) -> Leases:
    return Leases(engine, "here", TTL_S, WINDOW_S)


@pytest.fixture
def there(engine: Engine) -> Leases:
    return Leases(engine, "there", TTL_S, WINDOW_S)


def opened(leases: Leases, conversation_id: str = "c-1", credential: str = "secret") -> Lease:
    lease = leases.open(conversation_id, credential, OPENING)
    assert isinstance(lease, Lease)
    return lease


def stored(engine: Engine, conversation_id: str = "c-1") -> Any:
    with reading(engine) as connection:
        return connection.execute(select(schema.lease).where(schema.lease.c.conversation_id == conversation_id)).one()


def grow_older(engine: Engine, seconds: float) -> None:
    """Move all leases into the past, as if this much time had gone by since they were written."""
    with engine.begin() as connection:
        for each in connection.execute(select(schema.lease)).all():
            aged: dict[str, datetime] = {
                name: getattr(each, name) - timedelta(seconds=seconds) for name in ("lease_until", "touched_at")
            }
            mine = schema.lease.c.conversation_id == each.conversation_id
            connection.execute(schema.lease.update().where(mine).values(aged))


def test_the_calls_in_progress_are_those_that_somebody_holds(here: Leases, there: Leases, engine: Engine) -> None:
    def counted() -> int:
        with reading(engine) as connection:
            return in_progress(connection)

    assert counted() == 0
    for leases, call in ((here, "c-1"), (here, "c-2"), (there, "c-3")):
        opened(leases, call)
    assert counted() == 3
    here.end("c-1", 1)
    assert counted() == 2


def test_without_a_table_of_leases_no_call_is_in_progress() -> None:
    engine = create_engine("sqlite://")
    with reading(engine) as connection:
        assert in_progress(connection) == 0
    engine.dispose()


# --- opening ---


def test_a_new_call_has_epoch_1_and_stores_no_plain_credential(here: Leases, engine: Engine) -> None:
    assert here.open("c-1", "secret", OPENING) == Lease("c-1", 1, OPENING, 0)
    kept = stored(engine)
    assert (kept.node, kept.epoch, kept.status, kept.opening) == ("here", 1, "open", OPENING)
    assert kept.lease_until - kept.touched_at == pytest.approx(timedelta(seconds=TTL_S), abs=timedelta(seconds=0.1))
    assert "secret" not in str(kept)


def test_a_call_that_another_process_holds_is_not_opened_again(here: Leases, there: Leases, engine: Engine) -> None:
    opened(here)
    assert there.open("c-1", "secret", {}) == LeaseRefused("held")
    assert (stored(engine).node, stored(engine).epoch, stored(engine).opening) == ("here", 1, OPENING)
    opened(there, "c-2")
    assert here.open("c-2", "secret", {}) == LeaseRefused("held"), "whatever the two are called"


def test_the_end_of_another_call_of_the_peer_does_not_free_an_id(here: Leases, there: Leases, engine: Engine) -> None:
    opened(here, "b-1")
    here.end("b-1", 1)
    opened(here)
    Journal(engine).append([row(1, 1)])
    assert there.open("c-1", "secret", OPENING) == LeaseRefused("held")
    assert stored(engine).calls == 1


@pytest.mark.parametrize("recorded", [True, False])
def test_the_id_of_a_call_that_is_over_is_free_though_the_clock_was_set_back(
    here: Leases, there: Leases, engine: Engine, recorded: bool
) -> None:
    opened(here)
    if recorded:
        Journal(engine).finish(record(), 1)
    else:
        here.end("c-1", 1)
    grow_older(engine, -3600)
    assert isinstance(there.open("c-1", "secret", OPENING), Lease)


def test_a_process_that_does_not_know_whether_it_opened_a_call_can_open_it_again(here: Leases) -> None:
    assert [opened(here).epoch for _ in range(2)] == [1, 2]


def test_a_call_with_the_id_of_an_earlier_one_has_a_key_of_its_own(here: Leases, there: Leases, engine: Engine) -> None:
    journal = Journal(engine)
    opened(here)
    journal.append([row(1, 1), row(2, 1)])
    journal.finish(record(), 1)
    assert there.open("c-1", "secret", {"bot": "other"}) == Lease("c-1~2", 1, {"bot": "other"}, last_seq=0)
    assert (there.key("c-1"), there.held) == ("c-1~2", {"c-1~2": 1})
    assert journal.append([row(1, 1, "c-1~2")]) == []
    journal.finish(record("c-1~2", "transferred"), 1)
    there.forget("c-1~2")
    assert there.key("c-1") == "c-1"
    assert opened(here).key == "c-1~3", "of the third as well, though it has left no record"
    journal.append([row(1, 1, "c-1~3")])
    assert here.open("c-2", "secret", OPENING) == Lease("c-2", 1, OPENING, 0)
    calls = [journal.record(key) for key in ("c-1", "c-1~2", "c-1~3")]
    assert calls == [record(), record("c-1~2", "transferred"), None]
    assert [len(journal.rows(key)) for key in ("c-1", "c-1~2", "c-1~3")] == [2, 1, 1]


def test_what_stays_of_an_id_that_several_calls_had_tells_nothing_of_them(here: Leases, engine: Engine) -> None:
    for key in ("c-1", "c-1~2"):
        assert opened(here).key == key
        Journal(engine).finish(record(key), 1)
    with engine.begin() as connection:
        assert delete_leases(connection, schema.lease.c.status == "ended") == ["c-1~2"]
    assert (stored(engine).opening, stored(engine).calls) == ({}, 2)


def test_what_is_resumed_is_the_last_call_with_an_id(here: Leases, there: Leases, engine: Engine) -> None:
    journal = Journal(engine)
    opened(here)
    journal.finish(record(), 1)
    opened(here)
    assert there.claim("c-1", "wrong") == LeaseRefused("credential")
    assert there.claim("c-1", "secret") == Lease("c-1~2", 2, OPENING, 0)
    assert (there.key("c-1"), there.epoch("c-1~2")) == ("c-1~2", 2)
    assert renewed(here, here.held) == {"c-1~2"}
    journal.append([row(1, 2, "c-1~2")])
    there.end("c-1~2", 2)
    assert here.claim("c-1", "secret") == LeaseRefused("ended")
    with engine.begin() as connection:
        # An earlier release, which knows of no keys, opens the id once more.
        connection.exec_driver_sql("UPDATE lease SET status = 'open', epoch = 2 WHERE conversation_id = 'c-1'")
    assert here.claim("c-1", "secret") == Lease("c-1", 3, OPENING, 0)


def test_of_calls_that_are_over_the_last_one_s_credential_counts(here: Leases, engine: Engine) -> None:
    journal = Journal(engine)
    opened(here)
    journal.finish(record(), 1)
    assert here.open("c-1", "newer", OPENING, ["secret"]) == Lease("c-1~2", 1, OPENING, 0)
    journal.finish(record("c-1~2"), 1)
    assert here.claim("c-1", "newer") == LeaseRefused("ended")


def test_a_call_whose_process_died_keeps_its_rows_when_its_id_is_used_again(
    here: Leases, there: Leases, engine: Engine
) -> None:
    Journal(engine).append([row(1, opened(here).epoch)])
    assert there.open("c-1", "secret", {}) == LeaseRefused("held")
    grow_older(engine, TTL_S)
    assert opened(there).key == "c-1~2"
    assert stored(engine).status == "open", "so that its record will be written by the process that finds it"
    assert (here.epoch("c-1"), Journal(engine).append([row(2, 1)])) == (1, [])


def test_an_id_that_looks_like_a_key_is_no_other_calls(here: Leases, engine: Engine) -> None:
    Journal(engine).append([row(1, opened(here).epoch)])
    here.end("c-1", 1)
    assert [opened(here, "c-1~2").key, opened(here, "c-1").key] == ["c-1~2~1", "c-1~2"]


def test_a_call_that_left_nothing_gives_its_key_to_the_next_one(here: Leases, there: Leases, engine: Engine) -> None:
    opened(here)
    grow_older(engine, TTL_S)
    assert opened(there) == Lease("c-1", 2, OPENING, 0)
    there.park("c-1", 2)
    assert opened(here).epoch == 3


def test_unless_told_otherwise_a_lease_lasts_15_s(engine: Engine) -> None:
    first, second = Leases(engine, "first"), Leases(engine, "second")
    assert first.renew_every_s == 5
    opened(first)
    kept = stored(engine)
    assert kept.lease_until - kept.touched_at == pytest.approx(timedelta(seconds=15), abs=timedelta(seconds=0.1))
    grow_older(engine, 15 + 60 - 5)
    assert isinstance(second.claim("c-1", "secret"), Lease)


def test_two_renewals_of_a_lease_may_fail(engine: Engine) -> None:
    ttl_s = 10.0
    assert 3 * Leases(engine, "here", ttl_s).renew_every_s == pytest.approx(ttl_s)


def test_an_id_is_never_used_again_by_another_credential(here: Leases, there: Leases, engine: Engine) -> None:
    opened(here)
    here.end("c-1", 1)
    for credential in ("Secret", "", *(f"secret {number}" for number in range(8))):
        for leases in (here, there):
            assert leases.open("c-1", credential, {}) == LeaseRefused("held")
    assert stored(engine).epoch == 1


# --- taking over ---


def test_a_call_is_taken_over_from_its_holder_with_its_opening_and_last_seq(
    here: Leases, there: Leases, engine: Engine
) -> None:
    Journal(engine).append([row(1, opened(here).epoch), row(2, 1)])
    for other in ("c-0", "c-2"):
        Journal(engine).append([row(seq, opened(here, other).epoch, other) for seq in (1, 2, 3)])
    assert there.claim("c-1", "secret") == Lease("c-1", 2, OPENING, last_seq=2)
    assert (stored(engine).node, stored(engine).status) == ("there", "open")
    assert here.claim("c-1", "secret") == Lease("c-1", 3, OPENING, last_seq=2), "and back again"


@pytest.mark.parametrize("credential", ["", "Secret", "secret ", "\udcff"])
def test_a_call_is_taken_over_with_its_own_credential_only(here: Leases, there: Leases, credential: str) -> None:
    opened(here)
    assert there.claim("c-1", credential) == LeaseRefused("credential")
    assert renewed(here, {"c-1": 1}) == set()


def test_a_peer_with_several_credentials_takes_over_and_opens_again_what_it_opened_with_any_of_them(
    here: Leases, there: Leases, engine: Engine
) -> None:
    opened(here)
    assert there.claim("c-1", "newer") == LeaseRefused("credential")
    assert isinstance(there.claim("c-1", "newer", ["secret"]), Lease)
    there.end("c-1", 2)
    assert here.open("c-1", "newer", {}, ["other"]) == LeaseRefused("held")
    assert isinstance(there.open("c-1", "newer", {}, ["other", "secret"]), Lease)
    there.end("c-1", 3)
    assert isinstance(there.open("c-1", "newer", {}), Lease), "from now on it is the newer one's"


def test_a_credential_that_is_not_utf_8_works(here: Leases) -> None:
    opened(here, credential="\udcff")
    assert isinstance(here.claim("c-1", "\udcff"), Lease)


def test_an_unknown_or_ended_call_is_not_taken_over(here: Leases, there: Leases) -> None:
    assert there.claim("c-1", "secret") == LeaseRefused("unknown")
    opened(here)
    here.end("c-1", 1)
    assert there.claim("c-1", "secret") == LeaseRefused("ended")
    assert there.claim("c-1", "Secret") == LeaseRefused("credential"), "nobody else learns even that"


def test_a_takeover_that_has_waited_too_long_for_the_database_is_rolled_back(
    here: Leases, there: Leases, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(here)
    clock_s = iter([9.9, 10.1])
    monkeypatch.setattr("store.leases.time.monotonic", lambda: next(clock_s, 10.1))
    with pytest.raises(ClaimOverdue):
        there.claim("c-1", "secret", until_s=10.0)
    assert (stored(engine).node, stored(engine).epoch, there.held) == ("here", 1, {})


def test_a_call_that_ends_while_it_is_being_taken_over_has_ended(engine: Engine, url: str) -> None:
    other = open_database(url)
    first = Leases(other, "there")
    opened(first)

    def end_now(*_: Any) -> None:
        if next(checkouts) == 2:  # it has looked, and is about to take
            first.end("c-1", 1)

    checkouts = count(1)
    event.listen(engine, "checkout", end_now)
    assert Leases(engine, "here").claim("c-1", "secret") == LeaseRefused("ended")
    assert stored(engine).epoch == 1
    other.dispose()


@pytest.mark.parametrize("parked", [False, True])
def test_a_call_that_nobody_has_ended_is_taken_over_however_long_its_lease_has_expired(
    here: Leases, there: Leases, engine: Engine, parked: bool
) -> None:
    """As after an outage of the database, or on a clock that is an hour ahead."""
    opened(here)
    if parked:
        here.park("c-1", 1)
        assert stored(engine).status == "parked"
    grow_older(engine, 3_600)
    assert isinstance(there.claim("c-1", "secret"), Lease)
    assert stored(engine).status == "open"


def test_a_process_writes_for_a_call_it_parked_until_another_takes_it_over(
    here: Leases, there: Leases, engine: Engine
) -> None:
    opened(here)
    here.park("c-1", 1)
    assert (here.epoch("c-1"), here.held) == (1, {})
    journal = Journal(engine)
    assert journal.append([row(1, here.epoch("c-1"))]) == []
    there.claim("c-1", "secret")
    assert journal.append([late := row(2, here.epoch("c-1"))]) == [late]
    # Back here it is held like any other.
    here.claim("c-1", "secret")
    assert here.held == {"c-1": 3}


def test_a_parked_call_that_was_forgotten_has_no_epoch(here: Leases) -> None:
    opened(here)
    here.park("c-1", 1)
    here.forget("c-1")
    assert (here.epoch("c-1"), here.held) == (0, {})
    opened(here)
    assert here.held == {"c-1": 2}


def test_threads_that_race_to_open_a_call_have_one_winner(engine: Engine) -> None:
    together = Barrier(6)

    def race(number: int) -> Lease | LeaseRefused:
        together.wait(timeout=60)
        return Leases(engine, f"node-{number}").open("c-1", "secret", OPENING)

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(race, range(6)))
    assert sorted(type(each).__name__ for each in results) == ["Lease"] + ["LeaseRefused"] * 5


# --- keeping ---


def test_leases_are_renewed_together_and_lost_ones_are_returned(here: Leases, there: Leases, engine: Engine) -> None:
    held = {each: opened(here, each).epoch for each in ("c-1", "c-2", "c-3")}
    there.claim("c-2", "secret")
    grow_older(engine, 10)
    before = {each: stored(engine, each).lease_until for each in held}
    assert renewed(here, held | {"c-9": 1}) == {"c-2", "c-9"}
    longer = {each for each in held if stored(engine, each).lease_until > before[each]}
    assert longer == {"c-1", "c-3"}
    assert renewed(here, {}) == set()


def test_an_epoch_of_which_the_database_does_not_know_is_lost(here: Leases, there: Leases, engine: Engine) -> None:
    """As after a failover to a copy that had not yet been told of the last claim."""
    opened(here)
    assert renewed(there, {"c-1": 2}) == {"c-1"}
    with pytest.raises(Fenced):
        there.end("c-1", 2)
    assert stored(engine).status == "open"


def test_a_call_without_its_lease_is_kept_and_nobody_else_can_have_it(
    here: Leases, there: Leases, engine: Engine
) -> None:
    opened(here)
    with engine.begin() as connection:
        connection.execute(schema.lease.delete())
    assert here.keep("c-1")
    assert (here.held, here.epoch("c-1")) == ({}, 0)
    assert there.claim("c-1", "secret") == LeaseRefused("unknown")
    Journal(engine).append([row(1, 0)])
    Journal(engine).finish(record(), 0)
    assert Journal(engine).record("c-1") == record()


def test_a_takeover_that_the_database_has_forgotten_is_written_again(
    here: Leases, there: Leases, engine: Engine
) -> None:
    opened(here)
    there.claim("c-1", "secret")
    with engine.begin() as connection:
        connection.execute(schema.lease.update().values(epoch=1, node="here"))
    assert there.keep("c-1")
    assert (stored(engine).node, stored(engine).epoch, there.held) == ("there", 2, {"c-1": 2})
    assert stored(engine).status == "open"
    assert renewed(here, here.held) == {"c-1"}
    assert not here.keep("c-1")
    assert not Leases(engine, "third").keep("c-1")


def test_a_parked_call_of_which_the_database_has_forgotten_the_takeover_is_parked_again(
    here: Leases, there: Leases, engine: Engine
) -> None:
    opened(here)
    there.claim("c-1", "secret")
    there.park("c-1", 2)
    with engine.begin() as connection:
        connection.execute(schema.lease.update().values(epoch=1, node="here", status="open"))
    assert there.keep("c-1")
    assert (stored(engine).epoch, stored(engine).status) == (2, "parked")


def test_a_call_whose_lease_is_there_after_all_is_kept_as_it_is(here: Leases, there: Leases, engine: Engine) -> None:
    opened(here)
    there.claim("c-1", "secret")
    before = stored(engine)
    assert there.keep("c-1")
    assert (stored(engine), there.held) == (before, {"c-1": 2})


def test_a_call_may_change_hands_any_number_of_times(here: Leases, engine: Engine) -> None:
    opened(here)
    with engine.begin() as connection:
        connection.execute(schema.lease.update().values(epoch=10_000))
    lease = here.claim("c-1", "secret")
    assert isinstance(lease, Lease)
    assert renewed(here, {"c-1": lease.epoch}) == set()
    assert Journal(engine).append([row(1, lease.epoch)]) == []
    here.end("c-1", lease.epoch)


def test_a_released_lease_is_neither_renewed_nor_lost(here: Leases, engine: Engine) -> None:
    for conversation_id in ("c-1", "c-2"):
        opened(here, conversation_id)
    here.park("c-1", 1)
    here.end("c-2", 1)
    before = [stored(engine, each).lease_until for each in ("c-1", "c-2")]
    assert renewed(here, {"c-1": 1, "c-2": 1}) == set()
    assert [stored(engine, each).lease_until for each in ("c-1", "c-2")] == before


def test_a_process_that_lost_a_lease_can_neither_park_nor_end_it(here: Leases, there: Leases, engine: Engine) -> None:
    opened(here)
    there.claim("c-1", "secret")
    for let_go in (here.park, here.end):
        with pytest.raises(Fenced) as caught:
            let_go("c-1", 1)
        assert caught.value.conversation_id == "c-1"
    assert stored(engine).status == "open"


def test_an_ended_call_is_not_parked(here: Leases, engine: Engine) -> None:
    opened(here)
    here.end("c-1", 1)
    here.park("c-1", 1)
    assert stored(engine).status == "ended"


# --- the fence ---


def test_rows_of_lost_calls_are_returned_and_the_others_written(here: Leases, there: Leases, engine: Engine) -> None:
    journal = Journal(engine)
    for conversation_id in ("c-1", "c-2"):
        opened(here, conversation_id)
    there.claim("c-1", "secret")
    lost, kept, new, without = row(1, 1, "c-1"), row(1, 1, "c-2"), row(1, 2, "c-1"), row(1, 0, "c-3")
    assert journal.append([lost, kept, new, without]) == [lost]
    assert [journal.rows(each) for each in ("c-1", "c-2", "c-3")] == [[new], [kept], [without]]


def test_a_write_for_a_leased_call_needs_its_epoch(here: Leases, engine: Engine) -> None:
    opened(here)
    assert Journal(engine).append([row(1, 0)]) == [row(1, 0)]
    assert Journal(engine).append([row(1, 1, "c-2")]) == [row(1, 1, "c-2")], "and nobody may who has none"
    with pytest.raises(Fenced):
        Journal(engine).finish(record())


def test_a_record_ends_the_lease(here: Leases, there: Leases, engine: Engine) -> None:
    opened(here)
    Journal(engine).finish(record(), 1)
    assert there.claim("c-1", "secret") == LeaseRefused("ended")
    assert Journal(engine).append([row(1, 1)]) == [], "what comes late is still written: nobody else writes"
    Journal(engine).finish(record(outcome="failed"), 1)


def test_a_record_of_a_lost_call_is_not_written(here: Leases, there: Leases, engine: Engine) -> None:
    opened(here)
    there.claim("c-1", "secret")
    with pytest.raises(Fenced):
        Journal(engine).finish(record(), 1)
    assert Journal(engine).record("c-1") is None
    assert isinstance(here.claim("c-1", "secret"), Lease), "it is not over"


@pytest.mark.parametrize("lost", [False, True])
def test_a_fenced_transaction_is_rolled_back_if_the_call_was_lost_by_its_end(
    here: Leases, there: Leases, engine: Engine, lost: bool
) -> None:
    epoch = opened(here).epoch
    if lost:
        there.claim("c-1", "secret")

    def act() -> None:
        with fenced(engine, "c-1", epoch) as connection:
            book(connection, resource="practice", starts_at=AT, duration_min=30, caller="", conversation_id="c-1",
                 effect_key="k-1")  # fmt: skip

    if lost:
        with pytest.raises(Fenced):
            act()
    else:
        act()
    assert len(AppointmentBook(engine).all()) == (0 if lost else 1)


def test_a_call_without_a_lease_is_written_without_an_epoch(engine: Engine) -> None:
    with fenced(engine, "c-1", 0) as connection:
        assert connection.in_transaction()
    with pytest.raises(Fenced), fenced(engine, "c-1", 1):
        pass


# --- calls of dead processes ---


class WatchedDatabase:
    """A SQLite database with a clock that tests set, and two processes that renew and look every five seconds."""

    def __init__(self, url: str) -> None:
        self.ahead_s = 0.0
        self.engine = open_database(url)
        event.listen(self.engine, "checkout", self._hand_out_clock)
        self.here, self.there = (
            Leases(self.engine, "here", TTL_S, WINDOW_S),
            Leases(self.engine, "there", TTL_S, WINDOW_S),
        )

    def _hand_out_clock(self, connection: Any, *_: Any) -> None:
        connection.create_function("strftime", -1, self._strftime)

    def _strftime(self, _form: str, _now: str, shift: str = "+0") -> str:
        moment = AT + timedelta(seconds=self.ahead_s + float(shift.removesuffix(" seconds")))
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")

    def passes(self, seconds: float, *alive: Leases) -> list[str]:
        """Time passes. alive: the processes that renew and look meanwhile. Returns the calls that they end."""
        ended: list[str] = []
        until_s = self.ahead_s + seconds
        while self.ahead_s < until_s:
            self.ahead_s = min(self.ahead_s + 5, until_s)
            for each in alive:
                assert renewed(each, each.held) == set()
                for orphan in each.orphans():
                    assert isinstance(each.adopt(orphan), Lease)
                    each.end(orphan.key, each.epoch(orphan.key))
                    each.forget(orphan.key)
                    ended.append(orphan.key)
        return ended


@pytest.fixture
def database(sqlite_url: str) -> Iterator[WatchedDatabase]:
    database = WatchedDatabase(sqlite_url)
    yield database
    database.engine.dispose()


def test_a_call_whose_process_died_is_ended_when_its_lease_was_expired_for_the_window(
    database: WatchedDatabase,
) -> None:
    opened(database.here)
    assert database.passes(TTL_S + WINDOW_S - 5, database.there) == []
    assert database.passes(5, database.there) == ["c-1"]
    assert database.passes(90, database.there) == [], "once"
    assert database.here.claim("c-1", "secret") == LeaseRefused("ended")


def test_a_parked_call_that_nobody_takes_over_is_ended_after_the_window(database: WatchedDatabase) -> None:
    opened(database.here)
    database.here.park("c-1", 1)
    assert database.passes(WINDOW_S, database.here, database.there) == []
    assert database.passes(5, database.here, database.there) == ["c-1"]


@pytest.mark.parametrize("step_s", [80, 3_600, -3_600, 16])
def test_calls_that_live_outlast_an_outage_and_a_clock_that_is_set(database: WatchedDatabase, step_s: float) -> None:
    """The database's clock moves while nobody renews: an outage, or it is set. Whoever looks first ends nothing."""
    for leases, call in ((database.here, "c-1"), (database.there, "c-2")):
        opened(leases, call)
    opened(Leases(database.engine, "dead"), "c-3")
    assert database.passes(30, database.here, database.there) == []
    database.ahead_s += step_s
    for leases in (database.there, database.here):
        leases.renew(leases.held)
        assert leases.orphans() == []
    assert database.passes(WINDOW_S - 5, database.there, database.here) == []
    assert database.passes(15, database.there, database.here) == ["c-3"], "and who is dead is found out"


def test_a_process_whose_clock_is_an_hour_ahead_ends_no_call_of_others(database: WatchedDatabase) -> None:
    """SQLite has the clock of the process that asks it."""
    opened(database.here)
    for _ in range(20):
        database.passes(5, database.here)
        database.ahead_s += 3_600
        assert database.there.orphans() == []
        database.ahead_s -= 3_600


def test_a_process_that_starts_after_an_outage_looks_for_a_whole_window_first(database: WatchedDatabase) -> None:
    opened(database.here)
    database.ahead_s += 3_600
    fresh = Leases(database.engine, "fresh", TTL_S, WINDOW_S)
    assert database.passes(WINDOW_S, fresh) == []
    assert isinstance(fresh.claim("c-1", "secret"), Lease), "VAIC has come back"
    assert database.passes(90, fresh) == []


def test_a_process_that_shows_itself_takes_away_those_that_have_not_for_more_than_a_day(
    database: WatchedDatabase,
) -> None:
    def shown() -> tuple[list[str], list[str]]:
        with reading(database.engine) as connection:
            rows = connection.scalars(select(schema.node.c.node).order_by(schema.node.c.node)).all()
            return living(connection), list(rows)

    database.here.show_life()
    database.there.show_life()
    both, one = ["here", "there"], ["there"]
    for ahead_s, expected in ((19, (both, both)), (21, (one, both)), (86_400, (one, both)), (86_402, (one, one))):
        database.ahead_s = ahead_s - 1
        database.there.show_life()
        database.ahead_s = ahead_s
        assert shown() == expected


def orphans_of(leases: Leases) -> list[str]:
    return [each.key for each in leases.orphans()]


def test_orphans_are_found_the_oldest_first_and_adopted_by_one(engine: Engine) -> None:
    dead, first, second = (Leases(engine, node, ttl_s=0, window_s=0) for node in ("dead", "first", "second"))
    for call in ("c-1", "c-2", "c-3"):
        opened(dead, call)
    dead.end("c-3", 1)
    dead.park("c-1", 1)
    assert orphans_of(first) == ["c-2", "c-1"]
    assert [each.key for each in first.orphans(at_most=1)] == ["c-2"]
    [older, _] = second.orphans()
    assert first.adopt(older) == Lease("c-2", 2, OPENING, 0)
    assert second.adopt(older) == LeaseRefused("held"), "one is at it"
    assert Journal(engine).append([row(1, 1, "c-2")]) == [row(1, 1, "c-2")]


def test_an_expired_call_that_a_process_holds_itself_is_in_the_way_of_no_orphan(engine: Engine) -> None:
    dead, first = (Leases(engine, node, ttl_s=0, window_s=0) for node in ("dead", "first"))
    opened(first, "c-1")
    grow_older(engine, 1)
    opened(dead, "c-2")
    assert orphans_of(first) == ["c-2"]


def test_an_orphan_is_adopted_again_if_its_adopter_dies(engine: Engine) -> None:
    dead, first, second = (Leases(engine, node, ttl_s=0, window_s=0) for node in ("dead", "first", "second"))
    opened(dead)
    [orphan] = first.orphans()
    assert isinstance(first.adopt(orphan), Lease)
    [again] = second.orphans()
    assert second.adopt(again) == Lease("c-1", 3, OPENING, 0)


@pytest.mark.parametrize("change", ["renewed", "taken over", "ended"])
def test_an_orphan_that_has_changed_since_it_was_seen_is_not_adopted(engine: Engine, change: str) -> None:
    holder, other = Leases(engine, "holder"), Leases(engine, "other", ttl_s=0, window_s=0)
    opened(holder)
    grow_older(engine, TTL_S)
    [orphan] = other.orphans()
    match change:
        case "renewed":
            holder.renew(holder.held)
        case "taken over":
            holder.claim("c-1", "secret")
        case _:
            holder.end("c-1", 1)
    assert other.adopt(orphan) == LeaseRefused("held")
    assert other.held == {}
