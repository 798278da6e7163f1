"""Calls that do not fit: each is answered with a hint, is countable, and changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm.run import TaskRun
from tests.fsm.conversation import opened, provides, says_yes, told
from tests.fsm.tables import Oven, pizza

PROVIDE, CONFIRM, CANCEL = "order_pizza_provide", "order_pizza_confirm", "order_pizza_cancel"


def asking() -> TaskRun:
    run = pizza()
    opened(run, size="small")
    return run


def confirming(oven: Oven | None = None) -> TaskRun:
    run = pizza(oven)
    opened(run, size="small", count=3, note="none", crisp=False)
    return run


def ended() -> TaskRun:
    run = confirming()
    says_yes(run)
    return run


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ('{"count": 3', "bad_json"),
        ("count: 3", "bad_json"),
        ("[3]", "bad_json"),
        ("3", "bad_json"),
        ("null", "bad_json"),
        ('{"count": NaN}', "bad_json"),
        ("[" * 5000, "bad_json"),
        ('{"count": ' + "9" * 9000 + "}", "bad_json"),
        (None, "bad_json"),
        ({"count": 3}, "bad_json"),
        (b'{"count": 3}', "bad_json"),
        ('{"note": "' + "x" * 10_000 + '"}', "too_long"),
        ('{"colour": "red"}', "unknown_property"),
        ('{"count": "3"}', "bad_value"),
        ('{"count": 3.5}', "bad_value"),
        ('{"count": true}', "bad_value"),
        ('{"count": {"n": 3}}', "bad_value"),
        ('{"size": "huge"}', "bad_value"),
        ('{"crisp": "yes"}', "bad_value"),
        ('{"note": 3}', "bad_value"),
    ],
)
def test_arguments_that_do_not_fit_get_a_hint_and_change_nothing(arguments: object, fault: str) -> None:
    run = asking()
    before = run.snapshot()
    answer = run.call(PROVIDE, arguments)
    assert answer.fault == fault
    assert told(answer)["error"] == fault
    assert 10 < len(told(answer)["hint"]) < 300
    assert told(answer)["say"] == "How many?"
    assert run.snapshot() == before


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ('{"count": 3, "colour": "red"}', "unknown_property"),
        ('{"count": 3, "yes": true}', "unknown_property"),
        ('{"crisp": "yes", "count": 3}', "bad_value"),
        ('{"count": 3, "size": "huge", "purpose": "a party"}', "unknown_property"),
    ],
)
def test_a_good_value_is_kept_when_another_is_bad_or_a_key_is_unknown(arguments: str, fault: str) -> None:
    answer = asking().call(PROVIDE, arguments)
    assert (answer.fault, told(answer)["say"]) == (fault, "Any wishes?")
    assert told(answer)["slots"] == {"size": "small", "count": 3}
    opening = pizza()
    assert told(opening.open('{"size": "small", "count": "three"}'))["slots"] == {"size": "small"}


def test_a_text_that_no_store_can_hold_is_replaced() -> None:
    run = pizza()
    opened(run, size="small", count=3)
    answer = run.call(PROVIDE, r'{"note": "no \u0000lives\ud800"}')
    assert (answer.fault, told(answer)["slots"]["note"]) == ("", "no \ufffdlives\ufffd")


@pytest.mark.parametrize("arguments", ["", "  ", "{}", '{"yes": null}', '{"yes": "true"}', '{"yes": 1}'])
def test_only_a_true_or_a_false_confirms(arguments: str) -> None:
    oven = Oven()
    run = confirming(oven)
    before = run.snapshot()
    assert run.call(CONFIRM, arguments).fault == "bad_value"
    assert run.call(CONFIRM, '{"yes": true, "count": 2}').fault == "unknown_property"
    assert run.snapshot() == before
    assert oven.requests == []


def test_a_hint_repeats_no_more_than_forty_letters_of_a_name_that_is_unknown() -> None:
    hint = told(asking().call(PROVIDE, '{"' + 50 * "x" + '": 1}'))["hint"]
    assert hint.startswith(f"There is no parameter '{40 * 'x'}' here; there is: size, count, ")


def test_a_parameter_the_model_has_nothing_for_is_passed_over() -> None:
    answer = asking().call(PROVIDE, '{"count": 3, "note": null, "size": ""}')
    assert (answer.fault, told(answer)["slots"]) == ("", {"size": "small", "count": 3})


def test_a_function_of_another_state_says_which_may_be_called() -> None:
    run = asking()
    before = run.snapshot()
    answer = run.call(CONFIRM, '{"yes": true}')
    assert answer.fault == "wrong_state"
    assert "order_pizza_provide, order_pizza_cancel" in told(answer)["hint"]
    assert run.snapshot() == before


def test_an_unknown_function_says_which_may_be_called() -> None:
    answer = asking().call("order_pizza_explode", "{}")
    assert answer.fault == "unknown_tool"
    assert PROVIDE in told(answer)["hint"]


@pytest.mark.parametrize("tool", ["order_pizza", PROVIDE, CONFIRM, CANCEL])
def test_a_task_that_has_ended_takes_nothing_more_and_says_nothing_again(tool: str) -> None:
    run = ended()
    before = run.snapshot()
    answer = run.call(tool, '{"yes": true}')
    assert answer.fault == "task_ended"
    assert answer.outcome == "baked"
    assert "say" not in told(answer)
    assert run.snapshot() == before


def test_three_hundred_calls_in_a_row_carry_out_one_effect() -> None:
    oven = Oven()
    run = confirming(oven)
    for _ in range(300):
        run.call(CONFIRM, '{"yes": true}')
    assert len(oven.requests) == 1


def test_arguments_of_cancel_must_be_whole_too() -> None:
    run = asking()
    assert run.call(CANCEL, '{"reason": "changed').fault == "bad_json"
    assert run.outcome is None
    assert run.call(CANCEL, '{"reason": "changed my mind"}').outcome == "cancelled"


@pytest.mark.parametrize("arguments", ["{", '{"colour": "red"}', '{"count": "many"}', None])
def test_an_opening_that_cannot_be_read_opens_the_task_without_its_values(arguments: object) -> None:
    run = pizza()
    answer = run.open(arguments)
    assert answer.fault
    assert told(answer)["say"] == "Small or large?"
    assert run.visited == ("What",)
    assert provides(run, size="small")["say"] == "How many?"


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from([PROVIDE, CONFIRM, CANCEL, "order_pizza", "else"]),
            st.text(max_size=30)
            | st.sampled_from(['{"yes": true}', '{"yes": false}', "{}"])
            | st.fixed_dictionaries(
                {}, optional={"size": st.sampled_from(["small", "large"]), "count": st.integers(0, 12)}
            ).map(lambda slots: str(slots).replace("'", '"'))
            | st.sampled_from(['{"note": "n", "crisp": true}', '{"size": "large", "count": 1, "note": "x"}']),
        ),
        max_size=25,
    )
)
@settings(max_examples=150)
def test_after_any_calls_the_run_waits_or_has_ended(calls: list[tuple[str, str]]) -> None:
    oven = Oven()
    run = pizza(oven)
    run.open("{}")
    for tool, arguments in calls:
        answer = run.call(tool, arguments)
        assert run.state in ("What", "Details", "Confirm", "Baked", "Human", "Cancelled")
        assert told(answer)["state"] == run.state
        assert bool(run.tools()) == (run.outcome is None)
    assert len(oven.requests) == (run.outcome == "baked")
