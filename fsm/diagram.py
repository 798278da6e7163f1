"""A task's state chart, drawn from its table: what the picture shows is what runs.

The layered layout is grandalf's (`.[diagram]`). Pure: the same table gives the same text.
May import: fsm, grandalf, the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape

from fsm.spec import Act, AgentSpec, Choose, Collect, Confirm, End, State
from fsm.states import waits
from protocols.errors import MisuseError

CHAR_PX, LINE_PX, PAD_PX, MARGIN_PX = 7.2, 18, 12, 24
GAP_X_PX, GAP_Y_PX = 48, 56
BESIDE_PX = 14
START = "start"
# A kind of state by its outline and colour: what waits for the caller is round, what acts is dark, an end is double.
FILL = {Collect: "#e8f1fb", Confirm: "#fdf3d8", Choose: "#ece8fb", Act: "#dff3e4", End: "#f3f3f3"}

STYLE = """text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#222}
.kind{font-size:11px;fill:#666}
.event{font-size:11px;fill:#444}.halo{font-size:11px;stroke:#fff;stroke-width:4px}
.state{stroke:#555;stroke-width:1.2}.inner{fill:none;stroke:#555;stroke-width:.8}
.arrow{fill:none;stroke:#777;stroke-width:1.1;marker-end:url(#head)}"""


@dataclass(slots=True)
class _Box:
    """A state as it is drawn; grandalf puts its centre at `xy`."""

    lines: tuple[str, ...]
    w: float
    h: float
    xy: tuple[float, float] = (0.0, 0.0)


def draw(spec: AgentSpec) -> str:
    """The chart as SVG. Raises: MisuseError where grandalf is not installed."""
    boxes = {name: _box(name, state) for name, state in spec.states.items()}
    edges = _edges(spec)
    routes = _layout({START: _Box((), 14, 14), **boxes}, [(START, spec.start), *edges])
    left = min(box.xy[0] - box.w / 2 for box in boxes.values()) - MARGIN_PX
    top = min(y for route in routes.values() for _, y in route) - MARGIN_PX
    right = max([box.xy[0] + box.w / 2 for box in boxes.values()] + [x for way in routes.values() for x, _ in way])
    bottom = max(box.xy[1] + box.h / 2 for box in boxes.values()) + MARGIN_PX + LINE_PX
    right += MARGIN_PX + 80
    parts = [_arrow(route) for route in routes.values()]
    parts += [_label(routes[edge], events) for edge, events in edges.items()]
    parts += [_state(name, spec.states[name], box) for name, box in boxes.items()]
    begin = routes[START, spec.start][0]
    parts.append(f'<circle cx="{begin[0]:.0f}" cy="{begin[1]:.0f}" r="6" fill="#333"/>')
    if any(waits(state) for state in spec.states.values()):
        note = f"cancel: from every state that waits for the caller to {spec.cancelled}"
        parts.append(f'<text class="kind" x="{left + MARGIN_PX:.0f}" y="{bottom - 10:.0f}">{escape(note)}</text>')
    width, height = right - left, bottom - top
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img">',
            f"<title>{escape(spec.name)}</title><style>{STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 8 4 0 8z" fill="#777"/></marker></defs>',
            f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
            *parts,
            "</svg>\n",
        )
    )


def _edges(spec: AgentSpec) -> dict[tuple[str, str], list[str]]:
    """The arrows by (from, to), each with its events; one with a precondition is marked."""
    edges: dict[tuple[str, str], list[str]] = {}
    for name in spec.states:
        for event, arrow in spec.written_from(name):
            guarded = any(each.to == arrow.to and each.when is not None for each in spec.arrows(name, event))
            events = edges.setdefault((name, arrow.to), [])
            if (label := f"{event} [if]" if guarded else event) not in events:
                events.append(label)
    return edges


def _box(name: str, state: State) -> _Box:
    lines = (name, *_details(state))
    return _Box(lines, max(len(line) for line in lines) * CHAR_PX + 2 * PAD_PX, len(lines) * LINE_PX + PAD_PX)


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


def _layout(boxes: dict[str, _Box], edges: list[tuple[str, str]]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Places the boxes, and gives each edge its points from border to border."""
    try:
        from grandalf.graphs import Edge, Graph, Vertex
        from grandalf.layouts import SugiyamaLayout
        from grandalf.routing import EdgeViewer, route_with_lines
    except ImportError as error:
        raise MisuseError("a picture needs grandalf: pip install '.[diagram]'") from error
    vertices: dict[str, Any] = {name: Vertex(name) for name in boxes}
    for name, vertex in vertices.items():
        vertex.view = boxes[name]
    # An arrow to itself has no place in a layered layout; it is drawn beside its state.
    drawn = {edge: Edge(vertices[edge[0]], vertices[edge[1]]) for edge in _one_way(edges)}
    for each in drawn.values():
        each.view = EdgeViewer()
    graph = Graph(list(vertices.values()), list(drawn.values()))
    shift = 0.0
    for component in graph.C:
        layout = SugiyamaLayout(component)
        layout.xspace, layout.yspace = GAP_X_PX, GAP_Y_PX
        layout.route_edge = route_with_lines
        roots = [vertices[START]] if vertices[START] in component.sV else [next(iter(component.sV))]
        # Which arrows lead back we say ourselves: what grandalf finds depends on the order in which it meets them.
        back = [drawn[edge] for edge in _leading_back(list(drawn)) if vertices[edge[0]] in component.sV]
        layout.init_all(roots=roots, inverted_edges=back)
        layout.draw(8)
        members = [vertex.view for vertex in component.sV]
        shift = _beside(members, [edge.view for edge in component.sE], shift)
    routes = {edge: [(float(x), float(y)) for x, y in each.view._pts] for edge, each in drawn.items()}
    for name, target in edges:
        if (name, target) not in routes and name != target:
            routes[name, target] = [(x + BESIDE_PX, y) for x, y in reversed(routes[target, name])]
    for name in {edge[0] for edge in edges if edge[0] == edge[1]}:
        box = boxes[name]
        x, y = box.xy[0] + box.w / 2, box.xy[1]
        routes[name, name] = [(x, y - 8), (x + 24, y - 8), (x + 24, y + 8), (x, y + 8)]
    return routes


def _one_way(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of two arrows between the same states the first: of both, grandalf makes another picture each time."""
    kept: list[tuple[str, str]] = []
    for name, target in edges:
        if name != target and (target, name) not in kept:
            kept.append((name, target))
    return kept


def _leading_back(edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows to a state that the way from the start has come through."""
    onward: dict[str, list[str]] = {}
    for name, target in edges:
        onward.setdefault(name, []).append(target)
    back: list[tuple[str, str]] = []
    seen: set[str] = set()

    def follow(name: str, path: tuple[str, ...]) -> None:
        seen.add(name)
        for target in onward.get(name, ()):
            if target in path and target != name:
                back.append((name, target))
            elif target not in seen:
                follow(target, (*path, target))

    follow(START, (START,))
    return back


def _beside(members: list[_Box], edges: list[Any], left: float) -> float:
    """Moves what hangs together to the right of what is there; returns where the next may begin."""
    move = left - min(box.xy[0] - box.w / 2 for box in members)
    for box in members:
        box.xy = (box.xy[0] + move, box.xy[1])
    for edge in edges:
        edge._pts = [(x + move, y) for x, y in edge._pts]
    return max(box.xy[0] + box.w / 2 for box in members) + GAP_X_PX


def _state(name: str, state: State, box: _Box) -> str:
    x, y = box.xy[0] - box.w / 2, box.xy[1] - box.h / 2
    radius = 14 if waits(state) else 3
    shape = f'x="{x:.0f}" y="{y:.0f}" width="{box.w:.0f}" height="{box.h:.0f}" rx="{radius}"'
    parts = [f'<rect class="state" {shape} fill="{FILL[type(state)]}"/>']
    if isinstance(state, End):
        inner = f'x="{x + 3:.0f}" y="{y + 3:.0f}" width="{box.w - 6:.0f}" height="{box.h - 6:.0f}" rx="2"'
        parts.append(f'<rect class="inner" {inner}/>')
    for number, line in enumerate(box.lines):
        kind = ' class="kind"' if number else ""
        at = f'x="{box.xy[0]:.0f}" y="{y + PAD_PX / 2 + (number + 0.75) * LINE_PX:.0f}"'
        parts.append(f'<text{kind} {at} text-anchor="middle">{escape(line)}</text>')
    return "".join(parts)


def _arrow(route: list[tuple[float, float]]) -> str:
    points = " ".join(f"{x:.0f},{y:.0f}" for x, y in route)
    return f'<polyline class="arrow" points="{points}"/>'


def _label(route: list[tuple[float, float]], events: list[str]) -> str:
    """Beside the arrow, where it leaves its state: there arrows are still apart."""
    (x1, y1), (x2, y2) = next(pairwise(route))
    share = min(1.0, 26 / max(1.0, ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5))
    x, y = x1 + (x2 - x1) * share + 5, y1 + (y2 - y1) * share
    at, text = f'x="{x:.0f}" y="{y + 4:.0f}"', escape(", ".join(events))
    return f'<text class="halo" {at}>{text}</text><text class="event" {at}>{text}</text>'
