"""What the model is told it may call."""

from __future__ import annotations

from fsm.spec import ToolSpec
from tests.fsm.tables import table


def names(tools: tuple[ToolSpec, ...]) -> list[str]:
    return [tool.name for tool in tools]


def test_a_task_opens_with_any_of_its_slots_and_needs_none() -> None:
    tool = table().opening_tool()
    assert tool.name == "order_pizza"
    assert tool.description == "The caller wants pizza."
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "size": {"type": "string", "enum": ["small", "large"], "description": "The size of the pizza."},
            "count": {"type": "integer"},
            "note": {"type": "string"},
            "crisp": {"type": "boolean"},
        },
        "additionalProperties": False,
    }


def test_a_state_gives_the_tools_that_fit_it() -> None:
    spec = table()
    assert names(spec.tools_in("What")) == ["order_pizza_provide", "order_pizza_cancel"]
    assert names(spec.tools_in("Confirm")) == ["order_pizza_confirm", "order_pizza_provide", "order_pizza_cancel"]
    assert names(spec.tools_in("Baked")) == []


def test_a_correction_is_possible_while_confirming() -> None:
    _, provide, _ = table().tools_in("Confirm")
    assert provide.parameters == table().opening_tool().parameters


def test_a_confirmation_is_one_boolean_that_must_be_there() -> None:
    parameters = table().tools_in("Confirm")[0].parameters
    assert parameters["required"] == ["yes"]
    yes = parameters["properties"]
    assert isinstance(yes, dict)
    assert yes["yes"]["type"] == "boolean"
