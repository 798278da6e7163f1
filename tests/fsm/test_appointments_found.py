"""Cancelling and rescheduling over a real appointment book: what is found, what is not, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from actors.effects import EffectDesk
from fsm.agents.cancel_appointment import CANCEL_APPOINTMENT
from fsm.agents.hand_over import HAND_OVER
from fsm.agents.practice import RESOURCE
from fsm.agents.reschedule_appointment import RESCHEDULE_APPOINTMENT
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from fsm.testing import Conversation, converse
from store.appointments import AppointmentBook, remove
from store.database import open_database

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 14, 5, tzinfo=BERLIN)  # a Monday
TUESDAY, FRIDAY = datetime(2026, 11, 24, 10, 30, tzinfo=BERLIN), datetime(2026, 11, 27, 9, 0, tzinfo=BERLIN)
CALLER = "+4930123"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/book.sqlite3")
    yield engine
    engine.dispose()


def booked(engine: Engine, at: datetime, *, name: str = "John Smith", caller: str = CALLER) -> None:
    AppointmentBook(engine).book(RESOURCE, at, 15, caller, "c-0", f"{caller} {at}", name)


def starts(engine: Engine) -> list[datetime]:
    return [each.starts_at.astimezone(BERLIN) for each in AppointmentBook(engine).all()]


def talk(engine: Engine, spec: AgentSpec, caller: str = CALLER) -> Conversation:
    desk = EffectDesk(engine, load_agents(installed=()), lambda: NOW)
    return converse(spec, effects=desk, now=NOW, caller=caller)


def test_an_appointment_is_cancelled_after_its_read_back(engine: Engine) -> None:
    booked(engine, FRIDAY)
    booked(engine, TUESDAY)
    booked(engine, TUESDAY + timedelta(hours=1), caller="+4930999")
    it = talk(engine, CANCEL_APPOINTMENT).opens()
    assert it.says == "Under what name is it booked?"
    assert it.gives(name="john smith").says == "Your appointment on Tuesday 24 November at 10:30. Shall I cancel it?"
    assert len(starts(engine)) == 3
    assert it.says_yes().outcome == "removed"
    assert starts(engine) == [FRIDAY, TUESDAY + timedelta(hours=1)]
    assert talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith").says.startswith("Your appointment on Friday")


def test_another_day_is_found_if_the_caller_says_it(engine: Engine) -> None:
    booked(engine, TUESDAY)
    booked(engine, FRIDAY)
    assert "Friday 27" in talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith", which="2026-11-27").says
    it = talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith").says_no()
    assert it.says == "On which day is the appointment that you want to cancel?"
    assert "Friday 27" in it.gives(which="2026-11-27").says
    it.says_yes()
    assert starts(engine) == [TUESDAY]


@pytest.mark.parametrize(
    ("name", "caller", "found"),
    [
        ("John Smith", CALLER, True),
        ("Jon Smyth", CALLER, True),
        ("JOHN  SMITH.", CALLER, True),
        ("Mary Poppins", CALLER, False),
        ("John Smith", "+4930999", False),
        ("John Smith", "", False),
    ],
)
def test_an_appointment_is_found_by_number_and_name_only(engine: Engine, name: str, caller: str, found: bool) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, CANCEL_APPOINTMENT, caller).opens(name=name)
    assert (it.state == "Confirm") == found
    assert found or (it.outcome == "transfer" and it.says.startswith("I cannot find an appointment"))


def test_what_is_past_is_not_found(engine: Engine) -> None:
    booked(engine, NOW - timedelta(days=1))
    assert talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith").outcome == "transfer"


def test_the_model_cannot_name_the_appointment(engine: Engine) -> None:
    booked(engine, TUESDAY)
    assert set(CANCEL_APPOINTMENT.opening_tool().parameters["properties"]) == {"name", "which"}  # type: ignore[call-overload]
    it = talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith")
    assert it.calls("cancel_appointment_provide", '{"was_day": "2026-12-01"}').fault == "unknown_property"
    assert it.calls("cancel_appointment_provide", '{"appointment": 7}').fault == "unknown_property"


def test_cancelled_in_another_call_meanwhile_it_is_told_so(engine: Engine) -> None:
    booked(engine, TUESDAY)
    it = talk(engine, CANCEL_APPOINTMENT).opens(name="John Smith")
    with engine.begin() as connection:
        remove(connection, 1)
    assert it.says_yes().outcome == "not_found"
    assert it.says.startswith("That appointment has been cancelled already.")


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
    booked(engine, FRIDAY, caller="+4930999")
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(name="John Smith", day="2026-11-27", at="09:00").says_yes()
    assert it.state == "CollectTime"
    assert it.says.startswith("I am sorry, 9:00 is already taken. The nearest free time is 9:15.")
    assert starts(engine) == [TUESDAY, FRIDAY]
    assert it.gives(at="09:15").says_yes().outcome == "moved"
    assert starts(engine) == [FRIDAY.replace(minute=15), FRIDAY]


def test_giving_up_leaves_everything_as_it_is(engine: Engine) -> None:
    booked(engine, TUESDAY)
    for spec in (CANCEL_APPOINTMENT, RESCHEDULE_APPOINTMENT):
        it = talk(engine, spec).opens(name="John Smith").gives_up()
        assert it.says == "All right, your appointment stays as it is. Is there anything else?"
    assert starts(engine) == [TUESDAY]


def test_a_human_is_asked_for_by_the_names_of_the_settings_only() -> None:
    targets = {"transfer_targets": ("reception", "billing")}
    it = converse(HAND_OVER, choices=targets).opens(to="the boss")
    assert it.outcome is None
    assert it.says == "Whom would you like to speak to?"
    it.gives(to="billing")
    assert it.run.stand().transfer_to == "billing"


def test_where_there_is_one_human_nobody_is_asked() -> None:
    it = converse(HAND_OVER, choices={"transfer_targets": ("reception",)}).opens()
    assert (it.outcome, it.run.stand().transfer_to) == ("transfer", "reception")


def test_a_caller_who_does_not_care_gets_the_first() -> None:
    it = converse(HAND_OVER, choices={"transfer_targets": ("reception", "billing")}).opens().gives().gives()
    assert (it.outcome, it.run.stand().transfer_to) == ("transfer", "")
