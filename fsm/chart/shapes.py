"""The shapes of a layout and their sizes.

May import: fsm.chart, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from math import ceil
from typing import Self

from fsm.chart.model import Chart, Edge, Kind, Node, TextLine
from fsm.chart.place import PORT_PX
from fsm.chart.text import BETWEEN, NAME_PX, TEXT_PX, width_px, wrapped

NAME_LINE_PX, LINE_PX = 20.0, 15.0
MARGIN_PX = 20.0
LABEL_LIMIT_PX = 130.0
STRETCH_LIMIT_PX = 200.0  # the width up to which a node is widened to make its arrows straight
PAD_X_PX, PAD_Y_PX = 14.0, 8.0
CHIP_PAD_PX, CHIP_GAP_PX = 8.0, 4.0
LABEL_PAD_PX, LABEL_GAP_PX = 4.0, 4.0
LOOP_PX = 20.0
DOT_PX = 14.0
SWATCH_PX = 14.0
LEGEND_LIMIT_PX = 480.0  # the width up to which a legend may widen a narrow chart

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rect:
    """In px; y grows downward."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class Chip:
    """A jump, drawn in its source: its events and its target."""

    edge: Edge
    rect: Rect
    lines: tuple[TextLine, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A node. details: its text, wrapped into lines."""

    node: Node
    rect: Rect
    details: tuple[str, ...]
    chips: tuple[Chip, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """An arrow's label, placed on it. lines: the edge's label, wrapped."""

    edge: Edge
    rect: Rect
    lines: tuple[TextLine, ...]

    @staticmethod
    def lines_of(edge: Edge) -> tuple[TextLine, ...]:
        """The edge's label, wrapped into lines; a dot between one event and the next, as in a list."""
        lines = []
        for line, below in zip_longest(edge.label, edge.label[1:]):
            more = below is not None and not line.muted and not below.muted
            text = f"{line.text}{BETWEEN[:-1]}" if more else line.text
            lines += [TextLine(each, line.muted) for each in wrapped(text, TEXT_PX, LABEL_LIMIT_PX)]
        return tuple(lines)

    @classmethod
    def size(cls, edge: Edge) -> tuple[float, float]:
        """Width and height."""
        lines = cls.lines_of(edge)
        width = max((width_px(line.text, TEXT_PX) for line in lines), default=0)
        return _even(width + 2 * LABEL_PAD_PX), len(lines) * LINE_PX + 3 if lines else 0

    @classmethod
    def at(cls, edge: Edge, x: float, y: float) -> Self:
        """The label centred at x, y."""
        width, height = cls.size(edge)
        return cls(edge, Rect(x - width / 2, float(round(y - height / 2)), width, height), cls.lines_of(edge))


@dataclass(frozen=True, slots=True)
class DrawnArrow:
    """An arrow's lines. strokes: split by its own label; the head is at the end of the last. edge: None if initial."""

    edge: Edge | None
    strokes: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True, slots=True)
class Swatch:
    """A kind in the legend. rect: of its colour sample. text: of its text, to the right."""

    name: str
    kind: Kind
    rect: Rect
    text: Rect


@dataclass(frozen=True, slots=True)
class FootNote:
    """A line of text below the legend."""

    text: str
    rect: Rect


@dataclass(frozen=True, slots=True)
class Layout:
    """A chart with all positions. start: the centre of the initial dot."""

    chart: Chart
    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[DrawnArrow, ...]
    labels: tuple[Label, ...]
    start: Point
    legend: tuple[Swatch, ...]
    notes: tuple[FootNote, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of a node, and its wrapped text and chips."""

    width: float
    height: float
    details: tuple[str, ...]
    chips: tuple[tuple[Edge, tuple[TextLine, ...]], ...]

    @classmethod
    def of(cls, node: Node, jumps: Sequence[Edge], text_px: float, ports: int, wish_px: float) -> Self:
        """The size of a node with these jumps.

        text_px: the limit for its text's width. ports: the most arrows at one side. wish_px: the width at which they
        would run straight.
        """
        chips = tuple((edge, _chip_lines(edge, text_px)) for edge in jumps)
        widest = max((width_px(line.text, TEXT_PX) for _, lines in chips for line in lines), default=0.0)
        limit = max(text_px, widest + 2 * CHIP_PAD_PX)
        details = tuple(line for text in node.details for line in wrapped(text, TEXT_PX, limit))
        width = max(
            width_px(node.name, NAME_PX, bold=True),
            *(width_px(line, TEXT_PX) for line in details),
            widest + 2 * CHIP_PAD_PX,
            (ports - 1) * PORT_PX,
            min(wish_px, STRETCH_LIMIT_PX) - 2 * PAD_X_PX,
            60.0,
        )
        height = NAME_LINE_PX + len(details) * LINE_PX + 2 * PAD_Y_PX
        height += sum(_chip_height(lines) + CHIP_GAP_PX for _, lines in chips) + (4 if chips else 0)
        return cls(_even(width + 2 * PAD_X_PX), _even(height), details, chips)

    def box(self, node: Node, x: float, top: float) -> Box:
        """The node's box, centred at x."""
        left = x - self.width / 2
        y = top + PAD_Y_PX + NAME_LINE_PX + len(self.details) * LINE_PX + CHIP_GAP_PX + 3
        chips = []
        for edge, lines in self.chips:
            rect = Rect(left + PAD_X_PX, y, self.width - 2 * PAD_X_PX, _chip_height(lines))
            chips.append(Chip(edge, rect, lines))
            y += rect.height + CHIP_GAP_PX
        return Box(node, Rect(left, top, self.width, self.height), self.details, tuple(chips))


def legend(
    chart: Chart, boxes: Iterable[Box], bottom: float, right: float, limit_px: float
) -> tuple[tuple[Swatch, ...], tuple[FootNote, ...], float, float]:
    """The kinds in use and the notes, in lines below the chart; and the width and height of the whole picture."""
    used = {box.node.kind for box in boxes}
    limit = max(right, min(limit_px, LEGEND_LIMIT_PX)) - MARGIN_PX
    x, y, widest = MARGIN_PX, bottom + 22, right
    swatches = []
    for name, kind in chart.kinds.items():
        if name not in used:
            continue
        wide = width_px(kind.legend, TEXT_PX)
        if x > MARGIN_PX and x + SWATCH_PX + 6 + wide > limit:
            x, y = MARGIN_PX, y + 22
        rect = Rect(x, y, SWATCH_PX + 6, SWATCH_PX)
        swatches.append(Swatch(name, kind, rect, Rect(rect.right + 6, y, wide, SWATCH_PX)))
        x = float(ceil(rect.right + 6 + wide + 18))
        widest = max(widest, rect.right + 6 + wide + MARGIN_PX)
    y += 22 if swatches else 0
    notes = []
    for text in (line for note in chart.notes for line in wrapped(note, TEXT_PX, limit - MARGIN_PX)):
        wide = width_px(text, TEXT_PX)
        notes.append(FootNote(text, Rect(MARGIN_PX, y, wide, LINE_PX)))
        widest = max(widest, MARGIN_PX + wide + MARGIN_PX)
        y += LINE_PX + 2
    return tuple(swatches), tuple(notes), float(ceil(widest)), float(ceil(y - 4 + MARGIN_PX / 2))


def _chip_lines(edge: Edge, text_px: float) -> tuple[TextLine, ...]:
    """Events and target in one line if it fits; else the target in a line of its own."""
    whereto = "→ stays" if edge.target == edge.source else f"→ {edge.target}"
    short = f"{BETWEEN.join(line.text for line in edge.label)} {whereto}".strip()
    if not any(line.muted for line in edge.label) and width_px(short, TEXT_PX) <= text_px:
        return (TextLine(short),)
    lines = []
    for muted, group in groupby(edge.label, key=lambda line: line.muted):
        text = (" " if muted else BETWEEN).join(line.text for line in group)
        lines += [TextLine(line, muted) for line in wrapped(text, TEXT_PX, text_px)]
    return (*lines, TextLine(whereto))


def _chip_height(lines: Sequence[TextLine]) -> float:
    return len(lines) * LINE_PX + 5


def _even(length: float) -> float:
    """Rounded up to an even number, so that its half is whole."""
    return float(2 * ceil(length / 2))
