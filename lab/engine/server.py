"""The embedded realtime engine as a WebSocket server.

May import: lab.engine, lab.script, websockets, uvloop (where there is one), loguru, the standard library.
Rules from: docs/specs/openai-realtime.md 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import uuid
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from loguru import logger
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from lab import mind
from lab.engine.faults import ArmedFaults, Faults
from lab.engine.outlet import Outlet
from lab.engine.session import EngineServices, EngineSession
from lab.engine.settings import EngineSettings
from lab.engine.tls import tls_of
from lab.engine.work import Workshop
from lab.script import Script

PATH, AZURE_PATH = "/v1/realtime", "/openai/v1/realtime"
SUBPROTOCOL, _KEY_PROTOCOL = Subprotocol("realtime"), "openai-insecure-api-key."
_MOST_BYTES = 17 * 2**20  # one append may carry 15 MiB of audio; the rest is for its JSON


class Engine:
    """A realtime engine that runs in the current event loop, for the time of an `async with`."""

    def __init__(
        self,
        settings: EngineSettings | None = None,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        new_id: Callable[[str], str] = lambda kind: f"{kind}_{uuid.uuid4().hex[:20]}",
        think: Callable[[mind.Prompt], mind.Reply] = mind.think,
        script: Script | None = None,
    ) -> None:
        """now: gives the caller's local time. new_id: makes an id of a kind ("item", "resp"), at most 32 characters.

        think: the model: what to say or call next. Called on a thread. script: what it does instead.

        Raises: OSError if nothing speaks the script's language, or the certificate cannot be used.
        """
        self.settings = settings or EngineSettings()
        self._tls = tls_of(self.settings)
        self._faults = ArmedFaults(self.settings.faults)
        self._workshop = Workshop(script.language if script is not None else "en")
        self._services = EngineServices(
            self.settings,
            self._workshop,
            self._faults,
            now,
            new_id,
            think if script is None else script.model.think,
            None if script is None else script.heard,
        )
        self._path = AZURE_PATH if self.settings.azure else PATH
        self.key = self.settings.key
        self._server: Server | None = None
        self._outlets: set[Outlet] = set()

    async def __aenter__(self) -> Self:
        await self._workshop.open()
        self._server = await serve_websocket(
            self._serve,
            self.settings.host,
            self.settings.port,
            ssl=self._tls,
            process_request=self._judge_upgrade,
            select_subprotocol=lambda _, offered: SUBPROTOCOL if SUBPROTOCOL in offered else None,
            compression=None,
            max_size=_MOST_BYTES,
            close_timeout=1,
            server_header=None,
        )
        logger.info("engine ready on {}", self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await asyncio.to_thread(self._workshop.close)

    @property
    def url(self) -> str:
        """The URL for clients, without the model: ws://127.0.0.1:9050/v1/realtime, or wss:."""
        port = self.settings.port
        if self._server is not None:
            port = next(iter(self._server.sockets)).getsockname()[1]
        return f"{'ws' if self._tls is None else 'wss'}://{self.settings.host}:{port}{self._path}"

    @property
    def connections(self) -> int:
        return len(self._outlets)

    def inject(self, faults: Faults) -> None:
        """Replace all faults by these, for open connections too."""
        self._faults.arm(faults)
        for outlet in self._outlets:
            outlet.schedule_faults()

    def _judge_upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        status = self._faults.refuses_upgrade()
        if status is not None:
            return connection.respond(HTTPStatus(status), "An injected fault.\n")
        asked = urlsplit(request.path)
        if asked.path != self._path:
            return connection.respond(HTTPStatus.NOT_FOUND, f"The realtime interface is at {self._path}.\n")
        if self.settings.azure and not parse_qs(asked.query).get("model"):
            return connection.respond(HTTPStatus.BAD_REQUEST, "Name a deployment as model.\n")
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        presented = key.strip() if scheme.lower() == "bearer" else _key_among(request)
        if self.settings.azure:
            presented = presented or request.headers.get("api-key", "")
        if not presented or (self.key and presented != self.key):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "Give a bearer token.\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        query = parse_qs(urlsplit(socket.request.path).query)
        model = query.get("model", [""])[0]
        transcribes = query.get("intent") == ["transcription"]
        log = logger.bind(peer=str(socket.remote_address))
        outlet = Outlet(socket, self._faults, self._services.new_id)
        if "OpenAI-Beta" in socket.request.headers:
            await outlet.reject("beta_api_shape_disabled", "The beta interface is retired: leave out OpenAI-Beta.")
            return
        if not model and not transcribes:
            await outlet.reject("missing_model", "Name a model in the URL.")
            return
        session = EngineSession(model, self._services, outlet.emit, outlet.abort, log, transcribes=transcribes)
        self._outlets.add(outlet)
        writing = asyncio.create_task(outlet.run(self.settings.session_s))
        try:
            session.begin()
            async for frame in socket:
                await session.receive(frame)
        except ConnectionClosed:
            log.debug("connection lost")
        finally:
            session.close()
            self._outlets.discard(outlet)
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing


def _key_among(request: Request) -> str:
    """The key of a client that cannot set headers: it offers a subprotocol with it."""
    offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol")).split(",")
    keys = [each.strip().removeprefix(_KEY_PROTOCOL) for each in offered if each.strip().startswith(_KEY_PROTOCOL)]
    return keys[0] if keys else ""


def serve(settings: EngineSettings, script: Script | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Raises: OSError, also if nothing speaks the script's language."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_until_told(settings, script))


async def _until_told(settings: EngineSettings, script: Script | None) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    async with Engine(settings, script=script):
        await told.wait()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
