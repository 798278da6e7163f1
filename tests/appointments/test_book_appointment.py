"""The booking task over a real appointment book: every way through its table."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import Engine

from actors.tasks.effect_runner import EffectRunner
from appointments.book_appointment import BOOK_APPOINTMENT
from appointments.bookings import AppointmentBook
from appointments.practice import Practice
from fsm.effects import TaskContext
from fsm.run import Snapshot, TaskRun
from store import schema
from tests.actors.bots import OneWith
from tests.appointments.practice import BERLIN, NOW
from tests.fsm.conversation import gives_up, opened, provides, says_yes

NAME = "Ada Lovelace"
TOMORROW, SUNDAY, LONG_AGO = "2026-11-24", "2026-11-29", "2020-11-24"


def booking(engine: Engine, run_id: str = "t1", now: datetime = NOW) -> TaskRun:
    return TaskRun(BOOK_APPOINTMENT, TaskContext("c-1", run_id, "+4930123", lambda: now), runner_of(engine))


def runner_of(engine: Engine) -> EffectRunner:
    return EffectRunner(engine, OneWith({BOOK_APPOINTMENT.name: BOOK_APPOINTMENT}), lambda: NOW)


def taken(engine: Engine, *starts: datetime) -> None:
    for start in starts:
        AppointmentBook(engine).book(Practice().resource, start, 30, "", "c-0", f"key {start}")


def test_a_booking_from_the_first_request_to_the_appointment_book(engine: Engine) -> None:
    run = booking(engine)
    assert opened(run)["say"] == "Which day would suit you?"
    assert provides(run, day=TOMORROW)["say"] == "At what time?"
    assert provides(run, at="10:30")["say"] == "Under what name shall I book it?"
    assert provides(run, name=NAME)["say"] == "Tuesday 24 November at 10:30 for Ada Lovelace. Shall I book it?"
    answer = says_yes(run)
    assert answer["result"] == "booked"
    assert answer["say"].startswith("Your appointment on Tuesday 24 November at 10:30 is booked.")
    assert run.visited == ("CollectDate", "CollectTime", "CollectName", "Confirm", "Execute", "Booked")
    (appointment,) = AppointmentBook(engine).by_conversation("c-1")
    assert appointment.starts_at == datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    assert (appointment.caller, appointment.duration_min, appointment.name) == ("+4930123", 15, NAME)
    assert answer["values"] == {"appointment": appointment.id}
    assert f"Its code is {' '.join(appointment.code)}." in answer["say"]


def test_a_booking_in_one_sentence_visits_the_same_states(engine: Engine) -> None:
    run = booking(engine)
    assert (
        opened(run, day=TOMORROW, at="09:00", name=NAME)["say"]
        == "Tuesday 24 November at 9:00 for Ada Lovelace. Shall I book it?"
    )
    says_yes(run)
    assert run.visited == ("CollectDate", "CollectTime", "CollectName", "Confirm", "Execute", "Booked")


@pytest.mark.parametrize(
    ("slots", "sentence"),
    [
        ({"day": "2026-11-22"}, "That day has already passed. Which day would suit you?"),
        ({"day": "2027-11-24"}, "That is too far ahead: we book up to a year in advance. Which day would suit you?"),
        ({"day": TOMORROW, "at": "08:30"}, "We are open from nine to five. What time would suit you?"),
        ({"day": TOMORROW, "at": "17:00"}, "We are open from nine to five. What time would suit you?"),
        (
            {"day": TOMORROW, "at": "10:20"},
            "Appointments begin at the full, half and quarter hours. What time would suit you?",
        ),
        ({"day": "2026-11-23", "at": "14:00"}, "It is already later than that today. What time would suit you?"),
    ],
)
def test_what_cannot_be_booked_is_refused_in_words(engine: Engine, slots: dict[str, str], sentence: str) -> None:
    assert opened(booking(engine), **slots)["say"] == sentence


def test_the_first_and_the_last_time_of_a_day_and_the_next_one_today_can_be_had(engine: Engine) -> None:
    for day, at in ((TOMORROW, "09:00"), (TOMORROW, "16:45"), ("2026-11-23", "14:15"), (SUNDAY, "10:00")):
        assert opened(booking(engine), day=day, at=at, name=NAME)["state"] == "Confirm"


@pytest.mark.parametrize("at", ["10:30:00Z", "10:30+09:00"])
def test_a_time_with_an_offset_that_is_not_ours_is_refused_and_not_cut(engine: Engine, at: str) -> None:
    answer = opened(booking(engine), day=TOMORROW, at=at, name=NAME)
    assert (answer["error"], answer["say"], answer["slots"]) == (
        "bad_value",
        "At what time?",
        {"day": TOMORROW, "name": NAME},
    )
    assert "HH:MM without an offset" in answer["hint"]


def test_a_time_with_our_own_offset_is_local(engine: Engine) -> None:
    assert opened(booking(engine), day=TOMORROW, at="10:30+01:00", name=NAME)["say"].startswith(
        "Tuesday 24 November at 10:30 "
    )


def test_a_time_that_has_passed_since_it_was_read_back_is_not_booked(engine: Engine) -> None:
    now = [datetime(2026, 11, 24, 10, 29, 50, tzinfo=BERLIN)]
    run = TaskRun(BOOK_APPOINTMENT, TaskContext("c-1", "t1", "+4930123", lambda: now[-1]), runner_of(engine))
    assert opened(run, day="2026-11-24", at="10:30", name=NAME)["state"] == "Confirm"
    now.append(datetime(2026, 11, 24, 10, 31, 50, tzinfo=BERLIN))
    answer = says_yes(run)
    assert (answer["state"], answer["say"]) == (
        "CollectTime",
        "It is already later than that today. What time would suit you?",
    )
    assert AppointmentBook(engine).all() == []


def test_late_in_the_day_today_is_over(engine: Engine) -> None:
    evening = booking(engine, now=NOW.replace(hour=16, minute=45))
    assert opened(evening, day="2026-11-23")["say"] == "We have nothing left today. Which other day would suit you?"


def test_moving_the_day_to_today_has_the_time_checked_again(engine: Engine) -> None:
    run = booking(engine)
    opened(run, day=TOMORROW, at="10:30", name=NAME)
    answer = provides(run, day="2026-11-23")
    assert (answer["state"], answer["needs"]) == ("CollectTime", ["at"])
    assert answer["say"] == "It is already later than that today. What time would suit you?"


def test_a_correction_before_the_yes_is_what_is_booked(engine: Engine) -> None:
    run = booking(engine)
    opened(run, day=TOMORROW, at="10:30", name=NAME)
    assert provides(run, at="14:30")["say"] == "Tuesday 24 November at 14:30 for Ada Lovelace. Shall I book it?"
    says_yes(run)
    (appointment,) = AppointmentBook(engine).all()
    assert appointment.starts_at.astimezone(BERLIN).time() == time(14, 30)


def test_a_bare_no_asks_what_to_change(engine: Engine) -> None:
    run = booking(engine)
    opened(run, day=TOMORROW, at="10:30", name=NAME)
    assert says_yes(run, False)["say"] == "What should I change?"
    assert provides(run, day="2026-11-25")["say"] == "Wednesday 25 November at 10:30 for Ada Lovelace. Shall I book it?"


def test_a_taken_time_is_refused_and_the_nearest_free_one_is_offered(engine: Engine) -> None:
    noon = datetime(2026, 11, 24, 12, 0, tzinfo=BERLIN)
    taken(engine, *(noon + timedelta(minutes=15 * quarter) for quarter in (-4, -3, -2, -1, 0, 1, 2)))
    run = booking(engine)
    opened(run, day=TOMORROW, at="12:00", name=NAME)
    answer = says_yes(run)
    assert (answer["state"], answer["needs"]) == ("CollectTime", ["at"])
    assert (
        answer["say"] == "I am sorry, 12:00 is already taken. The nearest free time is 12:45. What time would suit you?"
    )
    provides(run, at="12:45")
    assert says_yes(run)["result"] == "booked"
    assert run.visited[-6:] == ("Execute", "CollectTime", "CollectName", "Confirm", "Execute", "Booked")


def test_today_no_time_is_offered_that_has_passed(engine: Engine) -> None:
    next_start = datetime(2026, 11, 23, 14, 15, tzinfo=BERLIN)
    taken(engine, next_start)
    run = booking(engine)
    opened(run, day="2026-11-23", at="14:15", name=NAME)
    assert "The nearest free time is 14:30." in says_yes(run)["say"]


def test_a_day_that_is_full_asks_for_another(engine: Engine) -> None:
    opening = datetime(2026, 11, 24, 9, 0, tzinfo=BERLIN)
    taken(engine, *(opening + timedelta(minutes=15 * slot) for slot in range(32)))
    run = booking(engine)
    opened(run, day=TOMORROW, at="12:00", name=NAME)
    assert "that day is fully booked" in says_yes(run)["say"]
    assert provides(run, day="2026-11-25", at="12:00")["state"] == "Confirm"


def test_a_caller_who_makes_no_progress_is_handed_over(engine: Engine) -> None:
    run = booking(engine)
    opened(run, day=LONG_AGO)
    provides(run, day=LONG_AGO)
    answer = provides(run, day=LONG_AGO)
    assert (answer["state"], answer["result"]) == ("HandedOver", "transfer")
    assert AppointmentBook(engine).all() == []


def test_without_its_tables_the_book_apologises_and_hands_over(engine: Engine) -> None:
    run = booking(engine)
    opened(run, day=TOMORROW, at="12:00", name=NAME)
    schema.metadata.drop_all(engine)
    answer = says_yes(run)
    assert answer["result"] == "transfer"
    assert answer["say"] == (
        "I am sorry, I cannot get at our books at the moment. I will put you through to a colleague."
    )


def test_giving_up_books_nothing(engine: Engine) -> None:
    run = booking(engine)
    opened(run, day=TOMORROW, at="12:00", name=NAME)
    assert gives_up(run)["result"] == "cancelled"
    assert AppointmentBook(engine).all() == []


def test_a_crash_after_the_booking_does_not_book_again(engine: Engine) -> None:
    run = booking(engine)
    opened(run, day=TOMORROW, at="12:00", name=NAME)
    saved = run.snapshot()
    first = says_yes(run)
    again = TaskRun.restore(
        BOOK_APPOINTMENT,
        TaskContext("c-1", "t1", "+4930123", lambda: NOW),
        runner_of(engine),
        saved,
    )
    assert says_yes(again) == first
    assert len(AppointmentBook(engine).all()) == 1


WISH: dict[str, object] = {"day": TOMORROW, "at": "10:30", "name": NAME}
WAYS: dict[str, list[tuple[str, dict[str, object]]]] = {
    "CollectDate": [],
    "CollectDate, refused": [("provide", {"day": LONG_AGO})],
    "CollectTime": [("provide", {"day": TOMORROW})],
    "CollectName": [("provide", {"day": TOMORROW, "at": "10:30"})],
    "Confirm": [("provide", WISH)],
    "what to change": [("provide", WISH), ("confirm", {"yes": False})],
    "Booked": [("provide", WISH), ("confirm", {"yes": True})],
    "Cancelled": [("cancel", {})],
    "HandedOver": [("provide", {}), ("provide", {}), ("provide", {})],
}
NEXT: list[tuple[str, str]] = [
    ("provide", '{"at": "11:30"}'),
    ("provide", f'{{"day": "{SUNDAY}"}}'),
    ("provide", "{}"),
    ("provide", "{"),
    ("confirm", '{"yes": false}'),
    ("confirm", '{"yes": true}'),
    ("cancel", "{}"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("tool", "arguments"), NEXT)
def test_a_run_restored_in_any_state_gives_the_same_next_answer(
    engine: Engine, way: str, tool: str, arguments: str
) -> None:
    run = booking(engine)
    opened(run)
    for called, slots in WAYS[way]:
        run.call(f"book_appointment_{called}", json.dumps(slots))
    saved = Snapshot.model_validate_json(run.snapshot().model_dump_json())
    again = TaskRun.restore(
        BOOK_APPOINTMENT,
        TaskContext("c-1", "t1", "+4930123", lambda: NOW),
        runner_of(engine),
        saved,
    )
    assert (again.tools(), again.instructions()) == (run.tools(), run.instructions())
    answers = [each.call(f"book_appointment_{tool}", arguments) for each in (run, again)]
    assert answers[0] == answers[1]
    assert again.snapshot() == run.snapshot()
