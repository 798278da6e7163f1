"""Moving an appointment: in one go, its new time checked, its old one free."""

from __future__ import annotations

from sqlalchemy import Engine

from appointments.reschedule_appointment import RESCHEDULE_APPOINTMENT
from tests.appointments.practice import FRIDAY, TUESDAY, booked, starts, talk


def test_a_new_day_has_nothing_looked_up_again(engine: Engine) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(name="John Smith", day="2026-11-27", at="10:00")
    assert it.gives(day="2026-11-30").states.count("Find") == 1


def test_an_appointment_is_moved_in_one_go_and_its_old_time_is_free(engine: Engine) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(name="John Smith", day="2026-11-27")
    assert it.says == "At what time?"
    it.gives(at="09:00")
    assert it.says == (
        "I move your appointment from Tuesday 24 November at 10:30 to Friday 27 November at 9:00. Is that right?"
    )
    assert it.gives(at="11:00").says.endswith("to Friday 27 November at 11:00. Is that right?")
    assert it.says_yes().outcome == "moved"
    assert starts(engine) == [FRIDAY.replace(hour=11)]


def test_a_time_that_is_taken_is_refused_and_the_appointment_stays(engine: Engine) -> None:
    booked(engine, TUESDAY)
    booked(engine, FRIDAY, caller="+4930999", name="Mary Poppins")
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(name="John Smith", day="2026-11-27", at="09:00").says_yes()
    assert it.state == "CollectTime"
    assert it.says.startswith("I am sorry, 9:00 is already taken. The nearest free time is 9:15.")
    assert starts(engine) == [TUESDAY, FRIDAY]
    assert it.gives(at="09:15").says_yes().outcome == "moved"
    assert starts(engine) == [FRIDAY.replace(minute=15), FRIDAY]
