"""Ways that are chosen: by rule, by reasoning, by the caller, by default; and arrows with preconditions."""

from __future__ import annotations

from fsm.testing import converse
from fsm.walk import ReasoningRequest
from tests.fsm.tables import TRIAGE


def test_a_rule_comes_before_reasoning_and_the_caller() -> None:
    asked: list[ReasoningRequest] = []
    talk = converse(TRIAGE, reasoning=asked.append).opens(hours=9)
    assert (talk.outcome, asked) == ("transfer", [])


def test_reasoning_is_shown_what_it_may_see_and_picks_one_of_the_ways() -> None:
    asked: list[ReasoningRequest] = []

    def reasoning(request: ReasoningRequest) -> str:
        asked.append(request)
        return "urgent"

    talk = converse(TRIAGE, reasoning=reasoning).opens(hours=2)
    assert talk.outcome == "transfer"
    (request,) = asked
    assert request.question == "How urgent is it?"
    assert request.choices == {"urgent": "people are waiting", "normal": "it can wait until tomorrow"}
    assert request.known.slots == {"hours": 2}
    assert [note.text for note in request.notes] == ["hours = 2"]
    assert [note.text for note in talk.run.snapshot().notes][-1] == "urgent, by reasoning"


def test_an_answer_that_names_no_choice_takes_the_default() -> None:
    talk = converse(TRIAGE, reasoning=lambda request: "banana").opens(hours=2)
    assert talk.state == "Pick"
    assert talk.says == "Visit or post?"


def test_the_caller_chooses_by_word_or_by_key() -> None:
    assert converse(TRIAGE).opens(hours=2).chooses("visit").state == "Confirm"
    assert converse(TRIAGE).opens(hours=2).keys("1").run.taken[0].event == "visit"
    assert converse(TRIAGE).opens(hours=2).keys("2").run.taken[0].event == "post"
    assert converse(TRIAGE).opens(hours=2).keys("0").says == "Sorry, I did not get that. Visit or post?"
    assert converse(TRIAGE).opens(hours=2).keys("3").says == "Sorry, I did not get that. Visit or post?"
    assert converse(TRIAGE).opens(hours=2).keys("7").says == "Sorry, I did not get that. Visit or post?"


def test_what_is_no_choice_is_a_fault_and_changes_nothing() -> None:
    talk = converse(TRIAGE).opens(hours=2)
    before = talk.run.snapshot()
    assert talk.chooses("fly").fault == "bad_value"
    assert talk.calls("triage_choose", '{"choice": "visit", "by": "air"}').fault == "unknown_property"
    assert talk.run.snapshot() == before


def test_a_choice_where_none_is_asked_for_is_a_fault() -> None:
    talk = converse(TRIAGE).opens().chooses("visit")
    assert (talk.fault, talk.state) == ("wrong_state", "Ask")


def test_the_arrow_of_the_highest_priority_whose_precondition_holds_is_taken() -> None:
    rushed = converse(TRIAGE).opens(hours=8).chooses("visit").says_yes()
    assert rushed.outcome == "rushed"
    assert converse(TRIAGE).opens(hours=7).chooses("visit").says_yes().outcome == "ordered"
    heavy = converse(TRIAGE).opens(hours=2).gives(hours=9)
    assert heavy.outcome == "transfer", "a correction has the rule look again"


def test_a_choice_that_nobody_makes_ends_with_a_human() -> None:
    talk = converse(TRIAGE).opens(hours=2)
    for _ in range(3):
        talk.keys("7")
    assert talk.outcome == "transfer"
