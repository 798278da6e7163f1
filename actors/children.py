"""The children of one supervisor: started, counted, restarted by their policy, stopped in order.

Not an actor: a part of one, which tells it of deaths and timers that are over.
May import: actors, pykka, loguru, the standard library. Rules from: specs/reliability.md 1.3.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pykka
from loguru import logger

from actors.address import Address, ChildDied, Post, Seat, send
from actors.counters import CHILD_DEATHS
from actors.messages import StartAgain
from actors.supervision import Escalate, LetGo, RestartHistory, RestartIn, RestartPolicy, Verdict

M = TypeVar("M")
Start = Callable[[Post], pykka.ActorRef[Any]]


@dataclass(slots=True)
class _Child:
    start: Start
    history: RestartHistory
    seat: Seat[Any]
    ref: pykka.ActorRef[Any] | None = None
    generation: int = 0


@dataclass(slots=True)
class Children:
    """after: the parent's timers; it is told StartAgain when `restart` is due."""

    parent: Address[ChildDied]
    now_ms: Callable[[], float]
    rand: Callable[[], float]
    after: Callable[[float, object], object]
    log: Any = logger
    _children: dict[str, _Child] = field(default_factory=dict)
    # Those told to stop, and those given up: their last words no longer concern the place they held.
    _leaving: dict[tuple[str, int], pykka.ActorRef[Any]] = field(default_factory=dict)

    def start(self, name: str, seat: Seat[M], policy: RestartPolicy, start: Start) -> None:
        """Start a child under a name; an earlier holder of the name is stopped and no longer heard."""
        generation = 0
        if (former := self._children.get(name)) is not None:
            generation = former.generation
            self.stop(name)
        self._children[name] = _Child(start, RestartHistory(policy), seat, generation=generation)
        self.restart(name)

    def restart(self, name: str) -> None:
        """Start a child again, under a new generation. Nothing if it has been let go, or replaced, meanwhile."""
        child = self._children.get(name)
        if child is None or child.ref is not None:
            return
        child.generation += 1
        try:
            child.ref = child.start(Post(self.parent, name, child.generation))
        except Exception as error:  # noqa: BLE001 - __init__ raised: a death like any other
            trace = "".join(traceback.format_exception(error))
            send(self.parent, ChildDied(name, child.generation, error, trace))
        else:
            child.seat.occupant = child.ref

    def died(self, death: ChildDied) -> Verdict | None:
        """Carry out what the child's policy says. None: it was no longer ours to judge."""
        if self._leaving.pop((death.child, death.generation), None) is not None:
            return None
        child = self._children.get(death.child)
        if child is None or child.generation != death.generation:
            return None
        child.seat.occupant, child.ref = None, None
        if death.reason is not None:
            CHILD_DEATHS.labels(death.child.split(":")[0]).inc()
            self.log.warning("child died", child=death.child, reason=repr(death.reason))
        verdict = child.history.died(death.reason, self.now_ms() / 1000, self.rand)
        match verdict:
            case RestartIn():
                self.after(verdict.delay_s, StartAgain(death.child))
            case LetGo() | Escalate():
                del self._children[death.child]
        return verdict

    def seat(self, name: str, seat: Seat[Any]) -> None:
        """Give a child another place to hold."""
        child = self._children[name]
        child.seat, seat.occupant = seat, child.ref

    def forget(self, death: ChildDied) -> bool:
        """A child has ended and nobody is to take its place, whatever its policy. False: it held that place no more."""
        child = self._children.get(death.child)
        if child is None or child.generation != death.generation:
            self._leaving.pop((death.child, death.generation), None)
            return False
        child.seat.occupant = None
        del self._children[death.child]
        return True

    def stop(self, name: str) -> None:
        """Ask a child to end; what it says from now on is its own affair."""
        child = self._children.pop(name, None)
        if child is not None and child.ref is not None:
            child.seat.occupant = None
            self._leaving[name, child.generation] = child.ref
            child.ref.stop(block=False)

    def abandon(self, name: str) -> None:
        """Give up a child that hangs: it is neither waited for nor heard again; should it come back, it ends."""
        child = self._children.pop(name, None)
        if child is not None and child.ref is not None:
            child.seat.occupant = None
            child.ref.stop(block=False)

    def stop_all(self, *, spared: str = "") -> None:
        for name in list(self._children):
            if name != spared:
                self.stop(name)

    @property
    def leaving(self) -> bool:
        """Some were told to stop and have not ended yet."""
        return bool(self._leaving)

    def __contains__(self, name: str) -> bool:
        return name in self._children
