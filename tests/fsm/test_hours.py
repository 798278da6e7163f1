"""Opening hours: what is refused, when it is open, and how that is said."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fsm.checks import WithinHours
from fsm.errors import SlotError
from fsm.hours import DAYS, NINE_TO_FIVE, Hours, Span, said_minute
from fsm.states import Known

MONDAY, TUESDAY, SUNDAY = date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 29)
SPLIT = ["09:00-12:30", "14:00-17:00"]


def week(days: tuple[str, ...], *pieces: str) -> dict[str, list[str]]:
    return {day: list(pieces or ("09:00-17:00",)) for day in days}


def hours(**days: Any) -> Hours:
    return Hours.model_validate(days)


@pytest.mark.parametrize(
    ("days", "where", "what"),
    [
        ({"mon": ["14:00-12:30"]}, ("mon", 0), '12:30 is before 14:00; write "12:30-14:00"'),
        ({"mon": ["09:00-09:00"]}, ("mon", 0), "is empty"),
        ({"mon": ["9 to 5"]}, ("mon", 0), 'write it like "09:00-12:30"'),
        ({"mon": [9]}, ("mon", 0), "9 is no piece of a day"),
        ({"mon": ["09:00-25:00"]}, ("mon", 0), "there is no 25:00"),
        ({"mon": ["09:60-10:00"]}, ("mon", 0), "there is no 09:60"),
        ({"mon": ["09:00-12:00", "11:30-13:00"]}, ("mon",), 'overlap; write "09:00-13:00"'),
        ({"mon": ["11:00-12:00", "09:00-13:00"]}, ("mon",), '"09:00-13:00" and "11:00-12:00" overlap'),
        ({"mon": ["09:00-10:00"], "closed": ["25.12."]}, ("closed", 0), 'write it like "2026-12-25"'),
        ({"mon": ["09:00-10:00"], "closed": [25]}, ("closed", 0), "25 is no date"),
        ({"closed": ["2026-12-25"]}, (), "never open"),
        ({"mo": ["09:00-10:00"]}, ("mo",), "not permitted"),
    ],
)
def test_wrong_hours_are_refused_where_they_stand(days: dict[str, Any], where: tuple[object, ...], what: str) -> None:
    with pytest.raises(ValidationError) as refused:
        hours(**days)
    first = refused.value.errors()[0]
    assert first["loc"] == where
    assert what in first["msg"]


def test_pieces_that_touch_do_not_overlap_and_a_day_may_end_at_midnight() -> None:
    assert hours(mon=["12:00-24:00", "9:00-12:00"]).on(MONDAY) == (Span(540, 720), Span(720, 1440))


def test_it_is_open_within_its_pieces() -> None:
    split = hours(mon=SPLIT, tue=["10:00-11:00"], closed=["2026-11-30", date(2026, 12, 1)])
    assert split.open_at(time(12, 29), MONDAY)
    assert not split.open_at(time(12, 30), MONDAY)
    assert not split.open_at(time(9), TUESDAY)
    assert split.open_at(time(9)), "on some day"
    assert not split.open_at(time(8))
    assert split.on(SUNDAY) == split.on(date(2026, 11, 30)) == split.on(date(2026, 12, 1)) == ()


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (week(DAYS), "from nine to five"),
        (week(DAYS[:5]), "from Monday to Friday from nine to five"),
        (
            {**week(DAYS[:5], *SPLIT), "sat": ["10:00-13:00"]},
            "from Monday to Friday from nine to half past twelve and from two to five and "
            "on Saturday from ten to one",
        ),
        ({"sat": ["18:00-20:30"], "sun": ["18:00-20:30"]},
         "on Saturday and Sunday from six to half past eight in the evening"),
        (
            {"mon": ["09:15-09:45"], "wed": ["06:00-24:00"], "fri": ["09:40-10:00"]},
            "on Monday from a quarter past nine to a quarter to ten, "
            "on Wednesday from six in the morning to midnight and on Friday from 9:40 to ten",
        ),
    ],
)  # fmt: skip
def test_the_week_is_said_as_people_say_it(days: dict[str, list[str]], said: str) -> None:
    assert hours(**days).said() == said


def test_a_day_is_said_by_its_name_where_days_differ() -> None:
    split = hours(mon=SPLIT, tue=["09:00-12:30"], closed=["2026-11-30"])
    assert split.said_on(MONDAY) == "On Mondays we are open from nine to half past twelve and from two to five."
    assert split.said_on(None).startswith("We are open on Monday from nine")
    assert NINE_TO_FIVE.said_on(MONDAY) == "We are open from nine to five."
    assert split.said_closed(SUNDAY) == "We are closed on Sundays."
    assert split.said_closed(date(2026, 11, 30)) == "We are closed on Monday 30 November."


def test_the_model_is_told_every_part_of_the_day() -> None:
    assert NINE_TO_FIVE.week() == "every day from nine in the morning to five in the afternoon"
    assert hours(mon=SPLIT, sat=["12:00-24:00"]).week() == (
        "on Monday from nine in the morning to half past twelve in the afternoon "
        "and from two in the afternoon to five in the afternoon and on Saturday from noon to midnight"
    )


def test_a_check_takes_what_is_within_the_hours() -> None:
    check = WithinHours(hours(mon=SPLIT, tue=["10:00-11:00"], closed=["2026-11-30"]))
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    nothing, tuesday = Known(now, {}), Known(now, {"when": TUESDAY})
    assert check(MONDAY, nothing) == MONDAY
    assert check(time(9), nothing) == time(9)
    assert check(time(10, 30), tuesday) == time(10, 30)
    for value, known, sentence in (
        (SUNDAY, nothing, "We are closed on Sundays. Which other day would suit you?"),
        (date(2026, 11, 30), nothing, "We are closed on Monday 30 November."),
        (time(13), nothing, "We are open on Monday from nine"),
        (time(9), tuesday, "On Tuesdays we are open from ten to eleven. What time would suit you?"),
    ):
        with pytest.raises(SlotError, match=sentence):
            check(value, known)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("06:59", "6:59 in the morning"),
        ("07:00", "seven"),
        ("18:59", "6:59"),
        ("19:00", "seven in the evening"),
    ],
)
def test_early_and_late_the_part_of_the_day_is_said(at: str, said: str) -> None:
    assert said_minute(Span.parse(f"{at}-23:59").from_min) == said


@given(st.integers(0, 1440))
def test_every_minute_can_be_said(minute: int) -> None:
    assert said_minute(minute)


SPANS = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).map(sorted).filter(lambda pair: pair[0] < pair[1])


@given(SPANS)
def test_a_piece_is_read_as_it_is_written(pair: list[int]) -> None:
    assert Span.parse(str(Span(*pair))) == Span(*pair)
