"""Draws the pictures in docs/: the chart of every built-in task, and of every state machine. `make pictures`.

May import: everything but lab, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.call import before, handover, phase, recording, sensitive, silence
from actors.model import phase as model_phase
from actors.transport.circuit import CIRCUIT
from actors.vaic import phase as vaic_phase
from fsm.chart import render, table_chart
from fsm.diagram import draw
from fsm.registry import load_agents
from protocols.playout import PLAYBACK
from protocols.realtime import response_slot
from protocols.transitions import Table

DOCS = Path(__file__).parents[1] / "docs"

# Every transition table of the product, by the name of its picture in docs/machines/.
MACHINES: Mapping[str, Table[Any, Any, Any]] = {
    "circuit-breaker": CIRCUIT,
    "call": phase.CALL,
    "call-readiness": phase.READINESS,
    "call-look-up": before.BEFORE,
    "drain": handover.DRAIN,
    "line": silence.LINE,
    "sensitive-zone": sensitive.ZONE,
    "recording": recording.RECORDING,
    "model-session": model_phase.SESSION,
    "response-slot": response_slot.SLOT,
    "caller-turn": response_slot.TURN,
    "response-attempt": response_slot.ATTEMPT,
    "session-liveness": response_slot.LIVENESS,
    "turn-budget": response_slot.BUDGET,
    "vaic-session": vaic_phase.SESSION,
    "playback": PLAYBACK,
}


def pictures() -> dict[Path, str]:
    """The SVG text of every picture, by its path below docs/."""
    drawn = {Path("tasks") / f"{name}.svg": draw(spec) for name, spec in load_agents(installed=()).items()}
    for name, table in MACHINES.items():
        chart = table_chart(table.name, table.transitions, table.start)
        drawn[Path("machines") / f"{name}.svg"] = render(chart)
    return drawn


def main() -> None:
    for path, text in pictures().items():
        (DOCS / path).parent.mkdir(exist_ok=True)
        (DOCS / path).write_text(text)


if __name__ == "__main__":
    main()
