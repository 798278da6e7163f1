"""The registered tasks: those of fsm/agents, and those that packages add by entry point, first of all our own.

May import: protocols, fsm, pydantic, the standard library.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

import fsm.agents
from fsm.effects import DeclaredEffect
from fsm.locales import TASKS_GROUP
from fsm.spec import AgentSpec
from protocols.errors import MisuseError

ENTRY_POINT_GROUP = TASKS_GROUP
# The entry points of this distribution are those of packages that come along.
OURS = "tieline"
S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class TaskFactory(Generic[S]):
    """A task with settings, made for each bot that uses it.

    name: of the tasks that it makes. settings: their model; it should refuse fields that it does not know, and a field
    `hours` of type fsm.hours.Hours is given the bot's opening hours. build: makes the task from them.
    default: the task with every setting's default; None if one has none.
    Raises: MisuseError for an unsound table.
    """

    name: str
    settings: type[S]
    build: Callable[[S], AgentSpec]
    default: AgentSpec | None = field(init=False)

    def __post_init__(self) -> None:
        try:
            default = self.settings()
        except ValidationError:
            object.__setattr__(self, "default", None)
        else:
            object.__setattr__(self, "default", self.make(default))

    def make(self, settings: S) -> AgentSpec:
        """The task with these settings. Raises: MisuseError for an unsound table, or another name than ours."""
        spec = self.build(settings)
        if spec.name != self.name:
            raise MisuseError(f"the factory of the task {self.name!r} makes one that is called {spec.name!r}")
        return spec


@dataclass(frozen=True, slots=True)
class BrokenTask:
    """A task of an installed package that cannot be had. name: of its entry point. why: for people, with that name."""

    name: str
    why: str


Registered = AgentSpec | TaskFactory[Any] | BrokenTask


def load_tasks(installed: Iterable[EntryPoint] | None = None) -> dict[str, Registered]:
    """All registered tasks by name. installed: the other packages' entry points, by default those of this environment.

    A task of another package replaces one that comes along under the same name. One that cannot be loaded, or whose
    name clashes with another's, is a BrokenTask. Raises: MisuseError for tasks of our own.
    """
    points = list(entry_points(group=ENTRY_POINT_GROUP))
    ours = [point for point in points if _is_ours(point)]
    others = [point for point in points if not _is_ours(point)] if installed is None else installed
    tasks: dict[str, Registered] = {}
    for task in sorted((*_own(), *map(_installed, ours)), key=lambda each: each.name):
        _add(task, tasks)
    replaceable = set(tasks)
    for point in others:
        name = point.name
        try:
            task = _installed(point)
            if task.name in replaceable:
                replaceable.remove(task.name)
                del tasks[task.name]
            elif task.name in tasks:
                name = task.name  # nobody can say which of two packages is meant
            _add(task, tasks)
        except MisuseError as error:
            # Also in the place of one that comes along, which is not what was meant.
            tasks[name] = BrokenTask(name, str(error))
    return tasks


def broken(tasks: Mapping[str, Registered]) -> list[BrokenTask]:
    """The tasks that cannot be had."""
    return [task for task in tasks.values() if isinstance(task, BrokenTask)]


def _is_ours(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == OURS


def _add(task: Registered, tasks: dict[str, Registered]) -> None:
    if other := clash(task.name, tasks):
        raise MisuseError(f"the tasks {other!r} and {task.name!r} have names that begin alike")
    tasks[task.name] = task


def clash(name: str, others: Iterable[str]) -> str:
    """The first of the other tasks' names that this one cannot stand beside; "" if it can beside all."""
    # A run's tools are named after the task with a suffix: one task's tool must not match another's prefix.
    return next((each for each in others if f"{name}_".startswith(f"{each}_") or f"{each}_".startswith(f"{name}_")), "")


def load_agents(installed: Iterable[EntryPoint] | None = None) -> dict[str, AgentSpec]:
    """The registered tasks by name, those with settings as they are by default. installed, Raises: as load_tasks."""
    return offered(load_tasks(installed))


def offered(tasks: Mapping[str, Registered]) -> dict[str, AgentSpec]:
    """The tasks as they are without settings, leaving out those that need some or cannot be had."""
    specs = {name: task.default if isinstance(task, TaskFactory) else task for name, task in tasks.items()}
    return {name: spec for name, spec in specs.items() if isinstance(spec, AgentSpec)}


def needed_settings(task: TaskFactory[Any]) -> list[str]:
    """The settings that a bot must give it."""
    return [name for name, each in task.settings.model_fields.items() if each.is_required() and name != "hours"]


def effects_of(agents: Mapping[str, AgentSpec]) -> dict[str, DeclaredEffect]:
    """The effects of all tasks by name. Raises: MisuseError if two tasks declare different effects of one name."""
    declared: dict[str, DeclaredEffect] = {}
    for spec in agents.values():
        for name, effect in spec.effects.items():
            if declared.setdefault(name, effect) != effect:
                raise MisuseError(f"task {spec.name!r}: another task has a different effect {name!r}")
    return declared


def _own() -> Iterator[Registered]:
    for module in pkgutil.iter_modules(fsm.agents.__path__, f"{fsm.agents.__name__}."):
        members = vars(importlib.import_module(module.name)).values()
        factories = [each for each in members if isinstance(each, TaskFactory)]
        yield from factories
        made = [each.name for each in factories]
        yield from (each for each in members if isinstance(each, AgentSpec) and each.name not in made)


def _installed(point: EntryPoint) -> AgentSpec | TaskFactory[Any]:
    try:
        task = point.load()
    except (Exception, SystemExit) as error:  # whatever code of another package does when it is imported
        why = f"{type(error).__name__}: {error}"
        raise MisuseError(f"the task {point.name!r} of an installed package cannot be loaded: {why}") from error
    if not isinstance(task, AgentSpec | TaskFactory):
        raise MisuseError(
            f"the task {point.name!r} of an installed package is no AgentSpec and no TaskFactory ({point.value})"
        )
    return task
