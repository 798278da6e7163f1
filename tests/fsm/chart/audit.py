"""What tests of charts share: what lies on something else in a layout, what is missing, and any transition table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise

from hypothesis import strategies as st

from fsm.chart import TextLine
from fsm.chart.shapes import Box, DrawnArrow, Layout, Point, Rect

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


# --- any table ---

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
