"""Dates and times by the telephone's keys: what they mean, and what means nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from appointments.book_appointment import BOOK_APPOINTMENT
from fsm.effects import Ok
from fsm.keypad import KEYPAD_DATE, KEYPAD_TIME, read_date, read_time
from fsm.spec import Known
from fsm.testing import Recorder, converse


def on(year: int, month: int, day: int) -> Known:
    return Known(datetime(year, month, day, 14, 5, tzinfo=UTC), {})


@pytest.mark.parametrize(
    ("keys", "today", "meant"),
    [
        ("2411", on(2026, 11, 23), date(2026, 11, 24)),
        ("2311", on(2026, 11, 23), date(2026, 11, 23)),
        ("2211", on(2026, 11, 23), date(2027, 11, 22)),
        ("0101", on(2026, 12, 31), date(2027, 1, 1)),
        ("2902", on(2027, 12, 1), date(2028, 2, 29)),
        ("2902", on(2096, 3, 1), date(2104, 2, 29)),
    ],
)
def test_four_keys_are_the_next_such_day(keys: str, today: Known, meant: date) -> None:
    assert read_date(keys, today) == meant


@pytest.mark.parametrize("keys", ["", "241", "24112", "3002", "3202", "0000", "2413", "24*1", "24-1", "+1+1"])
def test_what_is_no_date_means_nothing(keys: str) -> None:
    with pytest.raises(ValueError, match=r"is no date|are not four digits"):
        read_date(keys, on(2026, 11, 23))


@pytest.mark.parametrize(("keys", "meant"), [("1030", time(10, 30)), ("0000", time(0)), ("2359", time(23, 59))])
def test_four_keys_are_a_time_on_the_24_hour_clock(keys: str, meant: time) -> None:
    assert read_time(keys, on(2026, 11, 23)) == meant


@pytest.mark.parametrize("keys", ["", "103", "10300", "2400", "1060", "10*0", "1+30"])
def test_what_is_no_time_means_nothing(keys: str) -> None:
    with pytest.raises(ValueError, match=r"must be in|are not four digits"):
        read_time(keys, on(2026, 11, 23))


def test_the_example_in_the_question_is_one() -> None:
    assert "2 4 1 2 for 24 December" in KEYPAD_DATE.ask
    assert read_date("2412", on(2026, 11, 23)) == date(2026, 12, 24)
    assert "1 0 3 0 for half past ten" in KEYPAD_TIME.ask
    assert (KEYPAD_DATE.length, KEYPAD_TIME.length) == (4, 4)


BOOKS = Recorder({"appointments.book": [Ok({"code": "4711"})]})


def test_a_caller_who_is_not_understood_books_by_keys() -> None:
    it = converse(BOOK_APPOINTMENT, now=datetime(2026, 11, 23, 14, 5, tzinfo=UTC), effects=BOOKS).opens(name="Ada")
    assert it.says == "Which day would suit you?"
    it.gives()
    assert it.says.endswith("Which day would suit you? You can say tomorrow, next Monday, or a date.")
    assert it.gives().says.endswith(KEYPAD_DATE.ask)
    assert it.keys("2411").says == "At what time?"
    assert it.keys("1030").says == "Tuesday 24 November at 10:30 for Ada. Shall I book it?"
    assert it.keys("1").outcome == "booked"
