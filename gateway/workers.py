"""Several processes that serve one port, kept by one that takes no calls itself.

It keeps the listening sockets for as long as it lives, so that what connects while a worker is dead waits for the next
one and is not refused.
May import: actors, protocols, store, gateway, loguru, the standard library.
Rules from: docs/specs/reliability.md 1.3, 4.4, 4.5.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from loguru import logger

from actors.system.actor import LoopActor
from actors.system.address import ParentLink, StableRef, send
from actors.system.dispatcher import LoopDispatcher, install
from actors.system.restart import Escalate, Restart, RestartHistory, RestartPolicy
from actors.system.signals import ChildDied, RestartDue
from actors.system.supervisor import Supervisor
from gateway import daemon
from gateway.settings import Settings
from gateway.systemd import ALIVE, EXTEND, READY, STATUS, STOPPING, InheritedSockets, Notifier, sockets_of_systemd
from gateway.worker import EndWorker, Worker, WorkerFares, WorkerMessage
from gateway.worker_slots import WorkerSlot, check_access, open_worker_slots, sockets_of_worker
from protocols.errors import TransportLost
from store.database import open_database

# Of each worker, and of all of them together: beyond it, whoever started us must judge.
WORKER_POLICY = RestartPolicy(restart=Restart.PERMANENT, intensity=10, period_s=60, backoff_s=0.1)
EX_SOFTWARE = 70


class TooManyRestarts(TransportLost):
    """The workers end so often that restarting them does not help. code: the exit code that says so."""


@dataclass(frozen=True, slots=True)
class StopWorkers:
    """Let all leave, and end; told again, hurry them."""


@dataclass(frozen=True, slots=True)
class BeatDue:
    """Time to say that the supervisor lives."""


SupervisorMessage = ChildDied | RestartDue | WorkerFares | StopWorkers | BeatDue


class WorkerSupervisor(LoopActor):
    """Keeps a worker at every berth. Is told: SupervisorMessage. Children: one Worker a berth. Dies of TooManyRestarts.

    notifier: is told when all are ready, how they fare, and that we leave.
    """

    def __init__(
        self,
        parent_link: ParentLink,
        slots: Sequence[WorkerSlot],
        command: Sequence[str],
        notifier: Notifier,
        rand: Callable[[], float],
    ) -> None:
        super().__init__(parent_link)
        self._slots = slots
        self._command = command
        self._notifier = notifier
        self._rand = rand
        self._children = Supervisor(self.actor_ref, self.now_ms, rand, self.after)
        self._seats: dict[str, StableRef[WorkerMessage]] = {f"worker:{slot.number}": StableRef() for slot in slots}
        self._restarts = RestartHistory(WORKER_POLICY)
        # Who has not been ready yet, not even once.
        self._expected = set(self._seats)
        self._status: dict[str, str] = {}
        self._leaving = False
        self._failure: TooManyRestarts | None = None

    def on_start(self) -> None:
        for slot, (name, stable_ref) in zip(self._slots, self._seats.items(), strict=True):
            start = partial(Worker.start, slot=slot, command=self._command, supervisor=self.actor_ref)
            self._children.start(name, stable_ref, WORKER_POLICY, start)

    def on_receive(self, message: SupervisorMessage) -> None:
        match message:
            case WorkerFares():
                self._heard(message)
            case ChildDied():
                self._judge(message)
            case RestartDue():
                if not self._leaving:
                    self._children.restart(message.child)
            case BeatDue():
                self._beat()
            case StopWorkers():
                self._leave()
            case _:
                assert_never(message)

    # --- how they fare ---

    def _heard(self, fares: WorkerFares) -> None:
        if fares.line.startswith(STATUS):
            self._status[fares.child] = fares.line.removeprefix(STATUS)
        elif fares.line == EXTEND:
            self._notifier.tell(EXTEND)
        elif fares.line == READY and fares.child in self._expected:
            self._expected.discard(fares.child)
            if not self._expected and not self._leaving:
                logger.info("all workers serve", workers=len(self._seats), port=self._slots[0].settings.port)
                self._notifier.tell(READY)
                self._beat()

    def _beat(self) -> None:
        """That we were told to is what shows that we live; a worker that does not is ours to kill."""
        if (period_s := self._notifier.period_s) is not None:
            each = "; ".join(f"{child}: {status}" for child, status in sorted(self._status.items()))
            self._notifier.tell(ALIVE, f"{STATUS}{each}")
            self.after(period_s, BeatDue())

    # --- children ---

    def _judge(self, death: ChildDied) -> None:
        self._status.pop(death.child, None)
        if self._leaving:
            self._children.unlink(death)
            self._end_when_alone()
            return
        verdict = self._children.died(death)
        overall = self._restarts.died(death.reason, self.now_ms() / 1000, self._rand)
        if isinstance(verdict, Escalate) or isinstance(overall, Escalate):
            logger.error("workers end too often: giving up", within_s=WORKER_POLICY.period_s)
            self._failure = TooManyRestarts(EX_SOFTWARE, "workers end too often")
            self._leave()

    def _leave(self) -> None:
        if not self._leaving:
            self._leaving = True
            logger.info("stopping the workers")
            self._notifier.tell(STOPPING)
            # From now on what connects is the workers' to take or to refuse; nobody comes after them.
            for slot in self._slots:
                slot.vaic.close()
                slot.ops.close()
        for stable_ref in self._seats.values():
            if stable_ref.occupant is not None:
                stable_ref.tell(EndWorker())
        self._end_when_alone()

    def _end_when_alone(self) -> None:
        if any(stable_ref.occupant is not None for stable_ref in self._seats.values()):
            return
        if self._failure is not None:
            raise self._failure
        self.stop()


class _Root:
    """The supervisor's own parent: whoever waits for its end."""

    def __init__(self) -> None:
        self.death: asyncio.Future[ChildDied] = asyncio.get_running_loop().create_future()

    def tell(self, death: ChildDied, /) -> None:
        self.death.set_result(death)


async def serve(settings: Settings, command: Sequence[str], resume_state: str = "") -> int:
    """Serve until told to stop, in this process or in several; returns the exit code.

    command: starts a worker, when what it inherits is put behind it. inheritance: that, in a worker.
    Raises: OSError when a port is taken, MisuseError when the store cannot be opened.
    """
    if resume_state:
        await daemon.serve(settings, sockets_of_worker(resume_state))
        return 0
    given = sockets_of_systemd(os.environ)
    if given.vaic is not None:
        check_access(given.vaic, settings)
    if settings.workers > 1:
        return await supervise(settings, command, given)
    await daemon.serve(settings, given)
    return 0


async def supervise(settings: Settings, command: Sequence[str], given: InheritedSockets, speed: float = 1.0) -> int:
    """Keep workers until one of ENDING, or until they end too often; returns the exit code.

    speed: how many times faster than real time the supervisor lives; for tests. Raises: as serve.
    """
    loop = asyncio.get_running_loop()
    install(LoopDispatcher(loop, speed))
    # One process migrates, and what is wrong with the store is said once.
    (await asyncio.to_thread(open_database, settings.database_url)).dispose()
    root = _Root()
    with ExitStack() as sockets:
        slots = open_worker_slots(settings, given.vaic, sockets)
        supervisor = WorkerSupervisor.start(ParentLink(root, "workers"), slots, command, given.notifier, random.random)
        for each in daemon.ENDING:
            loop.add_signal_handler(each, send, supervisor, StopWorkers())
        death = await root.death
    return 0 if death.reason is None else EX_SOFTWARE
