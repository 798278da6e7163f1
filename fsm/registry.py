"""The registered tasks: those of fsm/agents, and those that installed packages add by entry point.

May import: protocols, fsm, the standard library.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

import fsm.agents
from fsm.effects import DeclaredEffect
from fsm.spec import AgentSpec
from protocols.errors import MisuseError

ENTRY_POINT_GROUP = "tieline.agents"


def load_agents(installed: Iterable[EntryPoint] | None = None) -> dict[str, AgentSpec]:
    """All tasks by name. installed: the packages' entry points, by default those of this environment.

    Raises: MisuseError for an unsound table, an entry point that is not an AgentSpec, or names that clash.
    """
    points = entry_points(group=ENTRY_POINT_GROUP) if installed is None else installed
    agents: dict[str, AgentSpec] = {}
    for spec in (*_own(), *(_installed(point) for point in points)):
        for other in agents:
            # A run's tools are named after the task with a suffix: one task's tool must not match another's prefix.
            if f"{spec.name}_".startswith(f"{other}_") or f"{other}_".startswith(f"{spec.name}_"):
                raise MisuseError(f"the tasks {other!r} and {spec.name!r} have names that begin alike")
        agents[spec.name] = spec
    return agents


def effects_of(agents: Mapping[str, AgentSpec]) -> dict[str, DeclaredEffect]:
    """The effects of all tasks by name. Raises: MisuseError if two tasks declare different effects of one name."""
    declared: dict[str, DeclaredEffect] = {}
    for spec in agents.values():
        for name, effect in spec.effects.items():
            if declared.setdefault(name, effect) != effect:
                raise MisuseError(f"task {spec.name!r}: another task has a different effect {name!r}")
    return declared


def _own() -> Iterator[AgentSpec]:
    for module in pkgutil.iter_modules(fsm.agents.__path__, f"{fsm.agents.__name__}."):
        members = vars(importlib.import_module(module.name)).values()
        yield from (each for each in members if isinstance(each, AgentSpec))


def _installed(point: EntryPoint) -> AgentSpec:
    try:
        spec = point.load()
    except (Exception, SystemExit) as error:  # whatever code of another package does when it is imported
        why = f"{type(error).__name__}: {error}"
        raise MisuseError(f"the task {point.name!r} of an installed package cannot be loaded: {why}") from error
    if not isinstance(spec, AgentSpec):
        raise MisuseError(f"the task {point.name!r} of an installed package is no AgentSpec ({point.value})")
    return spec
