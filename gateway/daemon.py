"""The daemon: builds the parts, opens the ports, drains, and shuts everything down in order.

May import: actors, fsm, protocols, store, gateway, pykka, uvloop, the standard library.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import random
import socket
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pykka
from loguru import logger
from pydantic import JsonValue
from sqlalchemy import Engine

from actors.clips import Clips, load_clips
from actors.messages.recording import RecordingQueue
from actors.messages.switchboard import (
    AdmissionState,
    EndCalls,
    GetStatus,
    JournalLost,
    MoveCalls,
    ProbeModel,
    SetAdmission,
    ShutDown,
    StoreFile,
    SwitchboardStatus,
)
from actors.metrics import BUILD_INFO, PROCESS_READY
from actors.model.ears import may_dial
from actors.process.lease_keeper import LeaseKeeper
from actors.process.outbox_delivery import DELIVER_EVERY_S, OutboxDelivery
from actors.process.quarantine import Quarantine
from actors.process.retention_sweeper import JOB as RETENTION
from actors.process.retention_sweeper import LOOK_EVERY_S as RETENTION_EVERY_S
from actors.process.retention_sweeper import RetentionSweeper
from actors.process.spending_reader import READ_EVERY_S, SpendingReader
from actors.process.switchboard import Switchboard
from actors.services import Bot, Bots, SharedServices
from actors.system.actor import LoopFuture
from actors.system.address import NullRef, ParentLink, send
from actors.system.dispatcher import LoopDispatcher, install
from actors.system.signals import ChildDied
from actors.tasks.effect_attempts import UNAVAILABLE
from actors.tasks.effect_recovery import KEEP_EVERY_S, RECOVER_EVERY_S
from actors.tasks.effect_runner import EffectLimits, EffectRunner
from actors.transport.dialler import Credentials, Dialler
from fsm.registry import effects_of
from fsm.spec import AgentSpec
from gateway.addresses import naming
from gateway.bots.compile import compile_bot
from gateway.bots.faults import BotFaults
from gateway.bots.files import BotFiles
from gateway.bots.generations import LOOK_EVERY_S, Generations
from gateway.bots.loading import defaults_of, read_routes, root_of
from gateway.credentials import RELOAD_EVERY_S as TOKENS_EVERY_S
from gateway.credentials import BearerCheck, TokenReload
from gateway.health import KEYS_MISSING, NO_SWITCHBOARD, Health
from gateway.keys import use_keys
from gateway.logs import hide, without_query
from gateway.model_credentials import LOOK_EVERY_S as TOKEN_EVERY_S
from gateway.model_credentials import TokenKeeper, credentials_of
from gateway.ops import Ops
from gateway.ops_access import OpsAccess, url_of
from gateway.overload import OverloadGuard
from gateway.periodic import repeat
from gateway.prices import read_prices
from gateway.retention import EXPIRE_EVERY_S, KeptRules, RecordingExpiry, recordings_of
from gateway.settings import Settings, SettingsError, secret_file, tokens_in, variable_of
from gateway.signals import ENDING
from gateway.store_opening import TRY_EVERY_S, open_store
from gateway.systemd import HURRY, READY, STOPPING, InheritedSockets
from gateway.thread_starts import bound_thread_starts
from gateway.tls import RELOAD_EVERY_S, CertificateReload
from gateway.traces.sender import TraceReader, TraceSender, export_of
from gateway.vaic_endpoint import VaicEndpoint
from protocols.errors import MisuseError, TielineError
from store.bot_versions import BotVersions
from store.causes import code_of
from store.data_keys import ring_of
from store.database import beside
from store.files import look_at_file
from store.jobs import Job
from store.journal import Journal
from store.leases import Leases
from store.outbox import Outbox
from store.retention import Retention
from store.rows import report_unreadable

if TYPE_CHECKING:
    from gateway.access_tokens import AccessTokenCheck, IssuerKeys
    from gateway.recordings import Recordings

# The exit code of a process that could not go on.
EX_SOFTWARE = 70
# Calls to end, and then the actor tree, when the process shuts down.
STOP_LIMIT_S = 15.0
# The switchboard to say whether new calls are wanted, before the process tells others so.
STATUS_LIMIT_S = 0.5
# The calls left after a drain to be ended in words, or handed over.
LAST_CALLS_LIMIT_S = 15.0
POLL_INTERVAL_S = 0.02
# How often the store's file is looked at.
FILE_LOOK_S = 0.5
# How long the loop may wait for a thread that computes: a tenth of CPython's default.
SWITCH_INTERVAL_S = 0.0005
# Collections of the middle generation per full collection, which pauses for 35 ms with 500 calls: one per 10,000 calls
# or more.
FULL_COLLECTION_EVERY = 1000
CLIPS = Path(__file__).parent / "clips"


def utc_now() -> datetime:
    return datetime.now(UTC)


class Root:
    """The parent of an actor tree's root. ended: why the root has ended or cannot work; None if told to stop."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def lost(self) -> None:
        """What the journal's writer holds was not all written."""
        if not self.ended.done():
            self.ended.set_result(JournalError())

    def tell(self, message: ChildDied | JournalLost, /) -> None:
        if not self.ended.done():
            self.ended.set_result(message.reason if isinstance(message, ChildDied) else JournalError())


class JournalError(TielineError):
    """The journal's writer has died for good, or did not get everything written at the end."""


class Daemon:
    """`async with Daemon(settings) as daemon:` serves until the block ends.

    speed: factor by which its time runs faster than real time; for demonstrations and tests. inherited: listening
    sockets opened by systemd or the worker supervisor. clock_s: monotonic time in s, the clock of the loop's timers.
    now: the wall clock, aware, called on all threads. agents: the tasks that all bots offer, by name; by default those
    that each names.
    root: ends when the actor tree does, whatever the reason.
    Waits until the database can be had; meanwhile the ops endpoint says that it is not ready.
    Raises: OSError if a port is taken, WrongDatabase, SettingsError for the clips, the bots, the traces or the keys,
    MisuseError for a task.
    """

    def __init__(
        self,
        settings: Settings,
        speed: float = 1.0,
        inherited: InheritedSockets | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        *,
        now: Callable[[], datetime] = utc_now,
        agents: Mapping[str, AgentSpec] | None = None,
    ) -> None:
        self._settings = settings
        self._speed = speed
        self._clock_s = clock_s
        self._now = now
        self._agents = agents
        self._inherited = inherited or InheritedSockets()
        self._issuer_keys: IssuerKeys | None = None
        self._traces: TraceSender | None = None
        self._lost_file = ""
        self._stopping = threading.Event()
        self._opening: asyncio.Task[tuple[Generations, int, Engine]] | None = None
        self._recordings: Recordings | None = None
        self.vaic_url = self.ops_url = ""
        self._release, self._began, self._leaves = version("tieline"), datetime.now(UTC), False

    async def __aenter__(self) -> Self:
        settings, loop = self._settings, asyncio.get_running_loop()
        self._trace_export = export_of(settings) if settings.otlp_url else None
        # With it every TLS context made with Python's defaults would write its session keys there.
        if os.environ.pop("SSLKEYLOGFILE", ""):
            logger.warning("SSLKEYLOGFILE is ignored")
        self._dispatcher = LoopDispatcher(loop, self._speed, self._clock_s)
        install(self._dispatcher)
        self.root = Root()
        bots, ops_port = await self._load_and_wait()
        report_unreadable(self.engine, Quarantine())
        self.journal = self._journal()
        self._keeping = beside(self.engine)
        node = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        leases = Leases(self.engine, node, renewing=self._keeping, facts=lambda: self._told(bots))
        limits = EffectLimits(settings.effects_per_call, settings.effects_per_number)
        effects = EffectRunner(self.engine, bots, self._now, epoch_of=leases.epoch, limits=limits)
        # On threads: a remote system that is slow to answer must delay neither calls nor the other job.
        self._repeat("recover effects", effects.recovery.recover, RECOVER_EVERY_S)
        self._repeat("keep effects", effects.recovery.keep, KEEP_EVERY_S)
        self._outbox = OutboxDelivery(Outbox(self.engine), bots, self._now, random.random)
        self._repeat("outbox", self._outbox.deliver, DELIVER_EVERY_S)
        services = self._services(loop, bots, effects, leases, await self._open_recordings(node, leases))
        link = ParentLink(self.root, "switchboard")
        self.switchboard = Switchboard.start(services, self.journal, leases, settings.max_calls, link)
        self._keeper = LeaseKeeper(self._keeping, leases, self.switchboard)
        self._repeat("keep the leases", self._keeper.keep, leases.renew_every_s)
        for name, job, every_s in (
            ("look at the bots", bots.look, LOOK_EVERY_S),
            ("delete what is kept no longer", self._sweeper(node).look, RETENTION_EVERY_S),
            ("look at the store's file", self._look_at_file, FILE_LOOK_S),
            ("read what bots spend", SpendingReader(self.engine, services.spending, self._now).read, READ_EVERY_S),
        ):
            self._repeat(name, job, every_s)
        self._endpoint = VaicEndpoint(
            self.switchboard, await self._bearer_check(), settings.max_calls, settings.proxies, self._health
        )
        # Only from now on: the start-up has blocked the loop, but no call.
        self._dispatcher.watch()
        tls = None
        if (files := settings.tls) is not None:
            tls = files.context()
            self._repeat("reload", CertificateReload(files, tls, loop.call_soon_threadsafe, self._now), RELOAD_EVERY_S)
        try:
            port = await self._listen_for_vaic(tls)
        except OSError:
            await self.__aexit__()
            raise
        self._ops.show(self.switchboard, self.engine, bots)
        self._health.begin(self.switchboard, self._lets_in)
        self.vaic_url, self.ops_url = (
            f"{'wss' if tls else 'ws'}://{settings.listen_host}:{port}/",
            url_of(settings.ops_host, ops_port),
        )
        logger.info("serving", vaic=self.vaic_url, ops=self.ops_url, model=without_query(settings.model_url()))
        return self

    async def _open_recordings(self, node: str, leases: Leases) -> RecordingQueue:
        if not self._settings.recordings:
            return RecordingQueue()
        from gateway.recordings import LOOK_EVERY_S as RECORDINGS_EVERY_S  # noqa: PLC0415 - as the next
        from gateway.recordings import Recordings  # noqa: PLC0415 - Windows has no locks of files

        self._recordings = await asyncio.to_thread(Recordings, self._settings, node, leases.lease_of, self.engine)
        self._repeat("recordings", self._recordings.look, RECORDINGS_EVERY_S)
        return self._recordings.queue

    def _journal(self) -> Journal:
        """The journal, which has a trace sent of each call that has ended, if traces are wanted."""
        if self._trace_export is None:
            return Journal(self.engine)
        self._traces = TraceSender(TraceReader.of(self._settings, self.engine), self._trace_export)
        self._traces.start()
        return Journal(self.engine, self._traces.put)

    async def _listen_for_vaic(self, tls: ssl.SSLContext | None) -> int:
        """Returns the port. Raises: OSError."""
        settings = self._settings
        with naming("TIELINE_HOST, TIELINE_PORT"):
            return await self._endpoint.listen(settings.listen_host, settings.port, self._inherited.vaic, tls)

    async def _load_and_wait(self) -> tuple[Generations, int]:
        """Load the bots; then serve the ops endpoint while the database is waited for. Returns its port as well."""
        self._health = Health(lambda: not self.root.ended.done())
        check = ops_check(self._settings)
        self._exchange("ops_token", self._settings.ops_tokens, check)
        self._access = OpsAccess(check)
        self._ops = Ops(self._health, self._access)
        BUILD_INFO.labels(self._release, platform.python_version()).set(1)
        # One task from the first moment on, so that it can be stopped at any.
        self._opening = asyncio.get_running_loop().create_task(self._load_and_open())
        try:
            bots, port, self.engine = await self._opening
        except BaseException:
            await self._ops.close()
            raise
        return bots, port

    async def _load_and_open(self) -> tuple[Generations, int, Engine]:
        settings = self._settings
        bots = await asyncio.to_thread(bots_of, settings, self._now, self._agents)
        with naming("TIELINE_OPS_HOST, TIELINE_OPS_PORT"):
            port = await self._ops.listen(settings.ops_host, settings.ops_port, self._inherited.ops)
        while True:
            engine = await open_store(settings.database_url, self._inherited.notifier)
            try:
                await asyncio.to_thread(use_keys, engine, settings)
                await asyncio.to_thread(bots.store_in, BotVersions(engine))
            except UNAVAILABLE as error:
                logger.warning("the database takes no version of a bot", reason=code_of(error))
                engine.dispose()
                await asyncio.sleep(TRY_EVERY_S)
            else:
                return bots, port, engine

    def stop_waiting(self) -> None:
        """End a start that waits for its database; it raises CancelledError then."""
        if self._opening is not None:
            self._opening.cancel()

    def _sweeper(self, node: str) -> RetentionSweeper:
        """Deletes what is kept no longer, if this process has the job."""
        job = Job(self.engine, RETENTION, node)

        def rules() -> KeptRules:
            return KeptRules(BotVersions(self.engine), self._settings.retention)

        kept = recordings_of(self._settings)
        for each in kept:
            self._repeat(
                "delete recordings", RecordingExpiry(self.engine, each, rules(), self._now).look, EXPIRE_EVERY_S
            )
        retention = Retention(self.engine, rules().of, job.keep, kept, _recording_left)
        return RetentionSweeper(retention, job, self._stopping.wait)

    def _look_at_file(self) -> None:
        if (lost := look_at_file(self.engine)) != self._lost_file:
            self._lost_file = lost
            send(self.switchboard, StoreFile(lost))

    async def _bearer_check(self) -> BearerCheck:
        """Checks VAIC's bearer tokens."""
        tokens = self._settings.vaic_tokens
        check = BearerCheck(tokens, await self._access_token_check())
        self._exchange("vaic_token", tokens, check)
        if self._settings.asks_for_token:
            self._access.let_report(check)
        return check

    def _exchange(self, name: str, tokens: Sequence[str], check: BearerCheck | None) -> None:
        """Exchange a check's tokens when their file changes, if they are in one. name: of the setting."""
        if (reload := token_reload(name, tokens, check)) is not None:
            self._repeat(f"reload {name}", reload, TOKENS_EVERY_S)

    async def _access_token_check(self) -> AccessTokenCheck | None:
        """Checks OAuth's access tokens, if they are set up; the issuer's keys are fetched first, if it answers."""
        settings = self._settings
        if not settings.oauth_issuer:
            return None
        from gateway.access_tokens import AccessTokenCheck, IssuerKeys  # noqa: PLC0415 - it is slow to import

        self._issuer_keys = IssuerKeys(settings.oauth_jwks_url, asyncio.get_running_loop().time)
        await self._issuer_keys.start()
        return AccessTokenCheck(
            settings.oauth_issuer, settings.oauth_audience, self._issuer_keys, lambda: self._now().timestamp()
        )

    def _lets_in(self) -> bool:
        """Whether a peer's token can be checked: not so where only the issuer's keys could, and they are missing."""
        keys = self._issuer_keys
        return keys is None or bool(self._settings.vaic_tokens) or not keys.missing

    def _repeat(self, name: str, job: Callable[[], object], every_s: float) -> None:
        """Run a job on a thread of its own, now and at intervals until the daemon stops."""
        ours = name, job, every_s / self._speed, self._stopping
        threading.Thread(target=repeat, args=ours, name=name, daemon=True).start()

    def _told(self, bots: Generations) -> Mapping[str, JsonValue]:
        """What others are told of this process (`tieline fleet`). On the lease keeper's thread."""
        not_ready = self._not_ready()
        PROCESS_READY.set(not not_ready)
        return {
            "release": self._release,
            "started_at": self._began.isoformat(timespec="seconds"),
            "max_calls": self._settings.max_calls,
            "vaic": self.vaic_url,
            "ops": self.ops_url,
            "leaving": self._leaves,
            "not_ready": not_ready,
            "keys": list(ring.ids if (ring := ring_of(self.engine)) else ()),
            "bots": {name: bot.digest for name, bot in bots.generation.bots.items()},
        }

    def _not_ready(self) -> str:
        """Why no new calls are wanted, "" if they are. Not on the loop's thread."""
        if not self._lets_in():
            return KEYS_MISSING
        try:
            status = self.switchboard.ask(GetStatus(), timeout=STATUS_LIMIT_S)
        except (pykka.Timeout, pykka.ActorDeadError):
            return NO_SWITCHBOARD
        assert isinstance(status, SwitchboardStatus)
        return status.not_ready

    async def drain(self, hurry: asyncio.Event) -> None:
        """Take no more calls, and let those in progress end or move. hurry: skips the waits."""
        settings = self._settings
        self._leaves = True
        logger.info("draining", lame_duck_s=settings.lame_duck_s, calls=len(await self.live_calls()))
        self.switchboard.tell(SetAdmission(AdmissionState.LAME_DUCK))
        await self._first(settings.lame_duck_s, hurry.wait())
        moves = settings.drain_mode == "move"
        self.switchboard.tell(MoveCalls(now=False) if moves else SetAdmission(AdmissionState.CLOSED))
        await self._first(settings.drain_s, hurry.wait(), self._emptied())
        if left := await self.live_calls():
            logger.warning("calls are left at the end of the drain", calls=len(left), mode=settings.drain_mode)
            self.switchboard.tell(MoveCalls(now=True) if moves else EndCalls("drained", in_words=True))
            await self._first(LAST_CALLS_LIMIT_S, self._emptied())

    async def _first(self, limit_s: float, *events: Coroutine[Any, Any, object]) -> None:
        """Wait for the first event, for `limit_s` at most."""
        tasks = [asyncio.ensure_future(each) for each in events]
        try:
            await asyncio.wait(tasks, timeout=limit_s / self._speed, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _emptied(self) -> None:
        while self.switchboard.is_alive() and await self.live_calls():
            await asyncio.sleep(POLL_INTERVAL_S)

    async def __aexit__(self, *_: object) -> None:
        self._endpoint.stop_accepting()
        send(self.switchboard, EndCalls("drained"))
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._emptied()
        except TimeoutError:
            logger.warning("calls do not end: they are dropped")
        # They write their records now; then the journal's writer has its own time for what it holds.
        send(self.switchboard, ShutDown())
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                while self.switchboard.is_alive():
                    await asyncio.sleep(POLL_INTERVAL_S)
        except TimeoutError:
            logger.error("shutdown timed out: what is not written yet is lost")
            self.root.lost()
        self._stopping.set()
        if self._issuer_keys is not None:
            self._issuer_keys.stop()
        self._endpoint.abort_all()
        self._dispatcher.stop_watching()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.leave)
        await asyncio.to_thread(self._outbox.leave)
        if self._recordings is not None:
            await asyncio.to_thread(self._recordings.leave)
        await asyncio.to_thread(self._keeper.leave)
        await self._ops.close()
        self._keeping.dispose()
        self.engine.dispose()

    async def live_calls(self) -> tuple[str, ...]:
        """The conversations in progress."""
        return (await self._ask_status()).conversations

    async def _ask_status(self) -> SwitchboardStatus:
        future = self.switchboard.ask(GetStatus(), block=False)
        assert isinstance(future, LoopFuture)
        status = await future.answer(STOP_LIMIT_S)
        assert isinstance(status, SwitchboardStatus)
        return status

    async def status(self) -> str:
        """The status line for the service manager. Raises: TimeoutError, pykka.ActorDeadError."""
        status = await self._ask_status()
        if status.writer_hangs:
            raise TimeoutError("the journal's writer hangs")
        return f"{len(status.conversations)} of {self._settings.max_calls} calls"

    def _model_credentials(self) -> Credentials:
        credentials = credentials_of(self._settings)
        if isinstance(credentials, TokenKeeper):
            self._repeat("keep the model's token", credentials.keep, TOKEN_EVERY_S)
        return credentials

    def _services(
        self,
        loop: asyncio.AbstractEventLoop,
        bots: Bots,
        effects: EffectRunner,
        leases: Leases,
        recordings: RecordingQueue,
    ) -> SharedServices:
        settings = self._settings
        return SharedServices(
            bots=bots,
            dialler=Dialler(
                settings.model_url(),
                self._model_credentials(),
                loop,
                self._now,
                lambda model: any(may_dial(each, model) for each in bots.profiles()),
                lambda purpose, answers: send(self.switchboard, ProbeModel(purpose, answers)),
            ),
            effects=effects,
            journal=NullRef(),
            now=self._now,
            new_id=lambda: uuid.uuid4().hex,
            rand=random.random,
            short_of=OverloadGuard(lambda: self._dispatcher.lag_s, settings.max_lag_ms / 1000, settings.max_memory_mb),
            call_key=leases.key,
            recordings=recordings,
            prices=read_prices(settings),
        )


def _recording_left(error: OSError) -> None:
    logger.warning("a recording that is kept no longer cannot be deleted: its call is kept", reason=str(error))


def ops_check(settings: Settings) -> BearerCheck | None:
    """Checks the ops endpoint's bearer tokens; None if none are set."""
    return BearerCheck(settings.ops_tokens) if settings.ops_tokens else None


def token_reload(name: str, tokens: Sequence[str], check: BearerCheck | None) -> TokenReload | None:
    """Exchanges a check's tokens when their file has changed; None if they are in no file. name: of the setting."""
    file = secret_file(variable_of(name))
    if not tokens or file is None or check is None:
        return None
    return TokenReload(partial(tokens_in, file), check, tokens, hide)


def bots_of(
    settings: Settings,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    agents: Mapping[str, AgentSpec] | None = None,
) -> Generations:
    """The bots of the settings' folder. agents: the tasks that all offer; by default those that each names.

    Raises: MisuseError for a registered task, SettingsError for the clips, or if there is no good bot.
    """
    defaults = defaults_of(settings, read_clips(settings))
    if agents is not None:
        effects_of(agents)

    def build(files: BotFiles) -> Bot:
        bot = compile_bot(files, defaults)
        return bot if agents is None else replace(bot, profile=replace(bot.profile, agents=agents))

    bots = Generations(root_of(settings), build, partial(read_routes, region=settings.number_region()), now)
    try:
        bots.start()
    except BotFaults as wrong:
        raise SettingsError([str(fault) for fault in wrong.faults]) from None
    return bots


def read_clips(settings: Settings) -> dict[str, Clips]:
    """The recorded sentences of bots that bring none, by language; under "" the deployment's. Raises: SettingsError."""
    try:
        if settings.clips:
            return {"": load_clips(Path(settings.clips))}
        return {folder.name: load_clips(folder) for folder in sorted(CLIPS.iterdir()) if folder.is_dir()}
    except MisuseError as error:
        raise SettingsError([f"{variable_of('clips')}: {error}"]) from None


async def serve(settings: Settings, inherited: InheritedSockets, now: Callable[[], datetime] = utc_now) -> int:
    """Serve until one of the signals in ENDING, or until the lifeline closes; then drain. Returns the exit code.

    now: see Daemon.

    A second signal skips the waits of the drain, and in a worker HURRY on its lifeline. When the root of the actor tree
    ends by an error the process ends too, so that systemd, Kubernetes or the worker supervisor starts another: VAIC
    resumes the calls there.
    """
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        # systemd, and who kills by name, signals a worker and its supervisor, which passes that on: no second signal.
        (hurry if stop.is_set() and inherited.lifeline is None else stop).set()

    for each in ENDING:
        loop.add_signal_handler(each, on_signal)
    if inherited.lifeline is not None:
        _listen(inherited.lifeline, hurry.set, stop.set)
    async with AsyncExitStack() as stack:
        told = loop.create_task(stop.wait())
        daemon = Daemon(settings, inherited=inherited, now=now)
        starting = loop.create_task(stack.enter_async_context(daemon))
        await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            daemon.stop_waiting()
        try:
            await starting
        except asyncio.CancelledError:
            logger.info("stopped before the database was there")
            return 0
        _tune_garbage_collector()
        inherited.notifier.tell(READY)
        beat = loop.create_task(inherited.notifier.beat(daemon.status))
        await asyncio.wait((told, daemon.root.ended), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if failed := daemon.root.ended.done():
            logger.critical(
                "the root of the actors has failed: the process ends", reason=repr(daemon.root.ended.result())
            )
            hurry.set()
        logger.info("stopping")
        inherited.notifier.tell(STOPPING)
        extending = loop.create_task(inherited.notifier.extend())
        if daemon.switchboard.is_alive():
            await daemon.drain(hurry)
    extending.cancel()
    beat.cancel()
    ended = daemon.root.ended
    return EX_SOFTWARE if failed or (ended.done() and ended.result() is not None) else 0


def _tune_garbage_collector() -> None:
    """Make full collections, which pause every call, as rare as possible."""
    # The objects of the start-up are permanent: traversing them would take a tenth of a second.
    gc.collect()
    gc.freeze()
    # Calls leave no cycles when they end, so the other objects need no full collection per hundred calls either.
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_COLLECTION_EVERY)


def _listen(lifeline: socket.socket, hurry: Callable[[], object], closed: Callable[[], object]) -> None:
    """Call back when the peer says something on the lifeline, which is HURRY, and when it closes it."""
    loop = asyncio.get_running_loop()

    def told() -> None:
        try:
            if lifeline.recv(len(HURRY)):
                hurry()
                return
        except BlockingIOError:
            return
        except OSError:  # it was killed before it had read all that we told it
            pass
        loop.remove_reader(lifeline)
        logger.warning("the worker supervisor is gone")
        closed()

    loop.add_reader(lifeline, told)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run on uvloop where it exists."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    bound_thread_starts()
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 - Windows has none

    return uvloop.run(main)
