"""Both of our WebSockets, with an echo instead of a call behind them, for a suite that plays the other side.

The endpoint is the daemon's and so is the dialler; the suite is `kosoku`: the cases of Autobahn|Testsuite. An echo of
binary messages is added here, because cases ask for it: Tieline takes one for a text, and never sends one.
May import: actors, gateway, kosoku, websockets, the standard library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver
from kosoku._kosoku import CaseResult
from websockets.frames import Opcode

import actors.transport.dialler
import gateway.vaic_endpoint
from actors.messages.switchboard import AdmissionRequest, SwitchboardMessage, WireOpened
from actors.system.dispatcher import LoopDispatcher, install
from actors.transport.dialler import Dialled, Dialler, FixedHeaders, Purpose
from actors.transport.websocket import FramedWire, KeepAlive, SocketWire, Wire, WireClosed, WireMessage, WireText
from gateway.credentials import BearerCheck
from gateway.vaic_endpoint import VaicConnection, VaicEndpoint
from protocols.frames import NOT_UTF8, NOT_UTF8_CODE

# Framing and what comes with it. Not 9.*, which measures messages of up to 16 MB where our limit is one, nor 12.* and
# 13.*, compression, which is refused.
CASES = tuple(f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10))
LIMIT_S = 120
AT_ONCE = 8


class _EchoesBinary(FramedWire):
    """A wire that answers binary messages itself."""

    __slots__ = ()

    def _frame(self, opcode: Opcode, data: bytes, fin: bool) -> None:
        if opcode is Opcode.BINARY or (opcode is Opcode.CONT and self._binary):
            self._binary = True
            self._reader.in_message = not fin
            self._message += data
            if fin:
                self._framing.send_binary(bytes(self._message))
                self._message = bytearray()
        else:
            super()._frame(opcode, data, fin)


class _EchoConnection(_EchoesBinary, VaicConnection):
    __slots__ = ()


class _EchoSocket(_EchoesBinary, SocketWire):
    __slots__ = ()


class Echo:
    """The owner of a wire: echoes texts, and closes like the sessions of a call where one is no UTF-8."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.closed = asyncio.Event()
        self.texts: list[bytes] = []
        wire.attach(self)

    def tell(self, message: WireMessage, /) -> None:
        if isinstance(message, WireText):
            try:
                message.data.decode()
            except UnicodeDecodeError:
                self._wire.close(NOT_UTF8_CODE, NOT_UTF8)
                return
            self.texts.append(message.data)
            self._wire.send(message.data)
        elif isinstance(message, WireClosed):
            self.closed.set()


class _Switchboard:
    """Admits every socket, and gives it an echo."""

    def tell(self, message: SwitchboardMessage, /) -> None:
        match message:
            case AdmissionRequest():
                message.upgrade.admit()
            case WireOpened():
                Echo(message.wire)


@contextmanager
def _echoing() -> Iterator[None]:
    """Endpoint and dialler with wires that echo. They send no pings: the suite takes each for a part of an answer."""
    silent = KeepAlive(interval_s=LIMIT_S, limit_s=2 * LIMIT_S)
    with (
        patch.multiple(gateway.vaic_endpoint, VaicConnection=_EchoConnection, KEEPALIVE=silent),
        patch.multiple(actors.transport.dialler, SocketWire=_EchoSocket, KEEPALIVE=silent),
    ):
        yield


async def judge_server() -> list[CaseResult]:
    """Play the cases against the endpoint."""
    install(LoopDispatcher(asyncio.get_running_loop()))
    with _echoing():
        endpoint = VaicEndpoint(_Switchboard(), BearerCheck(()), max_calls=100)
        port = await endpoint.listen("127.0.0.1", 0)
        try:
            async with asyncio.timeout(LIMIT_S):
                return await run_fuzzingclient(f"ws://127.0.0.1:{port}", cases=CASES, concurrency=AT_ONCE)
        except FailureError as error:
            return error.results
        finally:
            endpoint.stop_accepting()
            endpoint.abort_all()


class _Inbox:
    """Waits for the outcome of one dial, which a thread tells."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[object] = self._loop.create_future()

    def tell(self, message: object, /) -> None:
        self._loop.call_soon_threadsafe(self.outcome.set_result, message)


async def _visit(url: str) -> list[bytes]:
    """Dial, and echo until the server closes; returns the texts."""
    inbox = _Inbox()
    Dialler(url, FixedHeaders({}), asyncio.get_running_loop(), lambda: datetime.now(UTC)).dial(inbox, Purpose("c-1"))
    outcome = await inbox.outcome
    if not isinstance(outcome, Dialled):
        raise ConnectionError(outcome)
    echo = Echo(outcome.wire)
    await echo.closed.wait()
    return echo.texts


async def judge_client() -> list[CaseResult]:
    """Play the cases to the dialler's wires."""
    install(LoopDispatcher(asyncio.get_running_loop()))
    with _echoing():
        server = run_fuzzingserver(cases=CASES, port=0)
        async with asyncio.timeout(LIMIT_S), server:
            url = f"ws://127.0.0.1:{server.port}"
            (count,) = await _visit(f"{url}/getCaseCount")
            room = asyncio.Semaphore(AT_ONCE)

            async def play(case: int) -> None:
                async with room:
                    await _visit(f"{url}/runCase?case={case}&agent=tieline")

            await asyncio.gather(*(play(case) for case in range(1, int(count) + 1)))
            await _visit(f"{url}/updateReports?agent=tieline")
            try:
                results = await server.get_result()
            except FailureError as error:
                results = error.results
    return results
