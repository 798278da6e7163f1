"""WebSockets as the actors see them: text in, text out, one message at the end. The event loop owns every socket.

Framing is the Sans-I/O protocol of `websockets`, for our server and client sockets alike. Limits disconnect a peer that
does not read, does not answer pings, or sends too much.
May import: actors.transport.rate_limit, actors.transport.frames, protocols, websockets, the standard library.
Rules from: docs/specs/reliability.md 2.3 to 2.5, 3.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CONNECTING, OPEN, SERVER
from websockets.protocol import Protocol as Framing

from actors.system.address import Address, send
from actors.system.dispatcher import installed
from actors.transport.frames import TextFrames
from actors.transport.rate_limit import MESSAGES_AHEAD, MESSAGES_PER_S, TokenBucket
from protocols.errors import MisuseError
from protocols.framing import FrameReader

# A peer that leaves more than this unread is disconnected: about eight seconds of 24 kHz audio.
WRITE_LIMIT_BYTES = 512 * 1024
# How much is kept of what a peer sends while no actor is attached, as while its call is looked up or started.
KEPT_LIMIT_BYTES = 2 * 1024 * 1024
# What each kept message counts for besides its length: an empty one takes memory as well.
KEPT_EACH_BYTES = 128
# For the peer to answer our close frame; after that the socket is dropped.
CLOSE_LIMIT_S = 2.0
# More than a TLS record holds (16 KB): bytes that stay deciphered inside the TLS object wake no selector.
READ_BYTES = 64 * 1024
# One for all wires, so that the stock of masking keys is not held once per call.
_OURS_AS_SERVER, _OURS_AS_CLIENT = TextFrames(masks=False), TextFrames(masks=True)
# Our whole ping frame, and the head of the peer's empty pong, which is masked where our frames are not. Both are
# frequent, and do not pass through the framing.
_PING_PONG_AS_SERVER = b"\x89\x00", b"\x8a\x80"
_PING_PONG_AS_CLIENT = b"\x89\x80\x00\x00\x00\x00", b"\x8a\x00"


@dataclass(slots=True)
class WireText:
    """One whole message arrived. data: its bytes; the JSON reader checks that they are UTF-8.

    Never changed, but not declared frozen: making a frozen one takes three times as long.
    """

    data: bytes


@dataclass(frozen=True, slots=True)
class WireClosed:
    """The socket is gone. code: the peer's close code, or 1006 where there was none."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class WireQuiet:
    """The peer has left a ping unanswered for `KeepAlive.quiet_s`; or, quiet false, it has answered again."""

    quiet: bool


WireMessage = WireText | WireClosed | WireQuiet


class Wire(Protocol):
    """One open WebSocket. What it receives goes in order to the attached actor, and is kept until there is one."""

    def attach(self, owner: Address[WireMessage], *, only_next: bool = False) -> None:
        """Deliver to this actor from now on, first what was kept.

        only_next: deliver one message, and keep later ones until an actor is attached again.
        """
        ...

    def send(self, text: bytes) -> None:
        """Send one text message. text: UTF-8. Does nothing once the socket is closing."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; the attached actor is told WireClosed. code: of RFC 6455, section 7.4."""
        ...

    def abort(self) -> None:
        """Drop the socket without a closing handshake."""
        ...


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Ping the peer every `interval_s`, and drop the socket when a ping was not answered for `limit_s`.

    Only a pong counts as an answer, so that a peer which sends but does not read is detected.
    quiet_s: after how long without an answer the attached actor is told WireQuiet.
    """

    interval_s: float
    limit_s: float
    quiet_s: float = math.inf


class FramedWire(ABC):
    """Framing, delivery and keep-alive of server and client sockets. Subclasses move the bytes.

    framing: the Sans-I/O protocol, before or after the opening handshake. loop: only its thread may call this.
    """

    def __init__(self, framing: Framing, loop: asyncio.AbstractEventLoop, keepalive: KeepAlive) -> None:
        self._framing = framing
        server = framing.side is SERVER
        self._reader = FrameReader(masked=server, max_bytes=framing.max_message_size or sys.maxsize)
        self._frames = _OURS_AS_SERVER if server else _OURS_AS_CLIENT
        self._ping_frame, self._pong_head = _PING_PONG_AS_SERVER if server else _PING_PONG_AS_CLIENT
        self._loop = loop
        self._keepalive = keepalive
        self._dispatcher = installed()
        self._owner: Address[WireMessage] | None = None
        self._only_next = False
        self._kept: list[WireMessage] = []
        self._kept_bytes = 0
        # For a client's control frames and fragments, which never become a message that an actor's limits would count.
        self._frame_limit = TokenBucket(MESSAGES_PER_S, MESSAGES_AHEAD, self._dispatcher.now_ms) if server else None
        self._fragments: list[bytes] = []
        self._pinged_s: float | None = None  # when the oldest unanswered ping was sent
        self._quiet = False
        self._gone = False
        # Whether the framing's state is OPEN: read twice a chunk, and a property there.
        self._open = False
        self._timer: asyncio.TimerHandle | None = None

    # --- Wire ---

    def attach(self, owner: Address[WireMessage], *, only_next: bool = False) -> None:
        self._owner, self._only_next = owner, only_next
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        for message in kept:
            self._deliver(message)

    def send(self, text: bytes) -> None:
        if self._open:
            self._write(self._frames.build(text))

    def close(self, code: int, reason: str = "") -> None:
        if self._gone:
            return
        if self._framing.state is OPEN:
            self._framing.send_close(code, reason)
            self._flush()
            self._note_state()
        self._restart_timer(CLOSE_LIMIT_S, self.abort)

    def abort(self) -> None:
        self._shut()

    # --- for subclasses ---

    @abstractmethod
    def _write(self, data: bytes) -> None:
        """Write bytes in order, never blocking."""

    @abstractmethod
    def _shut(self) -> None:
        """Drop the transport; `_lost` is called once, now or soon."""

    def _requested(self, request: Request) -> None:
        """Accept or reject an opening handshake."""
        raise MisuseError("an opening handshake on a wire that is already open")

    def _opened(self) -> None:
        self._note_state()
        self._restart_timer(self._keepalive.interval_s, self._ping)

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        text = self._reader.whole(data) if self._open else None
        if text is not None:
            self._dispatcher.deliver(self._deliver, WireText(text))
        elif not self._gone:
            self._dispatcher.deliver(self._take_apart, data)

    def _take_apart(self, data: bytes) -> None:
        """Take bytes that are not exactly one unfragmented message."""
        if self._framing.state is CONNECTING:
            self._negotiate(data)
        else:
            for is_text, frame in self._reader.feed(data):
                if self._gone:
                    return
                if not is_text:
                    if frame[:2] == self._pong_head:
                        self._ponged()
                    else:
                        self._negotiate(frame)
                elif self._open:  # what follows a close frame is ignored
                    self._deliver(WireText(frame))

    def _negotiate(self, data: bytes) -> None:
        """Pass bytes to the Sans-I/O protocol: handshakes, control frames, fragments, and everything malformed."""
        self._framing.receive_data(data)
        for event in self._framing.events_received():
            if isinstance(event, Frame):
                self._frame(event.opcode, bytes(event.data), event.fin)
            elif isinstance(event, Request):
                self._requested(event)
        if self._framing.writes:  # a pong, a close
            self._flush()
        self._note_state()

    def _frame(self, opcode: Opcode, data: bytes, fin: bool) -> None:
        if self._frame_limit is not None and opcode is not Opcode.CLOSE and not self._frame_limit.take(1):
            self._too_much()
            return
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY or opcode is Opcode.CONT:
            # A binary frame may hold JSON as well; the actor that reads it decides.
            if fin and not self._fragments:
                self._deliver(WireText(data))
                return
            self._fragments.append(data)
            self._reader.in_message = not fin
            if fin:
                whole, self._fragments = b"".join(self._fragments), []
                self._deliver(WireText(whole))
        elif opcode is Opcode.PONG:
            self._ponged()
        elif opcode is Opcode.CLOSE:
            self._restart_timer(CLOSE_LIMIT_S, self.abort)

    def _deliver(self, message: WireMessage) -> None:
        if self._owner is None:
            self._keep(message)
            return
        owner = self._owner
        if self._only_next:
            self._owner = None
        send(owner, message)

    def _keep(self, message: WireMessage) -> None:
        if isinstance(message, WireText):
            self._kept_bytes += len(message.data) + KEPT_EACH_BYTES
            if self._kept_bytes > KEPT_LIMIT_BYTES:
                self._too_much()
                return
        self._kept.append(message)

    def _too_much(self) -> None:
        if self._open:
            self.close(CloseCode.POLICY_VIOLATION, "too much")

    def _flush(self) -> None:
        for data in self._framing.data_to_send():
            if data:
                self._write(data)
            else:
                self._shut()

    def _lost(self) -> None:
        """The transport is gone: tell the attached actor, once."""
        if self._gone:
            return
        self._gone, self._open = True, False
        if self._timer is not None:
            self._timer.cancel()
        received = self._framing.close_rcvd
        ours = self._framing.close_sent
        if received is not None:
            self._deliver(WireClosed(received.code, received.reason))
        elif ours is not None:
            # We refused what the peer sent (too big, not UTF-8, ...), or asked to close and got no answer.
            self._deliver(WireClosed(ours.code, ours.reason))
        else:
            self._deliver(WireClosed(CloseCode.ABNORMAL_CLOSURE, ""))
        # Break the reference cycle of the framing and its parser; otherwise both wait for the cyclic GC.
        self._framing.parser.close()

    def _note_state(self) -> None:
        self._open = self._framing.state is OPEN and not self._gone

    def _ping(self) -> None:
        now_s, keepalive = self._loop.time(), self._keepalive
        waited_s = 0.0 if self._pinged_s is None else now_s - self._pinged_s
        if waited_s >= keepalive.limit_s:
            self.abort()
            return
        if self._framing.state is OPEN:
            if self._pinged_s is None:
                self._pinged_s = now_s
            self._note_quiet(waited_s >= keepalive.quiet_s)
            self._write(self._ping_frame)
        # The last wait is shortened to what is left of the limit, so that the limit is kept exactly.
        self._restart_timer(min(keepalive.interval_s, keepalive.limit_s - waited_s), self._ping)

    def _ponged(self) -> None:
        self._pinged_s = None
        self._note_quiet(False)

    def _note_quiet(self, quiet: bool) -> None:
        if quiet is not self._quiet:
            self._quiet = quiet
            self._deliver(WireQuiet(quiet))

    def _restart_timer(self, delay_s: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if self._gone else self._loop.call_later(delay_s, callback)


class SocketWire(FramedWire):
    """A connected, upgraded client socket, plain or TLS, which the loop takes over.

    asyncio's transports cannot take over a socket on which TLS has begun, so bytes are moved here.
    early: bytes that were already read after the answer to the upgrade.
    """

    def __init__(
        self,
        connected: socket.socket,
        framing: Framing,
        loop: asyncio.AbstractEventLoop,
        keepalive: KeepAlive,
        early: bytes = b"",
    ) -> None:
        super().__init__(framing, loop, keepalive)
        self._socket = connected
        self._unsent = bytearray()
        connected.setblocking(False)
        loop.add_reader(connected.fileno(), self._readable)
        self._opened()
        if early:
            self.data_received(early)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        if data:
            self.data_received(data)
        else:
            self._shut()

    def _write(self, data: bytes) -> None:
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                sent = 0
            except OSError:
                self._shut()
                return
            if sent == len(data):
                return
            data = data[sent:]
            self._loop.add_writer(self._socket.fileno(), self._writable)
        self._unsent += data
        if len(self._unsent) > WRITE_LIMIT_BYTES:
            self._shut()

    def _writable(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
        except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError:
            self._shut()
            return
        self._loop.remove_writer(self._socket.fileno())

    def _shut(self) -> None:
        if self._gone:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._lost()
