"""One process that takes calls beside others: the actor that starts it, watches it and lets it leave.

The process is told nothing but signals; it tells how it fares in systemd's words, and leaves when its lifeline is cut.
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
from gateway.daemon import LAST_CALL_S, STOP_LIMIT_S
from gateway.settings import variable_of
from gateway.worker_slots import SILENCE_LIMIT_S, WorkerSlot
from protocols.errors import TransportLost

# How long it may take to be ready; and to leave, beside the time for its calls to end.
START_LIMIT_S, LEAVE_LIMIT_S = 60.0, LAST_CALL_S + STOP_LIMIT_S + 5
# What a worker's environment says in place of ours.
OWN_SETTINGS = ("host", "port", "ops_port", "workers", "max_calls")
EX_OSERR = 71


class WorkerEnded(TransportLost):
    """A worker's process ended without being asked to. code: its exit code, or the signal's number below zero."""


@dataclass(frozen=True, slots=True)
class Began:
    process: Process


@dataclass(frozen=True, slots=True)
class Told:
    """What the process told of itself: one assignment of sd_notify's."""

    line: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is gone, or never was. how: in words."""

    code: int
    how: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """It was not ready, did not say that it lives, or did not leave in time."""


@dataclass(frozen=True, slots=True)
class EndWorker:
    """Let it leave; told again, hurry it."""


WorkerMessage = Began | Told | Ended | Overdue | EndWorker


@dataclass(frozen=True, slots=True)
class WorkerFares:
    """What a worker told of itself. child: its name under its supervisor."""

    child: str
    line: str


class Worker(LoopActor):
    """Is told: WorkerMessage. Tells its supervisor: WorkerFares. Dies of WorkerEnded when the process ends unasked.

    command: starts a worker, when what it inherits is put behind it.
    """

    def __init__(
        self, parent_link: ParentLink, slot: WorkerSlot, command: Sequence[str], supervisor: Address[WorkerFares]
    ) -> None:
        super().__init__(parent_link)
        self._name = parent_link.child
        self._slot = slot
        self._command = command
        self._supervisor = supervisor
        self._process: Process | None = None
        self._leaving = False
        self._log = logger.bind(worker=slot.number)

    def on_start(self) -> None:
        self._limit: Timer = self.after(START_LIMIT_S, Overdue())
        self._life = asyncio.get_running_loop().create_task(self._live())

    def on_receive(self, message: WorkerMessage) -> None:
        match message:
            case Began():
                self._process = message.process
                self._log.info("worker started", pid=message.process.pid)
                if self._leaving:
                    self._signal(signal.SIGTERM)
            case Told():
                if not self._leaving:
                    self._set_limit(SILENCE_LIMIT_S)
                send(self._supervisor, WorkerFares(self._name, message.line))
            case Ended():
                self._process_ended(message)
            case Overdue():
                self._log.error("worker does not answer: killed")
                self._signal(signal.SIGKILL)
            case EndWorker():
                if not self._leaving:
                    self._leaving = True
                    settings = self._slot.settings
                    self._set_limit(LEAVE_LIMIT_S + settings.lame_duck_s + settings.drain_s)
                self._signal(signal.SIGTERM)
            case _:
                assert_never(message)

    def on_stop(self) -> None:
        # With the task goes the lifeline: should there still be a process, it leaves.
        self._life.cancel()

    def _process_ended(self, ended: Ended) -> None:
        self._process = None
        if not self._leaving:
            raise WorkerEnded(ended.code, ended.how)
        if ended.code != 0:
            self._log.warning("worker did not leave in order", how=ended.how)
        self.stop()

    def _set_limit(self, limit_s: float) -> None:
        self._limit.cancel()
        self._limit = self.after(limit_s, Overdue())

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):  # it has just ended, and we have not heard of it
                self._process.send_signal(number)

    async def _live(self) -> None:
        """Start the process, and tell myself what becomes of it."""
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                reader, writer = await asyncio.open_unix_connection(sock=ours)
                process = await self._start_process(theirs)
        except OSError as error:
            send(self.actor_ref, Ended(EX_OSERR, f"cannot be started: {error}"))
            return
        send(self.actor_ref, Began(process))
        listening = asyncio.create_task(self._listen(reader))
        try:
            code = await process.wait()
        finally:
            listening.cancel()
            writer.close()
        send(self.actor_ref, Ended(code, _how(code)))

    async def _start_process(self, lifeline: socket.socket) -> Process:
        resume_state, fds = self._slot.resume_state(lifeline)
        settings = {variable_of(name): str(getattr(self._slot.settings, name)) for name in OWN_SETTINGS}
        return await asyncio.create_subprocess_exec(
            *self._command,
            resume_state,
            env=dict(os.environ) | settings,
            pass_fds=fds,
            stdin=DEVNULL,
            # Ctrl-C in a terminal is for the supervisor, which passes it on once.
            start_new_session=True,
        )

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            send(self.actor_ref, Told(line.decode().strip()))


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
