"""Where faults happen: real processes on loopback, calls in the background, and one caller who listens.

The daemons are `tieline serve`, the background is `tieline load`'s generator, the caller is lab.caller's: what it heard
is what a telephone would have played. All live at the speed of the clock. How long things take is judged by `make
faults` alone: `make test` runs on machines that are busy with other things.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache
from itertools import count, pairwise
from pathlib import Path
from subprocess import Popen
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import Engine as Database

from gateway.daemon import run
from lab.caller import BotSpoke, CallerEvent, CallReport, CallSettings, Say, ScriptStep, place_call
from lab.caller.call import REDIAL_MS
from lab.demo import wait_until_listening
from lab.engine import Faults
from lab.load.figures import LoadReport
from lab.load.generator import command_line
from lab.load.run_state import LoadSettings
from store.appointments import Appointment, AppointmentBook
from store.database import open_database
from store.journal import CallRecord, Journal
from tests.calls.live import recording
from tests.calls.tap import Debts, Line, Tap
from tests.faults.crashable import Census
from tests.faults.faultproxy import FaultProxy, Target
from tests.gateway.daemons import until
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
# Whether what a row measures must be within its bounds, which hold for a machine that does nothing else.
IN_TIME = bool(os.environ.get("TIELINE_FAULTS_IN_TIME"))
# These only end what hangs.
LIMIT_S, READY_LIMIT_S, RECORD_LIMIT_S = 240.0, 60.0, 30.0
BACKGROUND_CALLS = 20 if IN_TIME else 5
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
        """Lay the ways, of which the one to a model leads elsewhere at first."""
        self.vaic = await stack.enter_async_context(FaultProxy(self.address))
        self.tap = await stack.enter_async_context(Tap(engine_url, self.line, client="daemon", server="model"))
        self.model = await stack.enter_async_context(FaultProxy(first_model))
        self._environment["TIELINE_OPENAI_URL"] = f"ws://127.0.0.1:{self.model.port}/v1/realtime"

    @property
    def tapped(self) -> Target:
        """Where the engine is found, by way of the tap."""
        return _target(self.tap.url)

    async def start(self, *before: str) -> None:
        """before: a command that runs it. Returns when it is ready."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("TIELINE_", "OPENAI_"))}
        ports = ("--port", str(self.port), "--ops-port", str(self.ops_port))
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *before, sys.executable, *self._program, *ports,
                cwd=ROOT, env=kept | self._environment, stdin=PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for url in self.ops_urls:
            await wait_until_listening(_target(url)[1], lambda: self.process.returncode is None)
        await until(self.ready, READY_LIMIT_S)  # for workers somebody else listens

    async def ready(self) -> bool:
        """Whether all of its processes are."""
        return all([(await self.get("/readyz", url))[0] == 200 for url in self.ops_urls])

    def workers(self) -> set[int]:
        """The processes that it has started."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in tasks.read_text().split()}

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def crash(self, actor: str, conversation_id: str, way: str = "bug") -> None:
        """Of a CRASHABLE one: an actor of a call meets its end in this way."""
        self._tell(f"{actor} {conversation_id} {way}")

    def die_in(self, gap: str) -> None:
        """Of a CRASHABLE one: it is killed when a task comes to that gap of its next effect."""
        self._tell(f"die {gap}")

    async def census(self) -> Census:
        """Of a CRASHABLE one: what lives in it."""
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
        """url: of one of several processes; else the first one's."""
        async with aiohttp.ClientSession() as session, session.get((url or self.ops_urls[0]) + path) as answer:
            return answer.status, await answer.text()

    def address_space(self) -> int:
        """In bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    async def calls(self) -> list[str]:
        """The conversations in progress, those of the background too."""
        calls: list[str] = json.loads((await self.get("/calls"))[1])["calls"]
        return calls


class Background:
    """Calls that talk all the time. They are judged by `Scene` at its end."""

    def __init__(self, settings: LoadSettings) -> None:
        self._settings = settings

    async def start(self) -> None:
        """Returns when all of them live and are being measured."""
        self._process = await asyncio.create_subprocess_exec(
            *command_line(self._settings), cwd=ROOT, stdout=PIPE, limit=2**20
        )
        assert self._process.stdout is not None
        stretch = json.loads(await self._process.stdout.readline())
        # Where calls end and others follow, some are between two.
        assert stretch["calls"] >= self._settings.calls * (0.5 if self._settings.call_s else 1), stretch

    async def kill(self) -> None:
        """For a call whose report is not needed."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def end(self) -> LoadReport:
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGINT)
        *_, last = (await self._process.stdout.read()).splitlines()
        await self._process.wait()
        return LoadReport.model_validate_json(last)


class EngineProcess:
    """The engine beside the test, so that hearing and thinking delay no socket of the test's; nor a daemon's, where
    time is judged.

    session_s: how long its sessions last. One serves scene after scene; it leaves when this process does.
    """

    def __init__(self, session_s: float) -> None:
        command = [sys.executable, "-m", "tests.faults.engine", str(session_s), *(["--step-back"] if IN_TIME else [])]
        self._process = Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self.address = _target(self.url)

    def inject(self, **faults: Any) -> None:
        """Have these faults from now on, in place of all earlier ones."""
        assert self._process.stdin is not None
        self._process.stdin.write(Faults(**faults).model_dump_json() + "\n")
        self._process.stdin.flush()


@cache
def engine_of(session_s: float) -> EngineProcess:
    return EngineProcess(session_s)


class Scene:
    """nodes: the daemons. vaic, model, line, tapped: those of the first, where there is one that breaks."""

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
        """Call a node through the proxies, and live through the steps: the name of a recording is said.

        attentive: the caller waits for all that the model owes, see Debts; for a scene with one call.
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
        """What was written of a call that is over, or is about to be."""
        journal = Journal(self.database)
        return await until(lambda: asyncio.to_thread(journal.record, conversation_id), RECORD_LIMIT_S)

    def appointments(self) -> list[Appointment]:
        return AppointmentBook(self.database).all()

    def resumed(self, report: CallReport, limit_s: float, whose: str = "") -> tuple[int, int]:
        """The one loss of the caller's socket, which must have been made good in time; when it began and ended, in ms.

        limit_s: beyond the time that VAIC itself takes to dial again. whose: before the figure's name.
        """
        [outage] = report.outages
        assert outage.resumed_ms is not None
        self.measured(f"{whose}resumed after VAIC's own delay", outage.resumed_ms - outage.lost_ms - REDIAL_MS, limit_s)
        return outage.lost_ms, outage.resumed_ms

    def talks_again(self, report: CallReport, resumed_limit_s: float, limit_s: float, whose: str = "") -> None:
        """As resumed, and the bot speaks again in time, counted from the loss."""
        lost_ms, resumed_ms = self.resumed(report, resumed_limit_s, whose)
        talk = next(turn for turn in report.turns if turn.role == "bot" and turn.began_ms > resumed_ms)
        self.measured(f"{whose}talk after the loss", talk.began_ms - lost_ms, limit_s)

    def measured(self, what: str, ms: float, limit_s: float) -> None:
        """A figure for the report, which must be within its bound where that is judged."""
        self.figures[what] = round(ms)
        assert ms <= limit_s * 1000 or not IN_TIME, f"{what}: {ms:.0f} ms, {self.figures}"


def _target(url: str) -> Target:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@asynccontextmanager
async def _opened(
    folder: Path,
    figures: dict[str, float],
    nodes: int,
    background: int,
    database_url: str,
    environment: dict[str, str],
    session_s: float,
    program: tuple[str, ...],
) -> AsyncIterator[Scene]:
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
            node = Node(folder, number, program, **ours | environment)
            scene.nodes.append(node)
            await node.connect(stack, scene.engine.url, ("127.0.0.1", load_port))
            await node.start()
            stack.push_async_callback(node.kill)
        load = Background(
            LoadSettings(
                url=scene.nodes[-1].url, calls=background, seconds=HANGED_S, model_port=load_port, patient=True
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
    """None of the background may have dropped; and none may have waited, where that is judged."""
    [stretch] = report.stretches
    p99_ms = max(stretch.up.delays.p99_ms, stretch.down.delays.p99_ms)
    figures["background p99"] = round(p99_ms, 1)
    figures["generator late p99"] = round(stretch.late_p99_ms, 1)
    assert (report.opened, report.failed, report.faults) == (calls, 0, ())
    assert stretch.calls == calls
    if IN_TIME:
        assert (report.lost_up, report.lost_down) == (0, 0)
        assert p99_ms < P99_LIMIT_MS, figures


def play(  # noqa: PLR0913 - what a scene is made of, by name
    folder: Path,
    figures: dict[str, float],
    act: Callable[[Scene], Awaitable[None]],
    *,
    nodes: int = 1,
    background: int = BACKGROUND_CALLS,
    database_url: str = "",
    environment: dict[str, str] | None = None,
    session_s: float = 3600,
    program: tuple[str, ...] = SERVE,
    limit_s: float = LIMIT_S,
) -> None:
    """Open a scene, and play one act in it. nodes: daemons; the background is with the last of them."""

    async def whole() -> None:
        async with asyncio.timeout(limit_s):
            async with _opened(
                folder, figures, nodes, background, database_url, environment or {}, session_s, program
            ) as scene:
                await act(scene)

    run(whole())


def after_the_question(do: Callable[[], object]) -> Callable[[CallerEvent], None]:
    """When the caller has heard what is to be agreed to."""
    spoken = count(1)

    def happened(event: CallerEvent) -> None:
        if isinstance(event, BotSpoke) and next(spoken) == 2:
            do()

    return happened


def longest_gap_ms(report: CallReport, after_ms: float = 0) -> int:
    """The longest silence in what the bot said, within one of its turns or between two of them, from a moment on."""
    turns = [turn for turn in report.turns if turn.ended_ms >= after_ms]
    between = [then.began_ms - now.ended_ms for now, then in pairwise(turns) if now.role == then.role == "bot"]
    return max([0, *between, *(turn.gap_ms for turn in turns)])
