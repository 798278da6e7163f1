"""A bot that keeps every rule of VAIC's wire, in plain JSON, and can be given one fault.

May import: websockets, numpy, the standard library.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Frame = dict[str, Any]
TOKEN = "open-sesame"
SPEED = 40.0
KNOWN = tuple(f"{box}/{codec}" for box in ("raw", "wav") for codec in ("lpcm16", "lpcm16_24", "lpcm16_8", "mulaw"))
SPEECH = "userStream.speech."
_BYTES_PER_MS = {"lpcm16": 32, "lpcm16_24": 48, "lpcm16_8": 16, "mulaw": 8}
_UTTERANCE_MS, _CHUNK_MS, _LEAD_CHUNKS = 3000, 100, 3
_LOUD_CHUNKS, _QUIET_CHUNKS = 3, 15


@dataclass(frozen=True)
class Close:
    """The socket is closed."""

    code: int


@dataclass(frozen=True)
class Pause:
    """Nothing is sent for a while."""

    seconds: float


Sent = Frame | str | bytes | Close | Pause


def as_usual(_bot: Bot, frame: Frame) -> Iterable[Sent]:
    return [frame]


def usual_answer(_bot: Bot, _frame: Frame, _text: str | bytes) -> Iterable[Sent] | None:
    return None


@dataclass(frozen=True)
class Fault:
    """What is wrong with a bot. scene: of the probe's, that shows it.

    sends: what is sent in place of a message. hears: what is sent in answer to one, None for the usual. upgrades: how
    many succeed. speed: of the call against the clock.
    """

    scene: str
    sends: Callable[[Bot, Frame], Iterable[Sent]] = as_usual
    hears: Callable[[Bot, Frame, str | bytes], Iterable[Sent] | None] = usual_answer
    any_token: bool = False
    serves_http: bool = True
    compression: str | None = None
    upgrades: int = 1000
    speed: float = SPEED


@dataclass
class BotServer:
    """calls: the media format of each call that goes on, "" for a chat. ended: the ids of those that do not."""

    fault: Fault
    speed: float
    url: str = ""
    upgrades: int = 0
    calls: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def upgrade(self, socket: ServerConnection, request: Request) -> Response | None:
        allowed = self.fault.any_token or request.headers.get("Authorization") == f"Bearer {TOKEN}"
        if not allowed:
            return socket.respond(HTTPStatus.UNAUTHORIZED, "")
        if request.headers.get("Upgrade") is None:
            body = json.dumps({"type": "ac-bot-api", "success": True} if self.fault.serves_http else {}).encode()
            return Response(200, "OK", Headers({"Content-Length": str(len(body)), "Connection": "close"}), body)
        self.upgrades += 1
        return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "") if self.upgrades > self.fault.upgrades else None

    async def opened(self, socket: ServerConnection) -> None:
        bot = Bot(socket, self)
        try:
            async for text in socket:
                await bot.take(text)
        except ConnectionClosed:
            pass
        finally:
            bot.hush()


class Bot:
    """One socket. heard, sent: the types of messages so far."""

    def __init__(self, socket: ServerConnection, server: BotServer) -> None:
        self.server = server
        self.heard: list[str] = []
        self.sent: list[str] = []
        self.call: str | None = None
        self.stream: str | None = None
        self.streams: set[str | None] = set()
        self._socket = socket
        self._numbers = count()
        self._loud = self._quiet = 0
        self._talking: asyncio.Task[None] | None = None

    @property
    def media(self) -> str:
        return self.server.calls.get(self.call or "", "")

    async def take(self, text: str | bytes) -> None:
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            frame = None
        frame = frame if isinstance(frame, dict) else {}
        answers = self.server.fault.hears(self, frame, text)
        self.heard.append(str(frame.get("type")))
        if answers is None:
            await self._answer(frame)
        else:
            for each in answers:
                await self._put(each)

    async def send(self, kind: str, **fields: Any) -> None:
        for each in self.server.fault.sends(self, {"type": kind, **fields}):
            await self._put(each)
        self.sent.append(kind)

    async def _put(self, message: Sent) -> None:
        match message:
            case Pause():
                await asyncio.sleep(message.seconds)
            case Close():
                await self._socket.close(message.code)
            case dict():
                await self._socket.send(json.dumps(message))
            case _:
                await self._socket.send(message)

    # --- the call ---

    async def _answer(self, frame: Frame) -> None:
        named = {"participant": frame["participant"]} if "participant" in frame else {}
        match frame.get("type"):
            case "connection.validate":
                await self.send("connection.validated", success=True)
            case "session.initiate" if self.call is None:
                await self._initiate(frame)
            case "session.resume" if frame.get("conversationId") in self.server.calls:
                self.call = frame["conversationId"]
                await self.send("session.accepted", mediaFormat=self.media)
            case "session.resume":
                await self.send("session.error", reason="no such call")
            case "session.end":
                self.hush()
                if self.call is not None:
                    self.server.calls.pop(self.call, None)
                    self.server.ended.add(self.call)
                await self._socket.close()
            case "userStream.start" if self.call is not None:
                self.streams.add(frame.get("participant"))
                await self.send("userStream.started", **named)
            case "userStream.stop" if self.call is not None:
                self.streams.discard(frame.get("participant"))
                await self.send("userStream.stopped", **named)
            case "userStream.chunk" if self.streams:
                await self._hear(frame.get("audioChunk"))
            case "activities" if self.call is not None:
                for activity in frame.get("activities") or ():
                    await self._act(activity if isinstance(activity, dict) else {})

    async def _initiate(self, frame: Frame) -> None:
        offered = [each for each in frame.get("supportedMediaFormats") or () if each in KNOWN]
        chat = frame.get("expectAudioMessages") is False
        if not frame.get("conversationId") or not (offered or chat):
            await self.send("session.error", reason="not to be served")
            return
        self.call = frame["conversationId"]
        self.server.calls[self.call] = "" if chat else offered[0]
        await self.send("session.accepted", **({} if chat else {"mediaFormat": offered[0]}))

    async def _act(self, activity: Frame) -> None:
        if activity.get("name") == "start" or activity.get("type") == "message":
            if self.media:
                self.talk()
            else:
                await self.send("activities", activities=[{"type": "message", "text": "Good morning."}])

    # --- speech ---

    async def _hear(self, payload: object) -> None:
        try:
            audio = b64decode(str(payload), validate=True)
        except ValueError:
            return
        samples = np.frombuffer(audio[: len(audio) & ~1], "<i2").astype(int)
        if not len(samples):
            return
        if np.abs(samples).max() > 1000:
            self._loud, self._quiet = self._loud + 1, 0
            if self._loud == _LOUD_CHUNKS:
                await self.send(f"{SPEECH}started")
                self.hush()
                if self.stream is not None:
                    await self._stop()
        elif self._loud >= _LOUD_CHUNKS:
            self._quiet += 1
            if self._quiet == _QUIET_CHUNKS:
                self._loud = 0
                await self.send(f"{SPEECH}stopped")
                await self.send(f"{SPEECH}recognition", alternatives=[{"text": "hello"}])
                await self.send(f"{SPEECH}committed")
                self.talk()

    def hush(self) -> None:
        if self._talking is not None:
            self._talking.cancel()
            self._talking = None

    def talk(self) -> None:
        self.hush()
        self._talking = asyncio.ensure_future(self._talk())

    async def _talk(self) -> None:
        try:
            self.stream = f"p-{id(self)}-{next(self._numbers)}"
            await self.send("playStream.start", streamId=self.stream, mediaFormat=self.media)
            for number in range(_UTTERANCE_MS // _CHUNK_MS):
                await self.send("playStream.chunk", streamId=self.stream, audioChunk=self._tone())
                if number >= _LEAD_CHUNKS:
                    await asyncio.sleep(_CHUNK_MS / 1000 / self.server.speed)
            await self._stop()
        except ConnectionClosed:
            pass

    async def _stop(self) -> None:
        stream, self.stream = self.stream, None
        await self.send("playStream.stop", streamId=stream)

    def _tone(self) -> str:
        size = _BYTES_PER_MS[self.media.partition("/")[2]] * _CHUNK_MS
        return b64encode((np.arange(size // 2) * 7 % 9000 + 1000).astype("<i2").tobytes()).decode()


@asynccontextmanager
async def bot_server(fault: Fault, speed: float) -> AsyncIterator[BotServer]:
    """A server of bots with this fault, which talk that much faster than people."""
    server = BotServer(fault, speed)
    async with serve(
        server.opened, "127.0.0.1", 0, compression=fault.compression, process_request=server.upgrade, max_size=None
    ) as listening:
        server.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server


# --- kinds of faults ---


def drops(*kinds: str) -> Callable[[Bot, Frame], Iterable[Sent]]:
    """Messages of these types are not sent."""
    return lambda _bot, frame: [] if frame["type"] in kinds else [frame]


def adds(kind: str, *more: Sent, before: bool = False) -> Callable[[Bot, Frame], Iterable[Sent]]:
    """Something is sent with each message of this type."""

    def sends(_bot: Bot, frame: Frame) -> Iterable[Sent]:
        if frame["type"] != kind:
            return [frame]
        return [*more, frame] if before else [frame, *more]

    return sends


def changes(kind: str, **fields: Any) -> Callable[[Bot, Frame], Iterable[Sent]]:
    """Messages of this type have other fields."""
    return lambda _bot, frame: [{**frame, **fields} if frame["type"] == kind else frame]


def answers(
    to: str, *what: Sent, when: Callable[[Bot, Frame], object] = lambda _bot, _frame: True
) -> Callable[[Bot, Frame, str | bytes], Iterable[Sent] | None]:
    """Messages of this type get another answer, or none."""
    return lambda bot, frame, _text: what if frame.get("type") == to and when(bot, frame) else None


def trips_over(messages: Sequence[Any], *what: Sent) -> Callable[[Bot, Frame, str | bytes], Iterable[Sent] | None]:
    """One of these messages gets that answer."""

    def hears(_bot: Bot, frame: Frame, text: str | bytes) -> Iterable[Sent] | None:
        plain = {name: each for name, each in frame.items() if name != "conversationId"}
        return what if text in messages or (plain and plain in messages) else None

    return hears
