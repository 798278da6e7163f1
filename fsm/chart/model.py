"""The input of a layout: a chart's nodes, edges and kinds, without positions.

May import: protocols.errors, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from protocols.errors import MisuseError

HUES = ("blue", "amber", "violet", "green", "grey", "red", "teal")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of node, which decides its look.

    legend: its text in the legend. hue: one of HUES. rounded: round corners. double: a second outline inside.
    dashed: a dashed outline.
    """

    legend: str
    hue: str
    rounded: bool = False
    double: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text. muted: in a paler colour, for an addition to the line above."""

    text: str
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A state. kind: a key of the chart's kinds. details: the text below its name."""

    name: str
    kind: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow. label: its events, one a line; edges between the same two nodes are merged into one.

    jump: drawn as a chip in the source that names the target, not as an arrow; for targets reached from many nodes.
    """

    source: str
    target: str
    label: tuple[TextLine, ...] = ()
    jump: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A state chart. start: the node that the initial arrow leads to. notes: sentences below the legend.

    Raises: MisuseError for duplicate node names and for unknown nodes, kinds or hues.
    """

    title: str
    kinds: Mapping[str, Kind]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    start: str
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise MisuseError(f"chart {self.title!r}: two nodes have the same name")
        for node in self.nodes:
            if node.kind not in self.kinds:
                raise MisuseError(f"chart {self.title!r}: node {node.name!r} is of the unknown kind {node.kind!r}")
        for kind in self.kinds.values():
            if kind.hue not in HUES:
                raise MisuseError(f"chart {self.title!r}: there is no hue {kind.hue!r}")
        for name in [self.start, *(name for edge in self.edges for name in (edge.source, edge.target))]:
            if name not in names:
                raise MisuseError(f"chart {self.title!r}: there is no node {name!r}")


def merged(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """One edge for each pair of nodes, with all their labels; jumps are merged separately."""
    found: dict[tuple[str, str, bool], Edge] = {}
    for edge in edges:
        key = edge.source, edge.target, edge.jump
        known = found.get(key)
        found[key] = edge if known is None else replace(known, label=(*known.label, *edge.label))
    return tuple(found.values())
