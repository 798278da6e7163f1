"""A task as a state chart, made from its table: what the picture shows is what runs.

May import: fsm, the standard library.
"""

from __future__ import annotations

from fsm.chart import Chart, Edge, Kind, Line, Node, render
from fsm.spec import Act, AgentSpec, Choose, Collect, Confirm, End, State
from fsm.states import waits
from fsm.table import arrows_from

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
    """The chart of a task. `cancel` is a jump: every state that waits shows it."""
    edges = _edges(spec)
    notes = ("[if]: taken if a precondition holds",) if any(GUARDED in each.label[0].text for each in edges) else ()
    nodes = tuple(Node(name, type(state).__name__.lower(), _details(state)) for name, state in spec.states.items())
    return Chart(spec.name, KINDS, nodes, edges, spec.start, notes)


def _edges(spec: AgentSpec) -> tuple[Edge, ...]:
    edges: dict[Edge, None] = {}
    for name, state in spec.states.items():
        for event, target in arrows_from(spec, name):
            guarded = any(arrow.to == target and arrow.when is not None for arrow in spec.arrows(name, event))
            edges[Edge(name, target, (Line(event + GUARDED if guarded else event),))] = None
        if waits(state):
            edges[Edge(name, spec.cancelled, (Line("cancel"),), jump=True)] = None
    return tuple(edges)


def _details(state: State) -> tuple[str, ...]:
    match state:
        case Collect(slots=slots):
            return ("asks for " + ", ".join(slots),)
        case Confirm():
            return ("reads back, waits for a yes",)
        case Choose(choices=choices):
            return ("chooses: " + ", ".join(choices),)
        case Act(effect=effect):
            return (f"does {effect}",)
        case End(outcome=outcome):
            return (f"ends: {outcome}",)
