"""For comparison: the relay that a competent engineer would write without actors: asyncio, `json`, `websockets`.

One task per direction of a call, one dictionary per frame, no validation of unused fields. To be fair: uvloop, no
compression, 16 kHz callers resampled by soxr at the quality Tieline uses, mu-law passed through unchanged. It leaves
out what a chunk of audio does not need: barge-in, function calls, resumption, transcripts, a journal.
May import: soxr, numpy, websockets, the standard library. Rules from: docs/specs/vaic-streaming.md 3, 5,
docs/specs/openai-realtime.md 3.

python benchmarks/relays/json_relay.py --port 8080 --model-url ws://127.0.0.1:9000 [--format raw/lpcm16_24]
"""

from __future__ import annotations

import argparse
import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import soxr
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

MODEL_HZ = 24000
# The model's audio type for each format, and the caller's sample rate if it must be resampled.
FORMATS: dict[str, tuple[dict[str, object], int | None]] = {
    "raw/lpcm16_24": ({"type": "audio/pcm", "rate": MODEL_HZ}, None),
    "raw/lpcm16": ({"type": "audio/pcm", "rate": MODEL_HZ}, 16000),
    "raw/mulaw": ({"type": "audio/pcmu"}, None),
}

# With `separators`, json.dumps would build an encoder on each call.
encode = json.JSONEncoder(separators=(",", ":")).encode


def resampling(source_hz: int, target_hz: int) -> Callable[[str], str]:
    """One direction's resampler, base64 to base64; returns "" while its filter fills."""
    stream = soxr.ResampleStream(source_hz, target_hz, 1, dtype="int16", quality="MQ")

    def resample(payload: str) -> str:
        samples = stream.resample_chunk(np.frombuffer(b64decode(payload), dtype="<i2"))
        return b64encode(samples.tobytes()).decode("ascii")

    return resample


def as_it_came(payload: str) -> str:
    return payload


@dataclass(slots=True)
class Call:
    """One call: its two sockets and its resamplers."""

    conversation: str
    media_format: str
    vaic: ServerConnection
    model: ClientConnection
    to_model: Callable[[str], str] = as_it_came
    to_caller: Callable[[str], str] = as_it_came

    async def reply(self, kind: str, **fields: object) -> None:
        await self.vaic.send(encode({"type": kind, "conversationId": self.conversation, **fields}))

    async def expect(self, kind: str) -> None:
        """Read the model's events up to and including one of this type."""
        while json.loads(await self.model.recv())["type"] != kind:
            pass

    async def set_up(self) -> None:
        """Configure the model, answer the call, then request the first response."""
        audio, _ = FORMATS[self.media_format]
        both_ways = {"input": {"format": audio}, "output": {"format": audio}}
        session = {"type": "realtime", "output_modalities": ["audio"], "audio": both_ways}
        await self.expect("session.created")
        await self.model.send(encode({"type": "session.update", "session": session}))
        await self.expect("session.updated")
        await self.reply("session.accepted", mediaFormat=self.media_format)
        await self.model.send(encode({"type": "response.create"}))

    async def caller_to_model(self) -> None:
        async for text in self.vaic:
            frame: dict[str, Any] = json.loads(text)
            match frame["type"]:
                case "userStream.chunk":
                    if audio := self.to_model(frame["audioChunk"]):
                        await self.model.send(encode({"type": "input_audio_buffer.append", "audio": audio}))
                case "userStream.start":
                    await self.reply("userStream.started")
                case "userStream.stop":
                    await self.reply("userStream.stopped")
                case "session.end":
                    return

    async def model_to_caller(self) -> None:
        streams = 0
        stream: str | None = None
        async for text in self.model:
            event: dict[str, Any] = json.loads(text)
            match event["type"]:
                case "response.output_audio.delta":
                    if stream is None:
                        streams += 1
                        stream = f"p-{streams}"
                        await self.reply("playStream.start", streamId=stream, mediaFormat=self.media_format)
                    if audio := self.to_caller(event["delta"]):
                        await self.reply("playStream.chunk", streamId=stream, audioChunk=audio)
                case "response.done" if stream is not None:
                    await self.reply("playStream.stop", streamId=stream)
                    stream = None


async def answer(vaic: ServerConnection, model_url: str, media_format: str) -> None:
    """Serve one socket of VAIC's, from session.initiate to session.end."""
    initiate = json.loads(await vaic.recv())
    async with connect(f"{model_url}?model=gpt-realtime", compression=None, max_size=None) as model:
        call = Call(initiate["conversationId"], media_format, vaic, model)
        _, caller_hz = FORMATS[media_format]
        if caller_hz is not None:
            call.to_model, call.to_caller = resampling(caller_hz, MODEL_HZ), resampling(MODEL_HZ, caller_hz)
        await call.set_up()
        directions = [asyncio.create_task(call.caller_to_model()), asyncio.create_task(call.model_to_caller())]
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in directions:
            direction.cancel()
        for outcome in await asyncio.gather(*directions, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
                raise outcome


async def listen(port: int, model_url: str, media_format: str) -> None:
    handler = partial(answer, model_url=model_url, media_format=media_format)
    async with serve(handler, "127.0.0.1", port, compression=None) as server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model-url", required=True)
    parser.add_argument("--format", choices=FORMATS, default="raw/lpcm16_24")
    options = parser.parse_args()
    uvloop.run(listen(options.port, options.model_url, options.format))


if __name__ == "__main__":
    main()
