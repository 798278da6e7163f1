"""Supervision of the children of one actor: start, restart by policy, stop in order.

Not an actor but a part of one, which passes on ChildDied, RestartDue and ShutdownTimeout.
May import: actors, protocols.errors, pykka, loguru, the standard library. Rules from: docs/specs/reliability.md 1.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pykka
from loguru import logger

from actors.metrics import CHILD_DEATHS
from actors.system.address import Address, ParentLink, StableRef, send
from actors.system.dispatcher import Timer
from actors.system.restart import Escalate, LetGo, Restart, RestartHistory, RestartIn, RestartPolicy, Strategy, Verdict
from actors.system.signals import ChildDied, RestartDue, ShutdownTimeout
from protocols.errors import PeerError

M = TypeVar("M")
Start = Callable[[ParentLink], pykka.ActorRef[Any]]


@dataclass(slots=True)
class _Child:
    """alive: it was started, and its ChildDied has not arrived."""

    start: Start
    history: RestartHistory
    stable_ref: StableRef[Any]
    log: Any
    ref: pykka.ActorRef[Any] | None = None
    generation: int = 0
    alive: bool = False

    def vacate(self) -> None:
        self.stable_ref.occupant, self.ref, self.alive = None, None, False


@dataclass(slots=True)
class Supervisor:
    """The children of one actor.

    parent: receives ChildDied. after: the parent's timers; the parent calls `restart` at RestartDue, `overdue` at
    ShutdownTimeout. log_once: of the ends that a peer causes, one of each kind of child and error is logged, and the
    others are counted only.
    """

    parent: Address[ChildDied]
    now_ms: Callable[[], float]
    rand: Callable[[], float]
    after: Callable[[float, object], Timer]
    log: Any = logger
    strategy: Strategy = Strategy.ONE_FOR_ONE
    log_once: bool = False
    # The ends that a peer has caused, by kind of child and of error.
    _losses: Counter[tuple[str, str]] = field(default_factory=Counter)
    # In the order of their start.
    _children: dict[str, _Child] = field(default_factory=dict)
    # Shutdown timers of the children told to stop, by name and generation: their end no longer concerns the name.
    _leaving: dict[tuple[str, int], Timer] = field(default_factory=dict)
    # Children to stop, the last first, one at a time. They are removed if `_closing`, else restarted after `_again`.
    _queue: list[str] = field(default_factory=list)
    _closing: bool = False
    _again: tuple[float, RestartDue] | None = None

    def start(
        self, name: str, stable_ref: StableRef[M], policy: RestartPolicy, start: Start, *, log: Any = None
    ) -> None:
        """Start a child under a name. An earlier child of that name is stopped, and its messages are ignored.

        log: the child's own, if it is not the supervisor's.
        """
        generation = 0
        if (former := self._children.get(name)) is not None:
            generation = former.generation
            self.stop(name)
        child = self._children[name] = _Child(
            start, RestartHistory(policy), stable_ref, log or self.log, generation=generation
        )
        if not self._closing and self._again is None:
            self._begin(name, child)

    def restart(self, name: str) -> None:
        """Start a child again, under a new generation. Nothing if it was removed or replaced meanwhile."""
        if self._closing or self._again is not None or name not in self._children:
            return
        for each in list(self._children) if self.strategy is Strategy.ONE_FOR_ALL else [name]:
            child = self._children[each]
            if not child.alive and not self._begin(each, child):
                return  # its ChildDied is on its way, and will be handled

    def _begin(self, name: str, child: _Child) -> bool:
        child.generation += 1
        child.alive = True
        link = ParentLink(self.parent, name, child.generation, child.log)
        try:
            child.ref = child.start(link)
        except Exception as error:  # noqa: BLE001 - __init__ raised: a death like any other
            link.log_end(error)
            send(self.parent, ChildDied(name, child.generation, error))
            return False
        child.stable_ref.occupant = child.ref
        return True

    def died(self, death: ChildDied) -> Verdict | None:
        """Apply the child's restart policy. None: the child had been told to stop, replaced or removed."""
        if self._left(death):
            return None
        child = self._children.get(death.child)
        if child is None or child.generation != death.generation or not child.alive:
            return None
        child.vacate()
        if death.child in self._queue:  # it ended before it was told to stop
            self._queue.remove(death.child)
            self._stop_next()
            return None
        if death.reason is not None:
            CHILD_DEATHS.labels(death.child.split(":")[0]).inc()
            if isinstance(death.reason, PeerError):
                self._log_loss(death, child.log)
        verdict = child.history.died(death.reason, self.now_ms() / 1000, self.rand)
        match verdict:
            case RestartIn() if self.strategy is Strategy.ONE_FOR_ALL:
                self._again = verdict.delay_s, RestartDue(death.child)
                self._queue = [name for name, each in self._children.items() if each.alive]
                self._stop_next()
            case RestartIn():
                self.after(verdict.delay_s, RestartDue(death.child))
            case LetGo() | Escalate():
                del self._children[death.child]
        return verdict

    def _log_loss(self, death: ChildDied, log: Any) -> None:
        kind = death.child.split(":")[0], type(death.reason).__name__
        self._losses[kind] += 1
        first = self._losses[kind] == 1 or not self.log_once
        log.log("WARNING" if first else "DEBUG", "child died", child=death.child, reason=death.reason)

    def losses(self, kind: str) -> int:
        """How many children of a kind a peer has ended: those whose names begin with it and a colon, or are it."""
        return sum(count for (child, _), count in self._losses.items() if child == kind)

    def rebind(self, name: str, stable_ref: StableRef[Any]) -> None:
        """Give a child another StableRef."""
        child = self._children[name]
        child.stable_ref, stable_ref.occupant = stable_ref, child.ref

    def unlink(self, death: ChildDied) -> bool:
        """Remove a child that has ended, whatever its policy. False: it was not the current child of that name."""
        child = self._children.get(death.child)
        if child is None or child.generation != death.generation:
            self._left(death)
            return False
        child.vacate()
        del self._children[death.child]
        return True

    def stop(self, name: str) -> None:
        """Ask a child to end; its messages are ignored from now on."""
        if (child := self._children.pop(name, None)) is not None:
            self._tell_to_stop(name, child)

    def abandon(self, name: str) -> None:
        """Give up a child that hangs: no wait, and its messages are ignored. It ends when its handler returns."""
        child = self._children.pop(name, None)
        if child is not None and child.ref is not None:
            child.stable_ref.occupant = None
            child.ref.stop(block=False)

    def stop_all(self) -> None:
        """Stop all, the last started first, one after another; `leaving` until all have ended or timed out."""
        self._closing, self._again = True, None
        self._queue = list(self._children)
        self._stop_next()

    def let_go(self, *, spared: str = "") -> None:
        """Tell all but `spared` to stop, the last started first, without waiting: the parent itself has ended."""
        for name in reversed(list(self._children)):
            if name != spared:
                self.stop(name)

    def overdue(self, message: ShutdownTimeout) -> None:
        """A child that was told to stop has not ended within `shutdown_s`: stop waiting for it."""
        if self._leaving.pop((message.child, message.generation), None) is not None:
            self.log.warning("a child did not end in time, and is abandoned", child=message.child)
            self._stop_next()

    @property
    def leaving(self) -> bool:
        """Some children were told to stop and have not ended, or are queued to be told."""
        return bool(self._leaving or self._queue)

    def __contains__(self, name: str) -> bool:
        return name in self._children

    def _left(self, death: ChildDied) -> bool:
        """Whether the child had been told to stop."""
        limit = self._leaving.pop((death.child, death.generation), None)
        if limit is None:
            return False
        limit.cancel()
        self._stop_next()
        return True

    def _tell_to_stop(self, name: str, child: _Child) -> None:
        if child.ref is not None:
            limit_s = child.history.policy.shutdown_s
            self._leaving[name, child.generation] = self.after(limit_s, ShutdownTimeout(name, child.generation))
            child.ref.stop(block=False)
        child.vacate()

    def _stop_next(self) -> None:
        while self._queue and not self._leaving:
            name = self._queue.pop()
            if (child := self._children.get(name)) is None:
                continue
            if self._closing or child.history.policy.restart is Restart.TEMPORARY:
                del self._children[name]
            self._tell_to_stop(name, child)
        if self._again is not None and not self.leaving:
            (delay_s, again), self._again = self._again, None
            self.after(delay_s, again)
