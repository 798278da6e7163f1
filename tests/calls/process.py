"""A daemon in a process of its own that runs faster than the clock, to be killed, frozen and resumed.

python -m tests.calls.process ENGINE_URL DATABASE_URL SPEED [BOTS] prints its URL once it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.daemon import Daemon, run
from tests.calls.settings import daemon_settings
from tests.mortal import mortal

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0


class Process:
    """A daemon process that serves. url: of its VAIC endpoint."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url

    def kill(self) -> None:
        self._process.kill()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def process(engine_url: str, database_url: str, speed: float, bots: Path | None = None) -> AsyncIterator[Process]:
    """bots: the folder of its bots; None: the example's."""
    more = [] if bots is None else [str(bots)]
    line = mortal([sys.executable, "-m", "tests.calls.process", engine_url, database_url, str(speed), *more])
    started = await asyncio.create_subprocess_exec(*line, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert started.stdout is not None
        url = (await started.stdout.readline()).decode().strip()
        assert url, f"it ended with {await started.wait()}"
        yield Process(started, url)
        # What it still has in hand it writes down.
        with contextlib.suppress(ProcessLookupError):
            started.send_signal(signal.SIGCONT)
            started.send_signal(signal.SIGINT)
        async with asyncio.timeout(LIMIT_S):
            await started.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.wait()


async def _serve(engine_url: str, database_url: str, speed: float, bots: str = "") -> None:
    settings = daemon_settings(engine_url, database_url)
    if bots:
        settings = settings.model_copy(update={"bots": bots})
    async with Daemon(settings, speed) as daemon:
        sys.stdout.write(f"{daemon.vaic_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    # A shell that runs its command in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        run(_serve(sys.argv[1], sys.argv[2], float(sys.argv[3]), *sys.argv[4:]))
