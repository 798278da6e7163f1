"""The proofs hold for every registered task, and fail with the path where a table breaks them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fsm.registry import load_agents
from fsm.spec import Act, AgentSpec, Collect, Confirm, End, Slot
from fsm.testing import prove
from tests.fsm.tables import LOCKER, TRIAGE, table

AGENTS = load_agents()


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_every_registered_task_can_be_proved(name: str) -> None:
    prove(AGENTS[name])


@pytest.mark.parametrize("spec", [table(), TRIAGE, LOCKER], ids=lambda spec: spec.name)
def test_the_tables_of_the_tests_can_be_proved(spec: AgentSpec) -> None:
    prove(spec)


def test_an_effect_without_a_yes_is_found_with_its_path() -> None:
    no_confirm = {("Confirm", event): None for event in ("yes", "no", "gave_up")}
    spec = table(transitions={("Details", "filled"): "Bake", **no_confirm}, states={"Confirm": None})
    with pytest.raises(AssertionError, match=re.escape("What --filled-> Details --filled-> Bake")):
        prove(spec)


def test_a_yes_does_not_outlast_the_next_question() -> None:
    spec = table(
        states={"Bake again": Act(effect="pizza.bake")},
        transitions={
            ("Bake", "refused"): "Details",
            ("Details", "gave_up"): "Bake again",
            ("Bake again", "ok"): "Baked",
            ("Bake again", "refused"): "Human",
            ("Bake again", "failed"): "Human",
        },
    )
    with pytest.raises(AssertionError, match=re.escape("Details --gave_up-> Bake again")):
        prove(spec)


def test_a_table_without_a_human_is_found() -> None:
    spec = table(states={"Human": End("sorry")})
    with pytest.raises(AssertionError, match="no way to a human from What"):
        prove(spec)


def test_a_cycle_of_giving_up_is_found_with_its_path() -> None:
    spec = AgentSpec(
        name="round",
        description="Goes round.",
        start="Ask",
        slots={"one": Slot(int, ask="One?"), "two": Slot(int, ask="Two?")},
        states={
            "Ask": Collect(slots=("one",)),
            "Confirm": Confirm("Is it?"),
            "Human": End("transfer"),
            "More": Collect(slots=("two",)),
            "Cancelled": End("cancelled"),
        },
        transitions={
            ("Ask", "filled"): "More",
            ("Ask", "gave_up"): "More",
            ("More", "filled"): "Confirm",
            ("More", "gave_up"): "Confirm",
            ("Confirm", "yes"): "Human",
            ("Confirm", "no"): "Ask",
            ("Confirm", "gave_up"): "Ask",
        },
    )
    with pytest.raises(AssertionError, match="giving up leads round: "):
        prove(spec)


def test_an_effect_that_a_repeated_look_up_leads_to_without_a_yes_is_found_with_its_path() -> None:
    look_up_after_yes = {
        ("Letter", "filled"): "Pin",
        ("Confirm", "yes"): "Find",
        ("Find", "ok"): "Open",
        ("Find", "refused"): "Human",
        ("Open", "ok"): "Well",
        ("Well", "yes"): "Opened",
        ("Well", "no"): "Human",
        ("Well", "gave_up"): "Human",
    }
    transitions = {key: to for key, to in LOCKER.transitions.items() if key[0] != "Row"}
    spec = replace(
        LOCKER,
        slots={name: slot for name, slot in LOCKER.slots.items() if name != "row"},
        states={
            **{name: state for name, state in LOCKER.states.items() if name != "Row"},
            "Confirm": Confirm("{pin}?"),
            "Well": Confirm("Does it open?"),
        },
        transitions={**transitions, **look_up_after_yes},
    )
    with pytest.raises(AssertionError, match="--outdated-> Find --ok-> Open"):
        prove(spec)
