"""Opens the model's WebSocket: websocket-client does URL, proxy, TLS and handshake on a thread of a pool.

The open socket becomes a wire on the loop. websocket-client's receive and send paths are not used: only the loop's
thread may touch a socket.
May import: actors, protocols, websocket-client, websockets, the standard library.
Rules from: docs/specs/reliability.md 3.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, cast

import websocket
from loguru import logger
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from actors.metrics import MODEL_CIRCUIT
from actors.system.address import Address, send
from actors.transport.websocket import READ_BYTES, KeepAlive, SocketWire, Wire
from protocols.realtime.refusals import FINAL_STATUSES

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
CONNECT_LIMIT_S = 5.0
# An open circuit breaker lets one dial through per interval.
CIRCUIT_RETRY_S = 15.0
# Threads of the pool. A model that does not answer holds one for CONNECT_LIMIT_S: retries need free ones.
MAX_DIALS = 128
# TCP may survive an outage of five seconds, so the limit is above that. `quiet_s` has the caller told earlier.
KEEPALIVE = KeepAlive(interval_s=2.0, limit_s=6.0, quiet_s=2.0)


@dataclass(frozen=True, slots=True)
class Dialled:
    """The socket is open and upgraded."""

    wire: Wire


@dataclass(frozen=True, slots=True)
class DialFailed:
    """The socket could not be opened.

    status: of the HTTP answer, 0 if there was none. reason: without secrets. final: a retry will fail too.
    """

    status: int
    reason: str
    final: bool = False


class Dials(Protocol):
    """Opens sockets to the model."""

    def dial(self, caller: Address[Dialled | DialFailed], /) -> None:
        """Open one; `caller` is told the outcome."""
        ...

    def trip(self, reason: str, /) -> None:
        """Open the circuit breaker: the model has refused us, and retries will fail for a while."""
        ...


class CircuitBreaker:
    """Closed, it allows every dial; open, one per CIRCUIT_RETRY_S. now_s: monotonic."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._next_s: float | None = None  # when the next dial is allowed; None while the circuit is closed
        self.reason = ""

    def allows_dial(self) -> bool:
        if self._next_s is None:
            return True
        if self._now_s() < self._next_s:
            return False
        self._next_s = self._now_s() + CIRCUIT_RETRY_S
        return True

    def open(self, reason: str) -> None:
        if self._next_s is None:
            logger.error("model circuit open: the model refuses connections", reason=reason)
        self._next_s, self.reason = self._now_s() + CIRCUIT_RETRY_S, reason
        MODEL_CIRCUIT.set(1)

    def close(self) -> None:
        if self._next_s is not None:
            logger.info("model circuit closed: the model accepts connections")
        self._next_s = None
        MODEL_CIRCUIT.set(0)


class _Connected:
    """A socket read in large blocks: websocket-client reads the answer's head byte by byte, and each read of a socket
    releases the interpreter lock. unread: bytes received after the head.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.unread = b""

    def recv(self, count: int) -> bytes:
        whole = self.unread or self.socket.recv(READ_BYTES)
        self.unread = whole[count:]
        return whole[:count]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.socket, name)


class _Connection(websocket.WebSocket):
    """websocket-client's connection, with a buffered socket."""

    reader: _Connected | None

    @property
    def sock(self) -> socket.socket | None:
        return cast("socket.socket | None", self.reader)

    @sock.setter
    def sock(self, connected: socket.socket | None) -> None:
        self.reader = None if connected is None else _Connected(connected)


class Dialler:
    """Dials one URL with one set of credentials, for all calls of a process.

    url: ws or wss. headers: of the upgrade request; they hold the credentials. loop: runs the wires.
    """

    def __init__(self, url: str, headers: dict[str, str], loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._headers = headers
        self._loop = loop
        # A pool, since starting a thread blocks the loop until it runs.
        self._threads = ThreadPoolExecutor(MAX_DIALS, thread_name_prefix="dial")
        self._circuit = CircuitBreaker(loop.time)
        self._tls = ssl.create_default_context() if url.startswith("wss:") else None

    def dial(self, caller: Address[Dialled | DialFailed]) -> None:
        """Open a socket; the caller is told Dialled from the loop's thread, DialFailed from any."""
        if self._circuit.allows_dial():
            self._threads.submit(self._open, caller)
        else:
            send(caller, DialFailed(0, self._circuit.reason, final=True))

    def trip(self, reason: str) -> None:
        self._circuit.open(reason)

    def _open(self, caller: Address[Dialled | DialFailed]) -> None:
        try:
            connection = websocket.create_connection(
                self.url,
                class_=_Connection,
                timeout=CONNECT_LIMIT_S,
                header=self._headers,
                # The Authorization header must not travel to where a redirect points.
                redirect_limit=0,
                suppress_origin=True,
                skip_utf8_validation=True,
                sockopt=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
                sslopt={} if self._tls is None else {"context": self._tls},
            )
        except websocket.WebSocketBadStatusException as error:
            status = int(error.status_code)
            final = status in FINAL_STATUSES
            if final:
                self._loop.call_soon_threadsafe(self.trip, f"status {status}")
            send(caller, DialFailed(status, "refused at the upgrade", final))
        except (OSError, websocket.WebSocketException, ValueError) as error:
            send(caller, DialFailed(0, type(error).__name__))
        else:
            connected = cast(_Connection, connection).reader
            vars(connection).clear()  # break its reference cycle, instead of leaving it to the garbage collector
            self._loop.call_soon_threadsafe(self._take_over, connected, caller)

    def _take_over(self, connected: _Connected | None, caller: Address[Dialled | DialFailed]) -> None:
        assert connected is not None  # create_connection returns a connected one or raises
        self._circuit.close()
        framing = ClientProtocol(parse_uri(self.url), state=OPEN, max_size=MAX_MESSAGE_BYTES)
        wire = SocketWire(connected.socket, framing, self._loop, KEEPALIVE, connected.unread)
        try:
            caller.tell(Dialled(wire))
        except Exception:  # noqa: BLE001 - the actor that dialled has ended meanwhile
            logger.debug("dialled for an actor that has ended")
            wire.abort()
