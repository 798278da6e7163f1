"""The ops endpoint: liveness, readiness, metrics, bots, calls and records. On loopback; nothing here changes state.

May import: actors, gateway.bots, store, aiohttp, prometheus_client, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pykka
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from actors.messages.call import Describe
from actors.messages.switchboard import FindCall, GetStatus, SwitchboardStatus
from actors.process.switchboard import Switchboard
from actors.system.actor import LoopFuture
from gateway.bots.files import ROUTES_FILE
from gateway.bots.generations import BotState, Generations
from store.journal import CallRecord, Journal
from store.rows import UnreadableRow

OPS_HOST = "127.0.0.1"
ANSWER_LIMIT_S = 1.0


class Ops:
    """Serves /livez, /readyz, /metrics, /calls, /calls/{conversation_id} and /bots.

    alive: whether the actor tree can do its work, or is still to be started.
    """

    def __init__(self, alive: Callable[[], bool]) -> None:
        self._alive = alive
        self._switchboard: pykka.ActorRef[Switchboard] | None = None
        self._journal: Journal | None = None
        self._bots: Generations | None = None
        self._lets_in: Callable[[], bool] = lambda: True
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/calls", self._calls),
                web.get("/calls/{conversation_id}", self._call),
                web.get("/bots", self._bot_states),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)

    async def listen(self, port: int, listening: socket.socket | None = None) -> int:
        """Start to serve; returns the port. listening: a bound socket to use instead of `port`. Raises: OSError."""
        await self._runner.setup()
        if listening is None:
            await web.TCPSite(self._runner, OPS_HOST, port).start()
        else:
            await web.SockSite(self._runner, listening).start()
        return int(self._runner.addresses[0][1])

    def show(
        self, switchboard: pykka.ActorRef[Switchboard], journal: Journal, bots: Generations, lets_in: Callable[[], bool]
    ) -> None:
        """From now on calls are taken. Until then the process is alive and not ready.

        lets_in: whether a peer's token can be checked.
        """
        self._switchboard, self._journal, self._bots, self._lets_in = switchboard, journal, bots, lets_in

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _status(self) -> SwitchboardStatus | None:
        """The switchboard's status, or None if it does not answer."""
        status = await _ask(self._switchboard, GetStatus())
        return status if isinstance(status, SwitchboardStatus) else None

    async def _ask_call(self, conversation_id: str) -> CallRecord | None:
        """The record so far of a call in progress; None if there is none."""
        call = await _ask(self._switchboard, FindCall(conversation_id))
        record = await _ask(call, Describe()) if isinstance(call, pykka.ActorRef) else None
        return record if isinstance(record, CallRecord) else None

    async def _livez(self, _: web.Request) -> web.Response:
        # Answered on the loop, so it also shows that the loop runs.
        status = await self._status() if self._alive() else None
        if not self._alive() or (status is not None and status.writer_hangs):
            return web.Response(status=503, text="failed\n")
        return web.Response(text="alive\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        status = await self._status()
        if not self._lets_in():
            return web.Response(status=404, text="not ready: the issuer's keys are missing\n")
        if status is not None and status.accepting:
            return web.Response(text="ready\n")
        # 404 and not 503: a proxy then sends no new calls, but does not cut the live ones.
        return web.Response(status=404, text="not ready\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _calls(self, _: web.Request) -> web.Response:
        status = await self._status()
        if status is None:
            return web.json_response({"error": "the switchboard does not answer"}, status=503)
        return web.json_response(
            {"calls": list(status.conversations), "max_calls": status.max_calls, "accepting": status.accepting}
        )

    async def _bot_states(self, _: web.Request) -> web.Response:
        if self._bots is None:
            return web.json_response({"error": "the bots are not there yet"}, status=503)
        states = dict(self._bots.generation.states)
        routes = states.pop(ROUTES_FILE, BotState(ROUTES_FILE))
        return web.json_response(
            {
                "bots": [
                    {
                        "name": each.name,
                        "digest": each.digest,
                        "since": each.since and each.since.isoformat(),
                        "faults": [str(fault) for fault in each.faults],
                    }
                    for _, each in sorted(states.items())
                ],
                "routes": {"faults": [str(fault) for fault in routes.faults]},
            }
        )

    async def _call(self, request: web.Request) -> web.Response:
        # The store may block on a disk: not on the loop.
        conversation_id = request.match_info["conversation_id"]
        if self._journal is None:
            return web.json_response({"error": "the store is not open yet"}, status=503)
        try:
            record = await self._ask_call(conversation_id) or await asyncio.to_thread(
                self._journal.record, conversation_id
            )
        except UnreadableRow:
            return web.json_response({"error": "the record of this call cannot be read"}, status=404)
        except SQLAlchemyError:
            return web.json_response({"error": "the store does not answer"}, status=503)
        if record is None:
            return web.json_response({"error": "no such call"}, status=404)
        return web.Response(text=record.model_dump_json(), content_type="application/json")


async def _ask(actor: pykka.ActorRef[Any] | None, message: object) -> object:
    """The answer of a loop actor, or None if there is none within ANSWER_LIMIT_S."""
    if actor is None:
        return None
    future = actor.ask(message, block=False)
    assert isinstance(future, LoopFuture)
    try:
        return await future.answer(ANSWER_LIMIT_S)
    except (TimeoutError, pykka.ActorDeadError):
        return None
