"""Ready-made checks of days and times."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from fsm.checks import WithinHours, not_past
from fsm.errors import SlotError
from fsm.hours import Hours
from fsm.spec import Known

HOURS = Hours(mon=("09:00-12:00",), tue=("09:00-17:00",), closed=("2026-11-24",))
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("value", "slots", "said"),
    [
        (date(2026, 11, 23), {}, ""),
        (date(2026, 11, 24), {}, "We are closed on Tuesday 24 November."),
        (date(2026, 11, 25), {}, "We are closed on Wednesdays."),
        (time(11), {"day": date(2026, 11, 23)}, ""),
        (time(14), {"day": date(2026, 11, 23)}, "On Mondays we are open from nine to twelve."),
        (time(14), {"day": date(2026, 12, 1)}, ""),
        (time(14), {"day": date(2026, 11, 24)}, "We are closed on Tuesday 24 November."),
        (time(14), {}, ""),
        (time(18), {}, "We are open on Monday from nine to twelve and on Tuesday from nine to five."),
    ],
)
def test_a_day_and_a_time_are_within_the_hours(value: date | time, slots: dict[str, Any], said: str) -> None:
    assert _said(WithinHours(HOURS), value, slots).startswith(said)
    assert bool(_said(WithinHours(HOURS), value, slots)) is bool(said)


@pytest.mark.parametrize(
    ("value", "slots", "said"),
    [
        (date(2026, 11, 22), {}, "That day has already passed."),
        (date(2026, 11, 23), {}, ""),
        (time(9), {"day": date(2026, 11, 23)}, "It is already later than that today."),
        (time(9), {"day": date(2026, 11, 24)}, ""),
        (time(9), {}, ""),
    ],
)
def test_a_day_and_a_time_are_not_past(value: date | time, slots: dict[str, Any], said: str) -> None:
    assert _said(not_past, value, slots).startswith(said)
    assert bool(_said(not_past, value, slots)) is bool(said)


def _said(check: Any, value: date | time, slots: dict[str, Any]) -> str:
    try:
        assert check(value, Known(NOW, slots)) == value
    except SlotError as error:
        return error.say
    return ""
