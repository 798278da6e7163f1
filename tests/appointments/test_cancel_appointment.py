"""Cancelling and rescheduling over a real appointment book: what is found, what is not, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from appointments.bookings import AppointmentBook, move, remove
from appointments.cancel_appointment import CANCEL_APPOINTMENT
from appointments.reschedule_appointment import RESCHEDULE_APPOINTMENT
from fsm.spec import AgentSpec
from tests.appointments.practice import CALLER, FRIDAY, NOW, TUESDAY, booked, starts, talk

WISH: dict[str, dict[str, str]] = {
    "cancel_appointment": {},
    "reschedule_appointment": {"day": "2026-11-30", "at": "15:00"},
}


def test_an_appointment_is_cancelled_after_its_read_back(engine: Engine) -> None:
    booked(engine, TUESDAY)
    booked(engine, TUESDAY + timedelta(hours=1), caller="+4930999")
    it = talk(engine, CANCEL_APPOINTMENT).opens()
    assert it.says == "Under what name is it booked?"
    assert it.gives(name="john smith").says == "Your appointment on Tuesday 24 November at 10:30. Shall I cancel it?"
    assert len(starts(engine)) == 2
    assert it.says_yes().outcome == "removed"
    assert starts(engine) == [TUESDAY + timedelta(hours=1)]
    booked(engine, TUESDAY, caller="+4930777")
    assert TUESDAY in starts(engine), "its time is free again"


@pytest.mark.parametrize("spec", [CANCEL_APPOINTMENT, RESCHEDULE_APPOINTMENT], ids=lambda spec: spec.name)
def test_of_several_the_caller_says_the_day_and_only_then(engine: Engine, spec: AgentSpec) -> None:
    for at in (FRIDAY, TUESDAY, FRIDAY + timedelta(days=7), FRIDAY + timedelta(days=14)):
        booked(engine, at)
    it = talk(engine, spec).opens(name="John Smith")
    assert it.says == (
        "Your next appointments are on Tuesday 24 November at 10:30, Friday 27 November at 9:00 "
        "and Friday 4 December at 9:00. On which day is the one that you mean?"
    )
    assert it.answers[-1]["needs"][0] == "which"
    assert it.gives(which="2026-11-30").says.startswith(
        "There is none on Monday 30 November. Your next appointments are"
    )
    it.gives(which="2026-11-27", **({"day": "2026-12-01", "at": "15:00"} if spec is RESCHEDULE_APPOINTMENT else {}))
    assert it.says.startswith(("Your appointment on Friday 27", "I move your appointment from Friday 27"))
    assert it.says_yes().outcome in ("removed", "moved")
    assert FRIDAY not in starts(engine)
    assert TUESDAY in starts(engine)


def test_the_day_is_taken_if_the_caller_says_it_unasked_and_can_be_corrected(engine: Engine) -> None:
    booked(engine, TUESDAY)
    booked(engine, FRIDAY)
    it = talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith", which="2026-11-27")
    assert it.says.startswith("Your appointment on Friday 27 November at 9:00.")
    assert it.gives(which="2026-11-24").says.startswith("Your appointment on Tuesday 24 November at 10:30.")
    it.says_yes()
    assert starts(engine) == [FRIDAY]


def test_a_caller_who_does_not_cancel_after_all_keeps_the_appointment(engine: Engine) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith", which="2026-11-24").says_no()
    assert (it.outcome, it.says) == ("cancelled", "All right, your appointment stays as it is. Is there anything else?")
    assert starts(engine) == [TUESDAY]


def test_a_day_that_fits_nothing_is_asked_for_again_though_there_is_but_one(engine: Engine) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith", which="2026-11-27")
    assert it.says == ("There is none on Friday 27 November. On which day is the one that you mean?")
    assert it.gives(which="2026-11-24").says == "Your appointment on Tuesday 24 November at 10:30. Shall I cancel it?"


@pytest.mark.parametrize("spec", [CANCEL_APPOINTMENT, RESCHEDULE_APPOINTMENT], ids=lambda spec: spec.name)
def test_two_on_one_day_are_told_apart_by_their_time(engine: Engine, spec: AgentSpec) -> None:
    booked(engine, TUESDAY)
    booked(engine, TUESDAY + timedelta(hours=1))
    it = talk(engine, spec).opens(name="John Smith", **WISH[spec.name])
    assert it.says == (
        "Your next appointments are on Tuesday 24 November at 10:30 and Tuesday 24 November at 11:30. "
        "At what time is the one that you mean?"
    )
    assert it.gives(which_at="14:00").says.startswith("There is none at 14:00. Your next appointments are on Tuesday")
    assert "Tuesday 24 November at 11:30" in it.gives(which_at="11:30").says
    it.says_yes()
    assert TUESDAY in starts(engine)
    assert TUESDAY + timedelta(hours=1) not in starts(engine)


def test_day_and_time_of_the_one_that_is_meant_are_taken_with_the_wish(engine: Engine) -> None:
    booked(engine, TUESDAY)
    booked(engine, TUESDAY + timedelta(hours=1))
    it = talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith", which="2026-11-24", which_at="11:30")
    assert it.says == "Your appointment on Tuesday 24 November at 11:30. Shall I cancel it?"


@pytest.mark.parametrize("late", [False, True], ids=["while it is collected", "after the read-back"])
def test_a_name_that_is_corrected_has_the_appointment_looked_up_again(engine: Engine, late: bool) -> None:
    booked(engine, TUESDAY, name="Anna Smith")
    booked(engine, FRIDAY, name="Robert Jones")
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(name="Anna Smith", **({"day": "2026-12-01"} if late else {}))
    if late:
        assert "from Tuesday 24 November" in it.gives(at="10:00").says
    it.gives(name="Robert Jones")
    if not late:
        it.gives(day="2026-12-01", at="10:00")
    assert it.says.startswith("I move your appointment from Friday 27 November at 9:00 to Tuesday 1 December at 10:00.")
    it.says_yes()
    assert starts(engine) == [TUESDAY, FRIDAY.replace(month=12, day=1, hour=10)]


def test_what_was_said_ahead_of_time_and_taken_back_does_not_lead_past_the_lookup(engine: Engine) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(at="09:00", day="2026-11-27")
    assert it.gives(at="03:00").says == "We are open from nine to five. What time would suit you?"
    assert it.gives(at="11:00").says == "Under what name is it booked?"
    assert it.gives(name="John Smith").says.startswith("I move your appointment from Tuesday 24 November at 10:30 to")


def test_a_run_that_was_restored_still_knows_by_what_it_looked_up(engine: Engine) -> None:
    booked(engine, TUESDAY, name="Anna Smith")
    booked(engine, FRIDAY, name="Robert Jones")
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(name="Anna Smith").gives(name="Robert Jones").crashes()
    assert "from Friday 27 November" in it.gives(day="2026-12-01", at="10:00").says


@pytest.mark.parametrize("spec", [CANCEL_APPOINTMENT, RESCHEDULE_APPOINTMENT], ids=lambda spec: spec.name)
@pytest.mark.parametrize("meanwhile", ["cancelled", "moved", "its number given to a stranger's"])
def test_only_what_was_read_back_is_touched(engine: Engine, spec: AgentSpec, meanwhile: str) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, spec).opens(name="John Smith", **WISH[spec.name])
    with engine.begin() as connection:
        if meanwhile == "moved":
            move(connection, 1, FRIDAY)
        else:
            remove(connection, 1)
    if meanwhile == "its number given to a stranger's":
        booked(engine, TUESDAY, caller="+4930999")
        assert AppointmentBook(engine).all()[0].id == 1
    before = starts(engine)
    it.says_yes()
    assert it.says.startswith("That appointment has been cancelled or moved in the meantime.")
    assert it.outcome in ("not_found", "transfer")
    assert starts(engine) == before


@pytest.mark.parametrize(
    ("name", "caller", "found"),
    [
        ("John Smith", CALLER, True),
        ("John Smyth", CALLER, True),
        ("Jon Smyth", CALLER, False),
        ("JOHN  SMITH.", CALLER, True),
        ("Jóhn Smíth", CALLER, True),
        ("Mary Poppins", CALLER, False),
        ("John Smith", "+4930999", False),
    ],
)
def test_an_appointment_is_found_by_number_and_name(engine: Engine, name: str, caller: str, found: bool) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, CANCEL_APPOINTMENT, caller).opens(name=name)
    assert (it.state == "Confirm") == found
    assert found or it.says.startswith(f"I cannot find an appointment under the name {name} for your number. Under")


def test_a_past_appointment_is_not_found(engine: Engine) -> None:
    booked(engine, NOW - timedelta(days=1))
    assert talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith").state == "CollectName"


def test_the_model_cannot_name_the_appointment(engine: Engine) -> None:
    booked(engine, TUESDAY)
    told = CANCEL_APPOINTMENT.opening_tool().parameters["properties"]
    assert set(told) == {"name", "which", "which_at", "code"}  # type: ignore[call-overload]
    it = talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith")
    assert it.calls("cancel_appointment_provide", '{"was_day": "2026-12-01"}').fault == "unknown_property"
    assert it.calls("cancel_appointment_provide", '{"appointment": 7}').fault == "unknown_property"


def test_giving_up_leaves_everything_as_it_is(engine: Engine) -> None:
    booked(engine, TUESDAY)
    for spec in (CANCEL_APPOINTMENT, RESCHEDULE_APPOINTMENT):
        it = talk(engine, spec).opens(name="John Smith").gives_up()
        assert it.says == "All right, your appointment stays as it is. Is there anything else?"
    assert starts(engine) == [TUESDAY]
