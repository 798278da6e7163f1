"""The mind at a front desk: a booking from hello to goodbye, and sentences it is told to say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.mind import Called, CallOutput, Prompt, Reply, SystemNote, UserSaid, think
from tests.lab.mind_call import BOOK, CANCEL, END, FRONT_DESK, INSTRUCTIONS, NOW, Call, state_tools


def test_a_booking_goes_from_the_first_wish_to_goodbye() -> None:
    call = Call(*FRONT_DESK)
    tools = (*FRONT_DESK, *state_tools(BOOK))

    assert call.does("Hello, I would like to book an appointment for tomorrow.") == (
        "book_appointment",
        {"day": "2026-11-24"},
    )
    assert (
        call.returns(*tools, task="book_appointment", state="CollectTime", needs=["at"], say="At what time?")
        == "At what time?"
    )
    assert call.says("Before that, what are your opening hours?") == (
        "We are open from Monday to Friday, nine to five. At what time?"
    )
    assert call.does("Ten thirty in the morning, please.") == ("book_appointment_provide", {"at": "10:30"})
    read_back = "Tuesday 24 November at 10:30. Shall I book it?"
    assert call.returns(*tools, task="book_appointment", state="Confirm", needs=[], say=read_back) == read_back
    assert call.does("No, make it two thirty in the afternoon instead.") == (
        "book_appointment_provide",
        {"at": "14:30"},
    )
    call.returns(*tools, task="book_appointment", state="Confirm", say="Tuesday 24 November at 14:30. Shall I book it?")
    assert call.does("Yes, please do that.") == ("book_appointment_confirm", {"yes": True})
    booked = "Your appointment is booked. Anything else?"
    assert call.returns(*FRONT_DESK, task="book_appointment", state="Done", say=booked) == booked
    assert call.does("Thank you very much, goodbye.") == ("end_call", {})


@pytest.mark.parametrize(
    "at_once",
    [
        "Please book me an appointment for to-morrow at ten thirty in the morning.",
        "Can I come in to-morrow at half past ten?",
        "I need an appointment at ten thirty tomorrow",
        "Could you book an appointment on November 24th at 10.30 for me?",
    ],
)
def test_all_that_was_said_goes_into_the_opening_call(at_once: str) -> None:
    assert Call(*FRONT_DESK).does(at_once) == ("book_appointment", {"day": "2026-11-24", "at": "10:30"})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Yes.", ("book_appointment_confirm", {"yes": True})),
        ("Yes, that is right.", ("book_appointment_confirm", {"yes": True})),
        ("That is correct.", ("book_appointment_confirm", {"yes": True})),
        ("Ten thirty, yes.", ("book_appointment_confirm", {"yes": True})),
        ("I think so.", ("book_appointment_confirm", {"yes": True})),
        ("The date is wrong.", ("book_appointment_confirm", {"yes": False})),
        ("Wait, no.", ("book_appointment_confirm", {"yes": False})),
        ("That's fine but can we do eleven instead?", ("book_appointment_provide", {"at": "11:00"})),
        ("I said eleven.", ("book_appointment_provide", {"at": "11:00"})),
        ("No, cancel it.", ("book_appointment_cancel", {})),
        ("Stop.", ("book_appointment_cancel", {})),
        ("Yes, please, Irv, get out.", ("book_appointment_confirm", {"yes": True})),
        ("Yes, tomorrow at ten thirty is perfect.", ("book_appointment_confirm", {"yes": True})),
        ("Sounds good, thank you.", ("book_appointment_confirm", {"yes": True})),
        ("Book it, please.", ("book_appointment_confirm", {"yes": True})),
        ("No, that is not right.", ("book_appointment_confirm", {"yes": False})),
        ("That's wrong.", ("book_appointment_confirm", {"yes": False})),
        ("No, eleven.", ("book_appointment_provide", {"at": "11:00"})),
        ("No, make it do thirty in the afternoon instead.", ("book_appointment_provide", {"at": "14:30"})),
        ("Yes, but at eleven.", ("book_appointment_provide", {"at": "11:00"})),
        ("The day after to-morrow would be better.", ("book_appointment_provide", {"day": "2026-11-25"})),
        ("Could we make it Wednesday instead?", ("book_appointment_provide", {"day": "2026-11-25"})),
        ("Is eleven o'clock possible?", ("book_appointment_provide", {"at": "11:00"})),
        ("What about half past one?", ("book_appointment_provide", {"at": "13:30"})),
        ("Forget it, I do not want an appointment any more.", ("book_appointment_cancel", {})),
        ("Never mind, forget about it.", ("book_appointment_cancel", {})),
        ("I would like to cancel.", ("book_appointment_cancel", {})),
        ("I want to speak to a person.", ("hand_over", {})),
        ("Can I talk to human beings?", ("hand_over", {})),
        ("Please connect me to sales.", ("hand_over", {"target": "sales"})),
        ("Thank you very much. good-bye.", ("end_call", {})),
    ],
)
def test_an_answer_to_a_read_back_goes_to_the_tool_it_is_for(
    said: str, expected: tuple[str, dict[str, object]]
) -> None:
    call = Call().in_task(BOOK, "Tuesday 24 November at 10:30. Shall I book it?")

    assert call.does(said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I would like to cancel my appointment,", ("cancel_appointment", {})),
        ("I need to move my appointment to another day.", ("reschedule_appointment", {})),
        (
            "Can I change my appointment to Thursday at nine?",
            ("reschedule_appointment", {"day": "2026-11-26", "at": "09:00"}),
        ),
        (
            "I would like to move my appointment from Monday to Thursday",
            ("reschedule_appointment", {"day": "2026-11-26"}),
        ),
        ("Please cancel my appointment, my name is Maria Lopez.", ("cancel_appointment", {"name": "Maria Lopez"})),
        ("I can't make it to my appointment on Tuesday.", ("cancel_appointment", {})),
        ("Do you have a free appointment on Thursday?", ("book_appointment", {"day": "2026-11-26"})),
        ("Could I have a quick word with someone from sales?", ("hand_over", {"target": "sales"})),
        ("I want to speak to a person.", ("hand_over", {})),
        ("No, thank you.", ("end_call", {})),
        ("That's all. bye-bye.", ("end_call", {})),
        ("San Q very much good bye.", ("end_call", {})),
    ],
)
def test_without_an_open_task_the_wish_decides_which_one_opens(
    said: str, expected: tuple[str, dict[str, object]]
) -> None:
    assert Call(*FRONT_DESK).does(said) == expected


def test_a_caller_who_wants_to_cancel_is_never_booked() -> None:
    assert "cannot" in Call(BOOK, END).says("I would like to cancel my appointment.")
    assert "cannot" in Call(BOOK, END).says("I need to move my appointment to another day.")
    assert "cannot" in Call(BOOK, END).says("I want to speak to a person.")


@pytest.mark.parametrize(("said", "yes"), [("Yes, please cancel it.", True), ("No, do not cancel it.", False)])
def test_a_yes_to_cancelling_is_a_yes(said: str, yes: bool) -> None:
    call = Call().in_task(CANCEL, "Your appointment on Tuesday 24 November at 10:30. Shall I cancel it?")

    assert call.does(said) == ("cancel_appointment_confirm", {"yes": yes})


@pytest.mark.parametrize("said", ["My name is Maria Lopez", "Maria Lopez.", "It's Maria Lopez, please.", "maria lopez"])
def test_a_name_asked_for_is_taken_however_it_is_given(said: str) -> None:
    name, arguments = Call().in_task(CANCEL, "What is your name?", "name").does(said)

    assert name == "cancel_appointment_provide"
    assert arguments["name"].lower() == "maria lopez"


def test_a_question_in_the_middle_is_answered_and_the_task_picked_up() -> None:
    call = Call().in_task(CANCEL, "What is your name?", "name")

    assert call.says("Where is your office?") == "Our address is 12 Harbour Street in Kiel. What is your name?"
    assert call.says("How much is a check-up?") == (
        "A check-up costs 40 euros and takes half an hour. What is your name?"
    )
    assert call.says("Who won the World Cup?") == "I am sorry, I do not know that. What is your name?"
    assert call.says("Could you repeat that, please?") == "What is your name?"


def test_an_opening_question_on_a_weekday_is_a_question_and_not_an_answer() -> None:
    call = Call().in_task(BOOK, "Which day would suit you?", "day", "at")

    assert call.says("Are you open on Monday?").endswith("Which day would suit you?")
    assert call.does("Is Monday possible?") == ("book_appointment_provide", {"day": "2026-11-30"})


def test_another_task_may_be_opened_inside_the_first() -> None:
    call = Call().in_task(BOOK, "At what time?", "at")

    assert call.does("Actually, I need to move my appointment to another day.")[0] == "reschedule_appointment"


def test_what_is_not_understood_is_asked_again() -> None:
    call = Call().in_task(BOOK, "At what time?", "at")

    assert call.says("Mumble fish.") == "Sorry, I did not get that. At what time?"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            INSTRUCTIONS + "\nGreet the caller with: Hello, Lindgren Dental. How can I help?",
            "Hello, Lindgren Dental. How can I help?",
        ),
        ('Say exactly: "One moment, I am still here."', "One moment, I am still here."),
        ("Say: I beg your pardon.", "I beg your pardon."),
        ('Greet the caller by saying "Good day to you."', "Good day to you."),
        ("Tell the caller you are looking it up.", "I am looking it up."),
        ('Say to the caller, word for word: "Say: \\"hello\\", please?"', 'Say: "hello", please?'),
    ],
)
def test_a_sentence_it_is_told_to_say_is_said(told: str, sentence: str) -> None:
    prompt = Prompt(INSTRUCTIONS, told, FRONT_DESK, "auto", (UserSaid("Book an appointment for tomorrow"),), NOW)

    assert think(prompt) == Reply(sentence)


def test_a_system_note_may_hold_the_greeting() -> None:
    prompt = Prompt(INSTRUCTIONS, None, (), "auto", (SystemNote("Greet the caller with: Welcome back."),), NOW)

    assert think(prompt) == Reply("Welcome back.")


def test_tool_choice_is_obeyed() -> None:
    prompt = Prompt(INSTRUCTIONS, None, FRONT_DESK, "none", (UserSaid("Book an appointment for tomorrow at ten"),), NOW)

    assert think(prompt).calls == ()
    assert think(prompt).text
    required = think(replace(prompt, tool_choice="required", items=(UserSaid("Hm."),)))
    assert len(required.calls) == 1
    forced = think(replace(prompt, tool_choice="reschedule_appointment"))
    assert [one.name for one in forced.calls] == ["reschedule_appointment"]
    assert json.loads(forced.calls[0].arguments) == {"day": "2026-11-24", "at": "10:00"}


def test_several_outputs_are_spoken_together_and_once() -> None:
    items = (
        UserSaid("Both, please."),
        Called("a", "one", "{}"),
        Called("b", "two", "{}"),
        CallOutput("a", '{"say": "Done."}'),
        CallOutput("b", '{"error": "The line is busy."}'),
    )

    assert think(Prompt("", None, (), "auto", items, NOW)) == Reply("Done. The line is busy.")


def test_a_correction_spoken_while_the_function_ran_is_not_lost() -> None:
    call = Call().in_task(BOOK, "At what time?", "at")
    late = (*call.prompt.items, UserSaid("At ten."), Called("x", "book_appointment_provide", '{"at": "10:00"}'))
    output = CallOutput("x", '{"task": "book_appointment", "needs": [], "say": "At ten. Shall I book it?"}')

    assert think(replace(call.prompt, items=(*late, output))) == Reply("At ten. Shall I book it?")
    reply = think(replace(call.prompt, items=(*late, UserSaid("No, at eleven."), output)))
    assert json.loads(reply.calls[0].arguments) == {"at": "11:00"}


def test_a_session_without_tools_is_a_short_chat() -> None:
    chat = Call(instructions="You are a helpful assistant.")

    assert chat.says("Hello there!") == "Hello. How can I help you?"
    assert chat.says("Say exactly: hello world") == "hello world"
    assert "blue" in chat.says("My favourite colour is blue.")
