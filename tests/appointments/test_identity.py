"""Whose appointment it is: two facts that match, and what becomes of a caller who has none."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from actors.tasks.effect_runner import EffectRunner
from appointments import bookings
from appointments.book_appointment import BOOK_APPOINTMENT
from appointments.bookings import Appointment, AppointmentBook
from appointments.cancel_appointment import CANCEL_APPOINTMENT
from appointments.identity import WRONG_IN_CALL
from appointments.practice import Practice
from appointments.reschedule_appointment import RESCHEDULE_APPOINTMENT
from fsm.effects import TaskContext
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from fsm.testing import Conversation
from fsm.walk import no_reasoning
from store.database import reading
from tests.actors.bots import OneWith
from tests.counted import counted

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 14, 5, tzinfo=BERLIN)  # a Monday
TUESDAY = datetime(2026, 11, 24, 10, 30, tzinfo=BERLIN)
CALLER, ELSEWHERE, NOBODY = "+4930123", "+4930999", ""
BOTH = pytest.mark.parametrize("spec", [CANCEL_APPOINTMENT, RESCHEDULE_APPOINTMENT], ids=lambda spec: spec.name)
# What is stored of the appointment that is to be found; none of it may be heard before two facts match.
SECRETS = ("Tuesday", "24 November", "10:30", "John", "Smith", CALLER)
RUNS = count(1)


def booked(engine: Engine, at: datetime = TUESDAY, *, name: str = "John Smith", caller: str = CALLER) -> Appointment:
    appointment = AppointmentBook(engine).book(Practice().resource, at, 15, caller, "c-0", f"{caller} {at}", name)
    assert appointment is not None
    return appointment


def talk(
    engine: Engine, spec: AgentSpec = CANCEL_APPOINTMENT, caller: str = CALLER, call: str = "c-1", now: datetime = NOW
) -> Conversation:
    """A task of a call. Each is another run, as in a call that opens one after the other."""
    runner = EffectRunner(engine, OneWith(load_agents(installed=())), lambda: now)
    return Conversation(spec, TaskContext(call, f"t{next(RUNS)}", caller, lambda: now), runner, no_reasoning)


def attempts(outcome: str) -> float:
    labels = {"effect": "appointments.find_to_cancel", "outcome": outcome}
    return counted("tieline_lookups_total", **labels)


# --- two facts ---


@BOTH
@pytest.mark.parametrize(
    ("caller", "claims"),
    [
        (CALLER, {"name": "John Smith"}),
        (CALLER, {"name": "John Smith", "code": "its own"}),
        (ELSEWHERE, {"name": "John Smith", "which": "2026-11-24"}),
        (ELSEWHERE, {"name": "John Smith", "code": "its own"}),
        (NOBODY, {"name": "John Smith", "which": "2026-11-24"}),
        (NOBODY, {"name": "John Smith", "code": "its own"}),
        (NOBODY, {"name": "John Smyth", "which": "2026-11-24", "code": "its own"}),
    ],
)
def test_any_two_facts_that_match_are_enough(
    engine: Engine, spec: AgentSpec, caller: str, claims: dict[str, str]
) -> None:
    code = booked(engine).code
    told = {slot: code if value == "its own" else value for slot, value in claims.items()}
    it = talk(engine, spec, caller).opens(**told)
    assert "was_day" in it.answers[-1]["slots"]


@BOTH
@pytest.mark.parametrize(
    ("caller", "claims"),
    [
        (CALLER, {"name": "Mary Poppins"}),
        (CALLER, {"name": "Mary Poppins", "which": "2026-11-24"}),
        (CALLER, {"name": "Mary Poppins", "which": "2026-11-25", "code": "0000"}),
        (CALLER, {"name": "Mary Poppins", "code": "0000"}),
        (NOBODY, {"name": "Mary Poppins", "which": "2026-11-24", "code": "0000"}),
        (ELSEWHERE, {"name": "John Smith"}),
        (ELSEWHERE, {"name": "Mary Poppins", "which": "2026-11-24"}),
        (NOBODY, {"name": "John Smith"}),
        (NOBODY, {"name": "John Smith", "code": "0000"}),
        (NOBODY, {"name": "Mary Poppins", "which": "2026-11-24"}),
    ],
)
def test_one_fact_is_not_enough_and_nothing_that_is_stored_is_spoken_of(
    engine: Engine, spec: AgentSpec, caller: str, claims: dict[str, str]
) -> None:
    assert booked(engine).code != "0000"
    it = talk(engine, spec, caller).opens(**claims)
    assert "was_day" not in it.answers[-1]["slots"]
    said = it.says.replace(claims["name"], "").replace("Tuesday 24 November" if "which" in claims else "", "")
    assert not [secret for secret in SECRETS if secret in said]
    assert it.outcome is None


@BOTH
def test_two_callers_who_withhold_their_numbers_are_not_the_same(engine: Engine, spec: AgentSpec) -> None:
    booked(engine, name="Maria Schmidt", caller=NOBODY)
    it = talk(engine, spec, NOBODY).opens(name="Mario Schmid")
    assert it.says == ("Your number is withheld, so I need more than a name. On which day is the one that you mean?")


def test_an_old_row_of_a_withheld_number_belongs_to_no_other_caller(engine: Engine) -> None:
    booked(engine, name="Maria Schmidt", caller="anonymous")
    assert talk(engine, caller=NOBODY).opens(name="Maria Schmidt").state == "CollectDay"


@pytest.mark.parametrize("name", ["", "...", "12345", "☎"])
def test_a_stored_name_without_letters_matches_nothing(engine: Engine, name: str) -> None:
    booked(engine, name=name)
    assert talk(engine).opens(name="John Smith").state == "CollectName"


def test_a_stored_empty_code_matches_nothing(engine: Engine) -> None:
    booked(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE appointment SET code = ''")
    it = talk(engine).opens(name="Mary Poppins", code="-")
    assert it.state == "CollectName"
    assert "code" not in it.answers[-1]["slots"]


@pytest.mark.parametrize("said", ["{}", "{} ", "code {}"])
def test_a_code_is_its_digits_however_they_are_put(engine: Engine, said: str) -> None:
    spelled = " ".join(booked(engine).code)
    assert talk(engine, caller=NOBODY).opens(name="John Smith", code=said.format(spelled)).state == "Confirm"


def test_a_yes_changes_nothing_once_the_appointment_belongs_to_another_caller(engine: Engine) -> None:
    booked(engine)
    it = talk(engine, caller=ELSEWHERE).opens(name="John Smith", which="2026-11-24")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE appointment SET name = 'Mary Poppins'")
    assert it.says_yes().outcome == "not_found"
    assert len(AppointmentBook(engine).all()) == 1


def test_the_code_says_which_of_ones_appointments_is_meant(engine: Engine) -> None:
    booked(engine)
    second = booked(engine, TUESDAY + timedelta(days=7))
    it = talk(engine).opens(name="John Smith", code=second.code)
    assert it.says == "Your appointment on Tuesday 1 December at 10:30. Shall I cancel it?"


def test_an_appointment_with_the_code_is_meant_before_an_old_one_that_has_none(engine: Engine) -> None:
    booked(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE appointment SET code = ''")
    second = booked(engine, TUESDAY + timedelta(days=7))
    it = talk(engine).opens(name="John Smith", code=second.code)
    assert it.says == "Your appointment on Tuesday 1 December at 10:30. Shall I cancel it?"


FAMILY = [
    ("Maria Schneider", "Peter Schneider"),
    ("Max Müller", "Mia Müller"),
    ("Peter Hoffmann", "Anne Hoffmann"),
    ("John Smith", "Joan Smith"),
    ("Tom Schneider", "Tim Schneider"),
    ("Maria Schneider", "Schneider"),
    ("Maria Schneider", "Maria"),
]


@BOTH
@pytest.mark.parametrize(("name", "said"), FAMILY)
@pytest.mark.parametrize(
    ("caller", "day"), [(CALLER, {}), (CALLER, {"which": "2026-11-24"}), (NOBODY, {"which": "2026-11-24"})]
)
def test_people_who_share_a_telephone_or_a_surname_are_not_one(
    engine: Engine, spec: AgentSpec, name: str, said: str, caller: str, day: dict[str, str]
) -> None:
    booked(engine, name=name)
    it = talk(engine, spec, caller).opens(name=said, **day)
    assert it.state == "CollectName"
    assert "10:30" not in it.says


def test_each_of_two_people_who_share_a_telephone_finds_their_own(engine: Engine) -> None:
    booked(engine, name="Tom Schneider")
    booked(engine, TUESDAY + timedelta(hours=1), name="Tim Schneider")
    assert "at 10:30" in talk(engine).opens(name="Tom Schneider").says
    assert "at 11:30" in talk(engine).opens(name="Tim Schneider").says


def test_one_part_of_a_name_is_asked_for_the_whole(engine: Engine) -> None:
    booked(engine)
    it = talk(engine).opens(name="Smith")
    assert it.says.startswith(
        "I cannot find an appointment under the name Smith for your number. I need the first name and the surname."
    )
    assert it.gives(name="John Smith").state == "Confirm"


@BOTH
@pytest.mark.parametrize("caller", [CALLER, ELSEWHERE, NOBODY])
@pytest.mark.parametrize("wrong", [{"name": "Mary Poppins"}, {"code": "0000"}], ids=["name", "code"])
def test_a_fact_that_contradicts_is_not_outweighed_by_others_that_match(
    engine: Engine, spec: AgentSpec, caller: str, wrong: dict[str, str]
) -> None:
    code = booked(engine).code
    assert code != "0000"
    right = {"name": "John Smith", "which": "2026-11-24", "code": code}
    it = talk(engine, spec, caller).opens(**right | wrong)
    assert it.state == "CollectName"
    assert "10:30" not in it.says
    assert "was_day" in it.gives(name=right["name"], code=right["code"]).answers[-1]["slots"]


def test_a_day_that_contradicts_is_asked_for_again(engine: Engine) -> None:
    code = booked(engine).code
    it = talk(engine).opens(name="John Smith", code=code, which="2026-11-25")
    assert it.says == "There is none on Wednesday 25 November. On which day is the one that you mean?"


# --- wrong tries ---


def test_one_misheard_name_gets_a_second_try_and_the_reason_is_said(engine: Engine) -> None:
    booked(engine)
    it = talk(engine).opens(name="Sean Meath")
    assert it.says == (
        "I cannot find an appointment under the name Sean Meath for your number. Under what name is it booked? "
        "You can also tell me the code that you were given for it."
    )
    assert it.gives(name="John Smith").says == "Your appointment on Tuesday 24 November at 10:30. Shall I cancel it?"


def test_a_booking_whose_name_is_misheard_each_time_is_left_to_a_human(engine: Engine) -> None:
    code = booked(engine).code
    it = talk(engine).opens(name="Sean Meath").gives(name="Shawn Meet", code=code)
    assert it.state == "CollectName"
    assert it.gives(name="Sean Meet").outcome == "transfer"


@BOTH
@pytest.mark.parametrize(
    ("caller", "claims"),
    [(CALLER, {"name": "John Smith"}), (NOBODY, {"name": "John Smith", "which": "2026-11-24"})],
    ids=["number", "day"],
)
def test_one_misheard_code_does_not_keep_a_caller_from_the_appointment(
    engine: Engine, spec: AgentSpec, caller: str, claims: dict[str, str]
) -> None:
    assert booked(engine).code not in ("0000", "1111")
    for number in range(6):
        it = talk(engine, spec, caller, f"c-{number}").opens(**claims, code="0000")
        assert it.state == "CollectName"
        assert "I will go on without the code." in it.says
        assert "was_day" in it.gives(name="John Smith").answers[-1]["slots"], "its owner's tries lock the name"
    it = talk(engine, spec, caller, "c-again").opens(**claims, code="0000").gives(name="John Smith", code="1111")
    assert it.state == "CollectName", "another code is compared again"
    assert "was_day" in it.gives(name="John Smith", code="1111").answers[-1]["slots"]


@BOTH
def test_a_code_that_is_misheard_at_the_last_try_is_no_guess_at_the_name(engine: Engine, spec: AgentSpec) -> None:
    assert booked(engine).code not in ("0000", "1111", "2222")
    claims = {"name": "John Smith", "which": "2026-11-24"}
    for number in range(6):
        it = talk(engine, spec, NOBODY, f"c-{number}").opens(**claims, code="0000")
        it.gives(name="John Smith", code="1111").gives(name="John Smith", code="2222")
        assert it.outcome == "transfer"
        assert it.says.startswith("I cannot find an appointment under the name John Smith")
    again = talk(engine, spec, NOBODY, "c-again").opens(**claims)
    assert "was_day" in again.answers[-1]["slots"], "its owner's tries lock the name"


def test_a_code_is_not_dropped_where_a_guess_would_be_confirmed(engine: Engine) -> None:
    booked(engine)
    tried_too_often(engine)
    it = talk(engine, caller=NOBODY, call="c-right").opens(name="John Smith", which="2026-11-24", code="0000")
    assert "without the code" not in it.says


def test_a_code_does_not_replace_the_name(engine: Engine) -> None:
    code = booked(engine).code
    it = talk(engine).opens(name="Sean Meath").gives(code=code)
    assert it.says.startswith("Under what name is it booked?")
    assert it.gives(name="John Smith").state == "Confirm"


def test_a_caller_on_another_telephone_is_asked_for_the_day(engine: Engine) -> None:
    booked(engine)
    it = talk(engine, caller=ELSEWHERE).opens(name="John Smith").gives(name="John Smith")
    assert it.says.endswith("On which day is the one that you mean?")
    assert it.gives(which="2026-11-24").state == "Confirm"


def test_an_old_booking_without_a_name_is_found_by_number_and_day(engine: Engine) -> None:
    booked(engine, name="")
    assert talk(engine).opens(name="John Smith", which="2026-11-24").state == "Confirm"


@BOTH
def test_three_wrong_tries_end_it_for_the_call(engine: Engine, spec: AgentSpec) -> None:
    booked(engine)
    it = talk(engine, spec).opens(name="Mary Poppins").gives(name="Jane Banks").gives(which="2026-12-24")
    assert it.says.startswith("I cannot find an appointment under the name Jane Banks on Thursday 24 December")
    assert it.outcome == "transfer"
    again = talk(engine).opens(name="John Smith")
    assert again.outcome == "transfer", "the right name comes too late, in whichever task of the call"
    assert again.says.startswith("I cannot look for appointments any more")
    assert talk(engine, call="c-2").opens(name="John Smith").state == "Confirm", "in the next call there are three more"


def test_ten_wrong_tries_in_a_day_end_it_for_the_number(engine: Engine) -> None:
    booked(engine)
    for number in range(9):
        talk(engine, call=f"c-{number // 2}").opens(name="Mary Poppins")
    assert talk(engine, call="c-tenth").opens(name="John Smith").state == "Confirm"
    talk(engine, call="c-tenth").opens(name="Mary Poppins")
    assert talk(engine, call="c-new").opens(name="John Smith").outcome == "transfer"
    other = talk(engine, caller=ELSEWHERE, call="c-other").opens(name="John Smith", which="2026-11-24")
    assert other.state == "Confirm", "another number has tries of its own"
    late = NOW + timedelta(hours=19)
    assert talk(engine, call="c-night", now=late).opens(name="John Smith").outcome == "transfer", (
        "midnight is no pardon"
    )
    booked(engine, TUESDAY + timedelta(days=7))
    tomorrow = NOW + timedelta(days=1, minutes=1)
    assert talk(engine, call="c-late", now=tomorrow).opens(name="John Smith").state == "Confirm"


def test_ten_wrong_tries_from_a_number_keep_it_from_seeing_whose_a_time_is(engine: Engine) -> None:
    booked(engine)
    for number in range(10):
        talk(engine, call=f"c-{number // 2}").opens(name="Mary Poppins")
    it = talk(engine, BOOK_APPOINTMENT, call="c-new").opens(day="2026-11-24", at="10:30", name="John Smith").says_yes()
    assert it.says == TAKEN
    tomorrow = NOW + timedelta(days=1, minutes=1)
    booked(engine, TUESDAY + timedelta(days=7))
    it = talk(engine, BOOK_APPOINTMENT, call="c-late", now=tomorrow)
    assert it.opens(day="2026-12-01", at="10:30", name="John Smith").says_yes().says == OWN_TIME


def test_callers_who_withhold_their_numbers_do_not_use_up_each_others_tries(engine: Engine) -> None:
    booked(engine)
    for number in range(11):
        talk(engine, caller=NOBODY, call=f"c-{number}").opens(name="Mary Poppins", which="2026-11-24")
    it = talk(engine, caller=NOBODY, call="c-new").opens(name="John Smith", which="2026-11-24")
    assert it.state == "Confirm"


VARIED = ["John Smith", "Smith, John", "John Adam Smith", "Mr John Smyth", "JOHN SMITHS"]


def tried_too_often(engine: Engine, caller: str = NOBODY, now: datetime = NOW) -> None:
    """Guesses of the day by somebody who knows the name, each in a call of its own."""
    for number, name in enumerate(VARIED):
        it = talk(engine, caller=caller, call=f"c-guess{number}", now=now).opens(name=name, which=f"2026-12-1{number}")
        assert it.state == "CollectName"


@BOTH
@pytest.mark.parametrize("guesser", [NOBODY, ELSEWHERE])
def test_a_caller_who_knows_a_name_cannot_guess_the_day(engine: Engine, spec: AgentSpec, guesser: str) -> None:
    booked(engine)
    tried_too_often(engine, guesser)
    wrong = talk(engine, spec, NOBODY, "c-wrong").opens(name="John Smith", which="2026-11-25")
    right = talk(engine, spec, NOBODY, "c-right").opens(name="John Smith", which="2026-11-24")
    assert right.state == wrong.state == "CollectName"
    assert right.says.replace("Tuesday 24", "") == wrong.says.replace("Wednesday 25", ""), "a guess is not confirmed"


def test_a_caller_who_knows_a_name_cannot_guess_the_number(engine: Engine) -> None:
    booked(engine)
    for number in range(5):
        talk(engine, caller=f"+49309{number}", call=f"c-guess{number}").opens(name="John Smith")
    assert talk(engine, call="c-right").opens(name="John Smith").state == "CollectName"
    it = talk(engine, BOOK_APPOINTMENT, call="c-book").opens(day="2026-11-24", at="10:30", name="John Smith").says_yes()
    assert it.says == TAKEN


@pytest.mark.parametrize(
    ("caller", "claims", "state"),
    [
        (CALLER, {"name": "John Smith"}, "Confirm"),
        (CALLER, {"name": "Sean Meath", "which": "2026-11-24"}, "CollectName"),
        (NOBODY, {"name": "John Smith", "which": "2026-11-24"}, "Confirm"),
        (NOBODY, {"name": "John Smith"}, "CollectName"),
        (ELSEWHERE, {"name": "Sean Meath", "which": "2026-11-24"}, "CollectName"),
    ],
)
def test_a_stranger_does_not_lock_out_an_owner_who_has_the_code(
    engine: Engine, caller: str, claims: dict[str, str], state: str
) -> None:
    code = booked(engine).code
    tried_too_often(engine)
    assert talk(engine, caller=caller, call="c-right").opens(**claims, code=code).state == state


def test_a_name_that_was_tried_too_often_is_free_again_after_a_day(engine: Engine) -> None:
    booked(engine, TUESDAY + timedelta(days=7))
    tried_too_often(engine)
    for hours in range(1, 24, 4):
        now = NOW + timedelta(hours=hours)
        it = talk(engine, caller=NOBODY, call=f"c-{hours}", now=now).opens(name="John Smith", which="2026-12-01")
        assert it.state == "CollectName", "midnight is no pardon"
    tomorrow = NOW + timedelta(days=1, minutes=1)
    it = talk(engine, caller=NOBODY, call="c-late", now=tomorrow).opens(name="John Smith", which="2026-12-01")
    assert it.state == "Confirm", "what was limited has not made it longer"


def test_four_wrong_tries_leave_a_name_to_its_owner(engine: Engine) -> None:
    booked(engine)
    for number, name in enumerate(VARIED[1:]):
        talk(engine, caller=NOBODY, call=f"c-{number}").opens(name=name, which="2026-11-25")
    it = talk(engine, caller=NOBODY, call="c-right").opens(name="John Smith", which="2026-11-24")
    assert it.state == "Confirm"


def test_another_name_has_tries_of_its_own(engine: Engine) -> None:
    booked(engine)
    booked(engine, TUESDAY + timedelta(hours=1), name="Joan Smith")
    tried_too_often(engine)
    it = talk(engine, caller=NOBODY, call="c-right").opens(name="Joan Smith", which="2026-11-24")
    assert it.state == "Confirm"


def test_a_limited_attempt_is_counted_as_limited_and_fails_like_a_wrong_one(engine: Engine) -> None:
    booked(engine)
    tried_too_often(engine)
    before = attempts("limited")
    it = talk(engine, caller=NOBODY, call="c-right").opens(name="John Smith", which="2026-11-24")
    it.gives(name="John Smith").gives(which="2026-11-24")
    assert it.outcome == "transfer"
    assert attempts("limited") - before == WRONG_IN_CALL - 1, "the last is told as a failure"


def test_what_a_call_asks_after_its_last_try_does_not_count_against_a_name(engine: Engine) -> None:
    booked(engine)
    for _ in range(WRONG_IN_CALL):
        talk(engine, caller=NOBODY).opens(name="Mary Poppins", which="2026-11-24")
    for _ in VARIED:
        assert talk(engine, caller=NOBODY).opens(name="John Smith", which="2026-11-24").outcome == "transfer"
    it = talk(engine, caller=NOBODY, call="c-right").opens(name="John Smith", which="2026-11-24")
    assert it.state == "Confirm"


def test_a_caller_who_has_given_too_little_has_not_tried(engine: Engine) -> None:
    booked(engine)
    for _ in range(WRONG_IN_CALL + 1):
        talk(engine, caller=NOBODY).opens(name="John Smith")
    assert talk(engine, caller=NOBODY).opens(name="John Smith", which="2026-11-24").state == "Confirm"


def test_each_attempt_is_counted_by_how_it_came_out(engine: Engine) -> None:
    booked(engine)
    before = {outcome: attempts(outcome) for outcome in ("wrong", "incomplete", "matched")}
    it = talk(engine, caller=NOBODY).opens(name="John Smith").gives(which="2026-11-25").gives(name="Sean Smith")
    it.gives(which="2026-11-24", name="John Smith")
    grown = {outcome: attempts(outcome) - was for outcome, was in before.items()}
    assert grown == {"incomplete": 1, "wrong": 2, "matched": 1}


def test_an_attempt_that_is_repeated_after_a_crash_counts_once(engine: Engine) -> None:
    booked(engine)
    runner = EffectRunner(engine, OneWith(load_agents(installed=())), lambda: NOW)
    for _ in range(WRONG_IN_CALL + 1):
        context = TaskContext("c-1", "t-crashing", CALLER, lambda: NOW)
        Conversation(CANCEL_APPOINTMENT, context, runner, no_reasoning).opens(name="Mary Poppins")
    assert talk(engine).opens(name="John Smith").state == "Confirm"


# --- a booking's name and code ---


INVENTED = [
    "unknown", "Unknown", "caller", "the caller", "Unknown Caller", "N/A", "n.a.", "none", "null", "guest", "anonymous",
    "not provided", "Name", "Mr. Unknown", "user", "-", "???", "4711", "Unbekannt", "x" * 200,
]  # fmt: skip


@pytest.mark.parametrize("name", INVENTED)
def test_an_invented_name_is_not_stored_but_asked_for(engine: Engine, name: str) -> None:
    it = talk(engine, BOOK_APPOINTMENT).opens(day="2026-11-24", at="10:30", name=name)
    assert (it.state, it.says) == ("CollectName", "I did not get a name. Under what name shall I book it?")
    assert "name" not in it.answers[-1]["slots"]
    it.gives(name="Ada Lovelace").says_yes()
    assert [each.name for each in AppointmentBook(engine).all()] == ["Ada Lovelace"]


def test_the_name_is_read_back_and_can_be_corrected(engine: Engine) -> None:
    it = talk(engine, BOOK_APPOINTMENT).opens(day="2026-11-24", at="10:30")
    assert it.says == "Under what name shall I book it?"
    assert it.gives(name="Shawn Meet").says == "Tuesday 24 November at 10:30 for Shawn Meet. Shall I book it?"
    assert it.gives(name="John Smith").says == "Tuesday 24 November at 10:30 for John Smith. Shall I book it?"
    it.says_yes()
    assert [each.name for each in AppointmentBook(engine).all()] == ["John Smith"]


def test_the_code_is_told_at_the_end_and_finds_the_booking(engine: Engine) -> None:
    it = talk(engine, BOOK_APPOINTMENT, NOBODY).opens(day="2026-11-24", at="10:30", name="John Smith").says_yes()
    (appointment,) = AppointmentBook(engine).all()
    assert len(appointment.code) == bookings.CODE_DIGITS
    assert it.says == (
        f"Your appointment on Tuesday 24 November at 10:30 is booked. Its code is {' '.join(appointment.code)}. "
        "Is there anything else I can do for you?"
    )
    assert talk(engine, caller=NOBODY).opens(name="John Smith", code=appointment.code).state == "Confirm"


# --- one's own appointment ---


OWN_TIME = "You have that time already: 10:30 on that day is booked for you. What other time would suit you?"
TAKEN = "I am sorry, 10:30 is already taken. The nearest free time is 10:15. What time would suit you?"


def test_an_appointment_of_the_same_caller_is_not_a_conflict(engine: Engine) -> None:
    booked(engine)
    it = talk(engine, BOOK_APPOINTMENT).opens(day="2026-11-24", at="10:30", name="John Smith").says_yes()
    assert it.says == OWN_TIME
    assert it.gives(at="10:45").says_yes().outcome == "booked"


@pytest.mark.parametrize("name", ["John Smith", "Mary Poppins"])
@pytest.mark.parametrize("holder", [CALLER, NOBODY])
def test_to_book_without_a_number_does_not_show_whose_a_time_is(engine: Engine, name: str, holder: str) -> None:
    booked(engine, caller=holder)
    it = talk(engine, BOOK_APPOINTMENT, NOBODY).opens(day="2026-11-24", at="10:30", name=name).says_yes()
    assert it.says == TAKEN


@pytest.mark.parametrize(("caller", "name"), [(CALLER, "Joan Smith"), (CALLER, "Smith"), (ELSEWHERE, "John Smith")])
def test_number_and_name_both_prove_whose_a_time_is(engine: Engine, caller: str, name: str) -> None:
    booked(engine)
    it = talk(engine, BOOK_APPOINTMENT, caller).opens(day="2026-11-24", at="10:30", name=name).says_yes()
    assert it.says == TAKEN


def test_after_too_many_wrong_tries_a_booking_does_not_show_whose_a_time_is_either(engine: Engine) -> None:
    booked(engine)
    talk(engine).opens(name="Mary Poppins").gives(name="Jane Banks").gives(which="2026-12-24")
    it = talk(engine, BOOK_APPOINTMENT).opens(day="2026-11-24", at="10:30", name="John Smith").says_yes()
    assert it.says == TAKEN


def test_to_move_without_a_number_does_not_show_whose_a_time_is(engine: Engine) -> None:
    booked(engine)
    code = booked(engine, TUESDAY + timedelta(hours=1), caller=NOBODY).code
    it = talk(engine, RESCHEDULE_APPOINTMENT, NOBODY).opens(name="John Smith", code=code, day="2026-11-24", at="10:30")
    assert it.says_yes().says == TAKEN


def test_a_time_of_another_caller_is_only_said_to_be_taken(engine: Engine) -> None:
    booked(engine, caller=ELSEWHERE)
    it = talk(engine, BOOK_APPOINTMENT).opens(day="2026-11-24", at="10:30", name="Mary Poppins").says_yes()
    assert it.says.startswith("I am sorry, 10:30 is already taken.")


def test_an_appointment_can_be_moved_to_the_time_it_has(engine: Engine) -> None:
    booked(engine)
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(name="John Smith", day="2026-11-24", at="10:30").says_yes()
    assert it.outcome == "moved"


def test_moving_an_appointment_onto_another_of_the_same_caller_is_refused_as_such(engine: Engine) -> None:
    booked(engine)
    booked(engine, TUESDAY + timedelta(hours=1))
    it = talk(engine, RESCHEDULE_APPOINTMENT).opens(name="John Smith", which_at="10:30", day="2026-11-24", at="11:30")
    assert it.says_yes().says.startswith("You have that time already: 11:30 on that day is booked for you.")
    with reading(engine) as connection:
        assert len(bookings.upcoming(connection, Practice().resource, NOW, caller=CALLER)) == 2
