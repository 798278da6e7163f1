"""The practice: when it is open, and by which name and number its appointments are found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from actors.tasks.effect_runner import EffectRunner
from appointments.book_appointment import book_appointment
from appointments.bookings import AppointmentBook
from appointments.cancel_appointment import cancel_appointment
from appointments.practice import Practice, digits
from appointments.reschedule_appointment import reschedule_appointment
from fsm.effects import TaskContext
from fsm.errors import SlotError
from fsm.spec import AgentSpec, Known
from fsm.testing import Conversation, converse
from fsm.walk import no_reasoning
from tests.actors.bots import OneWith
from tests.appointments.practice import CALLER, NOW

TODAY = NOW.date()
PRACTICE = Practice()


def known(now: datetime = NOW, day: date | None = None) -> Known:
    return Known(now, {} if day is None else {"day": day})


def test_appointments_begin_at_every_quarter_of_an_hour_from_nine_to_a_quarter_to_five() -> None:
    assert PRACTICE.starts(TODAY)[:2] == [time(9), time(9, 15)]
    assert PRACTICE.starts(TODAY)[-1] == time(16, 45)
    assert len(PRACTICE.starts(TODAY)) == 32


@pytest.mark.parametrize("days", [0, 1, 365])
def test_a_day_from_today_to_a_year_ahead_is_accepted(days: int) -> None:
    day = TODAY + timedelta(days=days)
    assert PRACTICE.open_day(day, known()) == day


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
        PRACTICE.open_day(TODAY + timedelta(days=days), known(now))


def test_today_is_accepted_until_the_last_appointment_has_begun() -> None:
    assert PRACTICE.open_day(TODAY, known(NOW.replace(hour=16, minute=44))) == TODAY


@pytest.mark.parametrize("at", [time(9), time(16, 45), time(12, 15)])
def test_a_time_at_which_an_appointment_begins_is_accepted(at: time) -> None:
    assert PRACTICE.open_time(at, known(day=TODAY + timedelta(days=1))) == at


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
        PRACTICE.open_time(at, known())


def test_today_a_time_must_be_to_come() -> None:
    now = NOW.replace(hour=10, minute=30)
    with pytest.raises(SlotError, match="already later"):
        PRACTICE.open_time(time(10, 30), known(now, TODAY))
    assert PRACTICE.open_time(time(10, 45), known(now, TODAY)) == time(10, 45)
    assert PRACTICE.open_time(time(10, 30), known(now, TODAY + timedelta(days=1))) == time(10, 30)


SURGERY = Practice.model_validate(
    {
        "length_min": 40,
        "ahead_days": 42,
        "hours": {"mon": ["09:00-12:30", "14:00-17:00"], "tue": ["10:00-11:00"], "closed": ["2026-11-30"]},
    }
)


def test_an_appointment_ends_before_its_piece_of_the_day_does() -> None:
    assert [f"{each:%H:%M}" for each in SURGERY.starts(TODAY)] == [
        "09:00", "09:40", "10:20", "11:00", "11:40", "14:00", "14:40", "15:20", "16:00"
    ]  # fmt: skip
    assert SURGERY.starts(date(2026, 11, 30)) == SURGERY.starts(date(2026, 11, 25)) == []


@pytest.mark.parametrize(
    ("day", "sentence"),
    [
        (date(2026, 11, 25), "We are closed on Wednesdays. Which other day would suit you?"),
        (date(2026, 11, 30), "We are closed on Monday 30 November. Which other day would suit you?"),
        (date(2027, 1, 5), "That is too far ahead: we book up to 6 weeks in advance. Which day would suit you?"),
    ],
)
def test_a_day_is_refused_by_the_hours_that_are_set(day: date, sentence: str) -> None:
    with pytest.raises(SlotError, match=sentence):
        SURGERY.open_day(day, known())


@pytest.mark.parametrize(
    ("at", "day", "sentence"),
    [
        (time(13), TODAY, "On Mondays we are open from nine to half past twelve and from two to five."),
        (time(14), date(2026, 11, 24), "On Tuesdays we are open from ten to eleven."),
        (time(8), None, "We are open on Monday from nine to half past twelve and from two to five and on Tuesday"),
        (time(9, 30), date(2026, 12, 7), "Appointments begin at nine or 9:40."),
        (time(10, 30), date(2026, 11, 24), "The nearest appointment begins at ten."),
    ],
)
def test_a_time_is_refused_by_the_hours_of_its_day(at: time, day: date | None, sentence: str) -> None:
    with pytest.raises(SlotError, match=sentence):
        SURGERY.open_time(at, known(day=day))


@pytest.mark.parametrize(
    ("length_min", "said"), [(60, "the full hours"), (30, "the full and half hours"), (15, "quarter hours")]
)
def test_the_grid_of_appointments_is_said(length_min: int, said: str) -> None:
    with pytest.raises(SlotError, match=f"Appointments begin at .*{said}"):
        Practice(length_min=length_min).open_time(time(9, 10), known())


def test_of_a_grid_that_no_words_describe_the_two_nearest_appointments_are_said() -> None:
    for at, said in ((time(10), "nine or half past ten"), (time(14, 30), "half past one or three")):
        with pytest.raises(SlotError, match=f"Appointments begin at {said}"):
            Practice(length_min=90).open_time(at, known())


def test_a_length_for_which_there_is_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no appointment of 61 min fits into the hours"):
        Practice.model_validate({"length_min": 61, "hours": {"mon": ["09:00-10:00"]}})
    assert Practice.model_validate({"length_min": 60, "hours": {"sun": ["09:00-10:00"]}})


def test_a_database_that_is_none_is_told_without_its_secret() -> None:
    with pytest.raises(ValidationError) as told:
        Practice.model_validate({"database": "secret word"})
    (error,) = told.value.errors()
    assert error["loc"] == ("database",)
    assert "secret word" not in error["msg"]


def test_of_a_code_the_digits_count_and_without_any_it_is_asked_for_again() -> None:
    assert digits("number 4 7-1 1", known()) == "4711"
    with pytest.raises(SlotError, match="did not get the code"):
        digits("I forgot", known())


BOTH = [pytest.param(make, id=make.__name__) for make in (cancel_appointment, reschedule_appointment)]


def talk_in(engine: Engine, spec: AgentSpec) -> Conversation:
    runner = EffectRunner(engine, OneWith({spec.name: spec}), lambda: NOW)
    return converse(spec, effects=runner, now=NOW, caller=CALLER)


@pytest.mark.parametrize("make", BOTH)
def test_practices_with_different_resources_see_none_of_each_others_appointments(
    engine: Engine, make: Callable[[Practice], AgentSpec]
) -> None:
    ours, theirs = Practice(), Practice(resource="dental", length_min=60)
    for number, practice in enumerate((ours, theirs)):
        booking = book_appointment(practice)
        runner = EffectRunner(engine, OneWith({booking.name: booking}), lambda: NOW)
        context = TaskContext(f"c-{number}", "t1", CALLER, lambda: NOW)
        name = ("John Smith", "Ada Lovelace")[number]
        it = Conversation(booking, context, runner, no_reasoning)
        assert it.opens(day="2026-11-24", at="10:00", name=name).says_yes().state == "Booked", "one time, two practices"
    booked = AppointmentBook(engine).all()
    assert [(each.resource, each.duration_min) for each in booked] == [("practice", 15), ("dental", 60)]
    knows = {"name": "John Smith", "which": "2026-11-24"}
    assert talk_in(engine, make(theirs)).opens(**knows).state == "CollectName"
    assert talk_in(engine, make(ours)).opens(**knows).state in ("Confirm", "CollectDate")
