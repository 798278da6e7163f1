"""A transition table's chart: what it tells, and that it leaves nothing out."""

from __future__ import annotations

from enum import Enum

from hypothesis import given

from fsm.chart import TextLine, table_chart
from fsm.chart.table import name_of
from tests.fsm.chart.audit import tables


class Door(Enum):
    OPEN = "open"
    SHUT = "shut"
    LOCKED = "locked"
    GONE = "gone"


class Push(Enum):
    PUSHED = 1
    KEY_TURNED = 2
    BURNED = 3


DOOR: dict[tuple[Door, Push], tuple[Door, tuple[str, ...]]] = {
    (Door.OPEN, Push.PUSHED): (Door.SHUT, ("bang",)),
    (Door.OPEN, Push.KEY_TURNED): (Door.OPEN, ()),
    (Door.SHUT, Push.PUSHED): (Door.OPEN, ()),
    (Door.SHUT, Push.KEY_TURNED): (Door.LOCKED, ("click", "beep")),
    (Door.LOCKED, Push.PUSHED): (Door.LOCKED, ("beep",)),
    (Door.LOCKED, Push.KEY_TURNED): (Door.SHUT, ("click",)),
    (Door.OPEN, Push.BURNED): (Door.GONE, ()),
    (Door.SHUT, Push.BURNED): (Door.GONE, ()),
    (Door.LOCKED, Push.BURNED): (Door.GONE, ()),
}


def test_a_tables_chart_tells_events_and_actions_what_is_ignored_and_what_happens_in_every_state() -> None:
    chart = table_chart("door", DOOR, Door.SHUT, details={Door.LOCKED: "needs a key"})
    edges = {(edge.source, edge.target): [line.text for line in edge.label] for edge in chart.edges}
    assert edges == {
        ("open", "shut"): ["pushed", "/ bang"],
        ("shut", "open"): ["pushed"],
        ("shut", "locked"): ["key turned", "/ click, beep"],
        ("locked", "locked"): ["pushed", "/ beep"],
        ("locked", "shut"): ["key turned", "/ click"],
        ("any state", "gone"): ["burned"],
    }
    nodes = {node.name: (node.kind, node.details) for node in chart.nodes}
    assert nodes == {
        "shut": ("first", ()),
        "open": ("state", ("ignores key turned",)),
        "locked": ("state", ("needs a key",)),
        "gone": ("last", ()),
        "any state": ("any", ()),
    }
    assert chart.kinds["any"].legend == "stands for every state but an end"


def test_what_leads_to_the_same_state_from_several_but_not_from_all_is_a_jump() -> None:
    table = {(state, "stop"): ("end", "ring") for state in "abc"} | {("a", "go"): ("b", None), ("b", "go"): ("c", None)}
    table |= {("c", "go"): ("d", None), ("d", "go"): ("end", None)}
    jumps = [edge for edge in table_chart("any", table, "a").edges if edge.jump]
    assert [(edge.source, edge.target) for edge in jumps] == [("a", "end"), ("b", "end"), ("c", "end")]


def test_a_state_that_only_jumps_lead_into_has_one_of_them_drawn_from_where_most_events_lead_there() -> None:
    table: dict[tuple[str, str], tuple[str, str | None]] = {
        **{(state, "stop"): ("end", "ring") for state in "abc"},
        **{(state, "break"): ("end", None) for state in "bcd"},
        ("a", "go"): ("b", None),
        ("b", "go"): ("c", None),
        ("c", "go"): ("d", None),
        ("end", "go"): ("gone", None),
    }
    into = [edge for edge in table_chart("any", table, "a").edges if edge.target == "end"]
    assert {edge.source for edge in into if not edge.jump} == {"b"}
    assert {edge.source for edge in into if edge.jump} == {"a", "c", "d"}


def test_events_between_two_states_are_grouped_by_their_action_also_those_without_one() -> None:
    table: dict[tuple[str, str], tuple[str, str | None]] = {
        ("a", "wanted"): ("b", None),
        ("a", "wished"): ("b", None),
        ("a", "now"): ("b", "ring"),
        ("b", "back"): ("a", None),
    }
    chart = table_chart("any", table, "a")
    told = [line.text for edge in chart.edges if (edge.source, edge.target) == ("a", "b") for line in edge.label]
    assert told == ["wanted", "wished", "/ nothing", "now", "/ ring"]
    assert [line.text for edge in chart.edges if edge.source == "b" for line in edge.label] == ["back"]


@given(tables())
def test_a_tables_chart_leaves_no_transition_out(transitions: dict[tuple[str, str], tuple[str, str | None]]) -> None:
    chart = table_chart("any", transitions, "state_0")
    ignored = {node.name: " ".join(node.details) for node in chart.nodes}
    for (source, event), (target, action) in transitions.items():
        named = [name_of(source), "any state"]
        arrows = [edge for edge in chart.edges if edge.source in named and edge.target == name_of(target)]
        told = any(TextLine(name_of(event)) in edge.label for edge in arrows)
        assert told or (source == target and not action and name_of(event) in ignored[name_of(source)])
