"""The appointment book: one winner for a time, one booking for an effect."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

from sqlalchemy import Engine

from store.appointments import Appointment, AppointmentBook, free_times

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def test_a_booking_is_kept_with_all_that_is_known_of_it(engine: Engine) -> None:
    book = AppointmentBook(engine)
    booked = book.book("practice", AT, 30, "+4930123", "c-1", "c-1:t1:4")
    assert booked is not None
    kept = booked
    assert (kept.resource, kept.starts_at, kept.duration_min) == ("practice", AT, 30)
    assert (kept.caller, kept.conversation_id, kept.effect_key) == ("+4930123", "c-1", "c-1:t1:4")
    assert abs(datetime.now(UTC) - kept.created_at) < timedelta(minutes=1)
    assert book.all() == book.by_conversation("c-1") == [kept]
    assert book.by_conversation("c-2") == []


def test_the_same_effect_again_gives_the_first_booking(engine: Engine) -> None:
    book = AppointmentBook(engine)
    first = book.book("practice", AT, 30, "", "c-1", "k-1")
    assert book.book("practice", AT, 30, "", "c-1", "k-1") == first
    assert book.book("practice", AT + timedelta(hours=1), 30, "", "c-1", "k-1") == first
    assert len(book.all()) == 1


def test_a_taken_time_is_refused_and_another_resource_has_it_free(engine: Engine) -> None:
    book = AppointmentBook(engine)
    book.book("practice", AT, 30, "", "c-1", "k-1")
    assert book.book("practice", AT, 30, "", "c-2", "k-2") is None
    assert book.book("workshop", AT, 30, "", "c-2", "k-2") is not None


def test_threads_that_race_for_a_time_have_one_winner(engine: Engine) -> None:
    book, together = AppointmentBook(engine), Barrier(8)

    def race(number: int) -> Appointment | None:
        together.wait(timeout=10)
        return book.book("practice", AT, 30, "", f"c-{number}", f"k-{number}")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    winners = [result for result in results if result is not None]
    assert len(winners) == 1
    assert book.all() == winners


def test_threads_that_carry_out_one_effect_book_once_and_all_hear_of_it(engine: Engine) -> None:
    book, together = AppointmentBook(engine), Barrier(8)

    def race(_: int) -> Appointment | None:
        together.wait(timeout=10)
        return book.book("practice", AT, 30, "", "c-1", "k-1")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    assert results == [book.all()[0]] * 8


def test_free_times_are_those_at_which_nothing_starts(engine: Engine) -> None:
    book = AppointmentBook(engine)
    book.book("practice", AT, 30, "", "c-1", "k-1")
    book.book("workshop", AT + timedelta(hours=1), 30, "", "c-1", "k-2")
    candidates = [AT + timedelta(hours=1), AT, AT - timedelta(hours=1)]
    with engine.connect() as connection:
        assert free_times(connection, "practice", candidates) == [candidates[0], candidates[2]]
        assert free_times(connection, "practice", []) == []
