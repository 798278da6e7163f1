"""Several worker processes that serve one port, supervised by a process that takes no calls itself.

The supervisor keeps the listening sockets open. Connections that come while a worker is dead go to the others; where
there are none, they wait for one that is started at once, and are refused while none is.
May import: actors, protocols, store, gateway, loguru, the standard library.
Rules from: docs/specs/reliability.md 1.3, 4.4, 4.5.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

import pykka
from loguru import logger

from actors.metrics import WORKER_FAILURES, WORKERS_READY
from actors.system.actor import LoopActor
from actors.system.address import ParentLink, StableRef, send
from actors.system.dispatcher import LoopDispatcher, install
from actors.system.restart import Restart, RestartIn, RestartPolicy
from actors.system.signals import ChildDied, RestartDue
from actors.system.supervisor import Supervisor
from gateway import daemon
from gateway.addresses import naming
from gateway.bots.loading import defaults_of, load_bots, root_of
from gateway.credentials import RELOAD_EVERY_S, BearerCheck, TokenReload
from gateway.ops_access import OpsAccess, url_of
from gateway.settings import Settings, SettingsError
from gateway.signals import ENDING
from gateway.systemd import ALIVE, EXTEND, READY, STATUS, STOPPING, InheritedSockets, Notifier, sockets_of_systemd
from gateway.worker import StopWorker, Worker, WorkerEnded, WorkerMessage, WorkerNotice
from gateway.worker_ops import WorkerOps
from gateway.worker_slots import WorkerSlot, check_access, open_worker_slots, sockets_of_worker
from protocols.errors import TransportLost
from store.database import DatabaseAway, open_database

# A worker that dies is started again at once, then after 1 s, 2 s, … 60 s. No number of deaths is too high: the others
# serve meanwhile.
WORKER_POLICY = RestartPolicy(
    restart=Restart.PERMANENT, intensity=10_000, period_s=600, backoff_s=1.0, backoff_cap_s=60.0
)
# A worker that was ready for so long has stayed up; its next death is the first one again.
STAYS_UP_S = 60.0
# Deaths in a row of every worker, none of them ready: the supervisor exits, and the service manager decides.
MOST_FAILURES = 5


class TooManyRestarts(TransportLost):
    """No worker stays up. code: the supervisor's exit code."""


@dataclass(frozen=True, slots=True)
class StopWorkers:
    """Drain and stop all workers, then end; sent again: without the waits."""


@dataclass(frozen=True, slots=True)
class BeatDue:
    """A keep-alive notification is due."""


@dataclass(frozen=True, slots=True)
class UpForLong:
    """A worker is ready for STAYS_UP_S, if it is still the one that became so then. since_ms: when, monotonic."""

    child: str
    since_ms: float


SupervisorMessage = ChildDied | RestartDue | WorkerNotice | StopWorkers | BeatDue | UpForLong


class WorkerSupervisor(LoopActor):
    """Receives: SupervisorMessage. Children: one Worker per slot. Raises TooManyRestarts, and WorkerEnded if one did
    not exit as it should when it was told to stop: it may have lost rows.

    command: see Worker. notifier: reports when all workers are ready, or have died once and one is ready; their status,
    and the stop. rand: in [0, 1). start: of a worker.
    """

    def __init__(
        self,
        parent_link: ParentLink,
        slots: Sequence[WorkerSlot],
        command: Sequence[str],
        notifier: Notifier,
        rand: Callable[[], float],
        start: Callable[..., pykka.ActorRef[Any]] = Worker.start,
    ) -> None:
        super().__init__(parent_link)
        self._slots = slots
        self._command = command
        self._notifier = notifier
        self._start = start
        self._children = Supervisor(self.actor_ref, self.now_ms, rand, self.after)
        self._refs: dict[str, StableRef[WorkerMessage]] = {f"worker:{slot.number}": StableRef() for slot in slots}
        # Workers that have not been ready yet, nor died.
        self._expected = set(self._refs)
        # When each worker that is ready became so, in ms; and how often it has died since it last stayed up.
        self._ready_ms: dict[str, float] = {}
        self._failures = dict.fromkeys(self._refs, 0)
        self._told_ready = False
        self._status: dict[str, str] = {}
        self._leaving = False
        self._failure: TooManyRestarts | WorkerEnded | None = None

    def on_start(self) -> None:
        for slot, (name, stable_ref) in zip(self._slots, self._refs.items(), strict=True):
            start = partial(self._start, slot=slot, command=self._command, supervisor=self.actor_ref)
            self._children.start(name, stable_ref, WORKER_POLICY, start)

    def on_receive(self, message: SupervisorMessage) -> None:
        match message:
            case WorkerNotice():
                self._notice(message)
            case ChildDied():
                self._worker_died(message)
            case RestartDue():
                if not self._leaving:
                    self._children.restart(message.child)
            case BeatDue():
                self._beat()
            case UpForLong():
                self._stayed_up(message)
            case StopWorkers():
                self._leave()
            case _:
                assert_never(message)

    # --- status ---

    def _notice(self, notice: WorkerNotice) -> None:
        if notice.line.startswith(STATUS):
            self._status[notice.child] = notice.line.removeprefix(STATUS)
        elif notice.line == EXTEND:
            self._notifier.tell(EXTEND)
        elif notice.line == READY:
            self._expected.discard(notice.child)
            self._ready_ms[notice.child] = now_ms = self.now_ms()
            self.after(STAYS_UP_S, UpForLong(notice.child, now_ms))
            self._count()
            if len(self._ready_ms) == len(self._refs) and not self._leaving:
                logger.info("all workers serve", workers=len(self._refs), port=self._slots[0].settings.port)
            self._tell_ready()

    def _tell_ready(self) -> None:
        """Tell the service manager once, when none is expected any more: one that cannot start holds up none."""
        if self._ready_ms and not (self._expected or self._told_ready or self._leaving):
            self._told_ready = True
            self._notifier.tell(READY)
            self._beat()

    def _count(self) -> None:
        WORKERS_READY.set(len(self._ready_ms))
        for child, failures in self._failures.items():
            WORKER_FAILURES.labels(child.partition(":")[2]).set(failures)

    def _beat(self) -> None:
        """Send a keep-alive: that this message was handled shows that the supervisor lives. Workers have their own."""
        if (period_s := self._notifier.period_s) is not None:
            each = "; ".join(f"{child}: {status}" for child, status in sorted(self._status.items()))
            self._notifier.tell(ALIVE, f"{STATUS}{each}")
            self.after(period_s, BeatDue())

    # --- children ---

    def _stayed_up(self, message: UpForLong) -> None:
        """Its next death is the first one again; told now, or an alert on its deaths would stay until then."""
        if self._ready_ms.get(message.child) == message.since_ms:
            self._failures[message.child] = 0
            self._count()

    def _worker_died(self, death: ChildDied) -> None:
        self._status.pop(death.child, None)
        self._ready_ms.pop(death.child, None)
        if self._leaving:
            self._children.unlink(death)
            if isinstance(death.reason, WorkerEnded):
                self._failure = self._failure or death.reason
            self._stop_if_empty()
            return
        verdict = self._children.died(death)
        if verdict is None:
            return  # it had been replaced
        self._failures[death.child] += 1
        self._expected.discard(death.child)
        self._count()
        if not self._ready_ms and min(self._failures.values()) >= MOST_FAILURES:
            logger.error("no worker stays up: the supervisor exits", failures=MOST_FAILURES)
            self._failure = TooManyRestarts(daemon.EX_SOFTWARE, "no worker stays up")
            self._leave()
            return
        if self._ready_ms or not isinstance(verdict, RestartIn) or verdict.delay_s:
            self._give_away(death.child)
        if isinstance(verdict, RestartIn) and (failures := self._failures[death.child]) > 1:
            log = logger.bind(child=death.child, failures=failures, again_in_s=round(verdict.delay_s, 1))
            log.warning("a worker keeps dying: it is started ever later", serving=len(self._ready_ms))
        self._tell_ready()

    def _give_away(self, child: str) -> None:
        """Stop to listen for a dead worker: the kernel resets what waits for it, and gives the others what comes.

        The next one listens again when it is ready.
        """
        vaic = self._slots[list(self._refs).index(child)].vaic
        if sum(each.vaic is vaic for each in self._slots) == 1:  # else the others accept from it
            with suppress(OSError):  # nobody has listened since the last death
                vaic.shutdown(socket.SHUT_RD)

    def _leave(self) -> None:
        if not self._leaving:
            self._leaving = True
            logger.info("stopping the workers")
            self._notifier.tell(STOPPING)
            # New connections now reach the workers only, which take or refuse them; no worker is started again.
            for slot in self._slots:
                slot.vaic.close()
                slot.ops.close()
        for stable_ref in self._refs.values():
            if stable_ref.occupant is not None:
                stable_ref.tell(StopWorker())
        self._stop_if_empty()

    def _stop_if_empty(self) -> None:
        if any(stable_ref.occupant is not None for stable_ref in self._refs.values()):
            return
        if self._failure is not None:
            raise self._failure
        self.stop()


async def serve(settings: Settings, command: Sequence[str], as_worker: str = "") -> int:
    """Serve until told to stop, in this process or in several; returns the exit code.

    command: see Worker. as_worker: in a worker, the sockets it inherits, by WorkerSlot.describe.
    Raises: as Daemon.
    """
    if as_worker:
        return await daemon.serve(settings, sockets_of_worker(as_worker))
    inherited = sockets_of_systemd(os.environ)
    if inherited.vaic is not None:
        check_access(inherited.vaic, settings)
    if settings.workers > 1:
        return await supervise(settings, command, inherited)
    return await daemon.serve(settings, inherited)


def check_bots(settings: Settings) -> None:
    """Raises: SettingsError if there is no good bot. Has no part in the figures of bots, which are the workers' own."""
    found = load_bots(root_of(settings), defaults_of(settings, daemon.read_clips(settings)))
    if not found.bots:
        raise SettingsError([str(fault) for fault in found.faults])


async def supervise(settings: Settings, command: Sequence[str], inherited: InheritedSockets, speed: float = 1.0) -> int:
    """Run workers until one of the signals in ENDING, or until they end too often; returns the exit code.

    speed: factor by which the supervisor's time runs faster than real time; for tests. Raises: as serve.
    """
    loop = asyncio.get_running_loop()
    install(LoopDispatcher(loop, speed))
    # Here, before the workers start: a fault is reported once, and the store is migrated once.
    check_bots(settings)
    try:
        (await asyncio.to_thread(open_database, settings.database_url)).dispose()
    except DatabaseAway as error:
        logger.error("the database is away: the workers wait for it", reason=str(error))
    root = daemon.Root()
    with ExitStack() as sockets:
        slots = open_worker_slots(settings, inherited.vaic, sockets)
        check = daemon.ops_check(settings)
        access, reporters = OpsAccess(check), BearerCheck(settings.vaic_tokens)
        if settings.vaic_tokens:  # who has an access token's issuer uses the ops token: only workers have its keys
            access.let_report(reporters)
        ops = WorkerOps([slot.settings.ops_port for slot in slots], access)
        with naming("TIELINE_OPS_HOST, TIELINE_OPS_PORT"):
            ops_port = await ops.listen(settings.ops_host, settings.ops_port)
        logger.info("the workers' health and figures are served", ops=url_of(settings.ops_host, ops_port))
        reloads = (
            daemon.token_reload("ops_token", settings.ops_tokens, check),
            daemon.token_reload("vaic_token", settings.vaic_tokens, reporters),
        )
        reloading = [loop.create_task(_reload_tokens(each)) for each in reloads]
        link = ParentLink(root, "workers")
        supervisor = WorkerSupervisor.start(link, slots, command, inherited.notifier, random.random)
        for each in ENDING:
            loop.add_signal_handler(each, send, supervisor, StopWorkers())
        reason = await root.ended
        for task in reloading:
            task.cancel()
        await ops.close()
    return 0 if reason is None else daemon.EX_SOFTWARE


async def _reload_tokens(reload: TokenReload | None) -> None:
    while reload is not None:
        await asyncio.sleep(RELOAD_EVERY_S)
        await asyncio.to_thread(reload)
