"""Tasks that misbehave, as a package of somebody else's would bring them: their tables are sound, their code is not.

Installed into a folder, they are found by every process that has it in its path, by entry points as any package's.
"""

from __future__ import annotations

import sys
import threading
from datetime import time
from pathlib import Path
from shutil import copytree
from typing import Never

from sqlalchemy import Connection

from actors.tasks.agent import FsmAgent
from fsm.effects import DeclaredEffect, EffectRequest, EffectResult, Local, Ok
from fsm.registry import ENTRY_POINT_GROUP
from fsm.spec import Act, AgentSpec, Arrow, Choice, Choose, Collect, Confirm, End, Slot, State

_DONE: dict[str, State] = {"Done": End("done", say="That is done.")}
_ENDS: dict[str, State] = {
    **_DONE,
    "Human": End("transfer", say="I will put you through to a colleague."),
    "Cancelled": End("cancelled", say="All right."),
}


def _exits(*_: object) -> Never:
    sys.exit("a task has had enough")


def _does(request: EffectRequest, connection: Connection) -> EffectResult:
    return Ok()


def _confirmed(
    name: str, description: str, read_back: str, effect: DeclaredEffect, kind: type[AgentSpec] = AgentSpec
) -> AgentSpec:
    """A task that asks for a yes, and acts."""
    return kind(
        name=name,
        description=description,
        start="Confirm",
        slots={},
        states={"Confirm": Confirm(read_back), "Act": Act(effect=f"{name}.do"), **_ENDS},
        transitions={
            ("Confirm", "yes"): "Act",
            ("Confirm", "no"): "Cancelled",
            ("Confirm", "gave_up"): "Human",
            ("Act", "ok"): "Done",
            ("Act", "refused"): "Human",
            ("Act", "failed"): "Human",
        },
        effects={f"{name}.do": effect},
    )


class _NeverStarts(AgentSpec):
    """Its table was whole when it was loaded, and cannot be read by any agent that is to follow it."""

    def arrows(self, state: str, event: str) -> tuple[Arrow, ...]:
        # Pykka names the thread of an actor by its class; bots are loaded by other threads than the main one.
        if threading.current_thread().name.startswith(FsmAgent.__name__):
            raise ZeroDivisionError(self.name)
        return AgentSpec.arrows(self, state, event)


class _ExitsAtStart(_NeverStarts):
    def arrows(self, state: str, event: str) -> tuple[Arrow, ...]:
        try:
            return _NeverStarts.arrows(self, state, event)
        except ZeroDivisionError:
            _exits()


EXITS_IN_EFFECT = _confirmed(
    "send_brochure", "The caller wants us to send a brochure.", "A brochure. Shall I send it?", Local(_exits)
)
EXITS_IN_CHECK = AgentSpec(
    name="order_taxi",
    description="The caller wants us to order a taxi.",
    start="Collect",
    slots={"at": Slot(time, ask="At what time?", check=_exits, describe="The time of day as HH:MM.")},
    states={"Collect": Collect(slots=("at",)), **_ENDS},
    transitions={("Collect", "filled"): "Done", ("Collect", "gave_up"): "Human"},
)
EXITS_IN_GUARD = AgentSpec(
    name="report_window",
    description="The caller wants to report a broken window.",
    start="Choose",
    slots={},
    states={"Choose": Choose({"known": Choice("The caller is known.", when=_exits)}, default="known"), **_DONE},
    transitions={("Choose", "known"): "Done"},
)
NEVER_STARTS = _confirmed(
    "donate_blood", "The caller would like to donate blood.", "Blood. Shall I?", Local(_does), _NeverStarts
)
EXITS_AT_START = _confirmed(
    "computer_help", "The caller needs help with a computer.", "Your computer. Shall I?", Local(_does), _ExitsAtStart
)


def install(folder: Path) -> dict[str, str]:
    """Put the package there, and bots that offer its tasks. Returns the environment of a process that is to have it."""
    package = folder / "bad_tasks-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: bad_tasks\nVersion: 1.0\n")
    tasks = {name: value for name, value in globals().items() if isinstance(value, AgentSpec)}
    points = "\n".join(f"{spec.name} = {__name__}:{name}" for name, spec in tasks.items())
    (package / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{points}\n")
    bots = copytree(Path(__file__).parents[2] / "bots", folder / "bots")
    with (bots / "linden" / "bot.toml").open("a") as file:
        file.writelines(f'\n[[task]]\nuse = "{spec.name}"\n' for spec in tasks.values())
    return {"PYTHONPATH": str(folder), "TIELINE_BOTS": str(bots)}
