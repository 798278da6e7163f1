"""Opens the model's WebSocket: websocket-client does URL, proxy, TLS and handshake on a thread of a pool.

What comes back is a wire on the loop. The library's own receive and send paths are not used: one thread may touch a
socket, and that is the loop's.
May import: actors, protocols, websocket-client, websockets, the standard library. Rules from: specs/reliability.md 3.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import websocket
from loguru import logger
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from actors.address import Address, send
from actors.wire import KeepAlive, SocketWire, Wire

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
CONNECT_LIMIT_S = 10.0
# A model that does not answer holds a thread for the time limit: there must be some left for a second try.
MOST_DIALS = 128
# A TCP path may survive an outage of five seconds: do not be stricter than that.
KEEPALIVE = KeepAlive(interval_s=5.0, limit_s=5.0)


@dataclass(frozen=True, slots=True)
class Dialled:
    """The socket is open and upgraded."""

    wire: Wire


@dataclass(frozen=True, slots=True)
class DialFailed:
    """It could not be opened. status: of the HTTP answer, 0 where there was none. reason: without secrets."""

    status: int
    reason: str


class Dials(Protocol):
    """Opens the model's socket and tells the outcome."""

    def dial(self, caller: Address[Dialled | DialFailed], /) -> None: ...


class Dialler:
    """Dials one URL with one set of credentials, for any number of calls."""

    def __init__(self, url: str, headers: dict[str, str], loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._headers = headers
        self._loop = loop
        # Not a thread each: starting one makes the loop wait for it.
        self._threads = ThreadPoolExecutor(MOST_DIALS, thread_name_prefix="dial")
        self._tls = ssl.create_default_context() if url.startswith("wss:") else None

    def dial(self, caller: Address[Dialled | DialFailed]) -> None:
        """Open a socket; the caller is told the outcome, from the loop."""
        self._threads.submit(self._open, caller)

    def _open(self, caller: Address[Dialled | DialFailed]) -> None:
        try:
            connection = websocket.create_connection(
                self.url,
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
            send(caller, DialFailed(int(error.status_code), "refused at the upgrade"))
        except (OSError, websocket.WebSocketException, ValueError) as error:
            send(caller, DialFailed(0, type(error).__name__))
        else:
            self._loop.call_soon_threadsafe(self._take_over, connection.sock, caller)

    def _take_over(self, connected: socket.socket | None, caller: Address[Dialled | DialFailed]) -> None:
        assert connected is not None  # create_connection gives a connected one or raises
        framing = ClientProtocol(parse_uri(self.url), state=OPEN, max_size=MAX_MESSAGE_BYTES)
        wire = SocketWire(connected, framing, self._loop, KEEPALIVE)
        try:
            caller.tell(Dialled(wire))
        except Exception:  # noqa: BLE001 - whoever dialled has ended meanwhile
            logger.debug("dialled for an actor that has ended")
            wire.abort()
