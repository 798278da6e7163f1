"""A table that is not sound does not import, and says where it is broken."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from fsm.consent import JUDGED_CHARS
from fsm.effects import Local
from fsm.spec import Act, AgentSpec, Arrow, Choice, Choose, Collect, Confirm, End, Slot
from fsm.states import DerivedEvent
from fsm.testing import converse
from protocols.activities import AbortPrompts, SendDtmf
from protocols.errors import MisuseError
from tests.fsm.tables import PAIR_PICKED, eat, table


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "Order Pizza"}, "the name must be"),
        ({"name": "x" * 57}, "the name must be"),
        ({"start": "Nowhere"}, "the start state 'Nowhere' is not in the table"),
        ({"slots": {"address": Slot(str, ask="Where?")}}, "no state collects the slot 'address'"),
        ({"slots": {"note": Slot(dict, ask="What?")}}, "the type of slot 'note'"),
        ({"slots": {"note": Slot(object, ask="What?")}}, "the type of slot 'note'"),
        ({"effects": {"pizza.eat": eat}}, "no state acts by the effect 'pizza.eat'"),
        ({"effects": {"pizza.bake": None}}, "state 'Bake' acts by the unknown effect 'pizza.bake'"),
        ({"states": {"Cancelled": None}}, 'exactly one End("cancelled")'),
        ({"states": {"Other": End("cancelled")}}, 'exactly one End("cancelled")'),
        ({"states": {"What": Collect(slots=())}}, "no state collects the slot 'size'"),
        ({"states": {"More": Collect(slots=())}}, "state 'More' needs at least one slot"),
        ({"states": {"What": Collect(slots=("size", "count"), retries=0)}}, "state 'What' needs at least one slot"),
        ({"states": {"What": Collect(slots=("size", "count", "colour"))}}, "collects the unknown slot 'colour'"),
        ({"states": {"Confirm": Confirm("{colour}?")}}, "state 'Confirm' speaks of the unknown slot 'colour'"),
        ({"states": {"Confirm": Confirm("{size")}}, "what state 'Confirm' says is no format string"),
        (
            {"states": {"Confirm": Confirm("{size}. " + "x" * JUDGED_CHARS)}},
            "what state 'Confirm' reads back has 1002 characters without its values: a yes to more than 1000 never",
        ),
        ({"states": {"Baked": End("baked", say="{}")}}, "state 'Baked' speaks of the unknown slot ''"),
        ({"transitions": {("Nowhere", "filled"): "Human"}}, "('Nowhere', 'filled') -> 'Human' leaves from an unknown"),
        ({"transitions": {("What", "yes"): "Human"}}, "('What', 'yes') -> 'Human' is for an event"),
        ({"transitions": {("Baked", "ok"): "Human"}}, "('Baked', 'ok') -> 'Human' is for an event"),
        ({"transitions": {("Confirm", "no"): "Nowhere"}}, "('Confirm', 'no') -> 'Nowhere' leads to an unknown state"),
        ({"transitions": {("Bake", "failed"): None}}, "state 'Bake' has no arrow for 'failed'"),
        ({"transitions": {("Confirm", "no"): None}}, "state 'Confirm' has no arrow for 'no'"),
        ({"states": {"Attic": End("attic")}}, "state 'Attic' cannot be reached"),
        ({"states": {"Way": Choose(choices={"post": Choice("by post")}, default="air")}}, "state 'Way' asks nobody"),
        ({"states": {"Way": Choose(choices={"post": Choice("by post")})}}, "state 'Way' asks nobody"),
        ({"transitions": {("What", "filled"): "Confirm", ("Bake", "refused"): "What"}}, "'Details' cannot be reached"),
        ({"transitions": {("Bake", "ok"): "Human"}}, "state 'Baked' cannot be reached"),
        (
            {"states": {"Human": End("transfer", say="{note}")}},
            "'Human' speaks of the slot 'note', which",
        ),
        ({"states": {"Cancelled": End("cancelled", say="{note}")}}, "'Cancelled' speaks of the slot 'note'"),
        ({"actions": {"Attic": (AbortPrompts(),)}}, "the unknown state 'Attic' has actions; there is What, Details"),
        ({"actions": {"Baked": (SendDtmf(digits="{code}"),)}}, "an action of state 'Baked' sends the unknown slot"),
        ({"actions": {"What": (SendDtmf(digits="{count}"),)}}, "sends the slot 'count', which is not filled on every"),
        ({"actions": {"Cancelled": (SendDtmf(digits="{count}"),)}}, "sends the slot 'count', which is not filled"),
    ],
)
def test_a_hole_in_the_table_is_refused_by_name(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MisuseError, match=re.escape(complaint)):
        table(**changes)


def test_a_read_back_may_be_as_long_as_is_judged() -> None:
    table(states={"Confirm": Confirm("{size}" + "x" * JUDGED_CHARS)})


def test_a_state_with_no_way_to_an_end_is_refused() -> None:
    rounds = {
        ("Ask", "filled"): "Check",
        ("Ask", "gave_up"): "Check",
        ("Check", "yes"): "Ask",
        ("Check", "no"): "Ask",
        ("Check", "gave_up"): "Ask",
    }
    with pytest.raises(MisuseError, match="state 'Ask' has no way to an end"):
        AgentSpec(
            name="quiz",
            description="The caller wants to play.",
            start="Ask",
            slots={"guess": Slot(int, ask="Your guess?")},
            states={"Ask": Collect(slots=("guess",)), "Check": Confirm("Sure?"), "Stopped": End("cancelled")},
            transitions=rounds,
        )


@pytest.mark.parametrize(
    "arrows",
    [
        {("Bake", "failed"): "Bake"},
        {("Bake", "refused"): "Bake"},
        {("Bake", "failed"): "Details", ("Details", "filled"): "Bake", ("What", "filled"): "Confirm"},
        {("Details", "filled"): "What", ("Details", "gave_up"): "Confirm"},
        {("Details", "gave_up"): "Bake"},
        {("Bake", "unclear"): "Details", ("Details", "filled"): "Bake", ("What", "filled"): "Confirm"},
    ],
)
def test_a_way_round_that_never_waits_for_the_caller_is_refused(arrows: dict[tuple[str, str], str]) -> None:
    with pytest.raises(MisuseError, match="a way round to itself that never waits"):
        table(transitions=arrows, states={"Confirm": Confirm("Right?")})


def test_a_way_round_by_a_rule_is_refused_also_where_the_caller_has_other_choices() -> None:
    transitions = {
        ("Details", "filled"): "Pick",
        ("Pick", "done"): "Confirm",
        ("Pick", "again"): "Pick",
        ("Pick", "gave_up"): "Human",
    }
    choices = {"done": Choice("that is all"), "again": Choice("once more")}
    table(states={"Pick": Choose(choices, ask="Once more?")}, transitions=transitions)
    by_rule = {**choices, "again": Choice("once more", when=lambda known: True)}
    with pytest.raises(MisuseError, match="from state 'Pick' there is a way round to itself"):
        table(states={"Pick": Choose(by_rule, ask="Once more?")}, transitions=transitions)


def test_a_template_must_be_filled_on_every_way_to_it() -> None:
    with pytest.raises(
        MisuseError, match="state 'Confirm' speaks of the slot 'note', which is not filled on every way"
    ):
        table(transitions={("What", "gave_up"): "Confirm"}, states={"Confirm": Confirm("{note}?")})


def test_an_arrow_behind_one_that_is_always_taken_is_refused() -> None:
    with pytest.raises(MisuseError, match="what is tried after 'What' is never reached"):
        table(transitions={("Confirm", "no"): (Arrow("What"), Arrow("Human"))})


def test_a_refused_effect_empties_the_slots_it_asks_for_again() -> None:
    with pytest.raises(MisuseError, match="'Told' speaks of the slot 'note'"):
        table(
            states={"Again": Collect(slots=("note",)), "Told": End("told", say="{note}")},
            transitions={("Bake", "refused"): "Again", ("Again", "filled"): "Confirm", ("Again", "gave_up"): "Told"},
        )


def test_a_table_that_waits_for_nobody_needs_no_end_for_those_who_give_up() -> None:
    act = Act(effect="pizza.bake")
    spec = AgentSpec(
        name="bake",
        description="Bakes.",
        start="Bake",
        slots={},
        states={"Bake": act, "Done": End("done")},
        transitions={("Bake", event): "Done" for event in act.events},
        effects={"pizza.bake": Local(eat)},
    )
    assert spec.tools_in("Bake") == ()


def test_a_table_cannot_declare_a_derived_arrow() -> None:
    with pytest.raises(MisuseError, match="whose arrows are derived"):
        table(transitions={("Confirm", "cancelled"): "Human"})


@pytest.mark.parametrize("event", ["gave_up", *DerivedEvent])
def test_a_choice_is_not_called_as_they_are(event: str) -> None:
    with pytest.raises(MisuseError, match=r"state 'Pick' needs choices, none of them called .*corrected"):
        table(states={"Pick": Choose(choices={event: Choice("x")}, ask="Which?")})


def test_an_end_speaks_only_of_what_no_correction_can_have_undone() -> None:
    # The first of both that is lost leads to where the other is asked for no more.
    backwards = {name: PAIR_PICKED["slots"][name] for name in ("second", "first")}
    with pytest.raises(MisuseError, match="'Done' speaks of the slot 'first', which is not filled on every way"):
        AgentSpec(**{**PAIR_PICKED, "slots": backwards})
    unchecked = {name: replace(slot, check=None) for name, slot in backwards.items()}
    spec = AgentSpec(**{**PAIR_PICKED, "slots": unchecked})
    assert converse(spec).opens(first=1, second=2).gives(first=3).chooses("sum").says == "3 and 2."
