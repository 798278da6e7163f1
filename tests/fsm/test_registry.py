"""Finding the tasks: our own, and those of installed packages."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from fsm.effects import EffectRequest, EffectResult, Local, Ok
from fsm.registry import ENTRY_POINT_GROUP, effects_of, load_agents
from protocols.errors import MisuseError
from tests.fsm.tables import eat, table


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module as an installed package would bring it."""
    module = ModuleType("somebodys_tasks")
    monkeypatch.setitem(sys.modules, "somebodys_tasks", module)
    return module


def point(attribute: str, name: str = "pizza") -> EntryPoint:
    return EntryPoint(name, f"somebodys_tasks:{attribute}", ENTRY_POINT_GROUP)


def test_our_own_tasks_are_found_by_their_names() -> None:
    assert sorted(load_agents(installed=())) == [
        "book_appointment",
        "cancel_appointment",
        "end_call",
        "hand_over",
        "reschedule_appointment",
    ]


def test_a_task_of_an_installed_package_is_found(package: ModuleType) -> None:
    vars(package)["PIZZA"] = table()
    assert load_agents([point("PIZZA")])["order_pizza"] is vars(package)["PIZZA"]


@pytest.mark.parametrize(
    ("attribute", "complaint"), [("MISSING", "'pizza' of an installed package cannot be loaded"), ("X", "no AgentSpec")]
)
def test_an_entry_point_that_gives_no_table_is_named(package: ModuleType, attribute: str, complaint: str) -> None:
    vars(package)["X"] = 3
    with pytest.raises(MisuseError, match=complaint):
        load_agents([point(attribute)])


@pytest.mark.parametrize("name", ["book_appointment", "book", "end_call_now"])
def test_names_whose_functions_would_be_mixed_up_are_refused(package: ModuleType, name: str) -> None:
    vars(package)["CLASH"] = table(name=name)
    with pytest.raises(MisuseError, match="begin alike"):
        load_agents([point("CLASH")])


def test_two_tasks_may_declare_one_effect() -> None:
    first, second = (table(name=name, effects={"pizza.bake": Local(eat)}) for name in ("one", "two"))
    assert effects_of({"one": first, "two": second}) == {"pizza.bake": Local(eat)}


def test_one_name_for_two_effects_is_refused() -> None:
    def other(request: EffectRequest, store: object) -> EffectResult:
        return Ok()

    specs = [table(), table(name="pizza_again", effects={"pizza.bake": Local(other)})]
    with pytest.raises(MisuseError, match=r"'pizza_again'.*different effect 'pizza.bake'"):
        effects_of({spec.name: spec for spec in specs})
