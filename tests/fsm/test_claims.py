"""Statements that something was done, compared with what was done."""

from __future__ import annotations

from datetime import date, time

import pytest

from fsm.claims import Claim, Deed, Done, backs_also, deeds_in, literal, unbacked
from fsm.english import English

TODAY = date(2026, 11, 25)
THURSDAY, TEN = date(2026, 11, 26), time(10)
BOOKED = Done(frozenset({Deed.BOOKED}), frozenset({THURSDAY}), frozenset({TEN}), "It is booked.")


def false(text: str, *done: Done) -> list[str]:
    english = English()
    return [claim.sentence for claim in unbacked(english.claims(text), done, english, TODAY)]


@pytest.mark.parametrize(
    "text",
    [
        "It is booked.",
        "It is booked for tomorrow.",
        "Your appointment on Thursday the 26th at ten is booked.",
        "Your appointment is booked for ten in the morning.",
        "You're all set.",
    ],
)
def test_a_claim_with_the_values_that_were_done_or_without_any_is_true(text: str) -> None:
    assert false(text, BOOKED) == []


@pytest.mark.parametrize(
    "text",
    ["It is booked for Friday.", "Your appointment is booked for eleven.", "It is cancelled.", "I have moved it."],
)
def test_a_claim_of_another_deed_day_or_time_is_false(text: str) -> None:
    assert len(false(text, BOOKED)) == 1


def test_without_anything_done_each_claim_is_false() -> None:
    assert false("It is booked. And your visit is cancelled.") == [
        "it is booked.",
        "and your visit is cancelled.",
    ]


def test_what_was_moved_is_booked_for_its_new_time() -> None:
    assert backs_also(frozenset({Deed.MOVED})) == {Deed.MOVED, Deed.BOOKED}
    assert backs_also(frozenset({Deed.CANCELLED})) == {Deed.CANCELLED}


def test_a_template_is_read_without_its_values() -> None:
    assert literal("On {day:%A} at {at.hour}:{at:%M}.") == "On 0 at 0:0."
    assert deeds_in(literal("{name}, it is booked."), English()) == {Deed.BOOKED}


def test_a_claim_keeps_its_sentence() -> None:
    assert English().claims("Fine. It is booked for ten.") == [
        Claim(frozenset({Deed.BOOKED}), "it is booked for ten."),
    ]


def test_the_newest_statements_of_an_endless_turn_are_found() -> None:
    told = "It is booked for ten. " * 3000 + "It is cancelled."
    assert false(told, BOOKED) == ["it is cancelled."]


def test_a_sentence_that_is_cut_in_its_middle_states_nothing() -> None:
    sentence = "It is not so that you are " + "very " * 10 + "booked. "
    assert all(English().claims("x" * extra + sentence * 200) == [] for extra in range(len(sentence)))


def test_the_values_of_a_statement_are_found_near_it_in_a_sentence_without_an_end() -> None:
    told = "and so on " * 100 + "I have booked your appointment for Friday at ten " + "and so on " * 100
    (claim,) = English().claims(told)
    assert len(claim.sentence) <= 400
    assert false(told, BOOKED) == [claim.sentence]
