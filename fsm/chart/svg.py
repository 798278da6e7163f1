"""A layout as SVG, for light and dark pages; it has its own background.

May import: fsm.chart, the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from fsm.chart.layout import lay_out
from fsm.chart.model import Chart, Kind, TextLine
from fsm.chart.shapes import LINE_PX, PAD_Y_PX, Box, DrawnArrow, Label, Point, Rect, Swatch
from fsm.chart.text import NAME_PX, TEXT_PX, width_px

# Fill and outline by hue, for light and for dark pages.
LIGHT = {
    "blue": ("#e3effc", "#3b7cc4"),
    "amber": ("#fdf1cf", "#b98a12"),
    "violet": ("#ece7fc", "#7a5fc9"),
    "green": ("#ddf3e3", "#35904f"),
    "grey": ("#eef0f2", "#76808b"),
    "red": ("#fde4e2", "#c4524a"),
    "teal": ("#d9f2f1", "#22898a"),
}
DARK = {
    "blue": ("#15304f", "#5b9fe8"),
    "amber": ("#3f3210", "#d9ab3c"),
    "violet": ("#2d2450", "#a08be8"),
    "green": ("#143822", "#57b873"),
    "grey": ("#2a3038", "#8b96a3"),
    "red": ("#4a1f1d", "#e8837c"),
    "teal": ("#0f3838", "#4fb9b9"),
}
FONT = "ui-sans-serif,system-ui,-apple-system,'Segoe UI',Helvetica,Arial,'Liberation Sans',sans-serif"
CORNER_PX = 7.0
ROUND_PX, SHARP_PX = 14.0, 4.0


def render(chart: Chart) -> str:
    """The chart as SVG."""
    layout = lay_out(chart)
    width, height = _number(layout.width), _number(layout.height)
    hues = sorted({each.kind.hue for each in layout.legend})
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label={quoteattr(chart.title)}>',
        f"<title>{escape(chart.title)}</title>",
        f"<style>{_style(hues)}</style>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9.5" refY="5" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 .8 10 5 0 9.2 2.4 5z"/></marker></defs>',
        _rect(Rect(0.5, 0.5, layout.width - 1, layout.height - 1), 8, "page"),
        *(_arrow(arrow) for arrow in layout.arrows),
        *(_label(label) for label in layout.labels),
        f'<circle class="dot" cx="{_number(layout.start[0])}" cy="{_number(layout.start[1])}" r="6"/>',
        *(_box(chart, box) for box in layout.boxes),
        *(_swatch(swatch) for swatch in layout.legend),
        *(_text(note.text, note.rect.left, note.rect.top + 12, "muted") for note in layout.notes),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _style(hues: Sequence[str]) -> str:
    light = [
        f"text{{font:{TEXT_PX:.0f}px {FONT};fill:#1f2328}}",
        f".name{{font-size:{NAME_PX:.0f}px;font-weight:600}}.mid{{text-anchor:middle}}",
        ".muted{fill:#59636e}.page{fill:#fff;stroke:#d1d9e0}.box{stroke-width:1.4}",
        ".line{fill:none;stroke:#6b7580;stroke-width:1.4}.head,.dot{fill:#4d5761}",
        ".chip{stroke-width:1}.dashed{stroke-dasharray:5 3}",
        *(f".{hue}{{fill:{LIGHT[hue][0]};stroke:{LIGHT[hue][1]}}}" for hue in hues),
        ".inner{fill:none}",
    ]
    dark = [
        "text{fill:#e6edf3}.muted{fill:#a3adb8}.page{fill:#0d1117;stroke:#3d444d}",
        ".line{stroke:#8b949e}.head,.dot{fill:#b1bac4}",
        *(f".{hue}{{fill:{DARK[hue][0]};stroke:{DARK[hue][1]}}}" for hue in hues),
        ".inner{fill:none}",
    ]
    return "\n".join((*light, "@media (prefers-color-scheme:dark){", *dark, "}"))


def _box(chart: Chart, box: Box) -> str:
    kind, rect = chart.kinds[box.node.kind], box.rect
    parts = _outline(kind, rect, ROUND_PX if kind.rounded else SHARP_PX)
    x, y = (rect.left + rect.right) / 2, rect.top + PAD_Y_PX + 15
    parts.append(_text(box.node.name, x, y, "name mid"))
    parts += [_text(line, x, y + 4 + (number + 1) * LINE_PX, "muted mid") for number, line in enumerate(box.details)]
    hue_of = {node.name: chart.kinds[node.kind].hue for node in chart.nodes}
    for chip in box.chips:
        parts.append(_rect(chip.rect, 10, f"chip {hue_of[chip.edge.target]}"))
        parts.append(_lines(chip.lines, x, chip.rect.top + 14))
    return "".join(parts)


def _arrow(arrow: DrawnArrow) -> str:
    *first, last = (f'<path class="line" d="{_path(stroke)}"' for stroke in arrow.strokes)
    return "".join([*(f"{each}/>" for each in first), f'{last} marker-end="url(#head)"/>'])


def _path(points: Sequence[Point]) -> str:
    """The path of a line with round corners."""
    parts = [f"M{_number(points[0][0])} {_number(points[0][1])}"]
    for (x1, y1), (x2, y2), (x3, y3) in zip(points, points[1:], points[2:], strict=False):
        before, after = abs(x2 - x1) + abs(y2 - y1), abs(x3 - x2) + abs(y3 - y2)
        radius = min(CORNER_PX, before / 2, after / 2)
        ax, ay = x2 + (x1 - x2) * radius / (before or 1), y2 + (y1 - y2) * radius / (before or 1)
        bx, by = x2 + (x3 - x2) * radius / (after or 1), y2 + (y3 - y2) * radius / (after or 1)
        parts.append(f"L{_number(ax)} {_number(ay)}Q{_number(x2)} {_number(y2)} {_number(bx)} {_number(by)}")
    parts.append(f"L{_number(points[-1][0])} {_number(points[-1][1])}")
    return "".join(parts)


def _label(label: Label) -> str:
    return _lines(label.lines, (label.rect.left + label.rect.right) / 2, label.rect.top + 13)


def _lines(lines: Sequence[TextLine], x: float, y: float) -> str:
    return "".join(
        _text(line.text, x, y + number * LINE_PX, "muted mid" if line.muted else "mid")
        for number, line in enumerate(lines)
    )


def _swatch(swatch: Swatch) -> str:
    parts = _outline(swatch.kind, swatch.rect, 7 if swatch.kind.rounded else 2)
    parts.append(_text(swatch.kind.legend, swatch.text.left, swatch.rect.top + 11, ""))
    return "".join(parts)


def _outline(kind: Kind, rect: Rect, radius: float) -> list[str]:
    parts = [_rect(rect, radius, f"box {kind.hue} dashed" if kind.dashed else f"box {kind.hue}")]
    if kind.double:
        inner = Rect(rect.left + 3, rect.top + 3, rect.width - 6, rect.height - 6)
        parts.append(_rect(inner, max(1, radius - 2), f"{kind.hue} inner"))
    return parts


def _rect(rect: Rect, radius: float, name: str) -> str:
    place = f'x="{_number(rect.left)}" y="{_number(rect.top)}" '
    size = f'width="{_number(rect.width)}" height="{_number(rect.height)}"'
    return f'<rect class="{name}" {place}{size} rx="{_number(radius)}"/>'


def _text(text: str, x: float, y: float, name: str) -> str:
    bold = "name" in name
    length = width_px(text, NAME_PX if bold else TEXT_PX, bold)
    kind = f' class="{name}"' if name else ""
    place = f'x="{_number(x)}" y="{_number(y)}" textLength="{_number(length)}" lengthAdjust="spacingAndGlyphs"'
    return f"<text{kind} {place}>{escape(text)}</text>"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
