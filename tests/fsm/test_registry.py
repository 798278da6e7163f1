"""Finding the tasks: our own, and those of installed packages."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from pydantic import BaseModel

from fsm.effects import EffectRequest, EffectResult, Local, Ok
from fsm.registry import ENTRY_POINT_GROUP, TaskFactory, broken, effects_of, load_agents, load_tasks, offered
from fsm.spec import AgentSpec
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
    tasks = load_tasks([point(attribute)])
    [lost] = broken(tasks)
    assert lost.name == "pizza"
    assert complaint in lost.why
    assert offered(tasks).keys() == load_agents(installed=()).keys()


def test_a_broken_task_stands_in_the_place_of_the_one_that_it_was_to_replace(package: ModuleType) -> None:
    tasks = load_tasks([point("MISSING", "end_call")])
    assert [each.name for each in broken(tasks)] == ["end_call"]
    assert "end_call" not in offered(tasks)


@pytest.mark.parametrize("name", ["end_call", "book_appointment"])
def test_a_task_of_an_installed_package_replaces_one_that_comes_along(package: ModuleType, name: str) -> None:
    vars(package)["MINE"] = table(name=name)
    found = load_agents([point("MINE")])
    assert found[name] is vars(package)["MINE"]
    assert found.keys() == load_agents(installed=()).keys()
    twice = load_tasks([point("MINE"), point("MINE", "again")])
    assert [each.name for each in broken(twice)] == [name]


@pytest.mark.parametrize("name", ["book", "end_call_now"])
def test_names_whose_functions_would_be_mixed_up_are_refused(package: ModuleType, name: str) -> None:
    vars(package)["CLASH"] = table(name=name)
    tasks = load_tasks([point("CLASH")])
    assert [(each.name, "begin alike" in each.why) for each in broken(tasks)] == [("pizza", True)]
    assert name not in tasks


def test_two_tasks_may_declare_one_effect() -> None:
    first, second = (table(name=name, effects={"pizza.bake": Local(eat)}) for name in ("one", "two"))
    assert effects_of({"one": first, "two": second}) == {"pizza.bake": Local(eat)}


def test_one_name_for_two_effects_is_refused() -> None:
    def other(request: EffectRequest, store: object) -> EffectResult:
        return Ok()

    specs = [table(), table(name="pizza_again", effects={"pizza.bake": Local(other)})]
    with pytest.raises(MisuseError, match=r"'pizza_again'.*different effect 'pizza.bake'"):
        effects_of({spec.name: spec for spec in specs})


class Toppings(BaseModel):
    most: int = 3


class Oven(BaseModel):
    degrees: int


def pizza(settings: BaseModel) -> AgentSpec:
    return table(description=f"Pizza by {settings}.")


def test_a_task_with_settings_is_offered_with_their_defaults(package: ModuleType) -> None:
    vars(package)["PIZZA"] = TaskFactory("order_pizza", Toppings, pizza)
    assert load_agents([point("PIZZA")])["order_pizza"].description == "Pizza by most=3."
    factory = load_tasks([point("PIZZA")])["order_pizza"]
    assert isinstance(factory, TaskFactory)
    assert factory.make(Toppings(most=1)).description == "Pizza by most=1."


def test_a_task_that_needs_settings_is_registered_and_not_offered_without(package: ModuleType) -> None:
    vars(package)["PIZZA"] = TaskFactory("order_pizza", Oven, pizza)
    assert "order_pizza" in load_tasks([point("PIZZA")])
    assert "order_pizza" not in load_agents([point("PIZZA")])


def test_a_factory_that_makes_a_task_of_another_name_is_refused() -> None:
    with pytest.raises(MisuseError, match="'pasta' makes one that is called 'order_pizza'"):
        TaskFactory("pasta", Toppings, pizza)
