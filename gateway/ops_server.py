"""The HTTP server of the ops endpoints, which anybody who reaches the port may connect to.

Requests are short, and a token is checked once they are read; so connections are bounded: above MOST_CONNECTIONS the
oldest is dropped. Whoever opens many, sends half a request, or reads no answer takes no descriptors from calls, and
keeps nobody out.
May import: actors.metrics, aiohttp, the standard library.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from actors.metrics import CONNECTIONS_CUT

# More than balancers, Prometheus and people have at a time.
MOST_CONNECTIONS = 64
# What is sent comes whole and at once; aiohttp takes up to 1 MiB.
BODY_LIMIT_S = 10.0


async def body_of(request: web.Request) -> bytes:
    """What was sent. Raises: HTTPException if it is too long, or takes too long."""
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


class _ServerLog(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's, without an error and its trace for each request that is no HTTP: those are counted."""

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        if isinstance(more.get("exc_info"), HttpProcessingError):
            CONNECTIONS_CUT.labels("bad_request").inc()
        else:
            super().log(level, msg, *args, **more)


class OpsServer:
    """Serves an application."""

    def __init__(self, app: web.Application) -> None:
        # Who has left is not waited for: a request that was dropped would still take its turn.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, logger=_ServerLog(logging.getLogger("aiohttp.server"))
        )
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int, listening: socket.socket | None = None) -> int:
        """Start to serve; returns the port. listening: a bound socket to use instead. Raises: OSError."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        if listening is None:
            self._server = await loop.create_server(self._accept, host, port)
        else:
            self._server = await loop.create_server(self._accept, sock=listening)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.BaseProtocol:
        assert self._runner.server is not None
        transports = (each.transport for each in self._runner.server.connections)
        # In the order in which they were opened; a dropped one is still among them until the loop's next round.
        there = [each for each in transports if each is not None and not each.is_closing()]
        for each in there[: max(0, len(there) + 1 - MOST_CONNECTIONS)]:
            each.abort()
        return self._runner.server()
