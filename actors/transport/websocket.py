"""WebSockets as the actors see them: text in, text out, one message at the end. The event loop owns every socket.

Framing is the Sans-I/O protocol of `websockets`, for our server and client sockets alike. Limits disconnect a peer that
does not read, does not answer pings, or sends too much. In one turn of the loop a wire takes TURN_FRAMES frames and
lines up for another, as it does after each read while it gets more than its share, and with what takes long: an opening
handshake, a long read. So neither one peer nor many of them hold the loop. It does not read on while nobody takes what
it has received.
May import: the rest of actors.transport but the dialler, protocols, websockets, the standard library.
Rules from: docs/specs/reliability.md 2.3 to 2.5, 3.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final

from loguru import logger
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CONNECTING, OPEN, SERVER
from websockets.protocol import Protocol as Framing

from actors.metrics import FLOODS
from actors.system.address import Address, send
from actors.system.dispatcher import installed
from actors.transport.connecting import READ_BYTES
from actors.transport.frames import TextFrames
from actors.transport.rate_limit import ALLOWANCE_BYTES, FRAME_BYTES, TokenBucket, Traffic
from protocols.errors import MisuseError
from protocols.framing import MASKED, FrameReader, apply_mask

# A peer that leaves more than this unread is disconnected: sixteen seconds of 24 kHz audio, more than a message of the
# call's other peer can cause.
WRITE_LIMIT_BYTES = 1024 * 1024
# How much is kept of what a peer sends while no actor is attached, as while its call is looked up or started: five
# seconds of 24 kHz audio. With more, reading pauses.
KEPT_LIMIT_BYTES = 512 * 1024
# What each kept message counts for besides its length: an empty one takes memory as well.
KEPT_EACH_BYTES = 128
# For the peer to answer our close frame; after that the socket is dropped.
CLOSE_LIMIT_S = 2.0
# For our close frame to reach a peer that is cut; what it still sends is not read.
CUT_LIMIT_S = 0.2
# What a wire takes in one turn of the loop: frames for about a millisecond, and no read after one of this length.
TURN_FRAMES = 32
TURN_BYTES = 64 * 1024
# What is longer than this waits in the line before it is taken apart: half a second of 24 kHz audio. To read so much
# that is not audio takes a millisecond or two, and many may send it at once.
AT_ONCE_BYTES = 32 * 1024
END_OF_HEAD = b"\r\n\r\n"
# One for all wires, so that the stock of masking keys is not held once per call.
_OURS_AS_SERVER, _OURS_AS_CLIENT = TextFrames(masks=False), TextFrames(masks=True)
# Our whole ping frame, and the head of the peer's empty pong, which is masked where our frames are not. Both are
# frequent, and do not pass through the framing.
_PING_PONG_AS_SERVER = b"\x89\x00", b"\x8a\x80"
_PING_PONG_AS_CLIENT = b"\x89\x80\x00\x00\x00\x00", b"\x8a\x00"
_PING, _PONG, _MOST_OF_CONTROL, _NO_KEY = 0x89, 0x8A, 125, bytes(4)


@final
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
    traffic: what the peer may send.
    """

    # With slots: there are more attributes than CPython keeps fast, and small, in an instance's dictionary.
    __slots__ = (
        "__weakref__",
        "_address",
        "_binary",
        "_call",
        "_dispatcher",
        "_drew_ms",
        "_frames",
        "_framing",
        "_gone",
        "_head_end",
        "_keepalive",
        "_kept",
        "_kept_bytes",
        "_left",
        "_leg",
        "_limits",
        "_lined_up_ms",
        "_lines_up",
        "_loop",
        "_message",
        "_only_next",
        "_open",
        "_owner",
        "_ping_after_s",
        "_ping_frame",
        "_pong_head",
        "_quiet",
        "_reader",
        "_straight",
        "_timer",
        "_traffic",
        "_unanswered_s",
        "_waited_ms",
    )

    def __init__(
        self, framing: Framing, loop: asyncio.AbstractEventLoop, keepalive: KeepAlive, traffic: Traffic
    ) -> None:
        self._framing = framing
        server = framing.side is SERVER
        self._reader = FrameReader(masked=server, max_bytes=framing.max_message_size or sys.maxsize)
        self._leg = "vaic" if server else "model"
        self._frames = _OURS_AS_SERVER if server else _OURS_AS_CLIENT
        self._ping_frame, self._pong_head = _PING_PONG_AS_SERVER if server else _PING_PONG_AS_CLIENT
        self._loop = loop
        self._keepalive = keepalive
        self._dispatcher = installed()
        self._owner: Address[WireMessage] | None = None
        self._only_next = False
        self._kept: deque[WireMessage] = deque()
        self._kept_bytes = 0
        self._limits = traffic
        self._traffic = TokenBucket(traffic.per_s, traffic.ahead, self._dispatcher.now_ms)
        self._left: float = 0  # of what was drawn from it
        self._drew_ms = -math.inf
        self._waited_ms = 0.0  # in the line since then
        self._lines_up = False  # because it sends more than its share
        # When it lined up for a turn in which nothing is read; None: for none.
        self._lined_up_ms: float | None = None
        self._head_end = b""  # the newest bytes of the opening handshake's head, which END_OF_HEAD may begin
        self._message = bytearray()  # the fragments so far
        self._binary = False  # whether they are of a binary message
        self._address = ""  # the peer's, for the log
        self._call = ""  # the conversation's id, for the log; "" as long as it is not known
        self._unanswered_s: float | None = None  # how long a ping has waited for its answer; None if none does
        self._ping_after_s = 0.0  # how long after the last `_ping` the next one was to be
        self._quiet = False
        self._gone = False
        # Whether the framing's state is OPEN: read twice a chunk, and a property there.
        self._open = False
        self._straight = False  # open, and does not line up
        self._timer: asyncio.TimerHandle | None = None
        self._dispatcher.relieve(self)

    # --- Wire ---

    def attach(self, owner: Address[WireMessage], *, only_next: bool = False) -> None:
        self._owner, self._only_next = owner, only_next
        if self._kept:
            self._hand_over()
            self._take_turn_later()

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
        if code == CloseCode.POLICY_VIOLATION:
            self._pause_reading()
            self._restart_timer(CUT_LIMIT_S, self.abort)
        else:
            self._restart_timer(CLOSE_LIMIT_S, self.abort)

    def abort(self) -> None:
        self._shut()

    def overload(self, began: bool) -> None:
        """FeelsOverload: change the bucket, so that a frame costs the same as before."""
        limits = (self._limits.overloaded if began else None) or self._limits
        self._traffic.change(limits.per_s, limits.ahead)

    # --- for subclasses ---

    @abstractmethod
    def _write(self, data: bytes) -> None:
        """Write bytes in order, never blocking."""

    @abstractmethod
    def _shut(self) -> None:
        """Drop the transport; `_lost` is called once, now or soon."""

    @abstractmethod
    def _pause_reading(self) -> None:
        """Read nothing until `_resume_reading`; may be called again."""

    @abstractmethod
    def _resume_reading(self) -> None:
        """Read on; may be called again."""

    def _requested(self, request: Request) -> None:
        """Accept or reject an opening handshake."""
        raise MisuseError("an opening handshake on a wire that is already open")

    def _opened(self) -> None:
        self._note_state()
        self._ping_in(self._keepalive.interval_s)
        self._take_turn_later()

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        text = self._reader.whole(data) if self._straight and len(data) <= AT_ONCE_BYTES else None
        if text is not None:
            self._left = left = self._left - FRAME_BYTES - len(data)  # inlined `_take`: this is the hot path
            if left >= 0 or self._draw():
                self._dispatcher.deliver(self._deliver, WireText(text))
            else:
                self._too_much()
        elif self._gone:
            pass
        elif self._framing.state is CONNECTING:
            # An opening handshake takes ten times as long as audio, and there may be many at once.
            self._pause_reading()
            self._dispatcher.line_up(lambda _: self._take_apart(data))
        elif len(data) > AT_ONCE_BYTES and self._take(len(data)):
            self._reader.keep(data)
            self._pause_reading()
            self._take_turn_later()
        else:
            self._dispatcher.deliver(self._take_apart, data)

    def _take_apart(self, data: bytes) -> None:
        """Take bytes that are not exactly one unfragmented message."""
        if self._gone:  # while they waited
            return
        if not self._take(FRAME_BYTES + len(data)):
            self._too_much()
        elif self._framing.state is CONNECTING:
            self._shake_hands(data)
        else:
            self._take_frames(data)

    def _take(self, amount: int) -> bool:
        """Count what was read. Returns False if it is more than the peer may send."""
        self._left -= amount
        return self._left >= 0 or self._draw()

    def _draw(self) -> bool:
        """Take the next allowance of the traffic, or else what is missing. Returns False if there is not as much."""
        drawn = max(ALLOWANCE_BYTES, -self._left)
        if not self._traffic.take(drawn):
            drawn = -self._left
            if not self._traffic.take(drawn):
                return False
        self._left += drawn
        now_ms = self._dispatcher.now_ms()
        self._lines_up = self._is_over_share(drawn, now_ms - self._drew_ms)
        self._drew_ms, self._waited_ms = now_ms, 0.0
        self._note_state()
        return True

    def _is_over_share(self, used: float, in_ms: float) -> bool:
        if self._limits.overloaded is None:
            return False
        share = self._limits.overloaded.per_s / 1000
        # In a long line nobody gets much: who is in it for having sent too much stays while it gets what a call needs.
        return used > share * (in_ms - self._waited_ms) and used > share / 2 * in_ms

    def _shake_hands(self, data: bytes) -> None:
        """Take bytes of the opening handshake. What comes behind it waits until the wire is open."""
        seen = self._head_end + data
        at = seen.find(END_OF_HEAD)
        if at < 0:
            self._head_end = seen[1 - len(END_OF_HEAD) :]
            self._resume_reading()
            self._negotiate(data)
            return
        behind = len(seen) - at - len(END_OF_HEAD)
        self._reader.keep(data[len(data) - behind :])
        self._negotiate(data[: len(data) - behind])

    def _take_frames(self, data: bytes) -> None:
        is_first = True  # the first one was counted with the read
        for is_text, frame in self._reader.feed(data, TURN_FRAMES):
            if self._gone:
                return
            if not (is_first or self._take(FRAME_BYTES)):
                self._too_much()
                return
            is_first = False
            if not is_text:
                if frame[:2] == self._pong_head:
                    self._ponged()
                elif not self._answers_ping(frame):
                    self._negotiate(frame)
            elif self._open:  # what follows a close frame is ignored
                self._deliver(WireText(frame))
        if self._reader.more or len(data) >= TURN_BYTES or self._lines_up:
            self._pause_reading()
            self._take_turn_later()

    def _answers_ping(self, frame: bytes) -> bool:
        """Answer a ping by itself: by the framing it takes ten times as long, and each is answered."""
        as_server = self._pong_head is _PING_PONG_AS_SERVER[1]
        length = frame[1] & 0x7F
        if frame[0] != _PING or length > _MOST_OF_CONTROL or bool(frame[1] & MASKED) is not as_server or not self._open:
            return False
        if as_server:
            self._write(bytes((_PONG, length)) + apply_mask(frame[6:], frame[2:6]))
        else:
            self._write(bytes((_PONG, MASKED | length)) + _NO_KEY + frame[2:])
        return True

    # --- turns of the loop in which nothing is read: for what was read before ---

    def _take_turn_later(self) -> None:
        if self._lined_up_ms is None:
            self._lined_up_ms = self._dispatcher.now_ms()
            self._dispatcher.line_up(self._take_turn)

    def _take_turn(self, _: None) -> None:
        """Deliver what was kept, then what was read; then read on, unless nobody takes what is kept."""
        assert self._lined_up_ms is not None
        self._waited_ms += self._dispatcher.now_ms() - self._lined_up_ms
        self._lined_up_ms = None
        self._hand_over()
        if self._kept and self._owner is not None:
            self._take_turn_later()
        elif not self._gone and self._framing.state is not CONNECTING:
            if self._reader.more and self._kept_bytes <= KEPT_LIMIT_BYTES:
                self._take_apart(b"")
            if self._lined_up_ms is None and not self._gone and self._kept_bytes <= KEPT_LIMIT_BYTES:
                self._resume_reading()

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
        if self._framing.parser_exc is not None:  # it broke the protocol, and was told so
            self._pause_reading()
            self._restart_timer(0, self.abort)

    def _frame(self, opcode: Opcode, data: bytes, fin: bool) -> None:
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY or opcode is Opcode.CONT:
            if opcode is not Opcode.CONT:
                self._binary = opcode is Opcode.BINARY
            self._reader.in_message = not fin
            self._message += data
            if fin:
                whole, self._message = bytes(self._message), bytearray()
                # A binary message may hold JSON as well, but unlike a text it breaks no rule if it is not UTF-8.
                self._deliver(WireText(whole.decode(errors="replace").encode() if self._binary else whole))
        elif opcode is Opcode.PONG:
            self._ponged()
        elif opcode is Opcode.CLOSE:
            self._restart_timer(CLOSE_LIMIT_S, self.abort)

    def _deliver(self, message: WireMessage) -> None:
        owner = self._owner
        if owner is None or self._kept:
            self._keep(message)
            return
        if self._only_next:
            self._owner = None
        send(owner, message)

    def _keep(self, message: WireMessage) -> None:
        self._kept.append(message)
        if isinstance(message, WireText):
            self._kept_bytes += len(message.data) + KEPT_EACH_BYTES
            if self._kept_bytes > KEPT_LIMIT_BYTES:
                self._pause_reading()

    def _hand_over(self) -> None:
        """Deliver what was kept, as much as one turn may."""
        for _ in range(TURN_FRAMES):
            if self._owner is None or not self._kept:
                return
            message, owner = self._kept.popleft(), self._owner
            if isinstance(message, WireText):
                self._kept_bytes -= len(message.data) + KEPT_EACH_BYTES
            if self._only_next:
                self._owner = None
            send(owner, message)

    def _too_much(self) -> None:
        """Cut a peer that sends more than it may now. What it sent and nobody has taken yet is dropped."""
        FLOODS.labels(self._leg).inc()
        self._log_cut("a socket that sends too much was cut")
        self._pause_reading()
        if self._open:
            self._framing.send_close(CloseCode.POLICY_VIOLATION, "too much")
            self._flush()
        self._kept.clear()
        self._kept_bytes = 0
        self._lost()
        # Not at once: the close frame is written at the end of this turn.
        self._loop.call_soon(self.abort)

    def _log_cut(self, what: str) -> None:
        log = logger.bind(conversation=self._call) if self._call else logger
        log.warning(what, leg=self._leg, **({"address": self._address} if self._address else {}))

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
        self._gone = True
        self._note_state()
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
        self._straight = self._open and not self._lines_up

    def _ping(self) -> None:
        keepalive = self._keepalive
        # What was meant to be waited, not what has passed: while the loop did not run, as in a process that was
        # stopped, nobody could have read an answer. Differences of times could stay below the limit for ever.
        waited_s = 0.0 if self._unanswered_s is None else self._unanswered_s + self._ping_after_s
        if waited_s >= keepalive.limit_s:
            self.abort()
            return
        if self._framing.state is OPEN or self._unanswered_s is not None:
            self._unanswered_s = waited_s
        if self._framing.state is OPEN:
            self._note_quiet(waited_s >= keepalive.quiet_s)
            self._write(self._ping_frame)
        # The last wait is shortened to what is left of the limit, so that the limit is kept exactly.
        self._ping_in(min(keepalive.interval_s, keepalive.limit_s - waited_s))

    def _ping_in(self, delay_s: float) -> None:
        self._ping_after_s = delay_s
        self._restart_timer(delay_s, self._ping)

    def _ponged(self) -> None:
        self._unanswered_s = None
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
    early: bytes that were already read after the answer to the upgrade. call: the conversation's id, for the log.
    """

    __slots__ = ("_socket", "_unsent")

    def __init__(
        self,
        connected: socket.socket,
        framing: Framing,
        loop: asyncio.AbstractEventLoop,
        keepalive: KeepAlive,
        traffic: Traffic,
        early: bytes = b"",
        call: str = "",
    ) -> None:
        super().__init__(framing, loop, keepalive, traffic)
        self._socket = connected
        self._call = call
        self._unsent = bytearray()
        connected.setblocking(False)
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
            self._log_cut("a peer that does not read was disconnected")
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

    def _pause_reading(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())

    def _resume_reading(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def _shut(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._lost()
