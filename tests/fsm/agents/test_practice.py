"""The practice: when it is open, and by which name and number its appointments are found."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from fsm.agents.practice import open_day, open_time, starts
from fsm.errors import SlotError
from fsm.spec import Known
from tests.fsm.agents.practice import NOW

TODAY = NOW.date()


def known(now: datetime = NOW, day: date | None = None) -> Known:
    return Known(now, {} if day is None else {"day": day})


def test_appointments_begin_at_every_quarter_of_an_hour_from_nine_to_a_quarter_to_five() -> None:
    assert starts()[:2] == [time(9), time(9, 15)]
    assert starts()[-1] == time(16, 45)
    assert len(starts()) == 32


@pytest.mark.parametrize("days", [0, 1, 365])
def test_a_day_from_today_to_a_year_ahead_is_accepted(days: int) -> None:
    day = TODAY + timedelta(days=days)
    assert open_day(day, known()) == day


@pytest.mark.parametrize(
    ("days", "now", "sentence"),
    [
        (-1, NOW, "already passed"),
        (366, NOW, "too far ahead"),
        (0, NOW.replace(hour=16, minute=45), "nothing left today"),
        (0, NOW.replace(hour=23), "nothing left today"),
    ],
)
def test_another_day_is_refused_in_words(days: int, now: datetime, sentence: str) -> None:
    with pytest.raises(SlotError, match=sentence):
        open_day(TODAY + timedelta(days=days), known(now))


def test_today_is_accepted_until_the_last_appointment_has_begun() -> None:
    assert open_day(TODAY, known(NOW.replace(hour=16, minute=44))) == TODAY


@pytest.mark.parametrize("at", [time(9), time(16, 45), time(12, 15)])
def test_a_time_at_which_an_appointment_begins_is_accepted(at: time) -> None:
    assert open_time(at, known(day=TODAY + timedelta(days=1))) == at


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        (time(8, 45), "nine to five"),
        (time(17), "nine to five"),
        (time(9, 10), "quarter hours"),
        (time(9, 0, 1), "quarter hours"),
    ],
)
def test_another_time_is_refused_in_words(at: time, sentence: str) -> None:
    with pytest.raises(SlotError, match=sentence):
        open_time(at, known())


def test_today_a_time_must_be_to_come() -> None:
    now = NOW.replace(hour=10, minute=30)
    with pytest.raises(SlotError, match="already later"):
        open_time(time(10, 30), known(now, TODAY))
    assert open_time(time(10, 45), known(now, TODAY)) == time(10, 45)
    assert open_time(time(10, 30), known(now, TODAY + timedelta(days=1))) == time(10, 30)
