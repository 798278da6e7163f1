"""Days as they are named in parts; what words name them is in the tests of each language."""

from __future__ import annotations

from datetime import date

import pytest

from fsm.days import Day

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("day", "dates"),
    [
        (Day(exact=date(2026, 11, 26)), {date(2026, 11, 26)}),
        (Day(exact=date(2026, 11, 26), weekday=4), set()),  # it is a Thursday
        (Day(weekday=3), {date(2026, 11, 26)}),
        (Day(weekday=0), {MONDAY, date(2026, 11, 30)}),
        (Day(weekday=3, weeks=None), {date(2026, 11, 26), date(2026, 12, 3)}),
        (Day(weekday=3, weeks=1), {date(2026, 12, 3)}),
        (Day(day=5), {date(2026, 12, 5)}),
        (Day(day=29, month=2), {date(2028, 2, 29)}),
        (Day(day=31, month=2), {date.min}),
        (Day(day=26, month=11, year=2025), {date(2025, 11, 26)}),
        (Day(day=31, month=2, year=2027), set()),
    ],
)
def test_the_dates_that_a_day_may_mean(day: Day, dates: set[date]) -> None:
    assert day.meant(MONDAY) == dates


def test_parts_are_joined_unless_they_contradict_each_other() -> None:
    thursday, of_month = Day(weekday=3, weeks=1), Day(day=26, month=11)
    assert of_month.with_(thursday) == Day(weekday=3, day=26, month=11, weeks=1)
    assert thursday.with_(of_month) == Day(weekday=3, day=26, month=11, weeks=1)
    assert thursday.with_(Day(weekday=4)) is None
