"""State charts: nodes and edges in, an SVG picture out. Knows nothing of tasks or calls.

`Chart` says what is to be drawn, `lay_out` decides where (a layered layout after Sugiyama: ranks, order, coordinates,
routes), `render` writes the SVG, `table_chart` makes a chart of a transition table. Pure: the same chart gives the
same text.
May import: protocols.errors, the standard library.
"""

from __future__ import annotations

from fsm.chart.layout import lay_out
from fsm.chart.model import Chart, Edge, Kind, Line, Node
from fsm.chart.shapes import Layout
from fsm.chart.svg import render
from fsm.chart.table import table_chart

__all__ = ["Chart", "Edge", "Kind", "Layout", "Line", "Node", "lay_out", "render", "table_chart"]
