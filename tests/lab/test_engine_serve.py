"""The engine in a process of its own: it reports when it is ready, and stops on a signal."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import websockets

from tests.lab.engine_client import KEY
from tests.mortal import mortal

ROOT = Path(__file__).parents[2]
PROGRAM = "from lab.engine import EngineSettings, serve; serve(EngineSettings(port=0))"


def test_a_served_engine_announces_itself_and_ends_cleanly_with_a_client_on_the_line() -> None:
    process = subprocess.Popen(mortal([sys.executable, "-c", PROGRAM]), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        ready = re.search(r"engine ready on (ws://127\.0\.0\.1:\d+/v1/realtime)", process.stderr.readline())
        assert ready is not None
        asyncio.run(_tell_it_to_end(ready[1], process))
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()


async def _tell_it_to_end(url: str, process: subprocess.Popen[str]) -> None:
    async with websockets.connect(f"{url}?model=any", additional_headers=KEY) as socket, asyncio.timeout(60):
        await socket.recv()
        process.send_signal(signal.SIGTERM)
        await socket.wait_closed()
        assert socket.close_code == 1001
