"""A chart of a transition table.

A row that is equal for every state is drawn once, from a node that stands for all of them; ignored events are listed in
their state's box.
May import: fsm.chart, the standard library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from fsm.chart.model import Chart, Edge, Kind, Node, TextLine
from fsm.chart.text import BETWEEN

S = TypeVar("S", bound=Hashable)
E = TypeVar("E", bound=Hashable)
A = TypeVar("A")

ANY = "any state"
_ANY_KIND = "any"
KINDS = {
    "first": Kind("begins here", "blue", rounded=True),
    "state": Kind("state", "violet", rounded=True),
    "last": Kind("ends here", "grey", double=True),
}
NO_ACTION = "nothing"
JUMP_FROM = 3  # from this many states, an event with one target is drawn as a jump: arrows would hide the others


def table_chart(
    title: str,
    transitions: Mapping[tuple[S, E], tuple[S, A]],
    start: S,
    *,
    kinds: Mapping[str, Kind] | None = None,
    kind_of: Callable[[S], str] | None = None,
    details: Mapping[S, str] | None = None,
) -> Chart:
    """The chart of a table from (state, event) to (next state, action).

    Members of an enum of strings are named by their value, others by their name. An action may be a tuple; one that is
    None or has an empty name is not written. kinds, kind_of: custom kinds; the default distinguishes the first state,
    those that nothing leads out of, and others. details: text below a state's name.
    """
    rows = [(source, event, target, name_of(action)) for (source, event), (target, action) in transitions.items()]
    states = list(dict.fromkeys([start, *(source for source, *_ in rows), *(target for _, _, target, _ in rows)]))
    leaving = {source for source, _, target, _ in rows if source != target}

    def kind(state: S) -> str:
        if kind_of is not None:
            return kind_of(state)
        return "first" if state == start else "state" if state in leaving else "last"

    def told(state: S) -> tuple[str, ...]:
        own = (details[state],) if details and state in details else ()
        ignored = [name_of(event) for source, event in ignores if source == state]
        return (*own, "ignores " + BETWEEN.join(ignored)) if ignored else own

    edges, ignores = _edges(rows, leaving, start)
    nodes = [Node(name_of(state), kind(state), told(state)) for state in states]
    known = dict(kinds or KINDS)
    if any(edge.source == ANY for edge in edges):
        but = "" if len(leaving) == len(states) else " but an end"
        known[_ANY_KIND] = Kind(f"stands for every state{but}", "amber", rounded=True, dashed=True)
        nodes.append(Node(ANY, _ANY_KIND))
    notes = ("/ what is done",) if any(line.muted for edge in edges for line in edge.label) else ()
    return Chart(title, known, tuple(nodes), edges, name_of(start), notes)


def _edges(
    rows: Sequence[tuple[S, E, S, str]], leaving: AbstractSet[S], start: S
) -> tuple[tuple[Edge, ...], list[tuple[S, E]]]:
    """The edges, with equal source, target and action merged; and the ignored events, as (state, event).

    leaving: the states that have an arrow to another state. Where two states are joined by events with different
    actions, each group of events ends with its own: also those without one, which would else read as having the next.
    """
    alike: dict[tuple[E, S, str], set[S]] = {}
    for source, event, target, action in rows:
        alike.setdefault((event, target, action), set()).add(source)
    grouped: dict[tuple[str, str, bool, str], dict[str, None]] = {}
    ignores: list[tuple[S, E]] = []
    for source, event, target, action in rows:
        sources = alike[event, target, action]
        if len(leaving) >= JUMP_FROM and leaving <= sources and source in leaving:
            key = (ANY, name_of(target), False, action)
        elif source == target and not action:
            ignores.append((source, event))
            continue
        else:
            jump = source != target and len(sources - {target}) >= JUMP_FROM
            key = (name_of(source), name_of(target), jump, action)
        grouped.setdefault(key, {})[name_of(event)] = None
    acting = {(name, into) for name, into, _, action in grouped if action}
    edges = []
    for (name, into, jump, action), events in grouped.items():
        done = action or (NO_ACTION if (name, into) in acting else "")
        last = [TextLine(f"/ {done}", muted=True)] if done else []
        edges.append(Edge(name, into, (*map(TextLine, events), *last), jump))
    return _with_a_way_in(edges, name_of(start)), ignores


def _with_a_way_in(edges: Sequence[Edge], start: str) -> tuple[Edge, ...]:
    """The edges, with one drawn as an arrow into each node that only jumps lead into: it would stand apart."""
    reached = {start} | {edge.target for edge in edges if not edge.jump and edge.source != edge.target}
    events = Counter((edge.source, edge.target) for edge in edges if edge.jump for line in edge.label if not line.muted)
    chosen: dict[str, str] = {}  # the node that most events lead from, by target
    for source, target in events:
        if target not in reached and events[source, target] > events[chosen.get(target, ""), target]:
            chosen[target] = source
    return tuple(replace(edge, jump=edge.jump and chosen.get(edge.target) != edge.source) for edge in edges)


def name_of(value: object) -> str:
    """The printed name of a state, an event or an action."""
    match value:
        case None:
            return ""
        case tuple():
            return ", ".join(name for each in value if (name := name_of(each)))
        case Enum(value=str(text)):
            return text
        case Enum(name=name):
            return name.lower().replace("_", " ")
        case _:
            return str(value).replace("_", " ")
