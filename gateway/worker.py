"""The actor of one worker process: starts it, watches it and stops it.

The process is told to drain by a signal, and on its lifeline to hurry; it reports by sd_notify, and drains when its
lifeline closes.
May import: actors, protocols, gateway, loguru, the standard library. Rules from: docs/specs/reliability.md 1.3.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from loguru import logger

from actors.system.actor import LoopActor
from actors.system.address import Address, ParentLink, send
from actors.system.dispatcher import Timer
from gateway.daemon import LAST_CALLS_LIMIT_S, STOP_LIMIT_S
from gateway.settings import variable_of
from gateway.systemd import HURRY
from gateway.worker_slots import SILENCE_LIMIT_S, WorkerSlot
from protocols.errors import TransportLost

# READY=1 after its start.
START_LIMIT_S = 60.0
# The exit after SIGTERM, on top of the drain's own limits.
EXIT_LIMIT_S = LAST_CALLS_LIMIT_S + STOP_LIMIT_S + 5
# Settings that a worker gets from its slot instead of from our environment.
OWN_SETTINGS = ("host", "port", "ops_host", "ops_port", "workers", "max_calls")
EX_OSERR = 71


class WorkerEnded(TransportLost):
    """A worker's process ended by itself, or not as it should when it was told to.

    code: its exit code, or the negative number of the signal.
    """


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """lifeline: to the process, see InheritedSockets."""

    process: Process
    lifeline: asyncio.StreamWriter


@dataclass(frozen=True, slots=True)
class NotificationReceived:
    """The process has sent one assignment of sd_notify."""

    line: str


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """The process has ended, or could not be started. how: in words."""

    code: int
    how: str


@dataclass(frozen=True, slots=True)
class WorkerTimeout:
    """The process was not ready, sent no keep-alive, or did not exit in time."""


@dataclass(frozen=True, slots=True)
class StopWorker:
    """Drain and exit; sent again: without the waits."""


WorkerMessage = ProcessStarted | NotificationReceived | ProcessEnded | WorkerTimeout | StopWorker


@dataclass(frozen=True, slots=True)
class WorkerNotice:
    """A worker's notification. child: its name under its supervisor. line: one assignment of sd_notify."""

    child: str
    line: str


class Worker(LoopActor):
    """Receives: WorkerMessage. Sends its supervisor: WorkerNotice. Raises WorkerEnded.

    command: of a worker; the description of its inherited sockets is appended as the last argument.
    """

    def __init__(
        self, parent_link: ParentLink, slot: WorkerSlot, command: Sequence[str], supervisor: Address[WorkerNotice]
    ) -> None:
        super().__init__(parent_link)
        self._name = parent_link.child
        self._slot = slot
        self._command = command
        self._supervisor = supervisor
        self._process: Process | None = None
        self._lifeline: asyncio.StreamWriter | None = None
        self._leaving = False
        self._log = logger.bind(worker=slot.number)

    def on_start(self) -> None:
        self._limit: Timer = self.after(START_LIMIT_S, WorkerTimeout())
        self._run_task = asyncio.get_running_loop().create_task(self._run())

    def on_receive(self, message: WorkerMessage) -> None:
        match message:
            case ProcessStarted():
                self._process, self._lifeline = message.process, message.lifeline
                self._log.info("worker started", pid=message.process.pid)
                if self._leaving:
                    self._signal(signal.SIGTERM)
            case NotificationReceived():
                if not self._leaving:
                    self._set_limit(SILENCE_LIMIT_S)
                send(self._supervisor, WorkerNotice(self._name, message.line))
            case ProcessEnded():
                self._process_ended(message)
            case WorkerTimeout():
                self._log.error("worker does not answer: killed")
                self._signal(signal.SIGKILL)
            case StopWorker():
                self._stop_process()
            case _:
                assert_never(message)

    def on_stop(self) -> None:
        # Cancelling the task closes the lifeline: a process that still runs drains and exits.
        self._run_task.cancel()

    def _stop_process(self) -> None:
        if not self._leaving:
            self._leaving = True
            settings = self._slot.settings
            self._set_limit(EXIT_LIMIT_S + settings.lame_duck_s + settings.drain_s)
            self._signal(signal.SIGTERM)
        elif self._lifeline is not None:  # not by a signal, which it may have got from others too
            self._lifeline.write(HURRY)

    def _process_ended(self, ended: ProcessEnded) -> None:
        self._process = self._lifeline = None
        if not self._leaving:
            raise WorkerEnded(ended.code, ended.how)
        if ended.code not in (0, -signal.SIGTERM):  # ours, before it could take signals
            self._log.error("worker did not exit normally", how=ended.how)
            raise WorkerEnded(ended.code, ended.how)
        self.stop()

    def _set_limit(self, limit_s: float) -> None:
        self._limit.cancel()
        self._limit = self.after(limit_s, WorkerTimeout())

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):  # it has just ended: ProcessEnded is under way
                self._process.send_signal(number)

    async def _run(self) -> None:
        """Start the process, and report to the actor what it sends and how it ends."""
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                reader, writer = await asyncio.open_unix_connection(sock=ours)
                process = await self._start_process(theirs)
        except OSError as error:
            send(self.actor_ref, ProcessEnded(EX_OSERR, f"cannot be started: {error}"))
            return
        send(self.actor_ref, ProcessStarted(process, writer))
        listening = asyncio.create_task(self._listen(reader))
        try:
            code = await process.wait()
        finally:
            listening.cancel()
            writer.close()
        send(self.actor_ref, ProcessEnded(code, _how(code)))

    async def _start_process(self, lifeline: socket.socket) -> Process:
        inherited, fds = self._slot.describe(lifeline)
        settings = {variable_of(name): str(getattr(self._slot.settings, name)) for name in OWN_SETTINGS}
        return await asyncio.create_subprocess_exec(
            *self._command,
            inherited,
            env=dict(os.environ) | settings,
            pass_fds=fds,
            stdin=DEVNULL,
            # A new session: Ctrl-C in a terminal goes to the supervisor only, which passes it on once.
            start_new_session=True,
        )

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            send(self.actor_ref, NotificationReceived(line.decode().strip()))


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
