"""A caller who mishears, is silent, talks over, presses keys, or takes his time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fsm.consent import AGREED, Agreement, Verdict
from fsm.effects import Ok, TaskContext
from fsm.run import MOST_READINGS, TaskRun
from fsm.testing import Recorder, converse
from fsm.testing.conversation import NOON
from protocols.errors import MisuseError
from tests.fsm.tables import LOCKER, TRIAGE, Kitchen, Oven, context, table

WHOLE = {"size": "small", "count": 3, "note": "no olives", "crisp": True}


def test_each_question_climbs_its_own_ladder_and_the_last_rung_is_a_human() -> None:
    talk = converse(TRIAGE).opens()
    assert talk.says == "For how many hours?"
    assert talk.gives().says == "Sorry, I did not get that. For how many hours? For example: two hours."
    assert talk.gives().says == "Sorry, I did not get that. Please key in the hours, and then the hash key."
    assert talk.gives().outcome == "transfer"


def test_silence_and_misunderstanding_are_counted_apart() -> None:
    talk = converse(TRIAGE).opens().gives().gives().is_silent().is_silent()
    assert talk.outcome is None
    assert talk.says == "Are you still there? Please key in the hours, and then the hash key."
    assert talk.run.snapshot().no_match == {"hours": 2}
    assert talk.run.snapshot().no_input == {"hours": 2}
    assert talk.is_silent().outcome == "transfer"


def test_keys_fill_the_slot_that_was_asked_for() -> None:
    talk = converse(TRIAGE).opens()
    assert talk.run.status().keys == 0, "as many as the caller likes, up to the hash key"
    assert talk.keys("12").outcome == "transfer", "twelve hours are urgent, by rule"
    assert converse(TRIAGE).opens().keys("*").says.startswith("Sorry, I did not get that.")


def test_keys_nobody_asked_for_are_left_alone() -> None:
    talk = converse(table()).opens()
    assert talk.run.status().keys is None
    assert talk.run.keyed("1") is None


def test_a_yes_to_what_was_not_heard_to_its_end_has_it_said_again() -> None:
    recorder = Recorder()
    talk = converse(table(), effects=recorder).opens(**WHOLE)
    talk.talks_over().says_yes()
    assert (talk.fault, talk.state, recorder.requests) == ("unheard", "Confirm", [])
    assert talk.says == "3 small, no olives. Right?"
    assert talk.says_yes().outcome == "baked"
    assert len(recorder.requests) == 1


def test_a_no_needs_no_hearing_out() -> None:
    assert converse(table()).opens(**WHOLE).talks_over().says_no().state == "What"


REFUSALS = {
    Verdict.UNHEARD: "unheard",
    Verdict.MISSTATED: "misstated",
    Verdict.WORDLESS: "wordless",
    Verdict.NOT_A_YES: "not_a_yes",
}


@pytest.mark.parametrize("verdict", list(REFUSALS))
def test_a_yes_that_does_not_count_has_it_read_back_word_for_word_and_then_asked_plainly(verdict: Verdict) -> None:
    recorder = Recorder()
    talk = converse(table(), effects=recorder).opens(**WHOLE)
    said = []
    for _ in range(2):
        answer = talk.run.call("order_pizza_confirm", '{"yes": true}', Agreement(verdict, talk.run.readback()))
        assert (answer.fault, answer.word_for_word) == (REFUSALS[verdict], True)
        said.append(answer.say)
    assert said == ["3 small, no olives. Right?", "Please answer with yes or no. 3 small, no olives. Right?"]
    assert recorder.requests == []
    assert talk.says_yes().outcome == "baked"


@pytest.mark.parametrize("verdict", [Verdict.UNHEARD, Verdict.MISSTATED])
def test_three_refusals_that_are_ours_hand_nobody_over_but_a_human_comes_at_last(verdict: Verdict) -> None:
    talk = converse(table()).opens(**WHOLE)
    for _ in range(MOST_READINGS - 1):
        assert talk.answers_otherwise(verdict).says_yes().outcome is None
    assert talk.answers_otherwise(verdict).says_yes().outcome == "transfer"
    assert talk.says == "I will put you through."


@pytest.mark.parametrize("verdict", [Verdict.WORDLESS, Verdict.NOT_A_YES])
def test_a_caller_who_was_asked_plainly_and_says_neither_yes_nor_no_is_handed_over(verdict: Verdict) -> None:
    talk = converse(table()).opens(**WHOLE)
    for _ in range(4):
        assert talk.answers_otherwise(verdict).says_yes().outcome is None
    assert talk.answers_otherwise(verdict).says_yes().outcome == "transfer"


def test_a_yes_to_another_read_back_is_none_to_this_one() -> None:
    recorder = Recorder()
    talk = converse(table(), effects=recorder).opens(**WHOLE)
    before = Agreement(Verdict.AGREED, talk.run.readback())
    talk.gives(count=4)
    answer = talk.run.call("order_pizza_confirm", '{"yes": true}', before)
    assert (answer.fault, recorder.requests) == ("unheard", [])


def test_a_faulty_yes_that_is_corrected_at_once_is_a_yes_to_the_same_read_back() -> None:
    talk = converse(table()).opens(**WHOLE)
    agreed = Agreement(Verdict.AGREED, talk.run.readback())
    assert talk.run.call("order_pizza_confirm", '{"yes": "true"}', agreed).fault == "bad_value"
    assert talk.run.call("order_pizza_confirm", '{"yes": true}', agreed).outcome == "baked"


def test_how_often_a_yes_did_not_count_outlives_a_crash_and_begins_anew_for_another_read_back() -> None:
    talk = converse(table()).opens(**WHOLE).talks_over().says_yes().crashes()
    assert talk.talks_over().says_yes().says == "Please answer with yes or no. 3 small, no olives. Right?"
    assert talk.gives(count=4).talks_over().says_yes().says == "4 small, no olives. Right?"
    assert talk.run.call("order_pizza_confirm", '{"yes": true}', AGREED).outcome == "baked"


@pytest.mark.parametrize(("key", "state"), [("1", "Baked"), ("2", "What"), ("5", "Confirm")])
def test_a_read_back_can_be_answered_by_key(key: str, state: str) -> None:
    talk = converse(table()).opens(**WHOLE).keys(key)
    assert talk.state == state


def test_a_key_for_yes_counts_only_for_what_was_heard() -> None:
    talk = converse(table()).opens(**WHOLE).talks_over().keys("1")
    assert (talk.state, talk.outcome) == ("Confirm", None)


def test_a_caller_who_changes_his_mind_for_ever_is_handed_over() -> None:
    talk = converse(table()).opens(**WHOLE)
    for count in range(100):
        talk.gives(count=count % 3 + 1)
        if talk.outcome:
            break
    assert talk.outcome == "transfer"
    assert len(talk.states) <= table().patience + 1


def test_what_was_said_long_ago_is_asked_for_again() -> None:
    times = [NOON]
    run = TaskRun(TRIAGE, TaskContext("c-1", "t1", "", lambda: times[0]), Recorder())
    run.open('{"hours": 2}')
    times[0] += timedelta(minutes=11)
    assert '"needs":["hours"]' in run.call("triage_provide", '{"name": "Ada"}').output
    assert run.state == "Ask"


def test_an_effect_whose_caller_has_left_may_be_taken_back() -> None:
    kept = TaskRun(table(), context(), Kitchen(Oven(Ok())))
    taken = TaskRun(table(), context(), Kitchen(Oven(Ok()), takes_back=True))
    for run in (kept, taken):
        run.open('{"size": "small", "count": 3, "note": "x", "crisp": true}')
        run.call("order_pizza_confirm", '{"yes": true}')
        run.hung_up()
    assert (kept.outcome, taken.outcome) == ("baked", "undone")


def test_an_effect_that_does_not_give_what_it_is_to_fill_is_a_fault_of_its_author() -> None:
    with pytest.raises(MisuseError, match="task 'open_locker': an effect was to fill locker"):
        converse(LOCKER, effects=Recorder({"locker.find": [Ok({"shelf": 1})]})).opens(letter="x")
