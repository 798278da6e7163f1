"""The daemon: puts the parts together, opens the doors, and takes everything down again in order.

May import: actors, fsm, protocols, store, gateway, uvloop, the standard library.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from loguru import logger

from actors.messages.clips import load_clips
from actors.messages.switchboard import AdmissionState, EndCalls, GetStatus, MoveCalls, SetAdmission, ShutDown
from actors.process.switchboard import Switchboard
from actors.services import BotProfile, Services
from actors.system.actor import LoopFuture
from actors.system.address import NullRef
from actors.system.dispatcher import LoopDispatcher, install
from actors.tasks.effect_runner import EffectRunner
from actors.transport.dialler import Dialler
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from gateway.ops import Ops
from gateway.overload import OverloadGuard
from gateway.settings import Settings
from gateway.systemd import READY, STOPPING, InheritedSockets
from gateway.vaic_endpoint import VaicEndpoint
from store.database import open_database
from store.journal import Journal
from store.leases import Leases

# How long calls may take to say goodbye when the process is told to end.
STOP_LIMIT_S = 10.0
# And how long the last ones after a drain, who are told goodbye or sent elsewhere.
LAST_CALL_S = 15.0
LOOK_EVERY_S = 0.02
# How long the loop may have to wait for a thread that computes: a tenth of the interpreter's own measure.
SWITCH_INTERVAL_S = 0.0005
# Of collections of the middle generation, which come to 10,000 calls or more: then all objects are looked through, for
# 35 ms with 500 calls.
FULL_COLLECTION_EVERY = 1000
CLIPS = Path(__file__).parent / "clips"

INSTRUCTIONS = """\
You are the telephone assistant of the Linden practice. You speak with callers; keep every answer to one or two short
sentences, friendly and plain. We are open every day from nine in the morning to five in the afternoon. The practice is
at 12 Linden Street, next to the town hall. For anything that one of your functions does, call that function as soon as
the caller wants it, with the values the caller has said and no others. What a function returns under "say" is to be
spoken to the caller as it stands. Never promise or confirm anything that a function has not reported."""
GREETING = "Hello, this is the Linden practice. How can I help you?"
# What ends a process in order; the last, when its terminal is closed.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Daemon:
    """`async with Daemon(settings) as daemon:` serves until the block ends.

    speed: how many times faster than real time it lives; for demonstrations and tests. given: its listening sockets,
    where somebody else has opened them. clock_s: monotonic time in s, by which the loop's timers run. Raises: OSError
    when a port is taken, MisuseError when there is no store, or a recorded sentence cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        speed: float = 1.0,
        given: InheritedSockets | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._speed = speed
        self._clock_s = clock_s
        self._given = given or InheritedSockets()
        self.vaic_url = self.ops_url = ""

    async def __aenter__(self) -> Self:
        settings, loop = self._settings, asyncio.get_running_loop()
        self._dispatcher = LoopDispatcher(loop, self._speed, self._clock_s)
        install(self._dispatcher)
        # Migrations may take a while, and the loop is already somebody's.
        self.engine = await asyncio.to_thread(open_database, settings.database_url)
        self.journal = Journal(self.engine)
        agents = load_agents()
        leases = Leases(self.engine, f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
        effects = EffectRunner(self.engine, agents, _now, epoch_of=leases.epoch)
        # Somebody else's system may let us wait; our callers shall not.
        threading.Thread(target=effects.recover, name="recover", daemon=True).start()
        services = self._services(loop, agents, effects)
        self.switchboard = Switchboard.start(services, self.journal, leases, settings.max_calls)
        self._endpoint = VaicEndpoint(self.switchboard, settings.vaic_token.get_secret_value(), settings.max_calls)
        self._ops = Ops(self.switchboard, self.journal)
        # From now on: what had to be made ready has held the loop, and keeps nobody waiting.
        self._dispatcher.watch()
        try:
            port = await self._endpoint.listen(settings.listen_host, settings.port, self._given.vaic)
            ops_port = await self._ops.listen(settings.ops_port, self._given.ops)
        except OSError:
            await self.__aexit__()
            raise
        self.vaic_url, self.ops_url = f"ws://{settings.listen_host}:{port}/", f"http://127.0.0.1:{ops_port}"
        logger.info("serving", vaic=self.vaic_url, ops=self.ops_url, model=settings.model_url())
        return self

    async def drain(self, hurry: asyncio.Event) -> None:
        """Let calls end, or leave, in their own time. hurry: no more of that."""
        settings = self._settings
        logger.info("no more calls are asked for", lame_duck_s=settings.lame_duck_s, calls=len(await self.live_calls()))
        self.switchboard.tell(SetAdmission(AdmissionState.LAME_DUCK))
        await self._first(settings.lame_duck_s, hurry.wait())
        moves = settings.drain_mode == "move"
        self.switchboard.tell(MoveCalls(now=False) if moves else SetAdmission(AdmissionState.CLOSED))
        await self._first(settings.drain_s, hurry.wait(), self._emptied())
        if left := await self.live_calls():
            logger.warning("calls are left at the end", calls=len(left), mode=settings.drain_mode)
            self.switchboard.tell(MoveCalls(now=True) if moves else EndCalls("drained", in_words=True))
            await self._first(LAST_CALL_S, self._emptied())

    async def _first(self, limit_s: float, *events: Coroutine[Any, Any, object]) -> None:
        """Wait for one of them, and no longer than that."""
        tasks = [asyncio.ensure_future(each) for each in events]
        try:
            await asyncio.wait(tasks, timeout=limit_s / self._speed, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _emptied(self) -> None:
        while await self.live_calls():
            await asyncio.sleep(LOOK_EVERY_S)

    async def __aexit__(self, *_: object) -> None:
        self._endpoint.refuse()
        self.switchboard.tell(EndCalls("drained"))
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._emptied()
                self.switchboard.tell(ShutDown())
                while self.switchboard.is_alive():
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            logger.warning("not everything ended in time")
        self._endpoint.cut()
        self._dispatcher.stop_watching()
        await self._ops.close()
        self.engine.dispose()

    async def live_calls(self) -> tuple[str, ...]:
        """The conversations in progress."""
        future = self.switchboard.ask(GetStatus(), block=False)
        assert isinstance(future, LoopFuture)
        return tuple((await future.answer(STOP_LIMIT_S)).conversations)

    async def status(self) -> str:
        """How it fares, for whoever watches the process. Raises: TimeoutError, pykka.ActorDeadError."""
        return f"{len(await self.live_calls())} of {self._settings.max_calls} calls"

    def _services(
        self, loop: asyncio.AbstractEventLoop, agents: Mapping[str, AgentSpec], effects: EffectRunner
    ) -> Services:
        settings = self._settings
        profile = BotProfile(
            instructions=INSTRUCTIONS,
            greeting=GREETING,
            voice=settings.openai_voice,
            transcription_model=settings.transcription_model,
            time_zone=ZoneInfo(settings.time_zone),
            agents=agents,
            transfer_targets=settings.transfer_targets,
            region=settings.number_region(),
            no_input_s=settings.no_input_s,
            filler_s=settings.filler_s,
            clips=load_clips(Path(settings.clips) if settings.clips else CLIPS),
        )
        return Services(
            profile=profile,
            dialler=Dialler(settings.model_url(), settings.model_headers(), loop),
            effects=effects,
            journal=NullRef(),
            now=_now,
            new_id=lambda: uuid.uuid4().hex,
            rand=random.random,
            short_of=OverloadGuard(lambda: self._dispatcher.lag_s, settings.max_lag_ms / 1000, settings.max_memory_mb),
        )


def _now() -> datetime:
    return datetime.now(UTC)


async def serve(settings: Settings, given: InheritedSockets) -> None:
    """Serve until one of ENDING, or until whoever holds the other end of the lifeline is gone; then drain.

    A second signal hurries.
    """
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        (hurry if stop.is_set() else stop).set()

    for each in ENDING:
        loop.add_signal_handler(each, told)
    if given.lifeline is not None:
        _when_cut(given.lifeline, stop.set)
    async with Daemon(settings, given=given) as daemon:
        _spare_the_loop()
        given.notifier.tell(READY)
        beat = loop.create_task(given.notifier.beat(daemon.status))
        await stop.wait()
        logger.info("stopping")
        given.notifier.tell(STOPPING)
        extending = loop.create_task(given.notifier.extend())
        await daemon.drain(hurry)
    extending.cancel()
    beat.cancel()


def _spare_the_loop() -> None:
    """Have the garbage collector stop every call as seldom as can be."""
    # What is there by now stays: to look through it takes a tenth of a second.
    gc.collect()
    gc.freeze()
    # Nor is the rest looked through whenever there are a hundred calls more. Calls leave nothing to it when they end.
    often, seldom, _ = gc.get_threshold()
    gc.set_threshold(often, seldom, FULL_COLLECTION_EVERY)


def _when_cut(lifeline: socket.socket, callback: Callable[[], object]) -> None:
    """Call back once the other end is closed. Nothing is ever sent on it."""
    loop = asyncio.get_running_loop()

    def cut() -> None:
        loop.remove_reader(lifeline)
        logger.warning("whoever keeps this worker is gone")
        callback()

    loop.add_reader(lifeline, cut)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run on uvloop where there is one."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 - Windows has none

    return uvloop.run(main)
