"""What is true of every chart, computed from its layout: nothing lies on anything, nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from itertools import combinations, pairwise, permutations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsm.chart import Chart, Edge, Kind, Node, TextLine, lay_out, render, table_chart
from fsm.chart.layout import WIDTH_PX
from fsm.chart.place import PORT_PX, spread
from fsm.chart.route import Crossing, tracks
from fsm.chart.shapes import Box, DrawnArrow, Layout, Point, Rect
from fsm.chart.table import name_of
from fsm.chart.text import width_px, wrapped
from fsm.diagram import chart_of
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from protocols.errors import MisuseError
from tests.fsm.tables import TRIAGE, table

AGENTS = [*load_agents(installed=()).values(), TRIAGE, table()]


# --- geometry ---


def overlap(one: Rect, two: Rect) -> bool:
    return one.left < two.right and two.left < one.right and one.top < two.bottom and two.top < one.bottom


def inside(inner: Rect, outer: Rect) -> bool:
    return (
        outer.left <= inner.left
        and outer.top <= inner.top
        and inner.right <= outer.right
        and inner.bottom <= outer.bottom
    )


def crosses(begin: Point, end: Point, rect: Rect) -> bool:
    """Whether a stretch of a line enters a rectangle; its border does not count. Clipped after Liang and Barsky."""
    (x, y), (dx, dy) = begin, (end[0] - begin[0], end[1] - begin[1])
    enter, leave = 0.0, 1.0
    for step, near, far in ((dx, rect.left - x, rect.right - x), (dy, rect.top - y, rect.bottom - y)):
        if step == 0:
            if near >= 0 or far <= 0:
                return False
            continue
        first, last = sorted((near / step, far / step))
        enter, leave = max(enter, first), min(leave, last)
    return leave - enter > 1e-9


def segments(arrow: DrawnArrow) -> Iterator[tuple[Point, Point]]:
    for stroke in arrow.strokes:
        yield from pairwise(stroke)


def run_together(one: DrawnArrow, two: DrawnArrow) -> bool:
    """Whether two arrows lie on one another for a stretch."""
    for (a, b), (c, d) in ((s, t) for s in segments(one) for t in segments(two)):
        for along, across in ((0, 1), (1, 0)):
            if a[across] == b[across] == c[across] == d[across]:
                shared = min(max(a[along], b[along]), max(c[along], d[along]))
                shared -= max(min(a[along], b[along]), min(c[along], d[along]))
                if shared > 0:
                    return True
    return False


def on_border(point: Point, rect: Rect) -> bool:
    x, y = point
    across = rect.left <= x <= rect.right and y in (rect.top, rect.bottom)
    return across or (rect.top <= y <= rect.bottom and x in (rect.left, rect.right))


def name(arrow: DrawnArrow) -> str:
    return "the initial arrow" if arrow.edge is None else f"{arrow.edge.source} -> {arrow.edge.target}"


def faults(layout: Layout) -> list[str]:
    """Everything that lies on something else."""
    found = []
    for one, two in combinations(layout.boxes, 2):
        if overlap(one.rect, two.rect):
            found.append(f"{one.node.name} lies on {two.node.name}")
    for label, other in combinations(layout.labels, 2):
        if overlap(label.rect, other.rect):
            found.append(f"the labels of {label.edge} and {other.edge} overlap")
    for label in layout.labels:
        found += [
            f"the label of {label.edge} lies on {box.node.name}"
            for box in layout.boxes
            if overlap(label.rect, box.rect)
        ]
    for arrow in layout.arrows:
        for begin, end in segments(arrow):
            found += [f"{name(arrow)} crosses {box.node.name}" for box in layout.boxes if crosses(begin, end, box.rect)]
            # Not its own either: it is cut where its label stands.
            found += [
                f"{name(arrow)} crosses the label of {label.edge}"
                for label in layout.labels
                if crosses(begin, end, label.rect)
            ]
    for first, second in combinations(layout.arrows, 2):
        if run_together(first, second):
            found.append(f"{name(first)} runs on {name(second)}")
    return found + _chip_faults(layout) + _frame_faults(layout)


def _chip_faults(layout: Layout) -> list[str]:
    found = []
    for box in layout.boxes:
        found += [
            f"a chip of {box.node.name} reaches out of it" for chip in box.chips if not inside(chip.rect, box.rect)
        ]
        found += [
            f"chips of {box.node.name} overlap"
            for one, two in combinations(box.chips, 2)
            if overlap(one.rect, two.rect)
        ]
    return found


def _frame_faults(layout: Layout) -> list[str]:
    page = Rect(0, 0, layout.width, layout.height)
    drawn = [box.rect for box in layout.boxes] + [label.rect for label in layout.labels]
    beside = [rect for swatch in layout.legend for rect in (swatch.rect, swatch.text)] + [
        note.rect for note in layout.notes
    ]
    found = [f"{rect} is off the page" for rect in [*drawn, *beside] if not inside(rect, page)]
    points = [point for arrow in layout.arrows for stroke in arrow.strokes for point in stroke]
    found += [
        f"{point} is off the page"
        for point in points
        if not (0 <= point[0] <= page.right and 0 <= point[1] <= page.bottom)
    ]
    found += [f"{one} of the legend lies on {two}" for one, two in combinations(beside, 2) if overlap(one, two)]
    found += [f"{rect} reaches into the legend" for rect in drawn for other in beside if rect.bottom > other.top]
    return found


def lost(layout: Layout) -> list[str]:
    """What of the chart is not in the picture, or twice, or does not join what it should."""
    chart, boxes = layout.chart, {box.node.name: box for box in layout.boxes}
    shown: Counter[tuple[str, str, TextLine]] = Counter()
    for edge in [arrow.edge for arrow in layout.arrows if arrow.edge is not None] + [
        c.edge for b in layout.boxes for c in b.chips
    ]:
        shown.update((edge.source, edge.target, line) for line in edge.label)
    wanted = Counter((edge.source, edge.target, line) for edge in chart.edges for line in edge.label)
    found = [f"shown otherwise than {wanted - shown} {shown - wanted}"] if shown != wanted else []
    found += [f"{node.name} is not drawn" for node in chart.nodes if node.name not in boxes]
    labelled = {id(label.edge) for label in layout.labels}
    for arrow in layout.arrows:
        found += _loose_ends(layout, arrow, boxes, labelled)
    pairs = Counter((arrow.edge.source, arrow.edge.target) for arrow in layout.arrows if arrow.edge is not None)
    return found + [f"{pair} has several arrows" for pair, count in pairs.items() if count > 1]


def _loose_ends(layout: Layout, arrow: DrawnArrow, boxes: Mapping[str, Box], labelled: set[int]) -> list[str]:
    begin, end = arrow.strokes[0][0], arrow.strokes[-1][-1]
    edge = arrow.edge
    if edge is None:
        begins, target = begin == layout.start, layout.chart.start
    else:
        begins, target = on_border(begin, boxes[edge.source].rect), edge.target
    found = [] if begins else [f"{name(arrow)} does not begin at its source"]
    if not on_border(end, boxes[target].rect):
        found.append(f"{name(arrow)} does not end at its target")
    if edge is not None and edge.label and id(edge) not in labelled:
        found.append(f"{name(arrow)} has lost its label")
    for one, two in pairwise(arrow.strokes):
        near = [label.rect for label in layout.labels if label.edge is edge]
        if not any(on_border(one[-1], rect) and on_border(two[0], rect) for rect in near):
            found.append(f"{name(arrow)} is cut where its label is not")
    return found


# --- the charts there are ---


@pytest.mark.parametrize("spec", AGENTS, ids=lambda spec: spec.name)
def test_in_a_tasks_chart_nothing_lies_on_anything_and_nothing_is_lost(spec: AgentSpec) -> None:
    layout = lay_out(chart_of(spec))
    assert faults(layout) == []
    assert lost(layout) == []
    assert layout.width <= WIDTH_PX


# --- any chart ---

WORDS = st.text("abcdefghij_", min_size=1, max_size=14)


@st.composite
def tables(draw: st.DrawFn) -> dict[tuple[str, str], tuple[str, str | None]]:
    """A transition table of up to nine states and seven events, with holes."""
    states = [f"state_{number}" for number in range(draw(st.integers(1, 9)))]
    events = draw(st.lists(WORDS, min_size=1, max_size=7, unique=True))
    pairs = [(state, event) for state in states for event in events]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30))
    action = st.none() | WORDS
    return {pair: (draw(st.sampled_from(states)), draw(action)) for pair in chosen}


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


@given(st.lists(st.floats(-50, 250), min_size=1, max_size=12))
def test_arrows_at_a_side_keep_their_order_and_their_distance_and_stay_between_its_corners(wanted: list[float]) -> None:
    found = spread(sorted(wanted), 0, 11 * PORT_PX)
    assert len(found) == len(wanted)
    assert all(two - one >= PORT_PX - 1e-6 for one, two in pairwise(found))
    assert found[0] >= -1e-6
    assert found[-1] <= 11 * PORT_PX + 1e-6


def test_an_arrow_that_has_room_goes_where_it_wants_to() -> None:
    assert spread([10, 40, 90], 0, 100) == [10, 40, 90]
    assert spread([50, 50, 50], 0, 100) == [50 - PORT_PX, 50, 50 + PORT_PX]


# --- arrows between two rows ---


def test_two_arrows_that_change_places_do_not_run_on_one_another() -> None:
    lanes, last = tracks([Crossing(0, 100), Crossing(100, 0), Crossing(40, 60), Crossing(200, 200)])
    assert lanes[:2].count(None) == 1  # one of them goes aslant
    assert lanes[3] is None
    assert all(0 < lane < last for lane in lanes if lane is not None)


def test_arrows_that_do_not_meet_share_a_track_and_those_that_do_have_their_own() -> None:
    assert tracks([Crossing(0, 50), Crossing(100, 150)]) == ([0, 0], 0)
    lanes, last = tracks([Crossing(0, 100), Crossing(50, 150)])
    assert lanes == [1, 0]  # the right one turns first, so that neither crosses the other
    assert last == 1


# --- text ---


def test_a_list_is_broken_between_its_items_and_an_item_that_is_too_wide_at_its_spaces() -> None:
    limit = width_px("one thing · another thing ·", 12)
    assert wrapped("one thing · another thing · a third thing", 12, limit) == (
        "one thing · another thing ·",
        "a third thing",
    )
    assert wrapped("a sentence of many words", 12, width_px("sentence of", 12)) == ("a sentence", "of many", "words")
    assert wrapped("unbreakable", 12, 10) == ("unbreakable",)
    assert wrapped("", 12, 10) == ("",)


# --- what a chart is made of ---


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


@given(tables())
def test_a_tables_chart_leaves_no_transition_out(transitions: dict[tuple[str, str], tuple[str, str | None]]) -> None:
    chart = table_chart("any", transitions, "state_0")
    ignored = {node.name: " ".join(node.details) for node in chart.nodes}
    for (source, event), (target, action) in transitions.items():
        named = [name_of(source), "any state"]
        arrows = [edge for edge in chart.edges if edge.source in named and edge.target == name_of(target)]
        told = any(TextLine(name_of(event)) in edge.label for edge in arrows)
        assert told or (source == target and not action and name_of(event) in ignored[name_of(source)])


def test_a_chart_that_is_too_wide_for_its_arrows_shows_the_longest_as_jumps() -> None:
    kinds = {"a": Kind("kind", "blue")}
    names = [f"state_{number}" for number in range(8)]
    everywhere = [Edge(one, two, (TextLine("a long name of an event"),)) for one, two in permutations(names, 2)]
    layout = lay_out(Chart("dense", kinds, tuple(Node(each, "a") for each in names), tuple(everywhere), names[0]))
    assert layout.width <= WIDTH_PX
    assert any(box.chips for box in layout.boxes)
    assert faults(layout) == lost(layout) == []


@pytest.mark.parametrize(
    ("nodes", "edges", "start", "what"),
    [
        ((Node("one", "a"), Node("one", "a")), (), "one", "the same name"),
        ((Node("one", "b"),), (), "one", "unknown kind 'b'"),
        ((Node("one", "a"),), (Edge("one", "two"),), "one", "no node 'two'"),
        ((Node("one", "a"),), (), "two", "no node 'two'"),
    ],
)
def test_a_chart_that_names_what_is_not_there_is_refused(
    nodes: tuple[Node, ...], edges: tuple[Edge, ...], start: str, what: str
) -> None:
    with pytest.raises(MisuseError, match=what):
        Chart("wrong", {"a": Kind("kind", "blue")}, nodes, edges, start)


def test_a_kind_of_an_unknown_hue_is_refused() -> None:
    with pytest.raises(MisuseError, match="no hue 'pink'"):
        Chart("wrong", {"a": Kind("kind", "pink")}, (Node("one", "a"),), (), "one")
