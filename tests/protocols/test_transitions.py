"""Transition tables: their steps, and the faults that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum

import pytest

from protocols.errors import MisuseError
from protocols.transitions import Table, Transition, go, never, rows, stay


class Door(Enum):
    OPEN = "open"
    SHUT = "shut"
    LOCKED = "locked"


class Happened(Enum):
    PUSHED = "pushed"
    KEY_TURNED = "key turned"


class Do(Enum):
    NOTHING = "nothing"
    CREAK = "creak"
    CLICK = "click"


Rows = Mapping[tuple[Door, Happened], tuple[Door, Do]]
Nevers = Mapping[tuple[Door, Happened], str]

TRANSITIONS: Rows = {
    (Door.OPEN, Happened.PUSHED): (Door.SHUT, Do.CREAK),
    (Door.SHUT, Happened.PUSHED): (Door.OPEN, Do.CREAK),
    (Door.SHUT, Happened.KEY_TURNED): (Door.LOCKED, Do.CLICK),
    (Door.LOCKED, Happened.KEY_TURNED): (Door.SHUT, Do.CLICK),
    (Door.LOCKED, Happened.PUSHED): (Door.LOCKED, Do.NOTHING),
}
NEVER: Nevers = {(Door.OPEN, Happened.KEY_TURNED): "the bolt would stand out"}


def door(transitions: Rows = TRANSITIONS, nevers: Nevers = NEVER) -> Table[Door, Happened, Do]:
    return Table("door", Door.OPEN, transitions, nevers)


def without(state: Door, event: Happened) -> Rows:
    return {pair: row for pair, row in TRANSITIONS.items() if pair != (state, event)}


@pytest.mark.parametrize(("state", "event"), door().pairs)
def test_a_step_follows_the_row_of_its_pair_or_is_refused(state: Door, event: Happened) -> None:
    if (state, event) in TRANSITIONS:
        assert door().step(state, event) == TRANSITIONS[state, event]
    else:
        with pytest.raises(MisuseError, match="'door': KEY_TURNED in OPEN cannot happen: the bolt would stand out"):
            door().step(state, event)


def test_pairs_are_all_states_with_all_events() -> None:
    assert door().states == tuple(Door)
    assert door().events == tuple(Happened)
    assert len(door().pairs) == len(set(door().pairs)) == 6


def test_a_table_iterates_its_rows_in_the_order_they_were_written() -> None:
    drawn = list(door())
    assert drawn[0] == Transition(Door.OPEN, Happened.PUSHED, Door.SHUT, Do.CREAK)
    assert [(each.state, each.event) for each in drawn] == list(TRANSITIONS)


def refusal(transitions: Rows = TRANSITIONS, nevers: Nevers = NEVER) -> list[str]:
    with pytest.raises(MisuseError) as refused:
        door(transitions, nevers)
    first, *faults = str(refused.value).split("\n  ")
    assert first == "table 'door' is not sound:"
    return faults


def test_a_pair_that_is_missing_is_refused() -> None:
    assert refusal(without(Door.LOCKED, Happened.PUSHED)) == [
        "PUSHED in LOCKED: neither a transition nor a reason why it never happens"
    ]


def test_a_pair_that_is_both_a_transition_and_never_is_refused() -> None:
    assert refusal(nevers={**NEVER, (Door.SHUT, Happened.PUSHED): "it is locked"}) == [
        "PUSHED in SHUT: both a transition and a reason why it never happens"
    ]


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_pair_that_never_happens_needs_a_reason(reason: str) -> None:
    assert refusal(nevers=dict.fromkeys(NEVER, reason)) == ["KEY_TURNED in OPEN: never, without a reason"]


def test_a_state_that_cannot_be_reached_from_the_start_is_refused() -> None:
    turned = without(Door.SHUT, Happened.KEY_TURNED)
    assert refusal({**turned, (Door.SHUT, Happened.KEY_TURNED): (Door.SHUT, Do.NOTHING)}) == [
        "LOCKED: cannot be reached"
    ]


def test_a_transition_from_an_unreachable_state_reaches_nothing() -> None:
    assert refusal({**TRANSITIONS, (Door.OPEN, Happened.PUSHED): (Door.OPEN, Do.NOTHING)}) == [
        "SHUT: cannot be reached",
        "LOCKED: cannot be reached",
    ]


def test_an_event_without_a_transition_is_refused() -> None:
    transitions: Rows = {
        (Door.OPEN, Happened.PUSHED): (Door.SHUT, Do.CREAK),
        (Door.SHUT, Happened.PUSHED): (Door.LOCKED, Do.CREAK),
        (Door.LOCKED, Happened.PUSHED): (Door.OPEN, Do.CREAK),
    }
    assert refusal(transitions, never(Door, Happened.KEY_TURNED, "there is no key")) == [
        "KEY_TURNED: happens in no state"
    ]


def test_all_faults_of_a_table_are_reported_at_once() -> None:
    assert len(refusal(without(Door.SHUT, Happened.KEY_TURNED), {})) == 3


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(MisuseError, match="'door' has no transition"):
        door({}, {})


def test_a_table_cannot_be_changed_after_its_check() -> None:
    mine = dict(TRANSITIONS)
    table = door(mine)
    mine[Door.OPEN, Happened.KEY_TURNED] = (Door.LOCKED, Do.CLICK)
    with pytest.raises(MisuseError):
        table.step(Door.OPEN, Happened.KEY_TURNED)
    with pytest.raises(TypeError):
        table.transitions[Door.OPEN, Happened.PUSHED] = (Door.OPEN, Do.NOTHING)  # type: ignore[index]


def test_helpers_write_the_same_rows_as_a_dict() -> None:
    assert go(Door.OPEN, Happened.PUSHED, Door.SHUT, Do.CREAK) == {
        (Door.OPEN, Happened.PUSHED): (Door.SHUT, Do.CREAK),
    }
    assert go((Door.OPEN, Door.SHUT), Happened, Door.LOCKED, Do.CLICK) == {
        (Door.OPEN, Happened.PUSHED): (Door.LOCKED, Do.CLICK),
        (Door.OPEN, Happened.KEY_TURNED): (Door.LOCKED, Do.CLICK),
        (Door.SHUT, Happened.PUSHED): (Door.LOCKED, Do.CLICK),
        (Door.SHUT, Happened.KEY_TURNED): (Door.LOCKED, Do.CLICK),
    }
    assert stay(Door, Happened.PUSHED, Do.NOTHING) == {(state, Happened.PUSHED): (state, Do.NOTHING) for state in Door}
    assert never({Door.OPEN}, Happened.KEY_TURNED, "why") == {(Door.OPEN, Happened.KEY_TURNED): "why"}


def test_rows_from_a_set_are_in_the_order_of_its_enum() -> None:
    assert [state for state, _ in stay(frozenset(Door), Happened.PUSHED, Do.CREAK)] == list(Door)
    assert [state for state, _ in stay({Door.LOCKED, Door.OPEN}, Happened.PUSHED, Do.CREAK)] == [Door.OPEN, Door.LOCKED]


def test_a_member_of_an_enum_of_strings_is_one_member() -> None:
    class Level(StrEnum):
        LOW = "low"
        HIGH = "high"

    assert stay(Level.LOW, Happened.PUSHED, ()) == {(Level.LOW, Happened.PUSHED): (Level.LOW, ())}


def test_joining_parts_refuses_a_pair_that_is_written_twice() -> None:
    locked = go(Door.SHUT, Happened.KEY_TURNED, Door.LOCKED, Do.CLICK)
    assert rows(locked, stay(Door, Happened.PUSHED, Do.CREAK)).items() >= locked.items()
    with pytest.raises(MisuseError, match="KEY_TURNED in SHUT is written twice"):
        rows(locked, stay(Door, Happened.KEY_TURNED, Do.NOTHING))
