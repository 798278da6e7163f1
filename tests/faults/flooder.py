"""Peers on raw sockets that send at full speed, read nothing and wait for nothing, as a client or as a model.

They send with blocking calls, in a process of their own, so that the operating system alone decides how fast they are.

python -m tests.faults.flooder [--step-back]: with what others leave of a processor, so that who measures does not wait.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from time import perf_counter, sleep
from typing import Self

from websockets.utils import accept_key

from actors.transport.rate_limit import CONTROLS_PER_S
from protocols.frames import MOST_VALUES
from protocols.framing import apply_mask
from tests.gateway.daemons import upgrade_request

KEY = b"\x12\x34\x56\x78"
# A flood that nobody ends is given up after this time.
LIMIT_S = 10.0
# What one send hands to the kernel, about.
BLOCK_BYTES = 64 * 1024
TEXT, PING, PONG, CONTINUED, TEXT_BEGINS, FRAGMENT = 0x81, 0x89, 0x8A, 0x80, 0x01, 0x00

STREAM_STARTS = b'{"type":"userStream.start"}'
SPEECH_BEGINS = b'{"type":"input_audio_buffer.speech_started","item_id":"i","audio_start_ms":0}'
SESSION = {"type": "session.created", "event_id": "e", "session": {"id": "s", "type": "realtime"}}


def frame(head: int, payload: bytes = b"", masks: bool = True, length: int | None = None) -> bytes:
    """A frame as it is sent. head: its first byte. length: told in place of the payload's."""
    told, mask = len(payload) if length is None else length, 0x80 if masks else 0
    if told < 126:
        begin = bytes((head, mask | told))
    elif told < 65536:
        begin = bytes((head, mask | 126)) + told.to_bytes(2, "big")
    else:
        begin = bytes((head, mask | 127)) + told.to_bytes(8, "big")
    return begin + KEY + apply_mask(payload, KEY) if masks else begin + payload


def _block(each: bytes) -> bytes:
    return each * max(1, BLOCK_BYTES // len(each))


# What is sent: a beginning, then pieces without end, one a send.
FLOODS: dict[str, Callable[[bool], tuple[bytes, bytes]]] = {
    "tiny": lambda masks: (b"", _block(frame(TEXT, b"{}", masks))),
    "empty": lambda masks: (b"", _block(frame(TEXT, b"", masks))),
    "pings": lambda masks: (b"", _block(frame(PING, b"", masks))),
    "pongs": lambda masks: (b"", _block(frame(PONG, b"", masks))),
    "fragments": lambda masks: (frame(TEXT_BEGINS, b"{", masks), _block(frame(FRAGMENT, b" ", masks))),
    "empty fragments": lambda masks: (frame(TEXT_BEGINS, b"", masks), _block(frame(FRAGMENT, b"", masks))),
    "whole messages in fragments": lambda masks: (
        b"", _block(frame(TEXT_BEGINS, b"{", masks) + frame(CONTINUED, b"}", masks)),
    ),
    "obeyed": lambda masks: (b"", _block(frame(TEXT, STREAM_STARTS if masks else SPEECH_BEGINS, masks))),
    "one huge frame": lambda masks: (frame(TEXT, b"", masks, length=2**40), bytes(BLOCK_BYTES)),
    "large frames": lambda masks: (b"", frame(TEXT, b'{"type":"x","a":[' + b"[],"*60_000 + b"[]]}", masks)),
    "large activities": lambda masks: (
        b"", frame(TEXT, b'{"type":"activities","activities":[' + b'{"type":"e"},'*10_000 + b'{"type":"e"}]}', masks)
    ),
    "large responses": lambda masks: (
        b"", frame(TEXT, b'{"type":"response.done","response":{"output":[' + b'{"a":1},'*10_000 + b'{"a":1}]}}', masks)
    ),
    "escapes": lambda masks: (b"", frame(TEXT, b'{"type":"x","a":"' + rb"\\\u0000"*30_000 + b'"}', masks)),
    "a byte at a time": lambda masks: (b"", frame(TEXT, b"{}", masks)),
    "large frames a byte at a time": lambda masks: (frame(TEXT, b"", masks, length=100_000), b"    "),
}  # fmt: skip


def flood(connection: socket.socket, kind: str, masks: bool, limit_s: float = LIMIT_S) -> float:
    """Send until the other side hangs up. Returns after how many s it did; `limit_s` if it never did."""
    begin, piece = FLOODS[kind](masks)
    step = 1 if "a byte" in kind else len(piece)
    pieces = cycle([piece[at : at + step] for at in range(0, len(piece), step)])
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A side that does not read either is not waited for: a send that lasts is a flood that has not ended.
    connection.settimeout(limit_s)
    began_s = perf_counter()
    try:
        connection.sendall(begin)
        while (for_s := perf_counter() - began_s) < limit_s:
            connection.sendall(next(pieces))
    except OSError:
        for_s = perf_counter() - began_s
    return min(for_s, limit_s)


def read_frame(connection: socket.socket) -> bytes:
    """The payload of the next frame, which must be a text, unmasked."""
    while True:
        head = _read(connection, 2)
        length = head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(_read(connection, 2 if length == 126 else 8), "big")
        key = _read(connection, 4) if head[1] & 0x80 else b""
        payload = _read(connection, length)
        if head[0] == TEXT:
            return apply_mask(payload, key) if key else payload


def _read(connection: socket.socket, count: int) -> bytes:
    whole = b""
    while len(whole) < count:
        if not (part := connection.recv(count - len(whole))):
            raise ConnectionResetError
        whole += part
    return whole


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _read(connection, 1)
    return head


class Refused(Exception):
    """The upgrade was not accepted."""


def vaic(address: tuple[str, int], *says: dict[str, object]) -> socket.socket:
    """An upgraded socket at VAIC's port, on which messages were sent, and each was answered. Raises: Refused."""
    connection = socket.create_connection(address)
    connection.settimeout(LIMIT_S)
    connection.sendall(upgrade_request())
    if b" 101 " not in _read_head(connection):
        connection.close()
        raise Refused
    for each in says:
        tell(connection, each)
        read_frame(connection)
    return connection


def initiate(conversation_id: str) -> dict[str, object]:
    """What begins a call."""
    return {
        "type": "session.initiate",
        "conversationId": conversation_id,
        "expectAudioMessages": True,
        "supportedMediaFormats": ["raw/lpcm16_24"],
    }


def tell(connection: socket.socket, message: dict[str, object]) -> None:
    connection.sendall(frame(TEXT, json.dumps(message).encode()))


def flood_as_vaic(port: int, kind: str, *says: dict[str, object]) -> float:
    with vaic(("127.0.0.1", port), *says) as connection:
        return flood(connection, kind, masks=True)


def _upgraded(request: bytes) -> bytes:
    """The answer to an upgrade. request: its head."""
    lines = request.decode().splitlines()
    key = next(line.split()[1] for line in lines if line.lower().startswith("sec-websocket-key"))
    answer = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
    )
    return "\r\n".join((*answer, "", "")).encode()


def flood_as_model(port: int, kind: str, settles: bool) -> float:
    """As the Realtime API on a port, flood one session. settles: once it is configured; else at once."""
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(LIMIT_S)
        _tell("listens")
        connection, _ = server.accept()
    with connection:
        connection.settimeout(LIMIT_S)
        connection.sendall(_upgraded(_read_head(connection)))
        if settles:
            connection.sendall(frame(TEXT, json.dumps(SESSION).encode(), masks=False))
            read_frame(connection)
            connection.sendall(frame(TEXT, json.dumps(SESSION | {"type": "session.updated"}).encode(), masks=False))
        return flood(connection, kind, masks=False)


# What costs most, of what keeps to the limits of a socket's bytes, of messages that are not audio, of values in one.
RATE_PER_S = CONTROLS_PER_S - 2
VALUES = {str(number): number for number in range(MOST_VALUES - 100)}
ACTIVITIES = json.dumps(
    {"type": "activities", "activities": [{"type": "event", "name": "e", "parameters": VALUES}]}, separators=(",", ":")
)
# What is sent at a time, RATE_PER_S times a second.
COSTLY: dict[str, bytes] = {
    "activities": frame(TEXT, ACTIVITIES.encode()),
    "what stands beside audio": 2
    * frame(TEXT, rb'{"type":"userStream.chunk","audioChunk":"","x":"' + rb"\u0000" * 2600 + b'"}'),
    "pings": frame(PING) * 25,
}
MANY_LIMIT_S = 60.0


class _Sender:
    """One of many: reads, and answers pings, because who does not is cut for that."""

    def __init__(self, connection: socket.socket, sends: bytes) -> None:
        self._socket, self._sends = connection, sends
        self._socket.setblocking(False)
        self._unsent, self._unread = b"", b""

    def goes_on(self) -> bool:
        """Send a message if the one before is sent. Returns False once the other side has hung up."""
        try:
            with suppress(BlockingIOError):
                while part := self._socket.recv(BLOCK_BYTES):
                    self._unread += part
                return False
            self._unsent = (self._unsent or self._sends) + self._pongs()
            with suppress(BlockingIOError):
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except OSError:
            return False
        return True

    def _pongs(self) -> bytes:
        pongs = b""
        while len(self._unread) >= 2:
            length, at = self._unread[1], 2
            if length >= 126:
                at = 4 if length == 126 else 10
                length = int.from_bytes(self._unread[2:at], "big")
            if len(self._unread) < at + length:
                break
            if self._unread[0] == PING:
                pongs += frame(PONG, self._unread[at : at + length])
            self._unread = self._unread[at + length :]
        return pongs


def flood_by_many(port: int, count: int, kind: str, limit_s: float) -> float:
    """As so many calls, send one of COSTLY. Returns after how many s all were hung up on; `limit_s` if not."""
    connections = [vaic(("127.0.0.1", port), initiate(f"many-{number}")) for number in range(count)]
    _tell("listens")
    senders = [_Sender(each, COSTLY[kind]) for each in connections]
    began_s = due_s = perf_counter()
    while senders and (for_s := perf_counter() - began_s) < limit_s:
        senders = [each for each in senders if each.goes_on()]
        due_s = max(due_s + 1 / RATE_PER_S, perf_counter())  # what could not be sent in time is not made up for
        sleep(max(0.0, due_s - perf_counter()))
    for each in connections:
        each.close()
    return min(for_s, limit_s)


class _Peer:
    """A socket of one of many. selector: tells it when there is something to read."""

    def __init__(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        self._socket, self._selector = connection, selector
        self._unread = b""
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, self)

    def readable(self) -> None:
        try:
            part = self._socket.recv(BLOCK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if part:
            self._unread += part
            with suppress(OSError):  # it is gone, which the next read tells
                self._received()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        self._selector.unregister(self._socket)
        self._socket.close()
        self._gone()

    def _received(self) -> None:
        raise NotImplementedError

    def _gone(self) -> None:
        """It is closed."""


class _Beginner(_Peer):
    """A client that begins a call, ends it once it is accepted, and begins the next when that has ended.

    begun: the ids of all calls that were accepted. number: of its calls so far.
    """

    def __init__(
        self, port: int, name: str, selector: selectors.BaseSelector, begun: list[str], number: int = 0
    ) -> None:
        super().__init__(socket.create_connection(("127.0.0.1", port)), selector)
        self._port, self._name, self._begun, self._number = port, name, begun, number
        self._id = named = f"{name}-{number}"
        end: dict[str, object] = {"type": "session.end", "conversationId": named, "reasonCode": "client-disconnected"}
        # What each is the answer to.
        self._says: dict[bytes, dict[str, object]] = {b"\r\n\r\n": initiate(named), b'"session.accepted"': end}
        self._socket.sendall(upgrade_request())

    def _received(self) -> None:
        if not self._says:
            self._hang_up()
            return
        for awaited in tuple(self._says):
            if awaited not in self._unread:
                return
            tell(self._socket, self._says.pop(awaited))
            if not self._says:
                self._begun.append(self._id)

    def _gone(self) -> None:
        _Beginner(self._port, self._name, self._selector, self._begun, self._number + 1)


class _QuietModel(_Peer):
    """A session of the Realtime API that accepts any configuration, and says nothing."""

    def __init__(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        super().__init__(connection, selector)
        self._says = [SESSION, SESSION | {"type": "session.updated"}]

    def _received(self) -> None:
        if len(self._says) == 2:
            if not self._unread.endswith(b"\r\n\r\n"):
                return
            self._socket.sendall(_upgraded(self._unread))
        if self._unread[-8:].startswith(b"\x88\x82"):  # a close frame with nothing but its code
            self._hang_up()
            return
        self._unread = b""
        if self._says:
            self._socket.sendall(frame(TEXT, json.dumps(self._says.pop(0)).encode(), masks=False))


def flood_by_beginnings(port: int, count: int, model_port: int, limit_s: float) -> int:
    """As so many clients, do nothing but begin calls and end them; as the model at a port, accept them.

    Returns how many were begun.
    """
    with (
        selectors.DefaultSelector() as selector,
        socket.create_server(("127.0.0.1", model_port), backlog=count) as server,
    ):
        server.setblocking(False)
        selector.register(server, selectors.EVENT_READ)
        _tell("listens")
        begun: list[str] = []
        for number in range(count):
            _Beginner(port, f"begun-{number}", selector, begun)
        until_s = perf_counter() + limit_s
        while (left_s := until_s - perf_counter()) > 0:
            for key, _ in selector.select(left_s):
                if key.data is None:
                    _QuietModel(server.accept()[0], selector)
                else:
                    key.data.readable()
    return len(begun)


# The sockets that say nothing.
_held: list[socket.socket] = []


def hold_silent(port: int, count: int) -> int:
    """Open sockets that say nothing, and keep them. Returns how many were let in."""
    before = len(_held)
    for _ in range(count):
        with suppress(Refused):
            _held.append(vaic(("127.0.0.1", port)))
    return len(_held) - before


# What a flooder is told to do, by side.
SIDES: dict[str, Callable[..., float]] = {
    "vaic": flood_as_vaic,
    "model": flood_as_model,
    "silent": hold_silent,
    "many": flood_by_many,
    "beginnings": flood_by_beginnings,
}


def _tell(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _step_back() -> None:
    """Take what others leave of a processor: none on a busy machine.

    With the lowest niceness only, it would keep each of them waiting to the end of its time slice.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


class Flooder:
    """A process that floods, so that neither the load generator nor a proxy of the test waits for it.

    steps_back: lower its priority.
    """

    def __init__(self, steps_back: bool) -> None:
        self._command = [sys.executable, "-m", "tests.faults.flooder", *(["--step-back"] if steps_back else [])]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=Path(__file__).parents[2], stdin=PIPE, stdout=PIPE
        )
        assert await self.says() == "ready"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    def starts(self, side: str, *arguments: object) -> None:
        """Begin what SIDES names."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([side, *arguments]).encode() + b"\n")

    async def says(self) -> str:
        """Its next line: "listens" of a model, then how long it has flooded, in s; sockets it holds; "refused"."""
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode().strip()
        assert line, "the flooder has died"
        return line


if __name__ == "__main__":
    if sys.argv[1:] == ["--step-back"]:
        _step_back()
    _tell("ready")
    for each in sys.stdin:
        side, *given = json.loads(each)
        try:
            _tell(SIDES[side](*given))
        except (Refused, OSError):
            _tell("refused")
