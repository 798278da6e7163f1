"""Conditions of task files."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from pydantic import ValidationError

from fsm.conditions import Condition, ConditionRule
from fsm.slot_types import YesNo
from fsm.states import Known
from fsm.testing.conversation import NOON

KNOWN = Known(
    NOON, {"day": date(2026, 11, 24), "at": time(10, 30), "size": 3, "agreed": YesNo.NO}, {"ask": "name", "left": 0}
)


def holds(**condition: Any) -> bool:
    return ConditionRule(Condition.model_validate(condition))(KNOWN)


@pytest.mark.parametrize(
    "condition",
    [
        {"slot": "day", "is": "2026-11-24"},
        {"slot": "at", "below": "11:00"},
        {"slot": "size", "above": 2},
        {"slot": "agreed", "is": "no"},
        {"slot": "size", "in": [1, 3]},
        {"slot": "size", "is_not": 4},
        {"slot": "other", "known": False},
        {"fact": "left", "is": 0},
        {"all": [{"fact": "ask", "is": "name"}, {"slot": "size", "is": 3}]},
        {"any": [{"fact": "ask", "is": "day"}, {"slot": "size", "is": 3}]},
    ],
)
def test_what_holds(condition: dict[str, Any]) -> None:
    assert holds(**condition)


@pytest.mark.parametrize(
    "condition",
    [
        {"slot": "size", "is": 4},
        {"slot": "other", "is_not": 4},
        {"slot": "other", "below": 4},
        {"slot": "size", "below": "four"},
        {"slot": "size", "known": False},
        {"all": [{"fact": "ask", "is": "name"}, {"slot": "size", "is": 4}]},
        {"any": [{"fact": "ask", "is": "day"}]},
    ],
)
def test_what_does_not_hold(condition: dict[str, Any]) -> None:
    assert not holds(**condition)


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"slot": "size"},
        {"slot": "size", "fact": "ask", "is": 1},
        {"slot": "size", "is": 1, "above": 0},
        {"slot": "size", "equals": 1},
        {"all": [], "slot": "size"},
    ],
)
def test_what_is_no_condition(condition: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(condition)


def test_the_slots_it_names() -> None:
    condition = Condition.model_validate({"any": [{"slot": "a", "is": 1}, {"all": [{"slot": "b", "known": True}]}]})
    assert condition.names() == {"a", "b"}
