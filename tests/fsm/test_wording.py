"""A caller who mishears, is silent, talks over, presses keys, or takes his time."""

from __future__ import annotations

from fsm.consent import Verdict
from fsm.effects import Local, Ok, Refused
from fsm.testing import Recorder, converse
from tests.fsm.conversation import opened, provides, says_yes
from tests.fsm.tables import TRIAGE, WHOLE, Oven, pizza, table


def test_each_question_gets_more_help_with_each_attempt_and_then_a_human() -> None:
    talk = converse(TRIAGE).opens()
    assert talk.says == "For how many hours?"
    assert talk.gives().says == "Sorry, I did not get that. For how many hours? For example: two hours."
    assert talk.gives().says == "Sorry, I did not get that. Please key in the hours, and then the hash key."
    assert talk.gives().outcome == "transfer"


def test_silence_and_misunderstanding_are_counted_apart() -> None:
    talk = converse(TRIAGE).opens().gives().gives().is_silent()
    assert talk.run.snapshot().no_match == {"hours": 2}
    assert talk.run.snapshot().no_input == {"hours": 1}
    assert talk.is_silent().outcome is None
    assert talk.says == "Are you still there? Please key in the hours, and then the hash key."
    assert talk.gives().outcome == "transfer"


def test_silences_are_answered_without_end_and_never_lead_to_a_human() -> None:
    talk = converse(TRIAGE).opens()
    for _ in range(5):
        assert talk.is_silent().outcome is None
    assert talk.says == "Are you still there? Please key in the hours, and then the hash key."


def test_a_caller_who_keeps_changing_their_mind_is_handed_over() -> None:
    talk = converse(table()).opens(**WHOLE)
    for count in range(100):
        talk.gives(count=count % 3 + 1)
        if talk.outcome:
            break
    assert talk.outcome == "transfer"
    assert len(talk.states) <= table().patience + 1


def test_after_a_bare_no_an_empty_answer_is_asked_again() -> None:
    run = pizza()
    opened(run, **WHOLE)
    says_yes(run, False)
    assert provides(run)["say"] == "Sorry, I did not get that. What should I change?"


def test_the_third_no_gives_up() -> None:
    run = pizza()
    opened(run, **WHOLE)
    for count in (4, 5):
        says_yes(run, False)
        provides(run, count=count)
    answer = says_yes(run, False)
    assert (answer["result"], answer["say"]) == ("transfer", "I will put you through.")


def test_an_empty_answer_to_a_read_back_has_it_read_back_again() -> None:
    run = pizza()
    opened(run, **WHOLE)
    assert provides(run)["say"] == "Sorry, I did not get that. 3 small, no olives. Right?"
    assert run.visited == ("What", "Details", "Confirm")


def test_a_task_gives_up_after_as_many_failures_as_the_state_allows() -> None:
    run = pizza()
    opened(run)
    assert provides(run)["say"] == "Sorry, I did not get that. Small or large?"
    assert provides(run, count=12)["say"] == "I can give you at most 9. How many?"
    assert provides(run)["say"] == "Sorry, I did not get that. Small or large?"  # each question has its own count
    answer = provides(run)
    assert (answer["state"], answer["result"], answer["say"]) == ("Human", "transfer", "I will put you through.")


def test_an_opening_without_values_is_no_failure() -> None:
    run = pizza()
    opened(run)
    provides(run)
    provides(run)
    assert run.outcome is None


def test_progress_is_no_failure() -> None:
    run = pizza()
    opened(run)
    provides(run)
    provides(run, size="small")
    provides(run)
    assert run.outcome is None
    assert provides(run, count=1)["state"] == "Details"


def test_failures_are_counted_for_each_state_alone() -> None:
    run = pizza()
    opened(run)
    provides(run)
    provides(run)
    provides(run, size="small", count=1)
    provides(run)
    assert run.state == "Details"
    assert provides(run)["result"] == "transfer"  # this state allows two


def test_a_sentence_that_asks_already_is_not_followed_by_another_question() -> None:
    run = pizza(Oven(Refused("We are out of it. What else would you like?")))
    opened(run, **WHOLE)
    assert says_yes(run)["say"] == "We are out of it. What else would you like?"


def test_a_caller_who_may_have_no_further_effect_hears_so_instead_of_the_read_back() -> None:
    effects = Recorder(limit="I cannot do more than that.")
    talk = converse(table(), effects=effects).opens(**WHOLE)
    assert (talk.outcome, talk.says) == ("transfer", "I cannot do more than that. I will put you through.")
    assert effects.requests == []
    assert talk.answers[-1]["state"] == "Human"


def test_a_limit_reached_while_a_read_back_is_open_leaves_that_one_to_the_yes() -> None:
    effects = Recorder()
    talk = converse(table(), effects=effects).opens(**WHOLE)
    effects.limit = "I cannot do more than that."
    assert talk.answers_otherwise(Verdict.WORDLESS).says_yes().outcome is None
    assert talk.gives(count=2).outcome == "transfer", "another read-back is not begun"


def test_a_table_that_gives_up_to_the_same_read_back_says_the_limit_before_it() -> None:
    again = table(transitions={("Confirm", "gave_up"): "Details"})
    talk = converse(again, effects=Recorder(limit="I cannot do more than that.")).opens(**WHOLE)
    assert talk.says == "I cannot do more than that. 3 small, no olives. Right?"


def test_what_only_looks_up_is_not_limited() -> None:
    effects = Recorder(limit="I cannot do more than that.")
    reading = table(effects={"pizza.bake": Local(lambda request, connection: Ok(), reads_only=True)})
    assert converse(reading, effects=effects).opens(**WHOLE).outcome is None
