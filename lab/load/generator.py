"""The generator's process. Nothing else runs in it, so that its own work does not add to the delays.

`python -m lab.load.generator SETTINGS` prints one JSON object a line: a Stretch every second, the LoadReport last. On
SIGINT or SIGTERM it stops measuring and reports what it has.
May import: lab.load, uvloop, the standard library.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import ssl
import sys
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from random import Random
from time import perf_counter
from urllib.parse import urlsplit

import uvloop

from lab.load.caller import LoadCaller
from lab.load.figures import Histogram, LoadReport, Stretch
from lab.load.model import LoadModel
from lab.load.process import Watched
from lab.load.run_state import LoadSettings, RunState
from lab.load.wheel import Wheel

SETTLE_S = 1.0  # from opening the calls of a step to measuring them
DRAIN_S = 2.0  # at the end of a run, for chunks in flight to arrive
CLOSE_S = 5.0  # for the calls to close


class Generator:
    """One run. Raises: OSError if the model's port is in use."""

    def __init__(self, settings: LoadSettings) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._loop = loop
        wheel = Wheel(settings.chunk_ms, Random(settings.seed), patient=settings.patient)
        self._state = RunState(settings, loop, wheel)
        self._watched = Watched(settings.pid) if settings.pid else None
        self._numbers = count(1)
        self._placed = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.enough = asyncio.Event()  # set to stop measuring
        target = urlsplit(settings.url)
        self._address = (target.hostname or "127.0.0.1", target.port or 80)

    async def run(self) -> LoadReport:
        settings, state = self._settings, self._state
        models = count(1)
        server = await self._loop.create_server(
            lambda: LoadModel(state, next(models)), "127.0.0.1", settings.model_port, ssl=_tls(settings), backlog=1024
        )
        state.wheel.start(self._loop)
        stretches: list[Stretch] = []
        for calls in self._steps():
            await self._reach(calls)
            await asyncio.sleep(SETTLE_S)
            if self.enough.is_set() and stretches:
                break
            stretches.append(await self._measure(settings.seconds))
        state.talking = False
        await self._all_arrived()
        lost = self._missing()
        await self._end()
        state.wheel.stop()
        server.close()
        return self._report(tuple(stretches), *lost)

    def _steps(self) -> list[int]:
        last, step = self._settings.calls, self._settings.step
        return [*range(step, last, step), last] if step else [last]

    async def _reach(self, calls: int) -> None:
        """Open calls at the configured rate up to a number; each call that ends is replaced."""
        due_s, pause_s = self._loop.time(), 1 / self._settings.rate
        while self._placed < calls:
            self._placed += 1
            task = asyncio.create_task(self._keep_calling())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await self._paired()
            due_s += pause_s
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))

    async def _keep_calling(self) -> None:
        while self._state.talking:
            number = next(self._numbers)
            caller = LoadCaller(self._state, number)
            if self._settings.altered:
                self._state.expecting = caller
            try:
                await self._loop.create_connection(lambda: caller, *self._address)  # noqa: B023 - called at once
            except OSError as error:
                self._state.failed += 1
                self._state.fault(f"no connection: {error.strerror or error}")
                return
            if not self._settings.call_s:
                return
            await asyncio.sleep(self._settings.call_s)
            caller.end()

    async def _paired(self) -> None:
        """Wait until the model of the last caller has connected: altered audio has no stamps to pair them by."""
        deadline_s = self._loop.time() + 1
        while self._settings.altered and self._loop.time() < deadline_s:
            await asyncio.sleep(0.002)
            if self._state.expecting is None:
                return

    async def _measure(self, seconds: float) -> Stretch:
        """Measure a stretch; print its figures every second."""
        state = self._state
        self._take(0.0)
        up, down = state.up, state.down
        up.total, down.total, late = Histogram(), Histogram(), Histogram()
        parts: list[Stretch] = []
        began_s = perf_counter()
        while (left_s := began_s + seconds - perf_counter()) > 0.001 and not (parts and self.enough.is_set()):
            from_s = perf_counter()
            await self._pause(min(1.0, left_s))
            parts.append(self._take(perf_counter() - from_s, late))
            _tell(parts[-1])
        return self._whole(parts, late)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.enough.wait()

    def _take(self, seconds: float, late: Histogram | None = None) -> Stretch:
        state = self._state
        return Stretch(
            calls=len(state.callers),
            seconds=seconds,
            up=state.up.take(),
            down=state.down.take(),
            late_p99_ms=state.wheel.late.take(into=late).p99_ms,
            pid=self._watched.take() if self._watched else None,
        )

    def _whole(self, parts: list[Stretch], late: Histogram) -> Stretch:
        state = self._state
        seconds = sum(each.seconds for each in parts)
        ways = []
        for name, direction in (("up", state.up), ("down", state.down)):
            of_way = [getattr(each, name) for each in parts]
            counts = {key: sum(getattr(each, key) for each in of_way) for key in ("sent", "passed", "misplaced")}
            ways.append(of_way[0].model_copy(update=counts | {"delays": direction.total.take(into=state.everything)}))
        last = parts[-1]
        share = sum(each.pid.core_share * each.seconds for each in parts if each.pid) / seconds
        pid = None if last.pid is None else last.pid.model_copy(update={"core_share": share})
        fields = {"seconds": seconds, "up": ways[0], "down": ways[1], "late_p99_ms": late.take().p99_ms, "pid": pid}
        return last.model_copy(update=fields)

    async def _all_arrived(self) -> None:
        deadline_s = self._loop.time() + DRAIN_S
        while any(missing > 0 for missing in self._missing()) and self._loop.time() < deadline_s:
            await asyncio.sleep(0.02)

    def _missing(self) -> tuple[int, int]:
        """The chunks sent but not received, up and down."""
        state = self._state
        held_up = sum(each.times.held for each in state.callers.values())
        held_down = sum(each.times.held for each in state.models.values())
        return state.up.sent - state.up.passed - held_up, state.down.sent - state.down.passed - held_down

    async def _end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        for caller in tuple(self._state.callers.values()):
            caller.end()
        deadline_s = self._loop.time() + CLOSE_S
        while self._state.callers and self._loop.time() < deadline_s:
            await asyncio.sleep(0.02)

    def _report(self, stretches: tuple[Stretch, ...], lost_up: int, lost_down: int) -> LoadReport:
        state = self._state
        set_up, first_audio, barge_in = state.delays()
        return LoadReport(
            stretches=stretches,
            opened=state.opened,
            failed=state.failed,
            lost_up=lost_up,
            lost_down=lost_down,
            set_up=set_up,
            first_audio=first_audio,
            barge_in=barge_in,
            histogram=state.everything.bins(),
            faults=tuple(f"{what} ({times} times)" for what, times in state.faults.items()),
        )


def _tls(settings: LoadSettings) -> ssl.SSLContext | None:
    if not settings.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.certificate, settings.key or None)
    return context


def _tell(figures: Stretch | LoadReport) -> None:
    print(figures.model_dump_json(), flush=True)  # noqa: T201 - read by the parent process


def command_line(settings: LoadSettings) -> list[str]:
    """The command line of a generator process."""
    return [sys.executable, "-m", "lab.load.generator", json.dumps(asdict(settings))]


async def main(settings: LoadSettings) -> None:
    generator = Generator(settings)
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, generator.enough.set)
    _tell(await generator.run())


if __name__ == "__main__":
    # A run makes no garbage cycles worth a pause of the collector.
    gc.freeze()
    gc.disable()
    uvloop.run(main(LoadSettings(**json.loads(sys.argv[1]))))
