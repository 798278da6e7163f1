"""The ops endpoint of the worker supervisor: health of all workers together. Each worker has an endpoint of its own.

May import: gateway, aiohttp, prometheus_client, the standard library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import aiohttp
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.ops import OPS_HOST

# A worker that is being started holds its port, and answers only then.
ANSWER_LIMIT_S = 1.0


class WorkerOps:
    """Serves /livez, /readyz and /metrics. ports: the workers' ops ports.

    /livez: the supervisor's loop runs; it starts dead workers itself, and ends when none stays up. /readyz: 200 if any
    worker's says so. /metrics: the supervisor's own.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._urls = [f"http://{OPS_HOST}:{port}" for port in ports]
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/{elsewhere:.*}", self._elsewhere),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)

    async def listen(self, port: int) -> int:
        """Start to serve; returns the port. Raises: OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, OPS_HOST, port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        limit = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
        async with aiohttp.ClientSession(timeout=limit) as session:
            asked = [asyncio.ensure_future(each) for each in map(partial(_is_ready, session), self._urls)]
            try:
                for answer in asyncio.as_completed(asked):
                    if await answer:
                        return web.Response(text="ready\n")
            finally:
                for each in asked:
                    each.cancel()
        # 404 and not 503, as each worker's.
        return web.Response(status=404, text="not ready\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _elsewhere(self, _: web.Request) -> web.Response:
        return web.Response(status=404, text=f"ask a worker: {' '.join(self._urls)}\n")


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as answer:
            return answer.status == web.HTTPOk.status_code
    except (aiohttp.ClientError, TimeoutError):
        return False
