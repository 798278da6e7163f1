"""The scene of a fault test: real processes on loopback, background calls, and one caller that listens.

The daemons are `tieline serve`, the background is `tieline load`'s generator, the caller is lab.caller: what it heard
is what a telephone would have played. Everything runs in real time. Only `make faults` judges durations, because `make
test` must pass on busy machines.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from functools import cache
from itertools import count, pairwise
from pathlib import Path
from subprocess import Popen
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import Engine as Database

from appointments.bookings import Appointment, AppointmentBook
from gateway.daemon import run
from lab.caller import BotSpoke, CallerEvent, CallReport, CallSettings, Say, ScriptStep, place_call
from lab.caller.call import REDIAL_MS
from lab.demo import wait_until_listening
from lab.engine import Faults
from lab.load.figures import LoadReport
from lab.load.generator import command_line
from lab.load.run_state import LoadSettings
from store.database import open_database
from store.journal import CallRecord, Journal
from tests.calls.live import recording
from tests.calls.tap import Debts, Line, Tap
from tests.faults.crashable import Census
from tests.faults.faultproxy import FaultProxy, Target
from tests.gateway.daemons import until
from tests.mortal import mortal
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
# Whether measured values must be within their bounds, which hold on an otherwise idle machine.
IN_TIME = bool(os.environ.get("TIELINE_FAULTS_IN_TIME"))
# Limits that only end a hang.
LIMIT_S, READY_LIMIT_S, RECORD_LIMIT_S = 240.0, 60.0, 30.0
BACKGROUND_CALLS = 20 if IN_TIME else 5
# Of these calls, a second: with many at once a slow machine is behind for a while, and what came more than a play
# stream's lead late stays late to the end of what the bot says.
BACKGROUND_RATE = 10
# The limit of the background relay's 99th percentile during any fault.
P99_LIMIT_MS = 40.0
HANGED_S = 3600.0
T = TypeVar("T")


SERVE, CRASHABLE = ("run.py", "serve"), ("-m", "tests.faults.crashable")


class Node:
    """One daemon, and the ways to and from it. url, ops_urls: where it is found. program: what Python runs, SERVE or
    CRASHABLE.

    vaic, model: the proxies that a caller and the daemon dial. tap: at the engine; line: what passed it.
    """

    vaic: FaultProxy
    model: FaultProxy
    tap: Tap

    def __init__(self, folder: Path, number: int, program: tuple[str, ...], **environment: str) -> None:
        self._program = program
        self.line = Line()
        self._folder = folder
        workers = int(environment.get("TIELINE_WORKERS", "1"))
        self.port, self.ops_port = free_ports(), free_ports(workers + 1)
        self.address: Target = ("127.0.0.1", self.port)
        # Several have an ops port each, behind the one that is set.
        ports = range(self.ops_port + 1, self.ops_port + 1 + workers) if workers > 1 else [self.ops_port]
        self.url, self.ops_urls = f"ws://127.0.0.1:{self.port}/", [f"http://127.0.0.1:{port}" for port in ports]
        self.log = folder / f"node{number}.log"
        self._environment = environment
        self.process: Process

    async def connect(self, stack: AsyncExitStack, engine_url: str, first_model: Target) -> None:
        """Set up the proxies; the one to the model leads elsewhere at first."""
        self.vaic = await stack.enter_async_context(FaultProxy(self.address))
        self.tap = await stack.enter_async_context(Tap(engine_url, self.line, client="daemon", server="model"))
        self.model = await stack.enter_async_context(FaultProxy(first_model))
        self._environment["TIELINE_OPENAI_URL"] = f"ws://127.0.0.1:{self.model.port}/v1/realtime"

    @property
    def environment(self) -> dict[str, str]:
        """Of its process."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("TIELINE_", "OPENAI_"))}
        return kept | self._environment

    @property
    def tapped(self) -> Target:
        """The engine's URL through the tap."""
        return _target(self.tap.url)

    async def start(self, *before: str) -> None:
        """Start the daemon and wait until it is ready. before: a command that runs it."""
        ports = ("--port", str(self.port), "--ops-port", str(self.ops_port))
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *mortal([*before, sys.executable, *self._program, *ports]),
                cwd=ROOT, env=self.environment, stdin=PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for url in self.ops_urls:
            await wait_until_listening(_target(url)[1], lambda: self.process.returncode is None)
        await until(self.ready, READY_LIMIT_S)  # for workers somebody else listens

    async def ready(self) -> bool:
        """Whether all of its processes are ready."""
        return all([(await self.get("/readyz", url))[0] == 200 for url in self.ops_urls])

    def workers(self) -> set[int]:
        """Its worker processes."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in tasks.read_text().split()}

    def alone_on(self, core: int) -> None:
        """Run it on this core only. Linux only."""
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def crash(self, actor: str, conversation_id: str, way: str = "bug") -> None:
        """End an actor of a call in one of crashable.WAYS. Needs CRASHABLE."""
        self._tell(f"{actor} {conversation_id} {way}")

    def die_in(self, gap: str) -> None:
        """Have the process killed in that gap of the next effect. Needs CRASHABLE."""
        self._tell(f"die {gap}")

    def set_clock(self, ahead_s: float) -> None:
        """Set the process's wall clock so far ahead of the machine's. Needs CRASHABLE."""
        self._tell(f"clock {ahead_s}")

    async def census(self) -> Census:
        """The live actors, threads and timers. Needs CRASHABLE."""
        file = self._folder / "census.json"
        file.unlink(missing_ok=True)
        self._tell(f"count {file}")

        async def written() -> str:
            return file.read_text() if file.exists() else ""

        return Census.model_validate_json(await until(written, RECORD_LIMIT_S))

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    async def kill(self) -> None:
        """Kill it with its children and its parent."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    async def get(self, path: str, url: str = "") -> tuple[int, str]:
        """Get a path of the ops endpoint. url: of one of several processes; default the first."""
        async with aiohttp.ClientSession() as session, session.get((url or self.ops_urls[0]) + path) as answer:
            return answer.status, await answer.text()

    def address_space(self) -> int:
        """In bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    def memory_mb(self) -> float:
        """Resident."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    async def calls(self) -> list[str]:
        """The conversations in progress, background calls included."""
        calls: list[str] = json.loads((await self.get("/calls"))[1])["calls"]
        return calls


class Background:
    """Calls that talk all the time. `Scene` judges them at its end."""

    def __init__(self, settings: LoadSettings) -> None:
        self._settings = settings

    async def start(self) -> None:
        """Start the calls and wait until all are running and measured."""
        self._process = await asyncio.create_subprocess_exec(
            *mortal(command_line(self._settings)), cwd=ROOT, stdout=PIPE, limit=2**20
        )
        assert self._process.stdout is not None
        stretch = json.loads(await self._process.stdout.readline())
        # If calls end and are replaced, some are between two.
        assert stretch["calls"] >= self._settings.calls * (0.5 if self._settings.call_s else 1), stretch

    async def kill(self) -> None:
        """End the calls without a report."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def end(self) -> LoadReport:
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGINT)
        *_, last = (await self._process.stdout.read()).splitlines()
        await self._process.wait()
        return LoadReport.model_validate_json(last)


@contextmanager
def spared_by_the_collector() -> Iterator[None]:
    """No collection looks at what is there now: it would take a tenth of a second, in which no proxy relays."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def core_of_its_own() -> Iterator[int | None]:
    """A core on which nothing runs that this process starts meanwhile; None if there is none to spare, or no Linux.

    A daemon that has it does not wait for those who load and measure it, whom it cannot help being late.
    """
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    if len(cores) < 2:
        yield None
        return
    os.sched_setaffinity(0, cores[1:])
    try:
        yield cores[0]
    finally:
        os.sched_setaffinity(0, cores)


class EngineProcess:
    """The engine in a process of its own, so that speech delays no socket of the test or of a daemon being timed.

    session_s: lifetime of its sessions. One process serves all scenes, and exits with this process.
    """

    def __init__(self, session_s: float) -> None:
        command = [sys.executable, "-m", "tests.faults.engine", str(session_s), *(["--step-back"] if IN_TIME else [])]
        self._process = Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self.address = _target(self.url)

    def inject(self, **faults: Any) -> None:
        """Set the faults, replacing all earlier ones."""
        assert self._process.stdin is not None
        self._process.stdin.write(Faults(**faults).model_dump_json() + "\n")
        self._process.stdin.flush()


@cache
def engine_of(session_s: float) -> EngineProcess:
    return EngineProcess(session_s)


class Scene:
    """nodes: the daemons. vaic, model, line, tapped: those of the first node, which is the one that breaks."""

    def __init__(self, folder: Path, figures: dict[str, float], engine: EngineProcess) -> None:
        self.folder = folder
        self.figures = figures
        self.engine = engine
        self.nodes: list[Node] = []
        self.database: Database

    @property
    def vaic(self) -> FaultProxy:
        return self.nodes[0].vaic

    @property
    def model(self) -> FaultProxy:
        return self.nodes[0].model

    @property
    def line(self) -> Line:
        return self.nodes[0].line

    @property
    def tapped(self) -> Target:
        return self.nodes[0].tapped

    async def call(
        self,
        *steps: str | ScriptStep,
        conversation_id: str = "c-1",
        node: int = 0,
        on_event: Callable[[CallerEvent], None] | None = None,
        attentive: bool = False,
        **settings: Any,
    ) -> CallReport:
        """Call a node through the proxies. steps: of the script; the name of a recording is said.

        attentive: the caller waits while the model owes words, see Debts; only for a scene with one call at a time.
        """
        script = [Say(recording(step)) if isinstance(step, str) else step for step in steps]
        how: dict[str, Any] = {
            "url": f"ws://127.0.0.1:{self.nodes[node].vaic.port}/",
            "limit_s": LIMIT_S,
            "pause_ms": 600,
        }
        ours = CallSettings(conversation_id=conversation_id, **how | settings)
        debts = Debts(*(each.tap for each in self.nodes)) if attentive else None
        report = await place_call(ours, script, on_event, debts)
        (self.folder / f"{conversation_id}.json").write_text(report.model_dump_json(indent=2))
        return report

    async def record(self, conversation_id: str = "c-1") -> CallRecord:
        """The record of a call that has ended or is ending."""
        journal = Journal(self.database)
        return await until(lambda: asyncio.to_thread(journal.record, conversation_id), RECORD_LIMIT_S)

    def appointments(self) -> list[Appointment]:
        return AppointmentBook(self.database).all()

    def resumed(self, report: CallReport, limit_s: float, whose: str = "") -> tuple[int, int]:
        """When the caller's socket was lost and resumed, in ms; fails unless that happened once, and in time.

        limit_s: besides the time that VAIC takes to dial again. whose: prefix of the figure's name.
        """
        [outage] = report.outages
        assert outage.resumed_ms is not None
        self.measured(f"{whose}resumed after VAIC's own delay", outage.resumed_ms - outage.lost_ms - REDIAL_MS, limit_s)
        return outage.lost_ms, outage.resumed_ms

    def talks_again(self, report: CallReport, resumed_limit_s: float, limit_s: float, whose: str = "") -> None:
        """As `resumed`, and the bot must speak again in time, counted from the loss."""
        lost_ms, resumed_ms = self.resumed(report, resumed_limit_s, whose)
        talk = next(turn for turn in report.turns if turn.role == "bot" and turn.began_ms > resumed_ms)
        self.measured(f"{whose}talk after the loss", talk.began_ms - lost_ms, limit_s)

    def measured(self, what: str, ms: float, limit_s: float) -> None:
        """Report a figure; it must be within its bound if durations are judged."""
        self.figures[what] = round(ms)
        assert ms <= limit_s * 1000 or not IN_TIME, f"{what}: {ms:.0f} ms, {self.figures}"


def _target(url: str) -> Target:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@asynccontextmanager
async def opened(  # noqa: PLR0913 - what a scene is made of, by name
    folder: Path,
    figures: dict[str, float],
    *,
    nodes: int = 1,
    background: int = BACKGROUND_CALLS,
    database_url: str = "",
    environment: dict[str, str] | None = None,
    environment_of: Callable[[int], dict[str, str]] = lambda _: {},
    session_s: float = 3600,
    program: tuple[str, ...] = SERVE,
    core: int | None = None,
) -> AsyncIterator[Scene]:
    """A scene. nodes: number of daemons; the background calls use the last one. environment: of all of them.

    environment_of: what one has besides, by its number from 1 on. core: where the daemons run; None: on any.
    """
    scene = Scene(folder, figures, engine_of(session_s))
    scene.engine.inject()
    database_url = database_url or f"sqlite:///{folder}/tieline.sqlite3"
    scene.database = open_database(database_url)
    load_port = free_ports()
    async with AsyncExitStack() as stack:
        ours = {
            "TIELINE_DATABASE_URL": database_url,
            "TIELINE_HOST": "127.0.0.1",
            "TIELINE_TIME_ZONE": "UTC",
            "TIELINE_NO_INPUT_S": "60",
            "TIELINE_EFFECTS_PER_NUMBER": "0",  # all callers have one number
        }
        if not IN_TIME:
            # A machine that is busy elsewhere is not full, and a model that is slow on it is not to be bridged.
            ours |= {"TIELINE_MAX_LAG_MS": "0", "TIELINE_FILLER_S": "0"}
        for number in range(1, nodes + 1):
            node = Node(folder, number, program, **ours | (environment or {}) | environment_of(number))
            scene.nodes.append(node)
            await node.connect(stack, scene.engine.url, ("127.0.0.1", load_port))
            await node.start()
            stack.push_async_callback(node.kill)
            if core is not None:
                node.alone_on(core)
        load = Background(
            LoadSettings(
                url=scene.nodes[-1].url,
                calls=background,
                rate=BACKGROUND_RATE,
                seconds=HANGED_S,
                model_port=load_port,
                patient=True,
            )
        )
        if background:
            await load.start()
            stack.push_async_callback(load.kill)
        # Whoever dials the model from now on is the caller's.
        for node in scene.nodes:
            node.model.target = node.tapped
        yield scene
        if background:
            judge(await load.end(), background, figures)


def judge(report: LoadReport, calls: int, figures: dict[str, float]) -> None:
    """Check that no background call was dropped, nor delayed if durations are judged."""
    [stretch] = report.stretches
    figures["background p99"] = round(stretch.p99_ms, 1)
    figures["generator late p99"] = round(stretch.late_p99_ms, 1)
    assert (report.opened, report.failed, report.faults) == (calls, 0, ())
    assert stretch.calls == calls
    if IN_TIME:
        assert (report.lost_up, report.lost_down) == (0, 0)
        assert stretch.p99_ms < P99_LIMIT_MS, figures


def play(  # noqa: PLR0913 - what a scene is made of, by name
    folder: Path,
    figures: dict[str, float],
    act: Callable[[Scene], Awaitable[None]],
    *,
    nodes: int = 1,
    background: int = BACKGROUND_CALLS,
    database_url: str = "",
    environment: dict[str, str] | None = None,
    environment_of: Callable[[int], dict[str, str]] = lambda _: {},
    session_s: float = 3600,
    program: tuple[str, ...] = SERVE,
    limit_s: float = LIMIT_S,
    beside: AbstractAsyncContextManager[object] | None = None,
    own_core: bool = False,
) -> None:
    """Open a scene and run one act in it. beside: entered before the background calls are measured.

    own_core: the daemons have a core for themselves, where durations are judged.
    """

    async def whole() -> None:
        async with (
            asyncio.timeout(limit_s),
            beside or nullcontext(),
            opened(
                folder,
                figures,
                nodes=nodes,
                background=background,
                database_url=database_url,
                environment=environment,
                environment_of=environment_of,
                session_s=session_s,
                program=program,
                core=core,
            ) as scene,
        ):
            await act(scene)

    with spared_by_the_collector(), core_of_its_own() if own_core and IN_TIME else nullcontext() as core:
        run(whole())


def after_the_question(do: Callable[[], object]) -> Callable[[CallerEvent], None]:
    """A watch that acts once the caller has heard the read-back."""
    spoken = count(1)

    def happened(event: CallerEvent) -> None:
        if isinstance(event, BotSpoke) and next(spoken) == 2:
            do()

    return happened


def longest_gap_ms(report: CallReport, after_ms: float = 0) -> int:
    """The longest silence of the bot from a moment on, within its turns or between two of them."""
    turns = [turn for turn in report.turns if turn.ended_ms >= after_ms]
    between = [then.began_ms - now.ended_ms for now, then in pairwise(turns) if now.role == then.role == "bot"]
    return max([0, *between, *(turn.gap_ms for turn in turns)])
