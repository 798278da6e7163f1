"""Opens the model's WebSocket: websocket-client does URL, proxy, TLS and handshake on a thread of a pool.

What comes back is a wire on the loop. The library's own receive and send paths are not used: one thread may touch a
socket, and that is the loop's.
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
# How long a model that has refused us for good is left alone.
OPEN_S = 15.0
# A model that does not answer holds a thread for the time limit: there must be some left for a second try.
MOST_DIALS = 128
# A TCP path may survive an outage of five seconds: do not be stricter than that. The caller hears of it before.
KEEPALIVE = KeepAlive(interval_s=2.0, limit_s=6.0, quiet_s=2.0)


@dataclass(frozen=True, slots=True)
class Dialled:
    """The socket is open and upgraded."""

    wire: Wire


@dataclass(frozen=True, slots=True)
class DialFailed:
    """It could not be opened. status: of the HTTP answer, 0 where there was none. reason: without secrets.

    final: asking again changes nothing.
    """

    status: int
    reason: str
    final: bool = False


class Dials(Protocol):
    """Opens the model's socket and tells the outcome."""

    def dial(self, caller: Address[Dialled | DialFailed], /) -> None: ...

    def trip(self, reason: str, /) -> None:
        """The model has refused us for good: for a while nobody dials."""
        ...


class Circuit:
    """Open, it lets one dial through every OPEN_S; closed, all."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._next_s: float | None = None  # when the next may pass; None while it is closed
        self.reason = ""

    def lets_through(self) -> bool:
        if self._next_s is None:
            return True
        if self._now_s() < self._next_s:
            return False
        self._next_s = self._now_s() + OPEN_S
        return True

    def open(self, reason: str) -> None:
        if self._next_s is None:
            logger.error("the model refuses us: not dialled but to try", reason=reason)
        self._next_s, self.reason = self._now_s() + OPEN_S, reason
        MODEL_CIRCUIT.set(1)

    def close(self) -> None:
        if self._next_s is not None:
            logger.info("the model takes us again")
        self._next_s = None
        MODEL_CIRCUIT.set(0)


class _Connected:
    """A socket that is read in whole pieces: websocket-client takes the answer's head byte by byte, and each read of a
    socket hands the interpreter to another thread. unread: what came behind the head.
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
    """websocket-client's own, but for how its socket is read."""

    reader: _Connected | None

    @property
    def sock(self) -> socket.socket | None:
        return cast("socket.socket | None", self.reader)

    @sock.setter
    def sock(self, connected: socket.socket | None) -> None:
        self.reader = None if connected is None else _Connected(connected)


class Dialler:
    """Dials one URL with one set of credentials, for any number of calls."""

    def __init__(self, url: str, headers: dict[str, str], loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._headers = headers
        self._loop = loop
        # Not a thread each: starting one makes the loop wait for it.
        self._threads = ThreadPoolExecutor(MOST_DIALS, thread_name_prefix="dial")
        self._circuit = Circuit(loop.time)
        self._tls = ssl.create_default_context() if url.startswith("wss:") else None

    def dial(self, caller: Address[Dialled | DialFailed]) -> None:
        """Open a socket; the caller is told the outcome, from the loop."""
        if self._circuit.lets_through():
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
            vars(connection).clear()  # it is a ring, and would wait for the garbage collector
            self._loop.call_soon_threadsafe(self._take_over, connected, caller)

    def _take_over(self, connected: _Connected | None, caller: Address[Dialled | DialFailed]) -> None:
        assert connected is not None  # create_connection gives a connected one or raises
        self._circuit.close()
        framing = ClientProtocol(parse_uri(self.url), state=OPEN, max_size=MAX_MESSAGE_BYTES)
        wire = SocketWire(connected.socket, framing, self._loop, KEEPALIVE, connected.unread)
        try:
            caller.tell(Dialled(wire))
        except Exception:  # noqa: BLE001 - whoever dialled has ended meanwhile
            logger.debug("dialled for an actor that has ended")
            wire.abort()
