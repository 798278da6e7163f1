"""The appointment book: one winner for a time, one booking for an effect."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import Engine

from appointments.bookings import Appointment, AppointmentBook, by_effect, free_times, held, move, remove, upcoming

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.fixture
def engine(either_engine: Engine) -> Engine:
    return either_engine


def test_a_booking_is_stored_with_all_its_fields(engine: Engine) -> None:
    book = AppointmentBook(engine)
    booked = book.book("practice", AT, 30, "+4930123", "c-1", "c-1:t1:4")
    assert booked is not None
    assert re.fullmatch("[0-9]{4}", booked.code), "as the caller is told"
    kept = booked
    assert (kept.resource, kept.starts_at, kept.duration_min) == ("practice", AT, 30)
    assert (kept.caller, kept.conversation_id, kept.effect_key) == ("+4930123", "c-1", "c-1:t1:4")
    assert abs(datetime.now(UTC) - kept.created_at) < timedelta(minutes=1)
    assert book.all() == book.by_conversation("c-1") == [kept]
    book.book("practice", AT + timedelta(hours=1), 30, "+4930123", "c-2", "c-2:t1:4")
    assert book.by_conversation("c-1") == [kept]
    assert book.by_conversation("c-3") == []


def test_the_same_effect_again_gives_the_first_booking(engine: Engine) -> None:
    book = AppointmentBook(engine)
    first = book.book("practice", AT, 30, "", "c-1", "k-1")
    assert book.book("practice", AT, 30, "", "c-1", "k-1") == first
    assert book.book("practice", AT + timedelta(hours=1), 30, "", "c-1", "k-1") == first
    assert len(book.all()) == 1


def test_a_taken_time_is_refused_but_free_at_another_resource(engine: Engine) -> None:
    book = AppointmentBook(engine)
    book.book("practice", AT, 30, "", "c-1", "k-1")
    assert book.book("practice", AT, 30, "", "c-2", "k-2") is None
    assert book.book("workshop", AT, 30, "", "c-2", "k-2") is not None


def test_threads_that_race_for_a_time_have_one_winner(engine: Engine) -> None:
    book, together = AppointmentBook(engine), Barrier(8)

    def race(number: int) -> Appointment | None:
        together.wait(timeout=60)
        return book.book("practice", AT, 30, "", f"c-{number}", f"k-{number}")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    winners = [result for result in results if result is not None]
    assert len(winners) == 1
    assert book.all() == winners


def test_threads_that_carry_out_one_effect_book_once_and_all_get_the_booking(engine: Engine) -> None:
    book, together = AppointmentBook(engine), Barrier(8)

    def race(_: int) -> Appointment | None:
        together.wait(timeout=60)
        return book.book("practice", AT, 30, "", "c-1", "k-1")

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    assert results == [book.all()[0]] * 8


def test_moving_an_appointment_frees_its_time(engine: Engine) -> None:
    book = AppointmentBook(engine)
    mine, other = (book.book("practice", AT + timedelta(hours=each), 30, "", "c-1", f"k-{each}") for each in (0, 1))
    assert mine is not None
    assert other is not None
    with engine.begin() as connection:
        assert move(connection, mine.id, other.starts_at) is False
        assert held(connection, mine.id) == mine, "and the transaction goes on"
        assert move(connection, mine.id, AT + timedelta(hours=2)) is True
        assert move(connection, 99, AT) is False
        assert free_times(connection, "practice", [AT]) == [AT]
    assert [each.starts_at for each in book.all()] == [AT + timedelta(hours=2), AT + timedelta(hours=1)]


def test_removing_an_appointment_frees_its_time(engine: Engine) -> None:
    book = AppointmentBook(engine)
    mine = book.book("practice", AT, 30, "", "c-1", "k-1", "Ada")
    assert mine is not None
    with engine.begin() as connection:
        assert [remove(connection, mine.id) for _ in range(2)] == [True, False]
        assert held(connection, mine.id) is None
        assert by_effect(connection, "k-1") is None
    assert book.book("practice", AT, 30, "", "c-2", "k-2") is not None


def test_upcoming_appointments_are_found_by_number_the_next_one_first(engine: Engine) -> None:
    book = AppointmentBook(engine)
    for hours, caller in ((3, "+491"), (1, "+491"), (0, "+491"), (2, "+492")):
        book.book("practice", AT + timedelta(hours=hours), 30, caller, "c-1", f"k-{hours}")
    with engine.begin() as connection:
        found = upcoming(connection, "practice", AT, caller="+491")
    assert [each.starts_at - AT for each in found] == [timedelta(hours=1), timedelta(hours=3)]


def test_upcoming_appointments_of_a_day_are_those_from_its_begin_to_its_end(engine: Engine) -> None:
    book = AppointmentBook(engine)
    for hours in range(-1, 4):
        book.book("practice", AT + timedelta(hours=hours), 30, "+491", "c-1", f"k-{hours}")
    with engine.begin() as connection:
        found = upcoming(connection, "practice", AT - timedelta(days=1), day=(AT, AT + timedelta(hours=3)))
    assert [each.starts_at - AT for each in found] == [timedelta(hours=each) for each in range(3)]


def test_free_times_are_those_at_which_nothing_starts(engine: Engine) -> None:
    book = AppointmentBook(engine)
    book.book("practice", AT, 30, "", "c-1", "k-1")
    book.book("workshop", AT + timedelta(hours=1), 30, "", "c-1", "k-2")
    candidates = [AT + timedelta(hours=1), AT, AT - timedelta(hours=1)]
    with engine.connect() as connection:
        assert free_times(connection, "practice", candidates) == [candidates[0], candidates[2]]
        assert free_times(connection, "practice", []) == []
