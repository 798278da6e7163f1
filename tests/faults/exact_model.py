"""A model that hears to the sample: it tells where sound ended in the audio that it was sent, and answers with a tone.

Its judgement of where a caller's speech ends is exact, so what a daemon's figures differ by from what a caller hears is
the daemon's. May import: numpy, websockets, protocols.media, the standard library.
Rules from: docs/specs/openai-realtime.md 4.2, 4.3.
"""

from __future__ import annotations

import asyncio
import json
import random
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

from protocols.media import LPCM16_24, MULAW, MediaFormat, mulaw

PREFIX_MS, SILENCE_MS = 300, 500  # of the session that a bot asks for by default
VOICED_MS = 60  # before it says that somebody speaks
LOUD = 2000  # of 32,768
# What it says, and in what pieces; faster than it sounds.
ANSWER_MS, DELTA_MS, DELTA_EVERY_S = 700, 100, 0.02
USAGE = {
    "total_tokens": 130,
    "input_tokens": 100,
    "output_tokens": 30,
    "input_token_details": {
        "text_tokens": 60,
        "audio_tokens": 40,
        "cached_tokens": 50,
        "cached_tokens_details": {"text_tokens": 30, "audio_tokens": 20},
    },
    "output_token_details": {"text_tokens": 10, "audio_tokens": 20},
}


def tone(media: MediaFormat, length_ms: int) -> bytes:
    """A tone that is loud from its first sample to its last."""
    at = np.arange(media.sample_rate_hz * length_ms // 1000)
    samples = (12_000 * np.sign(np.cos(2 * np.pi * 400 * at / media.sample_rate_hz))).astype(np.int16)
    return samples.astype("<i2").tobytes() if media.is_pcm else mulaw(samples)


class _Session:
    def __init__(self, socket: ServerConnection, think_s: tuple[float, float]) -> None:
        self._socket = socket
        self._think_s = think_s
        self._media = LPCM16_24
        self._numbers = count(1)
        self._heard_bytes = 0
        self._onset_ms: float | None = None
        self._quiet_ms = 0.0
        self._speaking = ""
        self._answer: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        await self._say("session.created", session={"type": "realtime", "id": "s", "model": "gpt-realtime"})
        async for message in self._socket:
            event = json.loads(message)
            match event["type"]:
                case "input_audio_buffer.append":
                    await self._hear(b64decode(event["audio"]))
                case "session.update":
                    form = ((event["session"].get("audio") or {}).get("input") or {}).get("format") or {}
                    if form:
                        self._media = MULAW if form["type"] == "audio/pcmu" else LPCM16_24
                    await self._say("session.updated", session={"type": "realtime", "id": "s"})
                case "response.create":
                    self._begin()

    async def _hear(self, audio: bytes) -> None:
        if self._media.is_pcm:
            loud = np.flatnonzero(np.abs(np.frombuffer(audio, "<i2").astype(np.int32)) > LOUD)
        else:  # mu-law: apart from the sign, the complement of a code rises with the amplitude
            loud = np.flatnonzero((~np.frombuffer(audio, np.uint8) & 0x7F) > 0x40)
        per_ms = self._media.bytes_per_ms // (2 if self._media.is_pcm else 1)
        began_ms = self._heard_bytes / self._media.bytes_per_ms
        self._heard_bytes += len(audio)
        now_ms = self._heard_bytes / self._media.bytes_per_ms
        if len(loud):
            if self._onset_ms is None:
                self._onset_ms = began_ms + loud[0] / per_ms
            self._quiet_ms = began_ms + (loud[-1] + 1) / per_ms
            if not self._speaking and self._quiet_ms - self._onset_ms >= VOICED_MS:
                self._speaking = f"u-{next(self._numbers)}"
                onset_ms = round(max(1.0, self._onset_ms - PREFIX_MS))
                await self._say("input_audio_buffer.speech_started", item_id=self._speaking, audio_start_ms=onset_ms)
                if self._answer is not None:
                    self._answer.cancel()
        elif self._speaking and now_ms - self._quiet_ms >= SILENCE_MS:
            item, self._speaking, self._onset_ms = self._speaking, "", None
            end_ms = round(self._quiet_ms + SILENCE_MS)
            await self._say("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=end_ms)
            await self._say("input_audio_buffer.committed", item_id=item, previous_item_id=None)
            usage = {"type": "duration", "seconds": 0.5}
            done = "conversation.item.input_audio_transcription.completed"
            await self._say(done, item_id=item, content_index=0, transcript="Hello there.", usage=usage)
            self._begin()

    def _begin(self) -> None:
        self._answer = asyncio.create_task(self._speak(f"r-{next(self._numbers)}"))

    async def _speak(self, response: str) -> None:
        item = f"i-{response}"
        of_part = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        status = "cancelled"
        await self._say("response.created", response={"id": response, "status": "in_progress"})
        try:
            await asyncio.sleep(random.uniform(*self._think_s))
            payload = b64encode(tone(self._media, DELTA_MS)).decode()
            for _ in range(ANSWER_MS // DELTA_MS):
                await self._say("response.output_audio.delta", **of_part, delta=payload)
                await asyncio.sleep(DELTA_EVERY_S)
            await self._say("response.output_audio.done", **of_part)
            await self._say("response.output_audio_transcript.done", **of_part, transcript="Yes?")
            status = "completed"
        finally:
            await self._say("response.done", response={"id": response, "status": status, "usage": USAGE})

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, "event_id": "e", **fields}))


@asynccontextmanager
async def exact_model(think_s: tuple[float, float] = (0.05, 0.4)) -> AsyncIterator[str]:
    """Serve it on a free port. Yields its URL. think_s: how long it thinks, at least and at most."""

    async def session(socket: ServerConnection) -> None:
        await _Session(socket, think_s).serve()

    async with serve(session, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"
