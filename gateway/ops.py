"""The ops endpoint: liveness, readiness, metrics, bots, calls and records; and it takes reports of calls.

May import: actors, gateway, protocols, store, aiohttp, loguru, prometheus_client, pydantic, SQLAlchemy, the standard
library.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import pykka
from aiohttp import web
from loguru import logger
from prometheus_client import REGISTRY
from pydantic import JsonValue
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from actors.messages.call import Describe
from actors.messages.switchboard import FindCall
from actors.metrics import VAIC_REPORTS
from actors.process.switchboard import Switchboard
from gateway.bots.files import ROUTES_FILE
from gateway.bots.generations import BotState, Generations
from gateway.call_queries import (
    FILTERS,
    WrongQuestion,
    cursor_of,
    cursor_text,
    ended_row,
    filter_of,
    known,
    limit_of,
    live_row,
    masker,
    record_json,
)
from gateway.exposition import exposition
from gateway.health import LIVE, NOT_READY, READY, Health
from gateway.ops_access import REPORTS, OpsAccess, asked_by
from gateway.ops_server import OpsServer, body_of
from protocols.vaic_reports import read_reports
from store.audit import Audit
from store.call_reports import VaicReports
from store.calls import CallFilter, Calls, Cursor
from store.journal import CallRecord, Journal
from store.rows import UnreadableRow

# Requests that ask the store at a time: its connections are the calls' first.
MOST_ASKING = 2
T = TypeVar("T")


class Ops:
    """Serves /livez, /readyz, /metrics, /calls, /calls/{conversation_id}, /bots and REPORTS. access: to the data."""

    def __init__(self, health: Health, access: OpsAccess) -> None:
        self._health = health
        self._switchboard: pykka.ActorRef[Switchboard] | None = None
        self._journal: Journal | None = None
        self._store: Calls | None = None
        self._audit: Audit | None = None
        self._reports: VaicReports | None = None
        self._bots: Generations | None = None
        self._asking = asyncio.Semaphore(MOST_ASKING)
        app = web.Application(middlewares=[access.middleware])
        app.add_routes(
            [
                web.get(LIVE, self._livez),
                web.get(READY, self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/calls", self._calls),
                web.get("/calls/{conversation_id}", self._call),
                web.get("/bots", self._bot_states),
                web.post(REPORTS, self._take_reports),
            ]
        )
        self._server = OpsServer(app)

    async def listen(self, host: str, port: int, listening: socket.socket | None = None) -> int:
        """Start to serve; returns the port. listening: a bound socket to use instead. Raises: OSError."""
        return await self._server.listen(host, port, listening)

    def show(self, switchboard: pykka.ActorRef[Switchboard], engine: Engine, bots: Generations) -> None:
        """From now on calls are taken. engine: of the store."""
        self._switchboard, self._bots = switchboard, bots
        self._journal, self._store, self._audit = Journal(engine), Calls(engine), Audit(engine)
        self._reports = VaicReports(engine)

    async def close(self) -> None:
        await self._server.close()

    async def _ask_store(self, ask: Callable[..., T], *about: object) -> T:
        """What the store says. It may block on a disk: not on the loop."""
        async with self._asking:
            return await asyncio.to_thread(ask, *about)

    async def _note(self, request: web.Request, what: str, about: str) -> None:
        """Note in the audit who sees callers' data, before it is sent: what cannot be noted is not.

        Raises: SQLAlchemyError.
        """
        assert self._audit is not None
        address, once = asked_by(request)
        facts: dict[str, JsonValue] = {"unmasked": _flag(request.query, "unmasked")}
        await self._ask_store(self._audit.note, f"ops {address}", what, about, facts, once)

    async def _ask_call(self, conversation_id: str) -> CallRecord | None:
        """The record so far of a call in progress; None if there is none."""
        call = await self._health.ask(self._switchboard, FindCall(conversation_id))
        record = await self._health.ask(call, Describe()) if isinstance(call, pykka.ActorRef) else None
        return record if isinstance(record, CallRecord) else None

    async def _livez(self, _: web.Request) -> web.Response:
        failed = await self._health.failed()
        return web.Response(status=503, text="failed\n") if failed else web.Response(text="alive\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if not (why := await self._health.not_ready()):
            return web.Response(text="ready\n")
        # 404 and not 503: HAProxy then sends no new calls, but does not cut the live ones.
        return web.Response(status=404, text=f"{NOT_READY}{why}\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = exposition(REGISTRY, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _calls(self, request: web.Request) -> web.Response:
        now = datetime.now(UTC)
        try:
            question = _question(request.query, now)
        except WrongQuestion as wrong:
            return web.json_response({"error": str(wrong)}, status=400)
        status = await self._health.status()
        here: dict[str, JsonValue] = {}
        if status is not None:  # known without the store
            here = {"calls": [*status.conversations], "max_calls": status.max_calls, "accepting": status.accepting}
        if self._store is None:
            return web.json_response({"error": "the store is not open yet"} | here, status=503)
        try:
            found = await self._ask_store(_found, self._store, question, now)
            if _flag(request.query, "unmasked"):
                await self._note(request, "listed", "")
        except (SQLAlchemyError, UnreadableRow):
            return web.json_response({"error": "the store does not answer"} | here, status=503)
        return web.json_response(here | found)

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

    async def _take_reports(self, request: web.Request) -> web.Response:
        if self._reports is None:
            return web.json_response({"error": "the store is not open yet"}, status=503)
        try:
            said = await asyncio.to_thread(read_reports, await body_of(request))
        except ValueError as wrong:
            VAIC_REPORTS.labels("unreadable").inc()
            reason = str(wrong).partition("\n")[0]
            logger.warning("a report of VoiceAI Connect cannot be read", reason=reason)
            return web.json_response({"error": reason}, status=400)
        told = {call: delays for call, delays in said.items() if delays}
        try:
            unknown = await self._ask_store(self._reports.put, told, datetime.now(UTC))
        except SQLAlchemyError:
            return web.json_response({"error": "the store does not answer"}, status=503)
        for call in unknown:
            logger.bind(conversation=call).warning("a report of VoiceAI Connect is of no call here")
        counts = {"stored": len(told) - len(unknown), "without delays": len(said) - len(told)}
        counts["unknown call"] = len(unknown)
        for result, number in counts.items():
            VAIC_REPORTS.labels(result).inc(number)
        return web.json_response(counts)

    async def _call(self, request: web.Request) -> web.Response:
        conversation_id = request.match_info["conversation_id"]
        try:
            known((name for name, _ in request.query.items()), ("unmasked",))
        except WrongQuestion as wrong:
            return web.json_response({"error": str(wrong)}, status=400)
        if self._journal is None or self._reports is None:
            return web.json_response({"error": "the store is not open yet"}, status=503)
        report = None
        try:
            record = await self._ask_call(conversation_id) or await self._ask_store(
                self._journal.record, conversation_id
            )
            if record is not None:
                report = await self._ask_store(self._reports.of_call, conversation_id)
                await self._note(request, "read", conversation_id)
        except UnreadableRow:
            return web.json_response({"error": "the record of this call cannot be read"}, status=404)
        except SQLAlchemyError:
            return web.json_response({"error": "the store does not answer"}, status=503)
        if record is None:
            return web.json_response({"error": "no such call"}, status=404)
        text = record_json(record, report, unmasked=_flag(request.query, "unmasked"))
        return web.Response(text=text, content_type="application/json")


# What a request to /calls may name.
ASKED = (*FILTERS, "limit", "after", "unmasked")


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of /calls."""

    which: CallFilter
    limit: int
    after: Cursor | None
    mask: Callable[[str], str]


def _question(query: Mapping[str, str], now: datetime) -> _Question:
    """Raises: WrongQuestion."""
    known((name for name, _ in query.items()), ASKED)
    mask = masker(unmasked=_flag(query, "unmasked"))
    return _Question(filter_of(query, now), limit_of(query.get("limit", "")), cursor_of(query.get("after", "")), mask)


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true", "yes")


def _found(store: Calls, question: _Question, now: datetime) -> dict[str, JsonValue]:
    """Raises: SQLAlchemyError."""
    live = [] if question.after else store.live(question.which)
    page = store.ended(question.which, question.limit, question.after)
    return {
        "live": [live_row(each, question.mask, now) for each in live],
        "ended": [ended_row(each, question.mask) for each in page.calls],
        "next": cursor_text(page.following),
    }
