"""One WebSocket of the load generator: a fast path for audio, the Sans-I/O protocol of `websockets` for the rest.

May import: protocols.framing, websockets, the standard library.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN, Side
from websockets.server import ServerProtocol

from protocols.framing import FrameReader

MAX_BYTES = 1 << 24
# Of a close frame: 1005 stands for one that gives no code.
NORMAL_CODES = (1000, 1005)


def clock_us() -> int:
    """The generator's one clock."""
    return time.perf_counter_ns() // 1000


class LoadSocket(asyncio.Protocol):
    """Subclasses override `opened`, `message` and `gone`."""

    def __init__(self, framing: ClientProtocol | ServerProtocol, token: str = "") -> None:
        self._framing = framing
        self._token = token
        self._reader = FrameReader(masked=framing.side is Side.SERVER, max_bytes=MAX_BYTES)
        self._transport: asyncio.Transport | None = None
        # Cached for every chunk: the framing's own state is a property.
        self._open = False

    # --- for subclasses ---

    def opened(self) -> None:
        """The upgrade is done."""

    def message(self, text: bytes, now_us: int) -> None:
        """A whole text message, received at `now_us`."""

    def gone(self, why: str) -> None:
        """The socket has closed. why: "" after a normal close."""

    def say(self, kind: str, **fields: Any) -> None:
        """Send one JSON message."""
        if self._open:
            self._framing.send_text(json.dumps({"type": kind} | fields).encode())
            self._flush()

    def write(self, frame: bytes) -> None:
        """Send a complete WebSocket frame."""
        if self._open and self._transport is not None:
            self._transport.write(frame)

    def hang_up(self) -> None:
        if self._open:
            self._open = False
            self._framing.send_close(1000)
            self._flush()
        elif self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if isinstance(self._framing, ClientProtocol):
            request = self._framing.connect()
            if self._token:
                request.headers["Authorization"] = f"Bearer {self._token}"
            self._framing.send_request(request)
            self._flush()

    def data_received(self, data: bytes) -> None:
        now_us = clock_us()
        text = self._reader.whole(data) if self._open else None
        if text is not None:
            self.message(text, now_us)
        else:
            self._take_apart(data, now_us)

    def _take_apart(self, data: bytes, now_us: int) -> None:
        """Handle data that is not exactly one message."""
        if self._framing.state is CONNECTING:
            self._negotiate(data, now_us)
            return
        for is_text, frame in self._reader.feed(data):
            if is_text:
                self.message(frame, now_us)
            else:
                self._negotiate(frame, now_us)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        refusal = self._framing.handshake_exc
        closed = self._framing.close_rcvd
        if refusal is not None:
            self.gone(f"the upgrade failed: {refusal}")
        elif closed is None or closed.code not in NORMAL_CODES:
            self.gone(f"the socket was lost ({closed.code if closed else exc or 'no close frame'})")
        else:
            self.gone("")

    def _negotiate(self, data: bytes, now_us: int) -> None:
        self._framing.receive_data(data)
        self._open = self._framing.state is OPEN
        for event in self._framing.events_received():
            if isinstance(event, Request) and isinstance(self._framing, ServerProtocol):
                self._framing.send_response(self._framing.accept(event))
                self._open = self._framing.state is OPEN
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.message(bytes(event.data), now_us)
            if isinstance(event, Request | Response) and self._open:
                self._flush()
                self.opened()
        self._flush()

    def _flush(self) -> None:
        for data in self._framing.data_to_send():
            if self._transport is None or self._transport.is_closing():
                return
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
