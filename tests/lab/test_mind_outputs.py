"""What the mind makes of the outputs of its calls, and of questions beside the conversation."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.mind import Called, CallOutput, Prompt, Reply, Tool, UserSaid, think
from tests.lab.mind_call import BOOK, END, FRONT_DESK, NOW, Call, state_tools, tool

STATE = state_tools(BOOK)


def failing(said: str, call: tuple[str, str], *tools: Tool, **output: object) -> Prompt:
    """The caller said something, a function was called for it, and failed."""
    items = (UserSaid(said), Called("call-1", *call), CallOutput("call-1", json.dumps(output)))
    return Prompt("", None, tools, "auto", items, NOW)


def test_a_sentence_that_comes_with_an_error_is_said() -> None:
    prompt = failing(
        "Yes.",
        ("book_appointment_confirm", '{"yes": true}'),
        *STATE,
        task="t1",
        say="Tuesday at ten. Shall I book it?",
        error="unheard",
        hint="Say it once more, then call book_appointment_confirm with the answer.",
    )

    assert think(prompt) == Reply("Tuesday at ten. Shall I book it?")


def test_a_hint_is_followed_once_and_neither_spoken_nor_called_in_circles() -> None:
    provide, hint = "book_appointment_provide", "That task has ended. Call one of: book_appointment, end_call."
    call = (provide, '{"day": "2026-11-24"}')
    prompt = failing("Book an appointment for tomorrow.", call, BOOK, END, error="task_ended", hint=hint)
    reply = think(prompt)
    assert [(one.name, one.arguments) for one in reply.calls] == [("book_appointment", '{"day": "2026-11-24"}')]

    again = Called("call-2", reply.calls[0].name, reply.calls[0].arguments)
    failed = CallOutput("call-2", json.dumps({"error": "task_ended", "hint": hint}))
    assert think(replace(prompt, items=(*prompt.items, again, failed))) == Reply("Sorry, I did not get that.")


def test_a_hint_that_asks_for_what_the_caller_did_not_say_leads_to_a_question() -> None:
    prompt = failing(
        "Yes.", ("book_appointment_confirm", '{"yes": true}'), *STATE, error="wrong_state",
        hint="Call one of: book_appointment_provide.",
    )  # fmt: skip

    assert think(prompt) == Reply("Sorry, I did not get that.")


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ({"error": "out_of_stock"}, "I am sorry, that did not work."),
        ({"error": "The table is taken."}, "The table is taken."),
        ({"error": None, "sky": "clear"}, "Sky clear."),
        ({"result": "booked", "say": "It is booked.", "next": "At what time?"}, "It is booked. At what time?"),
    ],
)
def test_an_output_is_told_in_words_for_a_caller(output: dict[str, object], sentence: str) -> None:
    assert think(failing("Do it.", ("anything", "{}"), *FRONT_DESK, **output)) == Reply(sentence)


def test_a_function_that_is_only_named_like_another_opens_no_task() -> None:
    price = tool("order", "Order something.", what={"type": "string"})
    status = tool("order_status", "Tell the status of an order.")
    call = Call(price, status)
    call.hears("I want to order something.")
    call.returns(number=17)

    assert call.does("What is the status of my order?")[0] == "order_status"


# ---- beside the conversation -----------------------------------------------------------------------------------------


def decides(question: str, choices: dict[str, str], *facts: str, rule: str = "Answer with exactly one of: {}.") -> str:
    explained = "; ".join(f"{choice}: {meaning}" for choice, meaning in choices.items())
    own = f"{question}\nChoices: {explained}.\n{rule.format(', '.join(choices))}"
    reply = think(Prompt("Never mind this.", own, FRONT_DESK, "auto", tuple(map(UserSaid, facts)), NOW))
    assert reply.calls == ()
    return reply.text


WHOM = {"dentist": "teeth and gums", "eye_doctor": "eyes and glasses", "reception": "everything else"}


@pytest.mark.parametrize(
    ("fact", "choice"),
    [
        ('{"now": "2026-11-24T14:00", "slots": {"reason": "my glasses are broken"}, "facts": {}}', "eye_doctor"),
        ('{"slots": {"reason": "my gums bleed"}, "notes": ["hypothesis: day = 2026-11-24"]}', "dentist"),
        ("The dentist, please.", "dentist"),
        ("I need a letter.", "reception"),
        ("", "reception"),
    ],
)
def test_a_question_beside_the_conversation_gets_one_of_the_allowed_answers(fact: str, choice: str) -> None:
    assert decides("Who should see the caller? Decide by what is known.", WHOM, fact) == choice


def test_an_answer_and_its_opposite_are_told_apart() -> None:
    pain = {"pain": "the caller is in pain", "no_pain": "the caller has no pain"}

    assert decides("Is the caller in pain?", pain, "It hurts, I am in pain.") == "pain"
    assert decides("Is the caller in pain?", pain, "I have no pain.") == "no_pain"


@pytest.mark.parametrize(
    "rule", ["Reply with one of the following words: {}", "Respond only with one of: {}. Nothing else."]
)
def test_the_rule_may_be_put_in_other_words(rule: str) -> None:
    assert decides("Who?", WHOM, "my eyes hurt", rule=rule) == "eye_doctor"


def test_without_a_list_of_answers_a_response_is_an_ordinary_one() -> None:
    prompt = Prompt("", "Answer the caller.", FRONT_DESK, "auto", (UserSaid("Book me an appointment."),), NOW)

    assert [one.name for one in think(prompt).calls] == ["book_appointment"]
