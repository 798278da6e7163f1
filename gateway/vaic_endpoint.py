"""The VAIC endpoint: accepts sockets, answers the upgrade, and hands each open one to the switchboard as a wire.

May import: actors, protocols, gateway.addresses, gateway.connections, gateway.credentials, gateway.health, gateway.tls,
websockets,
loguru, the standard library.
Rules from: docs/specs/vaic-streaming.md 2, docs/specs/reliability.md 2.3, 6.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote

from loguru import logger
from websockets.exceptions import InvalidMessage
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from actors.messages.switchboard import AdmissionRequest, Peer, SwitchboardMessage, WireOpened
from actors.metrics import AUTH_FAILURES, CONNECTIONS_CUT, FLOODS
from actors.system.address import Address, send
from actors.transport.rate_limit import VAIC_TRAFFIC
from actors.transport.websocket import WRITE_LIMIT_BYTES, FramedWire, KeepAlive
from gateway.addresses import Network, client_of, is_within
from gateway.connections import AuthFailures, Connection, Connections
from gateway.credentials import BearerCheck, KeysMissing, TokenRefused
from gateway.health import LIVE, READY, Health
from gateway.tls import TlsListener, TooManyRecords
from protocols.limits import NAME_CHARS

MAX_MESSAGE_BYTES = 1024 * 1024
BACKLOG = 1024
# Unsent bytes (a quarter of a second of audio, besides the kernel's buffer) at which a peer counts as slow.
SLOW_BYTES = 16 * 1024
# How long a peer may be slow before it is disconnected.
SLOW_LIMIT_S = 5.0
# The kernel's send buffer: a second of audio. Its content counts as sent, so a larger one would hide a slow peer.
KERNEL_BYTES = 64 * 1024
HANDSHAKE_LIMIT_S = 5.0
# A dead peer is detected before the caller has waited six seconds.
KEEPALIVE = KeepAlive(interval_s=1.5, limit_s=4.25)
RETRY_AFTER_S = "1"
VALIDATED = '{"type":"ac-bot-api","success":true}'
# What is answered where it is not so, and where it is.
HEALTH_STATUS = {
    LIVE: ((HTTPStatus.SERVICE_UNAVAILABLE, "failed"), (HTTPStatus.OK, "alive")),
    READY: ((HTTPStatus.SERVICE_UNAVAILABLE, "not ready"), (HTTPStatus.OK, "ready")),
}
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What all connections of an endpoint share."""

    accepts: BearerCheck
    failures: AuthFailures
    connections: Connections[Connection]
    proxies: Sequence[Network]
    health: Health | None

    def ignores(self, address: str) -> bool:
        """Whether who connects from there is cut unheard. A proxy is not: who its client is, only a request tells."""
        return self.failures.is_ignored(address) and not is_within(address, self.proxies)


class VaicConnection(FramedWire, asyncio.Protocol):
    """One accepted TCP connection; after the upgrade, a wire. handshake: of TLS, whose place it takes."""

    __slots__ = (
        "_accepted",
        "_asked",
        "_handshake",
        "_peer",
        "_server",
        "_shared",
        "_slow",
        "_switchboard",
        "_transport",
    )

    def __init__(
        self,
        switchboard: Address[SwitchboardMessage],
        shared: EndpointState,
        loop: asyncio.AbstractEventLoop,
        handshake: Connection | None = None,
    ) -> None:
        # VAIC sends no Origin, browsers always do: refusing any prevents cross-site WebSocket hijacking.
        framing = ServerProtocol(origins=[None], max_size=MAX_MESSAGE_BYTES)
        super().__init__(framing, loop, KEEPALIVE, VAIC_TRAFFIC)
        self._server = framing
        self._switchboard = switchboard
        self._shared = shared
        self._handshake = handshake
        self._transport: asyncio.Transport | None = None
        self._slow: asyncio.TimerHandle | None = None  # runs while the peer is slow
        self._accepted: Response | None = None  # the answer to send when the switchboard admits it
        self._asked: asyncio.Task[None] | None = None  # of its health; kept, or it could be collected
        self._peer = Peer()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._address = str((self._transport.get_extra_info("peername") or ("",))[0])
        self._transport.set_write_buffer_limits(high=SLOW_BYTES)
        _limit_silence(self._transport.get_extra_info("socket"))
        if self._handshake is not None:
            self._shared.connections.closed(self._handshake)
        if self._shared.ignores(self._address):
            self._cut_guessing()
        elif self._shared.connections.accepted(self):
            self._restart_timer(HANDSHAKE_LIMIT_S, self.abort)
        else:
            self.abort()

    def eof_received(self) -> bool:
        return False  # a half-closed WebSocket is useless: close it

    def pause_writing(self) -> None:
        self._slow = self._loop.call_later(SLOW_LIMIT_S, self._disconnect_slow)

    def resume_writing(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _disconnect_slow(self) -> None:
        self._log_cut("a peer that does not read was disconnected")
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, TooManyRecords):
            FLOODS.labels(self._leg).inc()
            self._log_cut("a socket that sends too much was cut")
        self.resume_writing()
        self._shared.connections.closed(self)
        self._lost()

    # --- FramedWire ---

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
            if self._slow is not None and self._transport.get_write_buffer_size() > WRITE_LIMIT_BYTES:
                self._disconnect_slow()

    def _flush(self) -> None:
        if isinstance(self._server.handshake_exc, InvalidMessage):
            # The library closes without a word where a request has a body, say, of which the sender learns nothing.
            self._server.handshake_exc = None
            self._write(BAD_REQUEST)
            CONNECTIONS_CUT.labels("bad_request").inc()
            logger.info("upgrade refused", reason="no valid request", address=self._address)
        super()._flush()

    def _shut(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _cut_guessing(self) -> None:
        CONNECTIONS_CUT.labels("guessing").inc()
        self.abort()

    def _requested(self, request: Request) -> None:
        self._address = client_of(self._address, request.headers.get_all("X-Forwarded-For"), self._shared.proxies)
        if self._shared.failures.is_ignored(self._address):
            self._cut_guessing()
            return
        if request.path in HEALTH_STATUS and request.method == "GET" and "Upgrade" not in request.headers:
            self._asked = self._loop.create_task(self._tell_health(request.path))
            return
        answer = self._answer(request)
        if answer.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            # The request is valid: the switchboard decides whether there is room.
            self._accepted = answer
            send(self._switchboard, AdmissionRequest(self))
        else:
            # The Sans-I/O layer sends EOF after any answer but 101.
            self._server.send_response(answer)

    async def _tell_health(self, path: str) -> None:
        """Answer a balancer that has no other port of ours. It needs no token, and learns no more than yes or no."""
        health = self._shared.health
        if path == LIVE:
            well = health is not None and not await health.failed()
        else:
            well = health is not None and not await health.not_ready()
        if not self._gone:
            status, word = HEALTH_STATUS[path][well]
            self._server.send_response(self._server.reject(status, f"{word}\n"))
            self._flush()

    def admit(self) -> None:
        """Complete the upgrade: see Upgrade."""
        if self._accepted is None or self._gone:
            return
        self._server.send_response(self._accepted)
        self._flush()
        if self._server.state is OPEN:
            self._shared.connections.opened(self)
            self._opened()
            send(self._switchboard, WireOpened(self, self._peer))

    def refuse(self, reason: str) -> None:
        """Answer with 503: see Upgrade."""
        if self._gone:
            return
        logger.info("upgrade refused", reason=reason, address=self._address)
        response = self._server.reject(HTTPStatus.SERVICE_UNAVAILABLE, f"{reason}\n")
        response.headers["Retry-After"] = RETRY_AFTER_S
        self._server.send_response(response)
        self._flush()

    def _answer(self, request: Request) -> Response:
        if wait_s := self._shared.failures.wait_s(self._address):
            return self._put_off(wait_s)
        presented = request.headers.get_all("Authorization")
        try:
            credentials = self._shared.accepts(presented[0] if len(presented) == 1 else "")
        except KeysMissing:
            logger.warning("upgrade refused", reason="the issuer's keys are missing", address=self._address)
            response = self._server.reject(HTTPStatus.SERVICE_UNAVAILABLE, "try again\n")
            response.headers["Retry-After"] = RETRY_AFTER_S
            return response
        except TokenRefused as refused:
            return self._deny(refused.reason)
        self._shared.failures.succeeded(self._address)
        logger.debug("upgrade", headers=sorted(request.headers), address=self._address)
        self._peer = Peer(self._address, credentials[0], credentials[1:], _path_of(request.path))
        if "Upgrade" not in request.headers and request.method == "GET":
            response = self._server.reject(HTTPStatus.OK, VALIDATED)
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        return self._server.accept(request)

    def _deny(self, reason: str) -> Response:
        logger.warning("upgrade refused", reason=reason, address=self._address)
        self._shared.failures.failed(self._address)
        response = self._server.reject(HTTPStatus.UNAUTHORIZED, "Unauthorized\n")
        response.headers["WWW-Authenticate"] = "Bearer"
        AUTH_FAILURES.labels("401").inc()
        return response

    def _put_off(self, wait_s: float) -> Response:
        """Answer an address that has presented too many wrong tokens, even if this one is valid."""
        response = self._server.reject(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests\n")
        response.headers["Retry-After"] = str(math.ceil(wait_s))
        AUTH_FAILURES.labels("429").inc()
        return response


def _path_of(target: str) -> str:
    """The path of a request's target, without escapes; "" if it is too long to be meant."""
    path = target.partition("?")[0]
    return unquote(path) if len(path) <= NAME_CHARS else ""


def _limit_silence(connection: socket.socket) -> None:
    """Have the kernel too detect a peer that is gone or does not read, even while nothing is written."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        for option, value in (
            (socket.TCP_USER_TIMEOUT, 5000),
            (socket.TCP_KEEPIDLE, 15),
            (socket.TCP_KEEPINTVL, 5),
            (socket.TCP_KEEPCNT, 3),
        ):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class VaicEndpoint:
    """The listening socket and its connections. accepts: checks the Authorization header. max_calls: see Connections.

    proxies: whose X-Forwarded-For says who the client is. health: answers /livez and /readyz on this port.
    """

    def __init__(
        self,
        switchboard: Address[SwitchboardMessage],
        accepts: BearerCheck,
        max_calls: int,
        proxies: Sequence[Network] = (),
        health: Health | None = None,
    ) -> None:
        self._switchboard = switchboard
        loop = asyncio.get_running_loop()
        connections: Connections[Connection] = Connections(max_calls, loop.time, loop.call_later)
        self._shared = EndpointState(accepts, AuthFailures(loop.time), connections, proxies, health)
        self._server: asyncio.Server | None = None
        self._tls: list[TlsListener] = []

    async def listen(
        self, host: str, port: int, listening: socket.socket | None = None, tls: ssl.SSLContext | None = None
    ) -> int:
        """Start to accept; returns the port, chosen by the kernel if `port` is 0. Raises: OSError.

        listening: a bound socket to use instead of host and port. tls: serve wss:// with it.
        """
        loop = asyncio.get_running_loop()

        def serves(handshake: Connection | None = None) -> VaicConnection:
            return VaicConnection(self._switchboard, self._shared, loop, handshake)

        at_once = tls is None
        if listening is None:
            self._server = await loop.create_server(serves, host, port, backlog=BACKLOG, start_serving=at_once)
        else:
            self._server = await loop.create_server(serves, sock=listening, backlog=BACKLOG, start_serving=at_once)
        if tls is not None:
            for bound in self._server.sockets:
                ours = socket.socket(fileno=os.dup(bound.fileno()))
                ours.setblocking(False)
                ours.listen(BACKLOG)
                shared = self._shared
                self._tls.append(TlsListener(ours, tls, HANDSHAKE_LIMIT_S, shared.connections, shared.ignores, serves))
        return int(self._server.sockets[0].getsockname()[1])

    def stop_accepting(self) -> None:
        """Close the listening socket; open connections go on."""
        if self._server is not None:
            self._server.close()
        for listener in self._tls:
            listener.close()

    def abort_all(self) -> None:
        """Drop the open connections."""
        for connection in self._shared.connections.all():
            connection.abort()

    @property
    def open_connections(self) -> int:
        return len(self._shared.connections)
