"""What the relay of one 20 ms chunk costs: the daemon's CPU time, kernel time included, per chunk passed on.

A daemon is started as it is in production (`run.py serve`, every feature on). This process is VAIC for `--calls` calls
and the model for all of them: it sends 20 ms of 24 kHz PCM each way on every call, and counts what comes through.
Linux only: the daemon's CPU time is read from /proc.

    python benchmarks/relay.py [--calls 50] [--seconds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

ROOT = Path(__file__).parent.parent
CHUNK_MS = 20
CHUNK = b64encode(bytes(range(240)) * 4).decode()  # 960 bytes: 20 ms of 24 kHz PCM
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Tally:
    """Chunks that came out of the daemon on either side."""

    to_model: int = 0
    to_caller: int = 0


async def pace(seconds: float, send: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Call `send` every 20 ms by absolute deadlines."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    end = due + seconds
    while due < end and not stop.is_set():
        await send()
        due += CHUNK_MS / 1000
        await asyncio.sleep(max(0.0, due - loop.time()))


class FakeModel:
    """Speaks just enough of the Realtime interface to be talked to, and talks without end."""

    def __init__(self, tally: Tally, seconds: float, stop: asyncio.Event) -> None:
        self._tally, self._seconds, self._stop = tally, seconds, stop
        self.talking = asyncio.Event()

    async def session(self, connection: ServerConnection) -> None:
        await connection.send('{"type":"session.created","event_id":"e","session":{"type":"realtime","id":"s"}}')
        async for text in connection:
            assert isinstance(text, str)
            if text.startswith('{"type":"input_audio_buffer.append"'):
                self._tally.to_model += 1
                continue
            match json.loads(text)["type"]:
                case "session.update":
                    await connection.send('{"type":"session.updated","event_id":"e","session":{"type":"realtime"}}')
                case "response.create":
                    asyncio.create_task(self._talk(connection), name="talk")  # noqa: RUF006 - ends with its socket

    async def _talk(self, connection: ServerConnection) -> None:
        await connection.send('{"type":"response.created","event_id":"e","response":{"id":"r","status":"in_progress"}}')
        delta = (
            '{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i",'
            f'"output_index":0,"content_index":0,"delta":"{CHUNK}"}}'
        )
        await self.talking.wait()
        await pace(self._seconds, lambda: connection.send(delta), self._stop)


async def call(number: int, url: str, model: FakeModel, tally: Tally, seconds: float, stop: asyncio.Event) -> None:
    """One call: greets, streams, counts what it is played."""
    name = f"bench-{number}"
    async with connect(url, compression=None, max_queue=None) as vaic:
        first = {"type": "session.initiate", "conversationId": name, "supportedMediaFormats": ["raw/lpcm16_24"]}
        await vaic.send(json.dumps(first))
        start = {"type": "activities", "conversationId": name, "activities": [{"type": "event", "name": "start"}]}
        await vaic.send(json.dumps(start))
        await vaic.send(json.dumps({"type": "userStream.start", "conversationId": name}))
        listening = asyncio.create_task(listen(vaic, tally))
        chunk = json.dumps({"type": "userStream.chunk", "conversationId": name, "audioChunk": CHUNK})
        await model.talking.wait()
        await pace(seconds, lambda: vaic.send(chunk), stop)
        await vaic.send(
            json.dumps({"type": "session.end", "conversationId": name, "reasonCode": "client-disconnected"})
        )
        await listening


async def listen(vaic: ClientConnection, tally: Tally) -> None:
    async for text in vaic:
        assert isinstance(text, str)
        if text.startswith('{"type":"playStream.chunk"'):
            tally.to_caller += 1


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def ready(ops: str, daemon: subprocess.Popen[bytes]) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while daemon.poll() is None:
            try:
                async with session.get(f"{ops}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise SystemExit("the daemon did not start")


async def measure(calls: int, seconds: float) -> None:
    stop, tally = asyncio.Event(), Tally()
    model = FakeModel(tally, seconds, stop)
    with tempfile.TemporaryDirectory() as folder:
        async with serve(model.session, "127.0.0.1", 0, compression=None, max_queue=None) as server:
            model_port = server.sockets[0].getsockname()[1]
            environment = os.environ | {
                "TIELINE_OPENAI_URL": f"ws://127.0.0.1:{model_port}",
                "TIELINE_DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
                "TIELINE_LOG_LEVEL": "WARNING",
                "TIELINE_MAX_CALLS": "2000",
            }
            port, ops_port = 18050, 18060
            daemon = subprocess.Popen(
                [sys.executable, "run.py", "serve", "--port", str(port), "--ops-port", str(ops_port)],
                cwd=ROOT,
                env=environment,
            )
            try:
                await ready(f"http://127.0.0.1:{ops_port}", daemon)
                url = f"ws://127.0.0.1:{port}/"
                running = [
                    asyncio.create_task(call(number, url, model, tally, seconds, stop)) for number in range(calls)
                ]
                await asyncio.sleep(2.0)  # all calls are set up before the clock runs
                model.talking.set()
                await asyncio.sleep(min(1.0, seconds / 5))
                before, chunks, began = cpu_s(daemon.pid), tally.to_model + tally.to_caller, perf_counter()
                await asyncio.sleep(seconds * 0.7)
                spent = cpu_s(daemon.pid) - before
                chunks, took = tally.to_model + tally.to_caller - chunks, perf_counter() - began
                stop.set()
                await asyncio.wait(running, timeout=15)
            finally:
                daemon.terminate()
                daemon.wait(timeout=30)
    expected = calls * 2 * took * 1000 / CHUNK_MS
    print(f"calls {calls}, {took:.1f} s: {chunks} chunks passed on ({chunks / expected:.1%} of what was sent)")
    print(f"CPU {spent:.2f} s: {spent / chunks * 1e6:.1f} µs a chunk, {spent / took:.1%} of a core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    uvloop.run(measure(options.calls, options.seconds))


if __name__ == "__main__":
    main()
