"""A third-party bot on real sockets: it uses plain JSON and shares no code with the simulated caller."""

from __future__ import annotations

import asyncio
import json
import wave
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from lab.caller import CallerEvent, CallReport, CallSettings, ScriptStep, place_call
from tests.paced_loop import run_paced

SPEECH = Path(__file__).parents[2] / "lab" / "speech"
NO = SPEECH / "slt_no.wav"
YES = SPEECH / "rms_yes.wav"
CALL = "5b0f6d1e-call"
LIMIT_S = 20.0

BYTES_PER_MS = {"raw/lpcm16_24": 48, "raw/lpcm16": 32, "raw/mulaw": 8}


def mulaw_size(codes: bytes) -> NDArray[np.int32]:
    """The amplitudes of mu-law codes, by the table of G.711: segment and step."""
    inverted = ~np.frombuffer(codes, dtype=np.uint8)
    segment, step = (inverted >> 4) & 7, inverted & 15
    return ((step.astype(np.int32) * 2 + 33) << segment) - 33


def tone(ms: int, media: str = "raw/lpcm16_24") -> bytes:
    """A tone without silent samples, in which no two pieces are equal."""
    count = BYTES_PER_MS[media] * ms
    if media == "raw/mulaw":
        return bytes(1 + n % 100 for n in range(count))
    return (1000 + np.arange(count // 2, dtype=np.int64) * 7 % 9000).astype("<i2").tobytes()


class Bot:
    """One socket of a bot: reads messages, acknowledges streams, and detects whether the caller speaks."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.audio = bytearray()
        self.chunks = 0
        self.chunk_sizes: set[int] = set()
        self.first_chunk_s = self.last_chunk_s = 0.0
        self.acknowledges = True
        self.media = "raw/lpcm16_24"
        self._news = asyncio.Condition()
        self._loud = self._quiet_chunks = 0
        self._streams = 0

    # --- hearing ---

    async def read(self) -> None:
        async for message in self.socket:
            frame = json.loads(message)
            if frame["type"] == "userStream.chunk":
                self._hear(b64decode(frame["audioChunk"]))
            else:
                self.frames.append(frame)
                if self.acknowledges and frame["type"] == "userStream.start":
                    await self.send("userStream.started")
                if self.acknowledges and frame["type"] == "userStream.stop":
                    await self.send("userStream.stopped")
                if frame["type"] == "session.end":
                    await self.socket.close()
            async with self._news:
                self._news.notify_all()

    def _hear(self, audio: bytes) -> None:
        now_s = asyncio.get_running_loop().time()
        self.first_chunk_s = self.first_chunk_s or now_s
        self.last_chunk_s = now_s
        self.chunks += 1
        self.chunk_sizes.add(len(audio))
        self.audio += audio
        size = mulaw_size(audio) if self.media == "raw/mulaw" else np.abs(np.frombuffer(audio, "<i2").astype(int))
        if size.max() > 1000:
            self._loud += 1
            self._quiet_chunks = 0
        else:
            self._quiet_chunks += 1

    async def until(self, happened: Callable[[], bool]) -> None:
        async with self._news:
            await self._news.wait_for(happened)

    async def caller_began(self) -> None:
        await self.until(lambda: self._loud >= 3)

    async def caller_finished(self) -> None:
        """300 ms of silence after speech."""
        await self.until(lambda: self._loud >= 3 and self._quiet_chunks >= 15)
        self._loud = 0

    async def got(self, kind: str) -> dict[str, Any]:
        """Wait for the first frame of a type, or activity of a name."""
        await self.until(lambda: bool(self.all(kind)))
        return self.all(kind)[0]

    def all(self, kind: str) -> list[dict[str, Any]]:
        activities = [each for frame in self.frames for each in frame.get("activities", [])]
        return [frame for frame in self.frames if frame["type"] == kind] + [
            each for each in activities if each["name"] == kind
        ]

    # --- speaking ---

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, "conversationId": CALL} | fields))

    async def accept(self, media: str = "raw/lpcm16_24") -> None:
        await self.until(lambda: bool(self.frames))
        self.media = media
        await self.send("session.accepted", mediaFormat=media)

    async def act(self, name: str, **fields: Any) -> None:
        activity = {"type": "event", "name": name, "id": "b-1", "timestamp": "2026-03-04T09:15:00.400Z"} | fields
        await self.send("activities", activities=[activity])

    async def start(self, stream: str, media: str | None = None, **fields: Any) -> None:
        await self.send("playStream.start", streamId=stream, mediaFormat=media or self.media, **fields)

    async def chunk(self, stream: str, audio: bytes) -> None:
        await self.send("playStream.chunk", streamId=stream, audioChunk=b64encode(audio).decode())

    async def stop(self, stream: str) -> None:
        await self.send("playStream.stop", streamId=stream)

    async def say(self, ms: int, **fields: Any) -> str:
        """Send a whole utterance at once, which the protocol allows: VAIC buffers it."""
        self._streams += 1
        stream = f"p-{id(self)}-{self._streams}"
        await self.start(stream, **fields)
        await self.chunk(stream, tone(ms, self.media))
        await self.stop(stream)
        return stream


Conduct = Callable[[Bot], Awaitable[None]]


@dataclass
class Server:
    url: str
    bots: list[Bot] = field(default_factory=list)


@asynccontextmanager
async def serving(*conducts: Conduct, refuse: HTTPStatus | None = None) -> AsyncIterator[Server]:
    """A bot server. The n-th socket is handled by the n-th script, further ones by the last."""
    server = Server("")

    async def socket_opened(socket: ServerConnection) -> None:
        bot = Bot(socket)
        server.bots.append(bot)
        conduct = asyncio.ensure_future(conducts[min(len(server.bots), len(conducts)) - 1](bot))
        try:
            await bot.read()
        except ConnectionClosed:
            pass
        finally:
            conduct.cancel()
            results = await asyncio.gather(conduct, return_exceptions=True)
            bad = [each for each in results if isinstance(each, Exception) and not isinstance(each, ConnectionClosed)]
            assert not bad, bad

    def upgrade(socket: ServerConnection, request: Request) -> Response | None:
        if refuse is not None or request.headers.get("Authorization") != "Bearer open-sesame":
            return socket.respond(refuse or HTTPStatus.UNAUTHORIZED, "")
        return None

    async with serve(socket_opened, "127.0.0.1", 0, compression=None, process_request=upgrade) as listening:
        server.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/bot"
        yield server


def call(
    script: Sequence[ScriptStep],
    *conducts: Conduct,
    refuse: HTTPStatus | None = None,
    on_event: Callable[[CallerEvent], None] | None = None,
    **settings: Any,
) -> tuple[CallReport, list[Bot]]:
    """Place one call to a bot with these scripts, at twenty times real time."""

    async def both() -> tuple[CallReport, list[Bot]]:
        async with asyncio.timeout(LIMIT_S), serving(*conducts, refuse=refuse) as server:
            how: dict[str, Any] = {"speed": 20.0, "token": "open-sesame", "patience_s": 10.0} | settings
            report = await place_call(CallSettings(url=server.url, conversation_id=CALL, **how), script, on_event)
            return report, server.bots

    return run_paced(both())


async def answers(bot: Bot, sentences: int, media: str = "raw/lpcm16_24") -> None:
    """Greets, answers each sentence, and hangs up when it has been heard to the end."""
    await bot.accept(media)
    await bot.got("start")
    await bot.act("config", sessionParams={"sendEventsToBot": ["playFinished"]})
    await bot.say(400)
    for _ in range(sentences):
        await bot.caller_finished()
        await bot.say(600)
    await bot.until(lambda: len(bot.all("playFinished")) == sentences + 1)
    await bot.act("hangup", activityParams={"hangupReason": "done"})


def answering(sentences: int, media: str = "raw/lpcm16_24") -> Conduct:
    return lambda bot: answers(bot, sentences, media)


async def until_lost(bot: Bot) -> None:
    await bot.accept()
    await bot.say(400)
    await bot.until(lambda: False)


def channels(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path), "rb") as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, 24_000)
        return np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").reshape(-1, 2)


def a_recording(
    folder: Path,
    *,
    lead_ms: int,
    speech_ms: int,
    rate: int = 16_000,
    channels: int = 1,
    tail_ms: int = 0,
    width: int = 2,
) -> Path:
    """A WAV of silence, a tone and silence."""
    path = folder / "tone.wav"
    loud = (12_000 * np.sin(np.arange(rate * speech_ms // 1000) * 2 * np.pi * 440 / rate + 0.5)).astype("<i2")
    samples = np.concatenate([np.zeros(rate * lead_ms // 1000), loud, np.zeros(rate * tail_ms // 1000)]).astype("<i2")
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(rate)
        wav.writeframes(np.repeat(samples, channels).tobytes() if width == 2 else bytes(len(samples)))
    return path
