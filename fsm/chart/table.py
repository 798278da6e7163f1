"""A chart of a transition table.

What happens alike in every state leaves one node that stands for all of them; what a state ignores is told in it.
May import: fsm.chart, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from typing import TypeVar

from fsm.chart.model import Chart, Edge, Kind, Line, Node

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
# From so many states on, an event that leads to the same state is a jump: as arrows it would hide the others.
JUMP_FROM = 3


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
    None or has an empty name is not written. kinds, kind_of: colours of one's own; without them the first state, those
    that nothing leads out of, and others are told apart. details: what stands below a state's name.
    """
    rows = [(source, event, target, action) for (source, event), (target, action) in transitions.items()]
    states = list(dict.fromkeys([start, *(source for source, *_ in rows), *(target for _, _, target, _ in rows)]))
    leaving = {source for source, _, target, _ in rows if source != target}
    alike: dict[tuple[E, S, str], set[S]] = {}
    for source, event, target, action in rows:
        alike.setdefault((event, target, name_of(action)), set()).add(source)
    everywhere = {key for key, sources in alike.items() if len(leaving) >= JUMP_FROM and leaving <= sources}
    ignored: dict[S, list[str]] = {}
    grouped: dict[tuple[str, str, bool, str], list[str]] = {}
    for source, event, target, action in rows:
        done = name_of(action)
        key = (event, target, done)
        if key in everywhere:
            events = grouped.setdefault((ANY, name_of(target), False, done), [])
            if name_of(event) not in events:
                events.append(name_of(event))
        elif source == target and not done:
            ignored.setdefault(source, []).append(name_of(event))
        else:
            jump = source != target and len(alike[key] - {target}) >= JUMP_FROM
            grouped.setdefault((name_of(source), name_of(target), jump, done), []).append(name_of(event))

    def told(state: S) -> tuple[str, ...]:
        own = (details[state],) if details and state in details else ()
        return (*own, "ignores " + " · ".join(ignored[state])) if state in ignored else own

    def kind(state: S) -> str:
        if kind_of is not None:
            return kind_of(state)
        return "first" if state == start else "state" if state in leaving else "last"

    known = dict(kinds or KINDS)
    nodes = [Node(name_of(state), kind(state), told(state)) for state in states]
    if everywhere:
        legend = "stands for every state" if len(leaving) == len(states) else "stands for every state but an end"
        known[_ANY_KIND] = Kind(legend, "amber", rounded=True, dashed=True)
        nodes.append(Node(ANY, _ANY_KIND))
    notes = ("/ what is done",) if any(done for *_, done in grouped) else ()
    return Chart(title, known, tuple(nodes), _edges(grouped), name_of(start), notes)


def _edges(grouped: Mapping[tuple[str, str, bool, str], list[str]]) -> tuple[Edge, ...]:
    """Events with the same way and the same action stand together, above their action."""
    edges = []
    for (source, target, jump, done), events in grouped.items():
        label = [*map(Line, events), *([Line(f"/ {done}", muted=True)] if done else [])]
        edges.append(Edge(source, target, tuple(label), jump))
    return tuple(edges)


def name_of(value: object) -> str:
    """A state's, an event's or an action's name, as it is written."""
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
