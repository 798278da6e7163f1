"""A task's table as its users see it: the settings it needs, and the functions the model may call in each state."""

from __future__ import annotations

import pytest

from fsm.agents.hand_over import HAND_OVER
from fsm.spec import AgentSpec, End, ToolSpec
from protocols.errors import MisuseError
from tests.fsm.tables import LOCKER, TRIAGE, table


def choices_of(tool: ToolSpec) -> object:
    properties = tool.parameters["properties"]
    assert isinstance(properties, dict)
    return properties["to"]["enum"]


def names(spec: AgentSpec, state: str) -> list[str]:
    return [tool.name for tool in spec.tools_in(state)]


@pytest.mark.parametrize(
    ("spec", "state", "tools"),
    [
        (table(), "What", ["order_pizza_provide", "order_pizza_cancel"]),
        (table(), "Confirm", ["order_pizza_confirm", "order_pizza_provide", "order_pizza_cancel"]),
        (table(), "Bake", []),
        (table(), "Baked", []),
        (TRIAGE, "Pick", ["triage_choose", "triage_provide", "triage_cancel"]),
        (TRIAGE, "Weigh", []),
    ],
)
def test_each_state_that_waits_has_its_functions(spec: AgentSpec, state: str, tools: list[str]) -> None:
    assert names(spec, state) == tools


def test_the_settings_a_table_needs_are_those_its_slots_choose_from() -> None:
    assert HAND_OVER.choices() == {"transfer_targets"}
    assert LOCKER.choices() == frozenset()


def test_values_only_the_settings_know_are_in_the_functions_schema() -> None:
    opening = HAND_OVER.opening_tool({"transfer_targets": ("reception", "billing")})
    assert opening.name == "hand_over"
    assert choices_of(opening) == ["reception", "billing"]
    (provide, _) = HAND_OVER.tools_in("Collect", {"transfer_targets": ("reception",)})
    assert choices_of(provide) == ["reception"]


def test_a_table_is_checked_when_it_is_built() -> None:
    with pytest.raises(MisuseError, match="the start state 'Nowhere' is not in the table"):
        AgentSpec(name="x", description="", start="Nowhere", slots={}, states={"End": End("done")}, transitions={})
