"""The ops endpoint of the worker supervisor, which speaks for all workers. Each worker has one of its own, on loopback.

May import: gateway, aiohttp, yarl (its URLs), prometheus_client, the standard library.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import REGISTRY
from yarl import URL

from gateway.exposition import OPENMETRICS, exposition
from gateway.health import LIVE, NOT_READY, READY
from gateway.ops_access import ASKED_BY, REPORTS, OpsAccess, url_of
from gateway.ops_server import OpsServer, body_of
from gateway.worker_metrics import WorkerMetrics
from gateway.worker_slots import LOOPBACK

# A worker that is being started holds its port, and answers only then.
ANSWER_LIMIT_S = 1.0
# The same for what a worker has to ask the store.
DATA_LIMIT_S = 5.0
OK, NOT_FOUND, UNAVAILABLE = 200, 404, 503
# What each worker says of itself only.
IN_ALL = ("calls", "max_calls", "accepting")


class WorkerOps:
    """Serves what each worker's does, for all of them. ports: the workers' ops ports.

    /livez: the supervisor's loop runs; it starts dead workers itself, and ends when none stays up. /readyz: 200 if any
    worker's says so. /metrics: of all workers. The others: a worker's answer, with what only each knows of itself.
    """

    def __init__(self, ports: Sequence[int], access: OpsAccess) -> None:
        self._urls = {str(number): url_of(LOOPBACK, port) for number, port in enumerate(ports, 1)}
        self._figures = WorkerMetrics()
        self._scraping = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        app = web.Application(middlewares=[access.middleware])
        app.add_routes(
            [
                web.get(LIVE, self._livez),
                web.get(READY, self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/calls", self._calls),
                web.get("/calls/{conversation_id}", self._call),
                web.get("/bots", self._first),
                web.post(REPORTS, self._reported),
            ]
        )
        self._server = OpsServer(app)

    async def listen(self, host: str, port: int) -> int:
        """Start to serve; returns the port. Raises: OSError."""
        self._session = aiohttp.ClientSession()
        return await self._server.listen(host, port)

    async def close(self) -> None:
        await self._server.close()
        if self._session is not None:
            await self._session.close()

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        reasons: set[str] = set()
        async for status, body in self._answers(request, ANSWER_LIMIT_S):
            if status == OK:
                return web.Response(text="ready\n")
            reasons.add(body.strip().removeprefix(NOT_READY))
        # 404 and not 503, as each worker's.
        why = f": {', '.join(sorted(reasons))}" if reasons else ", and none answers"
        return web.Response(status=NOT_FOUND, text=f"{NOT_READY}no worker is{why}\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        asked = {name: self._ask(url, request, DATA_LIMIT_S) for name, url in self._urls.items()}
        answers = zip(asked, await asyncio.gather(*asked.values()), strict=True)
        texts = {name: body for name, (status, body) in answers if status == OK}
        own, _ = exposition(REGISTRY, OPENMETRICS)
        async with self._scraping:
            metrics = await asyncio.to_thread(self._figures.all, texts, own.decode())
            body, content_type = await asyncio.to_thread(exposition, metrics, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _calls(self, request: web.Request) -> web.Response:
        answers = [(status, _read(body)) async for status, body in self._answers(request, DATA_LIMIT_S)]
        # What the store holds each has from the same place: the first that could ask it, or that was asked wrongly.
        status, whole = min(answers, key=lambda each: each[0], default=(UNAVAILABLE, {}))
        if status == UNAVAILABLE and not whole:
            return _nobody()
        of_each = [each for _, each in answers if all(key in each for key in IN_ALL)]
        if of_each:
            whole["calls"] = [call for each in of_each for call in each["calls"]]
            whole["max_calls"] = sum(each["max_calls"] for each in of_each)
            whole["accepting"] = any(each["accepting"] for each in of_each)
        return web.json_response(whole, status=status)

    async def _call(self, request: web.Request) -> web.Response:
        """Of a call in progress only its worker knows; of any other all know the same."""
        best: tuple[int, str] | None = None
        async for status, body in self._answers(request, DATA_LIMIT_S):
            if status == OK and _read(body).get("outcome") == "open":
                return web.Response(status=status, text=body, content_type="application/json")
            if best is None or status < best[0]:
                best = status, body
        return (
            _nobody() if best is None else web.Response(status=best[0], text=best[1], content_type="application/json")
        )

    async def _first(self, request: web.Request) -> web.Response:
        async for status, body in self._answers(request, DATA_LIMIT_S):
            if status == OK:
                return web.Response(text=body, content_type="application/json")
        return _nobody()

    async def _reported(self, request: web.Request) -> web.Response:
        """The first worker that takes a report has it for all."""
        sent = await body_of(request)
        for url in self._urls.values():
            status, body = await self._ask(url, request, DATA_LIMIT_S, body=sent)
            if status not in (0, UNAVAILABLE):
                return web.Response(status=status, text=body, content_type="application/json")
        return _nobody()

    async def _answers(self, request: web.Request, limit_s: float) -> AsyncIterator[tuple[int, str]]:
        """Status and body of each worker's answer to the same request, as they come; of those that answer."""
        name = uuid.uuid4().hex
        asked = [asyncio.ensure_future(self._ask(url, request, limit_s, name)) for url in self._urls.values()]
        try:
            for answer in asyncio.as_completed(asked):
                status, body = await answer
                if status:
                    yield status, body
        finally:
            for each in asked:
                each.cancel()

    async def _ask(
        self, url: str, request: web.Request, limit_s: float, name: str = "-", body: bytes | None = None
    ) -> tuple[int, str]:
        """Status and body of a worker's answer; 0 if there is none. name: of the request, the same for all workers.

        body: of the request.
        """
        assert self._session is not None
        # Its token was checked here, and is again there.
        headers = {header: value for header, value in request.headers.items() if header == "Authorization"}
        headers[ASKED_BY] = f"{request.remote or '-'} {name}"
        headers["Accept"] = f"{OPENMETRICS}, */*"  # of figures, which are read here
        limit = aiohttp.ClientTimeout(total=limit_s)
        target = URL(f"{url}{request.raw_path}", encoded=True)
        try:
            ask = self._session.request(request.method, target, headers=headers, timeout=limit, data=body)
            async with ask as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""


def _read(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _nobody() -> web.Response:
    return web.json_response({"error": "no worker answers"}, status=UNAVAILABLE)
