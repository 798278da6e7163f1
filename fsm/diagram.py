"""A task's state chart, generated from the table that is run.

May import: fsm, the standard library.
"""

from __future__ import annotations

from fsm.chart import Chart, Edge, Kind, Node, TextLine, render
from fsm.spec import Act, AgentSpec, Choose, Collect, Confirm, End, State

KINDS = {
    "collect": Kind("asks the caller", "blue", rounded=True),
    "confirm": Kind("reads back, waits for a yes", "amber", rounded=True),
    "choose": Kind("picks a way", "violet", rounded=True),
    "act": Kind("acts, waits for nobody", "green"),
    "end": Kind("ends the task", "grey", double=True),
}
GUARDED = " [if]"


def draw(spec: AgentSpec) -> str:
    """The chart as SVG."""
    return render(chart_of(spec))


def chart_of(spec: AgentSpec) -> Chart:
    """The chart of a task. Derived arrows are drawn as jumps: chips in the states where they can happen."""
    edges = _edges(spec)
    notes = ("[if]: taken if a precondition holds",) if any(GUARDED in each.label[0].text for each in edges) else ()
    nodes = tuple(Node(name, type(state).__name__.lower(), _details(state)) for name, state in spec.states.items())
    return Chart(spec.name, KINDS, nodes, edges, spec.start, notes)


def _edges(spec: AgentSpec) -> tuple[Edge, ...]:
    # Arrows that differ only in the slot they are about, or in a precondition, are drawn once.
    edges: dict[Edge, None] = {}
    for name in spec.states:
        for event, arrow in spec.arrows_from(name):
            guarded = any(each.to == arrow.to and each.when is not None for each in spec.arrows(name, event))
            edges[Edge(name, arrow.to, (TextLine(event + GUARDED if guarded else str(event)),), jump=arrow.derived)] = (
                None
            )
    return tuple(edges)


def _details(state: State) -> tuple[str, ...]:
    match state:
        case Collect(slots=slots):
            return ("asks for " + ", ".join(slots),)
        case Confirm():
            return ()
        case Choose(choices=choices):
            return ("chooses: " + ", ".join(choices),)
        case Act(effect=effect):
            return (f"does {effect}",)
        case End(outcome=outcome):
            return (f"ends: {outcome}",)
