"""What a caller takes the bot's words for, and what they answer."""

from __future__ import annotations

import pytest

from tests.talk.person import asked, misread, phrase
from tests.talk.scenario import Asked, Line
from tests.talk.scenarios import all_scenarios

READ_BACK = "Thursday 26 November at 10:30 for John Smith. Shall I book it?"
WANTS = {"day": "2026-11-26", "at": "10:30", "name": "John Smith"}


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("Hello, this is the Linden practice. How can I help you?", Asked.MORE),
        ("Which day would suit you?", Asked.DAY),
        ("We are open from nine to five. What time would suit you?", Asked.AT),
        ("Please key in the time with four digits, for example 1 0 3 0 for half past ten.", Asked.AT),
        ("Under what name shall I book it?", Asked.NAME),
        (READ_BACK, Asked.READ_BACK),
        ("I move your appointment from Monday to Tuesday. Is that right?", Asked.READ_BACK),
        ("On which day is the one that you mean?", Asked.WHICH),
        ("At what time is the one that you mean?", Asked.WHICH_AT),
        ("Whom would you like to speak to?", Asked.WHOM),
        ("What should I change?", Asked.CHANGE),
        ("Are you still there?", Asked.THERE),
        ("Are you still there? At what time?", Asked.AT),
        ("Your appointment is booked. Is there anything else I can do for you?", Asked.MORE),
        ("Thank you for calling. Goodbye.", Asked.PARTING),
        ("One moment, please.", Asked.NOTHING),
    ],
)
def test_the_bots_question_is_recognised(words: str, what: Asked) -> None:
    assert asked(words) is what


def test_a_read_back_is_compared_with_what_is_wanted() -> None:
    assert misread(READ_BACK, WANTS) == []
    assert misread(READ_BACK, WANTS | {"at": "11:00"}) == ["at"]
    assert misread(READ_BACK, WANTS | {"day": "2026-11-27", "name": "Anna Miller"}) == ["day", "name"]
    assert misread("Thursday 26 November at 10:30 for Jon Smyth. Shall I book it?", WANTS) == []


def test_a_question_without_values_is_no_wrong_read_back() -> None:
    assert misread("Are you still there? Shall I book it?", WANTS) == []


def test_what_is_to_be_booked_afterwards_is_not_looked_for_in_what_is_to_be_cancelled() -> None:
    words = "Your appointment on Thursday 26 November at 10:30. Shall I cancel it?"
    assert misread(words, {"name": "John Smith", "day": "2026-11-30", "at": "10:00"}) == []
    assert misread(words, {"name": "John Smith", "which": "2026-11-27"}) == ["which"]


def test_every_value_that_a_scenario_wants_can_be_said() -> None:
    for scenario in all_scenarios().values():
        for slot, value in scenario.wants.items():
            for turn in range(3):
                assert phrase(slot, value, turn).values == {slot: value}
        for answers in scenario.answers.values():
            for answer in answers:
                if isinstance(answer, Line):
                    for slot in answer.values.keys() & scenario.wants.keys():
                        assert phrase(slot, answer.values[slot], 0)
