"""The generator's own process: nothing else runs in it, so that what it measures is not its own work.

`python -m lab.load.generator SETTINGS` prints one JSON object a line: a Stretch every second, the LoadReport last. Told
to end (SIGINT, SIGTERM) it measures no longer, and reports what it has.
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
from lab.load.course import Course, LoadSettings
from lab.load.figures import Histogram, LoadReport, Stretch
from lab.load.model import LoadModel
from lab.load.process import Watched
from lab.load.wheel import Wheel

# New calls settle for so long before they are measured.
SETTLE_S = 1.0
# What is still on its way at the end of a run gets so long to arrive.
DRAIN_S = 2.0
CLOSE_S = 5.0


class Generator:
    """One run. Raises: OSError when the model's port is taken."""

    def __init__(self, settings: LoadSettings) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._loop = loop
        wheel = Wheel(settings.chunk_ms, Random(settings.seed), patient=settings.patient)
        self._course = Course(settings, loop, wheel)
        self._watched = Watched(settings.pid) if settings.pid else None
        self._numbers = count(1)
        self._placed = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.enough = asyncio.Event()  # nothing more is to be measured
        target = urlsplit(settings.url)
        self._address = (target.hostname or "127.0.0.1", target.port or 80)

    async def run(self) -> LoadReport:
        settings, course = self._settings, self._course
        models = count(1)
        server = await self._loop.create_server(
            lambda: LoadModel(course, next(models)), "127.0.0.1", settings.model_port, ssl=_tls(settings), backlog=1024
        )
        course.wheel.start(self._loop)
        stretches: list[Stretch] = []
        for calls in self._steps():
            await self._reach(calls)
            await asyncio.sleep(SETTLE_S)
            if self.enough.is_set() and stretches:
                break
            stretches.append(await self._measure(settings.seconds))
        course.talking = False
        await self._all_arrived()
        lost = self._missing()
        await self._end()
        course.wheel.stop()
        server.close()
        return self._report(tuple(stretches), *lost)

    def _steps(self) -> list[int]:
        last, step = self._settings.calls, self._settings.step
        return [*range(step, last, step), last] if step else [last]

    async def _reach(self, calls: int) -> None:
        """Open calls at the rate of the settings until so many live; then replace those that end, on and on."""
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
        while self._course.talking:
            number = next(self._numbers)
            caller = LoadCaller(self._course, number)
            if self._settings.altered:
                self._course.expecting = caller
            try:
                await self._loop.create_connection(lambda: caller, *self._address)  # noqa: B023 - called at once
            except OSError as error:
                self._course.failed += 1
                self._course.fault(f"no connection: {error.strerror or error}")
                return
            if not self._settings.call_s:
                return
            await asyncio.sleep(self._settings.call_s)
            caller.end()

    async def _paired(self) -> None:
        """Where audio is altered, callers and models are told to belong together by coming one after the other."""
        deadline_s = self._loop.time() + 1
        while self._settings.altered and self._loop.time() < deadline_s:
            await asyncio.sleep(0.002)
            if self._course.expecting is None:
                return

    async def _measure(self, seconds: float) -> Stretch:
        """Figures of a stretch; every second of it is told on the way."""
        course = self._course
        self._take(0.0)
        up, down = course.up, course.down
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
        course = self._course
        return Stretch(
            calls=len(course.callers),
            seconds=seconds,
            up=course.up.take(),
            down=course.down.take(),
            late_p99_ms=course.wheel.late.take(into=late).p99_ms,
            pid=self._watched.take() if self._watched else None,
        )

    def _whole(self, parts: list[Stretch], late: Histogram) -> Stretch:
        course = self._course
        seconds = sum(each.seconds for each in parts)
        ways = []
        for name, direction in (("up", course.up), ("down", course.down)):
            of_way = [getattr(each, name) for each in parts]
            counts = {key: sum(getattr(each, key) for each in of_way) for key in ("sent", "passed", "misplaced")}
            ways.append(of_way[0].model_copy(update=counts | {"delays": direction.total.take(into=course.everything)}))
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
        """What was sent and has not come, up and down."""
        course = self._course
        held_up = sum(each.times.held for each in course.callers.values())
        held_down = sum(each.times.held for each in course.models.values())
        return course.up.sent - course.up.passed - held_up, course.down.sent - course.down.passed - held_down

    async def _end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        for caller in tuple(self._course.callers.values()):
            caller.end()
        deadline_s = self._loop.time() + CLOSE_S
        while self._course.callers and self._loop.time() < deadline_s:
            await asyncio.sleep(0.02)

    def _report(self, stretches: tuple[Stretch, ...], lost_up: int, lost_down: int) -> LoadReport:
        course = self._course
        set_up, first_audio, barge_in = course.delays()
        return LoadReport(
            stretches=stretches,
            opened=course.opened,
            failed=course.failed,
            lost_up=lost_up,
            lost_down=lost_down,
            set_up=set_up,
            first_audio=first_audio,
            barge_in=barge_in,
            histogram=course.everything.bins(),
            faults=tuple(f"{what} ({times} times)" for what, times in course.faults.items()),
        )


def _tls(settings: LoadSettings) -> ssl.SSLContext | None:
    if not settings.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.certificate, settings.key or None)
    return context


def _tell(figures: Stretch | LoadReport) -> None:
    print(figures.model_dump_json(), flush=True)  # noqa: T201 - this is how it speaks to whoever started it


def command_line(settings: LoadSettings) -> list[str]:
    """What starts a run as a process of its own."""
    return [sys.executable, "-m", "lab.load.generator", json.dumps(asdict(settings))]


async def main(settings: LoadSettings) -> None:
    generator = Generator(settings)
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, generator.enough.set)
    _tell(await generator.run())


if __name__ == "__main__":
    # Nothing it makes in a run is a cycle worth a pause.
    gc.freeze()
    gc.disable()
    uvloop.run(main(LoadSettings(**json.loads(sys.argv[1]))))
