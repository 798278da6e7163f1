"""Arrows that follow from what a table is made of: which there are, that a run takes them, and no others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fsm.effects import DeclaredEffect, Local, Ok, Remote, Unclear
from fsm.registry import load_agents
from fsm.spec import AgentSpec, End
from fsm.states import DerivedArrow, DerivedEvent, waits
from fsm.testing import Recorder, converse, prove
from protocols.errors import MisuseError
from run import app
from tests.fsm.tables import LOCKER, TRIAGE, table

ALL = [*load_agents(installed=()).values(), table(), TRIAGE, LOCKER]


def derived(spec: AgentSpec, state: str) -> set[tuple[str, str, str]]:
    """(event, what it is about, target)."""
    arrows = [(event, arrow) for event, arrow in spec.arrows_from(state) if isinstance(arrow, DerivedArrow)]
    return {(str(event), arrow.about, arrow.to) for event, arrow in arrows}


# --- which there are ---


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_the_arrows_of_a_state_are_made_once(spec: AgentSpec) -> None:
    # Checks and proofs of a table ask for them hundreds of times: that is half of what loading a bot takes.
    for state in spec.states:
        first, again = list(spec.arrows_from(state)), list(spec.arrows_from(state))
        assert [id(arrow) for _, arrow in first] == [id(arrow) for _, arrow in again]


def test_a_state_that_collects_may_be_left_for_giving_up_for_time_and_for_an_earlier_value_refused_now() -> None:
    always = {("cancelled", "", "Cancelled"), ("expired", "", "Letter")}
    assert derived(LOCKER, "Letter") == always
    assert derived(LOCKER, "Pin") == {*always, ("invalidated", "letter", "Letter")}


def test_a_read_back_may_be_left_for_every_value_and_every_look_up() -> None:
    assert derived(LOCKER, "Confirm") == {
        ("cancelled", "", "Cancelled"),
        ("expired", "", "Letter"),
        ("corrected", "letter", "Letter"),
        ("corrected", "row", "Row"),
        ("corrected", "pin", "Pin"),
        ("corrected", "tip", "Confirm"),
        ("invalidated", "letter", "Letter"),
        ("unfilled", "locker", "Find"),
        ("unfilled", "pin", "Pin"),
        ("outdated", "Find", "Find"),
    }


def test_a_question_which_way_to_go_may_be_left_for_what_it_was_decided_by() -> None:
    assert derived(TRIAGE, "Pick") == {
        ("cancelled", "", "Cancelled"),
        ("expired", "", "Ask"),
        ("corrected", "hours", "Ask"),
        ("corrected", "name", "Pick"),
    }


def test_a_state_that_collects_is_left_for_what_was_asked_before_it_and_not_for_what_comes_after() -> None:
    spec = load_agents(installed=())["reschedule_appointment"]
    assert ("invalidated", "day", "CollectDate") in derived(spec, "CollectTime")
    assert derived(spec, "CollectDate") == {("cancelled", "", "Cancelled"), ("invalidated", "name", "CollectName")}


def test_without_retention_nothing_expires() -> None:
    assert not [each for state in table().states for each in derived(table(), state) if each[0] == "expired"]


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_only_states_that_wait_have_derived_arrows_but_for_doubt_and_all_of_those_can_be_given_up_in(
    spec: AgentSpec,
) -> None:
    for name, state in spec.states.items():
        events = {event for event, _, _ in derived(spec, name)}
        assert ("cancelled" in events) == waits(state)
        assert waits(state) or events <= {"unclear"}


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_every_derived_arrow_is_found_by_its_event_and_leads_to_a_state(spec: AgentSpec) -> None:
    for name in spec.states:
        for event, about, target in derived(spec, name):
            assert target in spec.states
            hits = [each for each in spec.arrows(name, event) if isinstance(each, DerivedArrow) and each.about == about]
            assert [each.to for each in hits] == [target], "one arrow for what an event is about"


def test_a_state_has_no_arrow_for_what_it_never_raises() -> None:
    for state, event in (("Baked", "cancelled"), ("What", "corrected"), ("Confirm", "outdated"), ("What", "yes")):
        with pytest.raises(KeyError):
            table().arrows(state, event)


def test_the_command_and_the_documents_list_all_derived_arrows() -> None:
    listed = CliRunner().invoke(app, ["agents", "cancel_appointment"]).stdout
    assert "unfilled (was_day)" in listed
    told = (Path(__file__).parents[2] / "docs" / "writing-a-task.md").read_text()
    section = told.partition("## Arrows you do not write")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(DerivedEvent)


# --- they are taken ---


# --- no other is taken ---


# --- what an arrow leads to ---


# --- what they are checked and proved for ---


def test_cancel_leads_to_the_end_that_is_called_so() -> None:
    assert table().cancelled == "Cancelled"


# --- doubt ---

SENT = Remote(lambda request: Ok(), recover="human")


@pytest.mark.parametrize("effect", [SENT, Local(lambda request, connection: Ok())], ids=["remote", "local"])
def test_where_the_author_wrote_none_an_unclear_effect_takes_the_arrow_of_a_failed_one(effect: Any) -> None:
    spec = table(effects={"pizza.bake": effect})
    assert ("unclear", "", "Human") in derived(spec, "Bake")
    talk = converse(spec, effects=Recorder(results={"pizza.bake": [Unclear("Who knows.")]}))
    talk.opens(size="small", count=3, note="none", crisp=True).says_yes()
    assert (talk.answers[-1]["result"], talk.answers[-1]["say"]) == ("transfer", "Who knows. I will put you through.")


def test_an_author_may_lead_an_unclear_effect_elsewhere() -> None:
    spec = table(
        states={"Doubt": End("doubt", say="A colleague will call you back.")},
        transitions={("Bake", "unclear"): "Doubt"},
        effects={"pizza.bake": SENT},
    )
    assert derived(spec, "Bake") == set()
    assert [(event, arrow.to) for event, arrow in spec.written_from("Bake")][-1] == ("unclear", "Doubt")
    prove(spec)
    talk = converse(spec, effects=Recorder(results={"pizza.bake": [Unclear("Who knows.")]}))
    talk.opens(size="small", count=3, note="none", crisp=True).says_yes()
    assert talk.answers[-1]["say"] == "Who knows. A colleague will call you back."


@pytest.mark.parametrize(
    "lookup",
    [Local(lambda request, connection: Ok(), reads_only=True), Remote(lambda request: Ok(), reads_only=True)],
    ids=["local", "remote"],
)
def test_a_look_up_never_raises_unclear(lookup: DeclaredEffect) -> None:
    assert derived(table(effects={"pizza.bake": lookup}), "Bake") == set()
    with pytest.raises(MisuseError, match="never raises; it raises ok, refused, failed"):
        table(effects={"pizza.bake": lookup}, transitions={("Bake", "unclear"): "Human"})


def test_what_comes_only_after_an_effect_that_has_changed_something_or_a_yes() -> None:
    assert table().after_deeds() == {"Baked"}
    shared = table(transitions={("Bake", "failed"): "Baked"})
    assert shared.after_deeds() == frozenset()
    looked_up = Local(lambda request, connection: Ok(), reads_only=True)
    only_reads = table(effects={"pizza.bake": looked_up})
    assert only_reads.after_deeds() == {"Bake", "Baked"}, "then the yes is what it does"
