"""Shared by tests of the gateway: the real daemon on free ports, and VAIC's end of a socket, frame by frame."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from loguru import logger
from websockets.asyncio.client import ClientConnection, connect

from fsm.spec import AgentSpec
from gateway.daemon import Daemon
from gateway.daemon import run as run_on_loop
from gateway.settings import read_settings
from store import schema
from tests.counted import counted as counted  # noqa: PLC0414 - passed on

# Only ends what hangs: a machine may be busy with other things.
LIMIT_S = 30
# Between two looks at what has no event, so that the looks do not take a core from what they wait for.
LOOK_S = 0.01
# Nobody listens there: what a test of the gateway asks of a call happens before the model matters.
NO_MODEL = "ws://127.0.0.1:1"
T = TypeVar("T")


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene on the product's kind of event loop, with a time limit."""

    async def bounded() -> None:
        async with asyncio.timeout(4 * LIMIT_S):
            await scene()

    run_on_loop(bounded())


@contextmanager
def logs_put_back() -> Iterator[None]:
    """Restore loguru and logging after a test that sets them up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    yield
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.captureWarnings(False)
    logger.remove()
    logger.add(sys.stderr)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("websocket").setLevel(logging.NOTSET)


@asynccontextmanager
async def serving(
    folder: Path, speed: float = 1.0, *, agents: Mapping[str, AgentSpec] | None = None, **settings: object
) -> AsyncIterator[Daemon]:
    """A daemon with its store in a folder. settings: of Settings, by field name. agents: see Daemon.

    Its overload protection and fillers are off, so that the load of the machine does not decide what happens.
    """
    database_url = f"sqlite:///{folder}/tieline.sqlite3"
    ours = {"openai_url": NO_MODEL, "database_url": database_url, "port": 0, "ops_port": 0, "max_lag_ms": 0}
    ours["filler_s"] = 0
    async with Daemon(read_settings(**ours | settings), speed, agents=agents) as daemon:
        yield daemon


class Vaic:
    """VAIC's end of one socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def says(self, kind: str, **fields: object) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def hears(self, kind: str) -> dict[str, Any]:
        """The next frame, which must be of this type."""
        async with asyncio.timeout(LIMIT_S):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
        assert frame["type"] == kind, frame
        return frame

    async def hears_until(self, kind: str) -> list[dict[str, Any]]:
        """All frames up to and including the first of this type; waits as long as a sentence takes."""
        frames: list[dict[str, Any]] = []
        async with asyncio.timeout(2 * LIMIT_S):
            while not frames or frames[-1]["type"] != kind:
                frames.append(json.loads(await self.connection.recv()))
        return frames

    async def calls(self, conversation_id: str, **fields: object) -> dict[str, Any]:
        """Begin a call that is accepted."""
        await self.initiates(conversation_id, **fields)
        return await self.hears("session.accepted")

    async def initiates(self, conversation_id: str, **fields: object) -> None:
        offer = {"supportedMediaFormats": ["raw/lpcm16_24"], "expectAudioMessages": True, "caller": "+4930555010"}
        await self.says("session.initiate", conversationId=conversation_id, **offer | fields)

    async def is_served(self, conversation_id: str) -> None:
        """Check that the call is served: a request is answered, and nothing else arrives before."""
        await self.says("userStream.start", conversationId=conversation_id)
        await self.hears("userStream.started")

    async def ends(self, conversation_id: str) -> None:
        """Send session.end; the bot closes the socket."""
        await self.says("session.end", conversationId=conversation_id, reasonCode="client-disconnected", reason="bye")
        assert await self.closed() == 1000

    async def closed(self) -> int | None:
        """Wait until the bot has closed the socket; its code."""
        async with asyncio.timeout(LIMIT_S):
            await self.connection.wait_closed()
        return self.connection.close_code


@asynccontextmanager
async def socket(daemon: Daemon, token: str = "", path: str = "") -> AsyncIterator[Vaic]:
    """An upgraded socket."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with connect(
        daemon.vaic_url + path,
        additional_headers=headers,
        compression=None,
        max_size=None,
        max_queue=None,
        close_timeout=1,
    ) as connection:
        yield Vaic(connection)


async def exchange(url: str, request: bytes) -> bytes:
    """Write bytes to a server and read until it hangs up."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        async with asyncio.timeout(LIMIT_S):
            return await reader.read()
    finally:
        writer.close()


def upgrade_request(*headers: bytes) -> bytes:
    """A WebSocket's opening handshake with further header lines."""
    lines = [
        b"GET /bot HTTP/1.1",
        b"Host: bot",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def get(url: str) -> tuple[int, str]:
    """Status and body."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def put(url: str, body: bytes, *headers: tuple[str, str]) -> tuple[int, str]:
    """The same of a POST."""
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=list(headers)) as answer:
        return answer.status, await answer.text()


async def until(look: Callable[[], Awaitable[T | None]], limit_s: float = LIMIT_S) -> T:
    """Repeat a look, usually a request to a server, until it finds something; returns that."""
    async with asyncio.timeout(limit_s):
        while not (found := await look()):
            await asyncio.sleep(LOOK_S)
    return found


async def is_leased(daemon: Daemon) -> None:
    """The lease of its only call is written, so that another process can take the call over."""

    def count() -> int:
        with daemon.engine.connect() as connection:
            return len(connection.execute(schema.lease.select()).all())

    await until(lambda: asyncio.to_thread(count))
