"""A run of a task: values in any order, corrections, refusals, and every way to its end."""

from __future__ import annotations

import pytest

from fsm.consent import AGREED, Agreement, Verdict
from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused
from fsm.errors import SlotError
from fsm.run import TaskRun
from fsm.spec import Known, Slot
from fsm.testing import Recorder, converse
from tests.fsm.conversation import gives_up, opened, provides, says_yes, told
from tests.fsm.tables import TRIAGE, WHOLE, Kitchen, Oven, Size, context, pair, pizza, table


def test_the_opening_call_asks_for_the_first_thing_missing() -> None:
    run = pizza()
    assert opened(run) == {
        "task": "t1",
        "state": "What",
        "needs": ["size", "count", "note", "crisp"],
        "say": "Small or large?",
        "slots": {},
    }
    assert (run.state, run.visited, run.outcome) == ("What", ("What",), None)


def test_values_may_come_in_any_order_and_several_at_once() -> None:
    run = pizza()
    opened(run, note="no olives")
    assert provides(run, crisp=True, count=3)["say"] == "Small or large?"
    answer = provides(run, size="small")
    assert answer["state"] == "Confirm"
    assert answer["say"] == "3 small, no olives. Right?"
    assert answer["slots"] == WHOLE
    assert run.visited == ("What", "Details", "Confirm")


def test_a_state_with_all_its_slots_is_passed_through() -> None:
    run = pizza()
    assert opened(run, size="small", count=3)["say"] == "Any wishes?"
    assert run.visited == ("What", "Details")


def test_a_yes_carries_out_the_effect_and_ends_the_run() -> None:
    oven = Oven()
    run = pizza(oven)
    opened(run, **WHOLE)
    answer = run.call("order_pizza_confirm", '{"yes": true}')
    assert answer.outcome == run.outcome == "baked"
    assert told(answer)["result"] == "baked"
    assert told(answer)["values"] == {"ticket": 7}
    assert told(answer)["say"] == "It is in the oven."
    assert run.visited == ("What", "Details", "Confirm", "Bake", "Baked")
    assert run.tools() == ()
    assert run.instructions() == ""
    assert oven.requests[0].slots == {"size": Size.SMALL, "count": 3, "note": "no olives", "crisp": True}
    assert oven.requests[0].key == "c-1:t1:4"
    assert oven.requests[0].context.caller == "+4930123"


def test_a_yes_to_what_has_become_impossible_since_it_was_read_back_asks_for_it_anew() -> None:
    left = [9]

    def in_stock(count: int, known: Known) -> int:
        if count > left[0]:
            raise SlotError(f"Only {left[0]} are left.")
        return count

    oven = Oven()
    run = pizza(oven, table(slots={"count": Slot(int, ask="How many?", check=in_stock)}))
    opened(run, **WHOLE)
    left[0] = 2
    assert told(run.call("order_pizza_confirm", '{"yes": true}'))["say"] == "Only 2 are left. How many?"
    assert (run.state, oven.requests) == ("What", [])


def test_no_effect_is_carried_out_before_a_yes() -> None:
    oven = Oven()
    run = pizza(oven)
    opened(run, **WHOLE)
    provides(run, count=2)
    says_yes(run, False)
    assert oven.requests == []


def test_a_correction_while_confirming_is_read_back() -> None:
    run = pizza()
    opened(run, **WHOLE)
    assert provides(run, count=4)["say"] == "4 small, no olives. Right?"
    assert run.visited == ("What", "Details", "Confirm", "What", "Details", "Confirm")


def test_a_bare_no_asks_what_to_change_and_takes_any_slot() -> None:
    run = pizza()
    opened(run, **WHOLE)
    answer = says_yes(run, False)
    assert (answer["state"], answer["needs"], answer["say"]) == ("What", [], "What should I change?")
    assert provides(run, note="no cheese")["say"] == "3 small, no cheese. Right?"


def test_after_a_bare_no_the_same_value_again_is_an_answer() -> None:
    run = pizza()
    opened(run, **WHOLE)
    says_yes(run, False)
    assert provides(run, count=3)["state"] == "Confirm"


def test_a_no_may_lead_to_an_end() -> None:
    run = pizza(spec=table(transitions={("Confirm", "no"): "Human"}))
    opened(run, **WHOLE)
    assert says_yes(run, False)["result"] == "transfer"


def test_a_refused_value_is_reported_and_the_good_ones_are_kept() -> None:
    run = pizza()
    answer = opened(run, size="large", count=5, note="no olives")
    assert answer["say"] == "I can give you at most 2. How many?"
    assert answer["needs"] == ["count", "crisp"]
    assert answer["slots"] == {"size": "large", "note": "no olives"}


def test_the_value_that_is_asked_for_is_first_of_those_needed() -> None:
    answer = opened(pizza(), count=12)
    assert answer["say"] == "I can give you at most 9. How many?"
    assert answer["needs"] == ["count", "size", "note", "crisp"]


def test_a_change_of_one_slot_has_those_that_depend_on_it_checked_again() -> None:
    run = pizza()
    opened(run, **WHOLE)
    answer = provides(run, size="large")
    assert (answer["state"], answer["say"]) == ("What", "I can give you at most 2. How many?")
    assert provides(run, count=2)["say"] == "2 large, no olives. Right?"
    assert run.visited == ("What", "Details", "Confirm", "What", "Details", "Confirm")


def test_a_correction_that_is_refused_while_another_state_asks_goes_back() -> None:
    run = pizza()
    opened(run, size="small", count=3)
    assert run.state == "Details"
    assert provides(run, count=12)["state"] == "What"


def test_a_refused_effect_is_said_and_its_slots_are_asked_for_again() -> None:
    oven = Oven(Refused("We are out of crisp ones."))
    run = pizza(oven)
    opened(run, **WHOLE)
    answer = says_yes(run)
    assert (answer["state"], answer["needs"]) == ("Details", ["note", "crisp"])
    assert answer["say"] == "We are out of crisp ones. Any wishes?"
    provides(run, note="none", crisp=False)
    assert says_yes(run)["result"] == "baked"
    first, second = oven.requests
    assert first.key != second.key


def test_effects_refused_again_and_again_end_with_a_human() -> None:
    run = pizza(Oven(Refused("No."), Refused("No.")))
    opened(run, **WHOLE)
    says_yes(run)
    provides(run, note="none", crisp=False)
    assert says_yes(run)["result"] == "transfer"


def test_an_effect_that_failed_is_told_on_the_way_to_the_end() -> None:
    run = pizza(Oven(Failed("The oven is cold.")))
    opened(run, **WHOLE)
    answer = says_yes(run)
    assert (answer["result"], answer["say"]) == ("transfer", "The oven is cold. I will put you through.")
    assert run.visited[-2:] == ("Bake", "Human")


def test_what_an_effect_raises_passes_through_and_the_same_step_bears_the_same_key() -> None:
    keys: list[str] = []

    def breaks_once(request: EffectRequest) -> EffectResult:
        keys.append(request.key)
        if len(keys) == 1:
            raise ZeroDivisionError
        return Ok()

    run = pizza(breaks_once)
    opened(run, **WHOLE)
    saved = run.snapshot()
    with pytest.raises(ZeroDivisionError):
        says_yes(run)
    again = TaskRun.restore(table(), context(), Kitchen(breaks_once), saved)
    assert says_yes(again)["result"] == "baked"
    assert keys == ["c-1:t1:4"] * 2


@pytest.mark.parametrize("state", ["What", "Details", "Confirm"])
def test_the_caller_may_give_up_in_every_state_that_waits(state: str) -> None:
    run = pizza()
    opened(run, **{"What": {}, "Details": {"size": "small", "count": 3}, "Confirm": WHOLE}[state])
    assert run.state == state
    answer = gives_up(run)
    assert (answer["state"], answer["result"], answer["say"]) == ("Cancelled", "cancelled", "No pizza then.")
    assert run.outcome == "cancelled"


def test_attempts_without_a_word_of_the_caller_lead_to_no_human() -> None:
    run = pizza()
    opened(run)
    for _ in range(9):
        run.call("order_pizza_provide", "{}", spoke=False)
    assert run.state == "What"
    for _ in range(3):
        run.call("order_pizza_provide", "{}", spoke=True)
    assert run.outcome == "transfer"


def test_the_caller_may_give_up_instead_of_choosing() -> None:
    talk = converse(TRIAGE).opens(hours=2)
    assert talk.state == "Pick"
    assert talk.calls("triage_cancel", "{}").outcome == "cancelled"


def test_opening_again_means_the_values() -> None:
    run = pizza()
    opened(run, size="small")
    assert opened(run, count=3)["state"] == "Details"
    assert told(run.call("order_pizza", '{"note": "none"}'))["say"] == "Crisp?"


def test_a_correction_that_undoes_two_states_goes_back_for_both() -> None:
    run = TaskRun(pair(), context(), Kitchen(Oven()))
    opened(run, first=1, second=2)
    assert provides(run, first=0, second=0)["say"] == "That is too few. Second?"
    assert provides(run, second=5)["say"] == "First?"
    assert provides(run, first=4)["say"] == "4 and 5?"


def test_keys_fill_the_slot_that_was_asked_for() -> None:
    talk = converse(TRIAGE).opens()
    assert talk.run.status().keys == 0, "as many as the caller likes, up to the hash key"
    assert talk.keys("12").outcome == "transfer", "twelve hours are urgent, by rule"
    assert converse(TRIAGE).opens().keys("*").says.startswith("Sorry, I did not get that.")


def test_keys_nobody_asked_for_are_left_alone() -> None:
    talk = converse(table()).opens()
    assert talk.run.status().keys is None
    assert talk.run.keyed("1") is None


def test_silence_is_answered_only_where_the_run_waits_for_the_caller() -> None:
    run = pizza()
    assert run.silence() is None
    opened(run, **WHOLE)
    answer = run.silence()
    assert answer is not None
    assert told(answer)["say"].startswith("Are you still there?")
    assert says_yes(run)["result"] == "baked"
    assert run.silence() is None


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


@pytest.mark.parametrize(("key", "state"), [("1", "Baked"), ("2", "What"), ("5", "Confirm")])
def test_a_read_back_can_be_answered_by_key(key: str, state: str) -> None:
    talk = converse(table()).opens(**WHOLE).keys(key)
    assert talk.state == state


def test_a_key_for_yes_counts_only_for_what_was_heard() -> None:
    talk = converse(table()).opens(**WHOLE).talks_over().keys("1")
    assert (talk.state, talk.outcome) == ("Confirm", None)


def test_an_effect_whose_caller_has_left_may_be_taken_back() -> None:
    kept = TaskRun(table(), context(), Kitchen(Oven(Ok())))
    taken = TaskRun(table(), context(), Kitchen(Oven(Ok()), takes_back=True))
    for run in (kept, taken):
        run.open('{"size": "small", "count": 3, "note": "x", "crisp": true}')
        run.call("order_pizza_confirm", '{"yes": true}')
        run.hung_up()
    assert (kept.outcome, taken.outcome) == ("baked", "undone")
    told = ["taken back" in note.text for run in (kept, taken) for note in run.snapshot().notes[-1:]]
    assert told == [False, True]


# --- a yes that does not count ---

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
    for _ in range(7):
        assert talk.answers_otherwise(verdict).says_yes().outcome is None
    assert talk.answers_otherwise(verdict).says_yes().outcome == "transfer"
    assert talk.says == "I will put you through."


@pytest.mark.parametrize("verdict", [Verdict.WORDLESS, Verdict.NOT_A_YES])
def test_a_caller_who_was_asked_plainly_and_says_neither_yes_nor_no_is_handed_over(verdict: Verdict) -> None:
    talk = converse(table()).opens(**WHOLE)
    for _ in range(4):
        assert talk.answers_otherwise(verdict).says_yes().outcome is None
    assert talk.answers_otherwise(verdict).says_yes().outcome == "transfer"


def test_a_bare_no_that_the_model_takes_for_a_yes_is_a_no() -> None:
    recorder = Recorder()
    talk = converse(table(), effects=recorder).opens(**WHOLE).answers_otherwise(Verdict.A_NO).says_yes()
    assert (talk.says, talk.run.state, recorder.requests) == ("What should I change?", "What", [])
    assert talk.gives(count=4).says == "4 small, no olives. Right?"


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


def test_the_count_of_yeses_that_did_not_count_outlives_a_crash_and_restarts_for_another_read_back() -> None:
    talk = converse(table()).opens(**WHOLE).talks_over().says_yes().crashes()
    assert talk.talks_over().says_yes().says == "Please answer with yes or no. 3 small, no olives. Right?"
    assert talk.gives(count=4).talks_over().says_yes().says == "4 small, no olives. Right?"
    assert talk.run.call("order_pizza_confirm", '{"yes": true}', AGREED).outcome == "baked"
