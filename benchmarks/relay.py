"""What the relay of one 20 ms chunk costs: CPU time, kernel time included, per chunk passed on, beside a bare relay.

A daemon is started as it is in production (`run.py serve`, every feature on). This process is VAIC for `--calls`
calls and the model for all of them: it sends 20 ms of 24 kHz PCM each way on every call, and counts what comes through.
In the same run a bare relay (benchmarks/bare.py) carries frames of the same size: the ratio is the result, for absolute
times hold for the machine. Linux only: CPU time is read from /proc.

    python benchmarks/relay.py [--calls 50] [--seconds 10] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).parent.parent
CHUNK_MS = 20
CHUNK = b64encode(bytes(range(240)) * 4).decode()  # 960 bytes: 20 ms of 24 kHz PCM
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SET_UP_S = 2.0


@dataclass(slots=True)
class Course:
    """One measurement. passed: chunks that came out on either side. talking: set when all calls are up."""

    calls: int
    seconds: float
    talking: asyncio.Event
    passed: int = 0

    async def pace(self, send: Callable[[], Awaitable[None]]) -> None:
        """Send every 20 ms by absolute deadlines, once the talking has begun."""
        await self.talking.wait()
        loop = asyncio.get_running_loop()
        due = loop.time()
        end = due + self.seconds
        while due < end:
            await send()
            due += CHUNK_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))


async def model_session(course: Course, connection: ServerConnection) -> None:
    """A model that speaks just enough of the Realtime interface to be talked to, and talks without end."""
    await connection.send('{"type":"session.created","event_id":"e","session":{"type":"realtime","id":"s"}}')
    delta = (
        '{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i",'
        f'"output_index":0,"content_index":0,"delta":"{CHUNK}"}}'
    )
    async with asyncio.TaskGroup() as tasks:
        async for text in connection:
            assert isinstance(text, str)
            if text.startswith('{"type":"input_audio_buffer.append"'):
                course.passed += 1
                continue
            match json.loads(text)["type"]:
                case "session.update":
                    await connection.send('{"type":"session.updated","event_id":"e","session":{"type":"realtime"}}')
                case "response.create":
                    await connection.send(
                        '{"type":"response.created","event_id":"e","response":{"id":"r","status":"in_progress"}}'
                    )
                    tasks.create_task(course.pace(lambda: connection.send(delta)))


async def vaic_call(course: Course, url: str, number: int) -> None:
    """One call of VAIC's: streams, counts what it is played, ends the session."""
    name = f"bench-{number}"
    async with connect(url, compression=None, max_queue=None) as vaic:
        for frame in (
            {"type": "session.initiate", "conversationId": name, "supportedMediaFormats": ["raw/lpcm16_24"]},
            {"type": "activities", "conversationId": name, "activities": [{"type": "event", "name": "start"}]},
            {"type": "userStream.start", "conversationId": name},
        ):
            await vaic.send(json.dumps(frame))
        listening = asyncio.create_task(count(course, vaic, '{"type":"playStream.chunk"'))
        chunk = json.dumps({"type": "userStream.chunk", "conversationId": name, "audioChunk": CHUNK})
        await course.pace(lambda: vaic.send(chunk))
        await vaic.send(
            json.dumps({"type": "session.end", "conversationId": name, "reasonCode": "client-disconnected"})
        )
        await listening


async def bare_session(course: Course, connection: ServerConnection) -> None:
    """The far side of the bare relay: sends and counts."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(course.pace(lambda: connection.send(bare_frame())))
        await count(course, connection, "{")


async def bare_call(course: Course, url: str, number: int) -> None:
    """The near side of the bare relay."""
    async with connect(url, compression=None, max_queue=None) as caller:
        listening = asyncio.create_task(count(course, caller, "{"))
        await course.pace(lambda: caller.send(bare_frame()))
        await caller.close()
        await listening


def bare_frame() -> str:
    return f'{{"type":"userStream.chunk","conversationId":"bench-0","audioChunk":"{CHUNK}"}}'


async def count(course: Course, connection: ClientConnection | ServerConnection, beginning: str) -> None:
    try:
        async for text in connection:
            course.passed += isinstance(text, str) and text.startswith(beginning)
    except ConnectionClosed:
        return


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening_on(port: int, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(30):
        while process.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
    raise SystemExit("what is to be measured did not start")


async def measure(
    course: Course,
    process: subprocess.Popen[bytes],
    port: int,
    call: Callable[[Course, str, int], Coroutine[Any, Any, None]],
) -> float:
    """µs of the process's CPU time per chunk, from the middle of the talking."""
    try:
        await listening_on(port, process)
        running = [asyncio.create_task(call(course, f"ws://127.0.0.1:{port}/", n)) for n in range(course.calls)]
        await asyncio.sleep(SET_UP_S)
        course.talking.set()
        await asyncio.sleep(course.seconds * 0.15)
        before, passed, began = cpu_s(process.pid), course.passed, perf_counter()
        await asyncio.sleep(course.seconds * 0.7)
        spent, passed, took = cpu_s(process.pid) - before, course.passed - passed, perf_counter() - began
        await asyncio.wait(running, timeout=15)
    finally:
        process.terminate()
        process.wait(timeout=30)
    share = passed / (course.calls * 2 * took * 1000 / CHUNK_MS)
    print(
        f"  {passed} chunks ({share:.1%} of what was sent), {spent / took:.1%} of a core, "
        f"{spent / passed * 1e6:.1f} µs each"
    )
    return spent / passed * 1e6


async def measure_tieline(calls: int, seconds: float) -> float:
    print("tieline")
    course = Course(calls, seconds, asyncio.Event())
    with tempfile.TemporaryDirectory() as folder:
        async with serve(
            lambda c: model_session(course, c), "127.0.0.1", 0, compression=None, max_queue=None
        ) as server:
            port = free_port()
            environment = os.environ | {
                "TIELINE_OPENAI_URL": f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                "TIELINE_DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
                "TIELINE_LOG_LEVEL": "WARNING",
                "TIELINE_MAX_CALLS": str(calls),
            }
            command = [sys.executable, "run.py", "serve", "--port", str(port), "--ops-port", str(free_port())]
            daemon = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
            return await measure(course, daemon, port, vaic_call)


async def measure_bare(calls: int, seconds: float) -> float:
    print("bare relay")
    course = Course(calls, seconds, asyncio.Event())
    async with serve(lambda c: bare_session(course, c), "127.0.0.1", 0, compression=None, max_queue=None) as server:
        port = free_port()
        far = server.sockets[0].getsockname()[1]
        pump = subprocess.Popen([sys.executable, "benchmarks/bare.py", str(port), str(far)], cwd=ROOT)
        return await measure(course, pump, port, bare_call)


async def compare(calls: int, seconds: float, rounds: int) -> None:
    pairs = []
    for _ in range(rounds):
        bare = await measure_bare(calls, seconds)
        pairs.append((await measure_tieline(calls, seconds), bare))
    tieline, bare = median(each for each, _ in pairs), median(each for _, each in pairs)
    ratio = median(ours / limit for ours, limit in pairs)
    print(f"\n{calls} calls, median of {rounds}: {tieline:.1f} µs a chunk, bare relay {bare:.1f} µs, ratio {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    uvloop.run(compare(options.calls, options.seconds, options.rounds))


if __name__ == "__main__":
    main()
