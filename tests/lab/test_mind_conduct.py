"""The mind in whole conversations with real tasks: corrections, digressions, giving up, several tasks at once."""

from __future__ import annotations

from datetime import date, time

import pytest

from fsm.effects import Refused
from tests.lab.mind_call import DAY, FRONT_DESK, NAME, Call, tool
from tests.lab.mind_desk import Desk, moment
from tests.lab.mind_tasks import CANCEL, END, PARCEL, PRACTICE, TARGETS


def desk(*said: str) -> Desk:
    """The practice, and what the caller has said there so far."""
    call = Desk(PRACTICE, choices=TARGETS)
    for text in said:
        call.hears(text)
    return call


CANCEL_TOOL = tool("cancel_appointment", "Cancel an appointment that the caller has.", name=NAME, day=DAY)
THURSDAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("corrections", "day", "at"),
    [
        (("No, make it eleven.",), "2026-11-24", "11:00"),
        (("Actually Thursday.",), "2026-11-26", "10:00"),
        (("Sorry, I meant Thursday at half past two.",), "2026-11-26", "14:30"),
        (("No, Thursday.", "No, make it eleven."), "2026-11-26", "11:00"),
        (("No.", "The time.", "Eleven."), "2026-11-24", "11:00"),
        (("I can't make it at ten, can we say eleven?",), "2026-11-24", "11:00"),
    ],
)
def test_what_was_read_back_can_be_corrected_until_it_is_agreed(
    corrections: tuple[str, ...], day: str, at: str
) -> None:
    call = desk("I would like to book an appointment for tomorrow at ten.", *corrections)

    assert call.hears("Yes, please do that.") == "It is done. Anything else?"
    assert call.world.done == [("book_appointment", moment(day, at))]


def test_a_value_already_given_is_corrected_while_another_is_asked_for() -> None:
    call = desk("I want to book an appointment for tomorrow.")

    assert call.hears("Actually Thursday.") == "At what time?"
    assert call.hears("At nine.") == "Thursday at 09:00. Shall I book it?"


def test_a_question_in_the_middle_is_answered_and_the_task_goes_on_where_it_was() -> None:
    call = desk("I need to move my appointment.")

    assert call.hears("Before that, what are your opening hours?") == (
        "We are open every day from nine in the morning to five in the afternoon. Your name, please?"
    )
    assert call.hears("John Smith.") == "Which day would suit you?"


@pytest.mark.parametrize("said", ["What are your opening hours?", "Hm, I don't know, maybe.", "Who are you?", "Hello?"])
def test_after_what_is_no_answer_the_whole_read_back_is_said_again(said: str) -> None:
    call = desk("I would like to book an appointment for tomorrow at ten.")

    assert call.hears(said).endswith("Tuesday at 10:00. Shall I book it?")


@pytest.mark.parametrize(
    "said", ["Forget it.", "Never mind.", "Cancel that.", "I do not want an appointment any more."]
)
def test_giving_up_ends_the_task_and_nothing_is_done(said: str) -> None:
    call = desk("I would like to book an appointment for tomorrow at ten.")

    assert call.hears(said) == "All right, nothing is changed."
    assert call.ended == [("book_appointment", "cancelled")]
    assert call.world.done == []


def test_what_is_booked_is_cancelled_by_the_task_that_is_for_it() -> None:
    call = desk("I would like to cancel my appointment.", "My name is John Smith.")

    assert call.hears("Yes, cancel it.") == "It is done. Anything else?"
    assert call.world.done == [("cancel_appointment", {"name": "John Smith"})]


@pytest.mark.parametrize("said", ["Forget it.", "No, I'll keep it.", "Actually, cancel that.", "Don't cancel it."])
@pytest.mark.parametrize("before", [(), ("John Smith.",)])
def test_a_caller_who_keeps_the_appointment_after_all_is_believed(said: str, before: tuple[str, ...]) -> None:
    call = desk("I would like to cancel my appointment.", *before, said)

    assert call.world.done == []
    assert CANCEL.name not in [name for name, outcome in call.ended if outcome == "cancelled_it"]
    assert "cancel" not in call.hears("Hello?").lower() or before


def test_cancelling_what_is_being_moved_is_another_task_and_not_the_end_of_this_one() -> None:
    call = desk("I need to move my appointment.", "Actually, just cancel my appointment.", "John Smith.")

    assert call.hears("Yes.") == "It is done. Anything else? Your name, please?"
    assert call.hears("Forget it.") == "All right, nothing is changed."
    assert call.ended == [("reschedule_appointment", "cancelled"), ("cancel_appointment", "cancelled_it")]


def test_what_is_to_be_cancelled_first_is_not_what_is_being_booked() -> None:
    call = desk("I would like to book an appointment.", "No, wait, I need to cancel my appointment first.")

    assert [run.snapshot().agent for run in call.runs.values()] == ["book_appointment", "cancel_appointment"]
    assert call.ended == []


def test_a_caller_who_orders_one_thing_may_cancel_another() -> None:
    call = Desk((PARCEL, CANCEL, END))
    call.hears("Where is my parcel?")

    assert call.hears("I want to cancel my appointment.") == "Your name, please?"


@pytest.mark.parametrize(
    ("said", "slots"),
    [
        ("I need to move my appointment to Thursday at eleven.", {"day": THURSDAY, "at": time(11)}),
        ("Move my appointment tomorrow at nine to Thursday at three.", {"day": THURSDAY, "at": time(15)}),
        ("I can't come tomorrow, can I come on Thursday instead?", {"day": THURSDAY}),
        ("I am booked for tomorrow at ten. Could I reschedule?", {}),
    ],
)
def test_of_an_appointment_that_is_moved_the_new_time_is_taken(said: str, slots: dict[str, object]) -> None:
    call = desk(said)

    assert [run.snapshot().agent for run in call.runs.values()] == ["reschedule_appointment"]
    assert call.runs["t1"].snapshot().visited == ("Collect",)
    call.hears("John Smith.")
    for question, value in (("day", "Thursday."), ("at", "At eleven.")):
        if question not in slots:
            call.hears(value)
    call.hears("Yes.")
    assert call.world.done == [
        ("reschedule_appointment", {"name": "John Smith", "day": THURSDAY, "at": time(11), **slots})
    ]


def test_a_caller_who_cannot_come_is_not_booked() -> None:
    call = desk("I have an appointment tomorrow at ten and I can't make it.")

    assert [run.snapshot().agent for run in call.runs.values()] == ["cancel_appointment"]


@pytest.mark.parametrize(
    "said",
    [
        "Hold on a second.",
        "Um, let me think.",
        "Tomorrow at ten.",
        "I already told you.",
        "Why do you need that?",
        "Just make it Thursday.",
        "I don't know.",
        "One moment, please.",
    ],
)
def test_an_answer_without_a_name_is_not_taken_for_one(said: str) -> None:
    call = desk("I want to cancel my appointment.", said)

    assert call.runs["t1"].snapshot().items == ()
    assert call.hears("John Smith.") == "The appointment of John Smith. Shall I cancel it?"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("My name is John Smith.", "John Smith"),
        ("John Smith.", "John Smith"),
        ("It's John. John Smith.", "John Smith"),
        ("John Smith speaking.", "John Smith"),
        ("It is under Maria Lopez.", "Maria Lopez"),
        ("Yes, this is Maria de la Cruz.", "Maria de la Cruz"),
        ("will smith", "will smith"),
        ("Will Smith.", "Will Smith"),
        ("april jones", "April Jones"),
    ],
)
def test_a_name_is_taken_in_any_wording(said: str, name: str) -> None:
    call = desk("I want to cancel my appointment.", said)

    if name.islower():
        assert call.runs["t1"].snapshot().items == ()
    else:
        assert [item.value for item in call.runs["t1"].snapshot().items] == [name]


def test_what_may_still_be_needed_later_does_not_stand_in_the_way_of_a_yes() -> None:
    call = Call(*FRONT_DESK)
    call.in_task(CANCEL_TOOL, "Your appointment on Tuesday at 10:30. Shall I cancel it?", "day")

    assert call.does("Yes, please do that.") == ("cancel_appointment_confirm", {"yes": True})


def test_a_wrong_name_is_corrected_at_the_read_back() -> None:
    call = desk("I need to move my appointment to Thursday at nine.", "John Smith.", "No, it's Jon Smythe.", "Yes.")

    assert call.world.done[0][1]["name"] == "Jon Smythe"


@pytest.mark.parametrize(
    ("said", "then", "to"),
    [
        ("I have a question about my bill, can I talk to somebody?", (), "billing"),
        ("Can you put me through to the reception, please?", (), "reception"),
        ("Can I speak to a human?", ("Billing, please.",), "billing"),
        ("Can I speak to a human?", ("I want to speak to someone in billing.",), "billing"),
        ("Can I speak to a human?", ("The resection, please.",), "reception"),
        ("I want to speak to a person.", ("The first one.",), "reception"),
    ],
)
def test_a_human_is_asked_for_by_name_or_in_general(said: str, then: tuple[str, ...], to: str) -> None:
    call = desk(said, *then)

    assert call.ended == [("hand_over", "transfer")]
    assert call.runs["t1"].status().transfer_to == to


def test_a_human_may_be_asked_for_inside_a_task() -> None:
    assert desk("I want to book an appointment.", "Can I talk to billing?").ended == [("hand_over", "transfer")]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Yes, I have it here.", "Which"),
        ("Yes.", "Which"),
        ("No, I lost it.", "HandedOver"),
        ("I don't know the number.", "HandedOver"),
        ("I will call back another time.", "Later"),
        ("Let me call back later.", "Later"),
        ("Forget it.", "Cancelled"),
        ("What are your opening hours?", "How"),
        ("Mumble fish.", "How"),
    ],
)
def test_one_of_several_ways_is_chosen_by_what_it_means(said: str, state: str) -> None:
    call = Desk((PARCEL, END))
    call.hears("Where is my parcel?")
    call.hears(said)

    assert call.runs["t1"].state == state


def test_two_tasks_of_one_kind_run_side_by_side_and_the_last_one_asked_about_is_answered() -> None:
    call = Desk(PRACTICE)

    assert call.hears("Please book an appointment for Monday at ten and another one for Thursday.") == (
        "Monday at 10:00. Shall I book it? At what time?"
    )
    assert call.hears("Nine.") == "Thursday at 09:00. Shall I book it?"
    assert call.hears("Yes.") == "It is done. Anything else? Monday at 10:00. Shall I book it?"
    assert call.hears("No, make it eleven.") == "Monday at 11:00. Shall I book it?"
    call.hears("Yes.")
    assert call.world.done == [
        ("book_appointment", moment("2026-11-26", "09:00")),
        ("book_appointment", moment("2026-11-30", "11:00")),
    ]


def test_a_task_inside_another_gives_back_to_it() -> None:
    call = desk("I would like to book an appointment for tomorrow.", "I need to move my appointment to another day.")
    call.hears("John Smith.")
    call.hears("Thursday at nine.")

    assert call.hears("Yes.") == "It is done. Anything else? At what time?"
    assert call.hears("Ten thirty.") == "Tuesday at 10:30. Shall I book it?"


def test_another_time_is_given_after_a_refusal() -> None:
    call = Desk(PRACTICE, [Refused("Ten is taken. When else?")])
    call.hears("Please book me an appointment for tomorrow at ten.")

    assert call.hears("Yes.") == "Ten is taken. When else?"
    assert call.hears("Tomorrow at eleven.") == "Tuesday at 11:00. Shall I book it?"
    call.hears("Yes.")
    assert call.world.done == [("book_appointment", moment("2026-11-24", "11:00"))]


def test_keys_and_silences_move_a_task_on_and_the_mind_follows_what_was_asked_since() -> None:
    call = desk("I want to book an appointment for tomorrow.")
    run = call.runs["t1"]
    spoken = run.call("book_appointment_provide", '{"at": "10:30"}')  # as the keypad does, without the model
    call.says(spoken.say)

    call.hears("Yes.")
    assert call.world.done == [("book_appointment", moment("2026-11-24", "10:30"))]
