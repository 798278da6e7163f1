"""What is true of every chart, computed from its layout: nothing lies on anything, nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsm.chart import Chart, Edge, Kind, Node, TextLine, lay_out, render, table_chart
from fsm.chart.layout import WIDTH_PX
from fsm.chart.shapes import Layout, Rect
from fsm.diagram import chart_of
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from tests.fsm.chart.audit import WORDS, faults, lost, name, segments, tables
from tests.fsm.tables import TRIAGE, table

AGENTS = [*load_agents(installed=()).values(), TRIAGE, table()]


# --- the charts there are ---


@pytest.mark.parametrize("spec", AGENTS, ids=lambda spec: spec.name)
def test_in_a_tasks_chart_nothing_lies_on_anything_and_nothing_is_lost(spec: AgentSpec) -> None:
    layout = lay_out(chart_of(spec))
    assert faults(layout) == []
    assert lost(layout) == []
    assert layout.width <= WIDTH_PX


# --- any chart ---


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """Nodes of any size, and edges as they come: to themselves, several alike, without a label, jumps."""
    names = [f"n{number}" + draw(WORDS) for number in range(draw(st.integers(1, 8)))]
    kinds = {"a": Kind("one kind", "blue", rounded=True), "b": Kind("another kind", "grey", double=True)}
    details = st.lists(st.text("abc de", max_size=60), max_size=3).map(tuple)
    nodes = tuple(Node(each, draw(st.sampled_from("ab")), draw(details)) for each in names)
    name_of = st.sampled_from(names)
    label = st.lists(st.builds(TextLine, WORDS, st.booleans()), max_size=4).map(tuple)
    edges = draw(st.lists(st.builds(Edge, name_of, name_of, label, st.booleans()), max_size=20))
    return Chart("any", kinds, nodes, tuple(edges), draw(name_of), draw(details))


# More arrows at one side of a state than its text has room for.
CROWDED: dict[tuple[str, str], tuple[str, str | None]] = {
    ("state_4", "a"): ("state_0", None),
    ("state_0", "_"): ("state_1", None),
    ("state_3", "_"): ("state_0", None),
    ("state_1", "_"): ("state_3", None),
    ("state_1", "a"): ("state_4", None),
    ("state_2", "b"): ("state_0", None),
    ("state_2", "_"): ("state_0", None),
    ("state_1", "b"): ("state_0", None),
    ("state_0", "a"): ("state_0", None),
    ("state_0", "b"): ("state_0", None),
    ("state_2", "a"): ("state_1", None),
    ("state_0", "___"): ("state_2", None),
}


@settings(max_examples=60, deadline=None)
@example(CROWDED)
@given(tables())
def test_in_the_chart_of_any_table_nothing_lies_on_anything_and_nothing_is_lost(
    transitions: dict[tuple[str, str], tuple[str, str | None]],
) -> None:
    layout = lay_out(table_chart("any", transitions, start="state_0"))
    assert faults(layout) == []
    assert lost(layout) == []
    assert layout.width <= WIDTH_PX


@settings(max_examples=60, deadline=None)
@given(charts())
def test_in_any_chart_nothing_lies_on_anything_and_nothing_is_lost(chart: Chart) -> None:
    layout = lay_out(chart)
    assert faults(layout) == []
    assert lost(layout) == []
    assert render(chart) == render(chart)


# --- the tests of the tests: what is wrong is seen ---


def sound() -> Layout:
    kinds = {"a": Kind("kind", "blue")}
    nodes = (Node("one", "a"), Node("two", "a"), Node("three", "a"))
    edges = (
        Edge("one", "two", (TextLine("go"),)),
        Edge("one", "three", (TextLine("jump"),)),
        Edge("two", "three", (TextLine("on"),)),
    )
    return lay_out(Chart("sound", kinds, nodes, edges, "one"))


def test_a_box_that_was_moved_onto_another_is_found() -> None:
    layout = sound()
    first, second, third = layout.boxes
    moved = replace(layout, boxes=(first, replace(second, rect=third.rect), third))
    assert "two lies on three" in faults(moved)
    assert "one -> two does not end at its target" in lost(moved)


def test_a_box_that_was_moved_onto_an_arrow_is_found() -> None:
    layout = sound()
    way = next(arrow for arrow in layout.arrows if name(arrow) == "one -> three")
    (x, y), _ = max(segments(way), key=lambda segment: abs(segment[1][1] - segment[0][1]))
    first, second, third = layout.boxes
    moved = replace(layout, boxes=(first, replace(second, rect=Rect(x - 30, y + 20, 60, 30)), third))
    assert "one -> three crosses two" in faults(moved)


def test_a_label_that_was_moved_onto_another_onto_a_box_or_onto_an_arrow_is_found() -> None:
    layout = sound()
    one, two, three = layout.labels
    onto_label = replace(layout, labels=(one, replace(two, rect=one.rect), three))
    assert any(fault.startswith("the labels of") for fault in faults(onto_label))
    beside = replace(one.rect, top=one.rect.top + 10)
    assert any(
        "crosses the label of" in fault
        for fault in faults(replace(layout, labels=(replace(one, rect=beside), two, three)))
    )
    onto_box = replace(layout, labels=(replace(one, rect=layout.boxes[2].rect), two, three))
    assert any(fault.endswith("lies on three") for fault in faults(onto_box))


def test_an_arrow_that_is_left_out_and_two_that_run_together_are_found() -> None:
    layout = sound()
    assert lost(replace(layout, arrows=layout.arrows[:-1]))
    first, second, *rest = layout.arrows
    together = replace(layout, arrows=(first, second, replace(second, edge=first.edge), *rest))
    assert any("runs on" in fault for fault in faults(together))


# --- arrows at a node's side ---


# --- arrows between two rows ---


# --- text ---


# --- what a chart is made of ---


def test_the_only_arrow_into_a_state_stays_an_arrow_also_if_it_is_the_longest_of_a_wide_chart() -> None:
    names = [f"state_{number}" for number in range(7)]
    pairs = {*pairwise(names), *permutations(names[:4], 2), ("state_0", "x"), ("x", "state_5"), ("x", "state_6")}
    edges = tuple(Edge(one, two, (TextLine("a long name of an event"),)) for one, two in sorted(pairs))
    nodes = tuple(Node(each, "a") for each in (*names, "x"))
    layout = lay_out(Chart("dense", {"a": Kind("kind", "blue")}, nodes, edges, names[0]))
    assert any(box.chips for box in layout.boxes)
    drawn = {arrow.edge.target for arrow in layout.arrows if arrow.edge is not None}
    assert drawn == {node.name for node in nodes}


def test_a_chart_that_is_too_wide_for_its_arrows_shows_the_longest_as_jumps() -> None:
    kinds = {"a": Kind("kind", "blue")}
    names = [f"state_{number}" for number in range(8)]
    everywhere = [Edge(one, two, (TextLine("a long name of an event"),)) for one, two in permutations(names, 2)]
    layout = lay_out(Chart("dense", kinds, tuple(Node(each, "a") for each in names), tuple(everywhere), names[0]))
    assert layout.width <= WIDTH_PX
    assert any(box.chips for box in layout.boxes)
    assert faults(layout) == lost(layout) == []
