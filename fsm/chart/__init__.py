"""State charts: nodes and edges in, an SVG picture out. Knows nothing of tasks or calls.

`Chart` is the input, `lay_out` computes positions (a layered layout after Sugiyama: ranks, order, coordinates, routes),
`render` writes the SVG, `table_chart` makes a Chart of a transition table. Pure: the same chart gives the same text.
May import: protocols.errors, the standard library.
"""

from __future__ import annotations

from fsm.chart.layout import lay_out
from fsm.chart.model import Chart, Edge, Kind, Node, TextLine
from fsm.chart.shapes import Layout
from fsm.chart.svg import render
from fsm.chart.table import table_chart

__all__ = ["Chart", "Edge", "Kind", "Layout", "Node", "TextLine", "lay_out", "render", "table_chart"]
