"""Spoken dates and times: every phrase of spoken_times.toml, and a few properties that hold for all of them."""

from __future__ import annotations

import tomllib
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.mind.spoken_date import read_date
from lab.mind.spoken_time import find_date, find_time, read_time
from lab.mind.spoken_words import plain

TABLE = tomllib.loads(Path(__file__).with_name("spoken_times.toml").read_text())
TODAY: date = TABLE["today"]


@pytest.mark.parametrize(("phrase", "day", "at"), TABLE["phrases"])
def test_a_phrase_gives_its_date_and_time_and_nothing_else(phrase: str, day: str, at: str) -> None:
    found_date, found_time = find_date(phrase, TODAY), find_time(phrase)

    assert (found_date.isoformat() if found_date else "") == day
    assert (found_time.strftime("%H:%M") if found_time else "") == at


def test_a_lone_number_is_no_time_where_a_time_was_not_asked_for() -> None:
    assert find_time("Two, please.", bare=False) is None
    assert find_time("At two, please.", bare=False) == time(14)


def test_a_date_without_a_year_is_the_next_such_day() -> None:
    assert find_date("the twenty-second of November", TODAY) == date(2027, 11, 22)
    assert find_date("the twenty-ninth of February", TODAY) == date(2028, 2, 29)
    assert find_date("the thirty-first", date(2026, 11, 1)) == date(2026, 12, 31)


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(0, 364))
def test_every_day_of_the_coming_year_is_understood_by_its_month_and_number(today: date, ahead: int) -> None:
    day = today + timedelta(days=ahead)

    assert find_date(f"on {day:%B} {day.day}, please", today) == day
    assert find_date(f"the {day.day}th of {day:%B}", today) == day


@given(st.times())
def test_every_time_written_by_the_clock_is_understood(at: time) -> None:
    assert find_time(f"at {at:%I:%M} {at:%p}") == at.replace(second=0, microsecond=0)


@pytest.mark.parametrize("phrase", [phrase for phrase, _, _ in TABLE["phrases"]])
def test_plain_text_is_plain_already(phrase: str) -> None:
    assert plain(plain(phrase)) == plain(phrase)


@given(st.text(), st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_no_text_and_no_day_is_too_much(text: str, today: date) -> None:
    for found in (read_date(text, today), read_time(text)):
        assert found is None or 0 <= found.start < found.end <= len(plain(text))
