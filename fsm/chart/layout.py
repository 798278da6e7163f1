"""Positions of a chart's boxes, arrows, labels, chips and legend, in px from the top left corner.

Invariants: no arrow crosses a box or another arrow's label; no label overlaps a label or a box.
May import: fsm.chart, the standard library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fsm.chart import layers
from fsm.chart.layers import START, Cell
from fsm.chart.model import Chart, Edge, Node, merged
from fsm.chart.place import GAP_PX, PORT_PX, place, spread
from fsm.chart.route import TRACK_PX, Crossing, tracks
from fsm.chart.shapes import (
    DOT_PX,
    LABEL_GAP_PX,
    LOOP_PX,
    MARGIN_PX,
    Box,
    DrawnArrow,
    Label,
    Layout,
    Point,
    Rect,
    Sizes,
    legend,
)

WIDTH_PX = 830.0  # a README's column: a chart no wider is shown there unscaled
ABOVE_PX = 12.0  # space above the tracks between two rows, for heads of arrows that lead up
BELOW_PX = 14.0  # space below them, for heads of arrows that lead down
WIDE_TEXT_PX = 230.0  # text width in a node if the chart then fits
TEXT_LIMIT_PX = 150.0  # text width in a node otherwise


def lay_out(chart: Chart, width_px: float = WIDTH_PX) -> Layout:
    """Lay a chart out. If arrows make it wider than `width_px`, the longest ones become jumps."""
    edges = merged(chart.edges)
    for text_px in (WIDE_TEXT_PX, TEXT_LIMIT_PX):
        found = _Draft(chart, edges, text_px).layout(width_px)
        if found.width <= width_px:
            return found
    # Loops first: as jumps they lose least.
    edges = merged(replace(edge, jump=edge.jump or edge.source == edge.target) for edge in edges)
    while True:
        draft = _Draft(chart, edges, TEXT_LIMIT_PX)
        found = draft.layout(width_px)
        if found.width <= width_px or not draft.arrows:
            return found
        # One arrow at a time would take as many attempts as there are arrows; remove half of the estimated excess.
        over = 1 - width_px / found.width
        longest = draft.longest(max(1, int(len(draft.arrows) * over / 2)))
        edges = merged(replace(edge, jump=True) if edge in longest else edge for edge in edges)


class _Draft:
    """One attempt with a given set of jumps."""

    def __init__(self, chart: Chart, edges: Sequence[Edge], text_px: float) -> None:
        self._chart = chart
        self._text_px = text_px
        self.arrows = [edge for edge in edges if not edge.jump and edge.source != edge.target]
        self._loops = {edge.source: edge for edge in edges if not edge.jump and edge.source == edge.target}
        self._rank: dict[str, int] = {}
        self._jumps = [edge for edge in edges if edge.jump]
        self._sizes = {node.name: self._size(node, set()) for node in chart.nodes}
        self._cells: dict[str, Cell] = {}
        # Cells of each edge, from the upper node to the lower one; the initial arrow has the edge None.
        self._chains: list[tuple[Edge | None, list[Cell]]] = []

    def _size(self, node: Node, back: set[Edge]) -> Sizes:
        jumps = [edge for edge in self._jumps if edge.source == node.name]
        wish = max(self._wish(node.name, back, above) for above in (False, True)) if self._rank else 0.0
        return Sizes.of(node, jumps, self._text_px, self._ports(node.name, back), wish)

    def _at_side(self, name: str, back: set[Edge], above: bool) -> list[Edge]:
        """The arrows that begin or end at the upper or lower side of a node."""
        return [
            edge
            for edge in self.arrows
            if (edge.source == name and (edge in back) == above) or (edge.target == name and (edge in back) != above)
        ]

    def _ports(self, name: str, back: set[Edge]) -> int:
        return max(len(self._at_side(name, back, above)) for above in (False, True))

    def _wish(self, name: str, back: set[Edge], above: bool) -> float:
        """The node width at which the arrows with labels next to one of its sides run straight."""
        widths = [
            Label.size(edge)[0]
            for edge in self._at_side(name, back, above)
            if edge.source == name or abs(self._rank[edge.source] - self._rank[edge.target]) == 1
        ]
        if len(widths) < 2:
            return 0
        return sum(widths) - min(widths) + (len(widths) - 1) * GAP_PX + 2 * PORT_PX

    def longest(self, count: int) -> list[Edge]:
        """The arrows that span the most ranks; among equals, those to the most frequent target.

        A node keeps one arrow that leads into it, unless no other arrow is left: it would stand apart.
        """
        into = Counter(edge.target for edge in self.arrows)
        left = into.copy()

        def length(edge: Edge) -> tuple[int, int]:
            return abs(self._rank[edge.source] - self._rank[edge.target]), into[edge.target]

        ranked = sorted(self.arrows, key=length, reverse=True)
        spared = []
        for edge in ranked:
            if left[edge.target] > 1:
                left[edge.target] -= 1
                spared.append(edge)
        return (spared or ranked)[:count]

    def layout(self, width_px: float) -> Layout:
        back = self._set_ranks(width_px)
        self._sizes = {node.name: self._size(node, back) for node in self._chart.nodes}
        self._set_cells(back)
        rows = layers.ordered([cell for _, chain in self._chains for cell in chain] + list(self._cells.values()))
        place(rows)
        return _Drawing(self._chart, self._sizes, self._cells, self._loops, self._chains, back, rows).layout(width_px)

    def _set_ranks(self, width_px: float) -> set[Edge]:
        """Rank the nodes; return the edges that lead up."""
        names = [node.name for node in self._chart.nodes]
        pairs = [(edge.source, edge.target) for edge in self.arrows]
        back = layers.leading_back(self._chart.start, names, pairs)
        turned = {edge for edge in self.arrows if (edge.source, edge.target) in back}
        downward = [(b, a) if (a, b) in back else (a, b) for a, b in pairs]
        widths = {name: self._left(name) + self._right(name) + 2 * PORT_PX for name in names} | {START: DOT_PX}
        all_down = [(START, self._chart.start), *downward]
        self._rank = layers.ranks(
            [START, *sorted(names, key=lambda name: name != self._chart.start)],
            all_down,
            widths,
            width_px - 2 * MARGIN_PX,
        )
        return turned

    def _left(self, name: str) -> float:
        return self._sizes[name].width / 2

    def _right(self, name: str) -> float:
        loop = self._loops.get(name)
        return self._left(name) + (LOOP_PX + LABEL_GAP_PX + Label.size(loop)[0] if loop is not None else 0)

    def _set_cells(self, back: set[Edge]) -> None:
        dot = DOT_PX / 2
        self._cells = {START: Cell(2 * self._rank[START], dot, dot, DOT_PX, node=START)}
        for node in self._chart.nodes:
            name, size = node.name, self._sizes[node.name]
            loop = self._loops.get(name)
            height = max(size.height, Label.size(loop)[1] if loop is not None else 0)
            self._cells[name] = Cell(2 * self._rank[name], self._left(name), self._right(name), height, node=name)
        self._chains = [(None, self._chain(START, self._chart.start, None, False))]
        for edge in self.arrows:
            upper, lower = (edge.target, edge.source) if edge in back else (edge.source, edge.target)
            self._chains.append((edge, self._chain(upper, lower, edge, edge in back)))
        for _, chain in self._chains:
            layers.link(chain)

    def _chain(self, upper: str, lower: str, edge: Edge | None, back: bool) -> list[Cell]:
        first, last = self._cells[upper], self._cells[lower]
        between = []
        # A label is placed where its arrow leaves the source.
        at = last.row - 1 if back else first.row + 1
        for row in range(first.row + 1, last.row):
            if edge is not None and edge.label and row == at:
                width, height = Label.size(edge)
                between.append(Cell(row, width / 2, width / 2, height, label=True))
            else:
                between.append(Cell(row, 0, 0, 0))
        return [first, *between, last]


@dataclass(slots=True)
class _Drawing:
    """Turns positioned cells into shapes."""

    chart: Chart
    sizes: dict[str, Sizes]
    cells: dict[str, Cell]
    loops: dict[str, Edge]
    chains: list[tuple[Edge | None, list[Cell]]]
    back: set[Edge]
    rows: list[list[Cell]]

    def layout(self, width_px: float) -> Layout:
        left = min(cell.x - cell.left for row in self.rows for cell in row) - MARGIN_PX
        for row in self.rows:
            for cell in row:
                cell.x -= left
        right = max(cell.x + cell.right for row in self.rows for cell in row) + MARGIN_PX
        ends = {id(chain): self._ends(chain) for _, chain in self.chains}
        ways = [_columns(chain, *ends[id(chain)]) for _, chain in self.chains]
        lanes, tops, bottoms = self._rows_and_lanes(ways)
        boxes = {node.name: self._box(node, tops, bottoms) for node in self.chart.nodes}
        arrows, labels = [], []
        for number, (edge, chain) in enumerate(self.chains):
            arrow, label = self._arrow(edge, chain, ways[number], lanes[number], tops, bottoms)
            arrows.append(arrow)
            labels += [label] if label is not None else []
        for name, edge in self.loops.items():
            arrow, label = _loop(edge, boxes[name].rect)
            arrows.append(arrow)
            labels += [label] if label is not None else []
        swatches, notes, width, bottom = legend(self.chart, boxes.values(), max(bottoms), right, width_px)
        start = self.cells[START]
        centre = (start.x, (tops[start.row] + bottoms[start.row]) / 2)
        return Layout(
            self.chart, width, bottom, tuple(boxes.values()), tuple(arrows), tuple(labels), centre, swatches, notes
        )

    def _ends(self, chain: list[Cell]) -> tuple[float, float]:
        """The x at which an edge meets the upper node's lower side and the lower node's upper side."""
        return self._port(chain[0], chain, below=True), self._port(chain[-1], chain, below=False)

    def _port(self, cell: Cell, chain: list[Cell], below: bool) -> float:
        if cell.node == START:
            return cell.x
        place_of = {id(each): index for row in self.rows for index, each in enumerate(row)}
        met = [(way[1], way) if below else (way[-2], way) for _, way in self.chains if way[0 if below else -1] is cell]
        met.sort(key=lambda pair: place_of[id(pair[0])])
        half = self.sizes[cell.node].width / 2 - PORT_PX
        found = spread([near.x for near, _ in met], cell.x - half, cell.x + half)
        index = next(number for number, (_, way) in enumerate(met) if way is chain)
        return float(round(found[index]))

    def _rows_and_lanes(
        self, ways: list[list[tuple[float, float]]]
    ) -> tuple[list[list[int | None]], list[float], list[float]]:
        """The track of each edge below each of its rows; the top and bottom y of each row."""
        lanes: list[list[int | None]] = [[] for _ in ways]
        tops, bottoms, y = [], [], MARGIN_PX
        for number, row in enumerate(self.rows):
            tops.append(y)
            y += max((cell.height for cell in row), default=0)
            bottoms.append(y)
            passing = [each for each, (_, chain) in enumerate(self.chains) if chain[0].row <= number < chain[-1].row]
            steps = [ways[each][number - self.chains[each][1][0].row] for each in passing]
            found, last = tracks([Crossing(top, bottom) for top, bottom in steps])
            for each, lane in zip(passing, found, strict=True):
                lanes[each].append(lane)
            if passing and (y > tops[-1] or any(top != bottom for top, bottom in steps)):
                y += ABOVE_PX + last * TRACK_PX + BELOW_PX
        return lanes, tops, bottoms

    def _box(self, node: Node, tops: list[float], bottoms: list[float]) -> Box:
        cell, size = self.cells[node.name], self.sizes[node.name]
        middle = (tops[cell.row] + bottoms[cell.row]) / 2
        return size.box(node, cell.x, float(round(middle - size.height / 2)))

    def _arrow(
        self,
        edge: Edge | None,
        chain: list[Cell],
        way: list[tuple[float, float]],
        lanes: list[int | None],
        tops: list[float],
        bottoms: list[float],
    ) -> tuple[DrawnArrow, Label | None]:
        strokes: list[list[Point]] = [[(way[0][0], self._side(chain[0], tops, bottoms, below=True))]]
        label = None
        for cell, (top, bottom), lane in zip(chain, way, lanes, strict=False):
            if cell.label and edge is not None:
                middle = (tops[cell.row] + bottoms[cell.row]) / 2
                label = Label.at(edge, cell.x, middle)
                strokes[-1].append((cell.x, label.rect.top))
                strokes.append([(cell.x, label.rect.bottom)])
            if lane is not None:
                y = bottoms[cell.row] + ABOVE_PX + lane * TRACK_PX
                strokes[-1] += [(top, y), (bottom, y)]
            elif top != bottom:
                strokes[-1] += [(top, bottoms[cell.row] + ABOVE_PX), (bottom, tops[cell.row + 1] - BELOW_PX)]
        strokes[-1].append((way[-1][1], self._side(chain[-1], tops, bottoms, below=False)))
        if edge in self.back:
            strokes = [stroke[::-1] for stroke in reversed(strokes)]
        return DrawnArrow(edge, tuple(tuple(stroke) for stroke in strokes)), label

    def _side(self, cell: Cell, tops: list[float], bottoms: list[float], below: bool) -> float:
        middle = (tops[cell.row] + bottoms[cell.row]) / 2
        if cell.node == START:
            return middle
        height = self.sizes[cell.node].height
        return float(round(middle - height / 2)) + (height if below else 0)


def _columns(chain: list[Cell], first: float, last: float) -> list[tuple[float, float]]:
    """For each step from row to row, the x above and the x below."""
    xs = [first, *(cell.x for cell in chain[1:-1]), last]
    return list(pairwise(xs))


def _loop(edge: Edge, box: Rect) -> tuple[DrawnArrow, Label | None]:
    x, middle = box.right, (box.top + box.bottom) / 2
    points = ((x, middle - 8), (x + LOOP_PX, middle - 8), (x + LOOP_PX, middle + 8), (x, middle + 8))
    width = Label.size(edge)[0]
    label = Label.at(edge, x + LOOP_PX + LABEL_GAP_PX + width / 2, middle) if edge.label else None
    return DrawnArrow(edge, (points,)), label
