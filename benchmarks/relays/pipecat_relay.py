"""For comparison: pipecat between VAIC and the Realtime API, as its users run it behind a telephony provider.

Tested with pipecat-ai 1.14.0 (`pip install "pipecat-ai[openai,websocket]" uvicorn uvloop`, in an environment of its
own: it needs soxr below 1.1). From pipecat: its FastAPI WebSocket transport, its OpenAI Realtime service, one pipeline
and one runner per call. Ours: the serializer, of which pipecat has one for each provider.

In pipecat's favour: there is nothing between the transport and the service (no context aggregators, VAD, turn analyser,
turn tracking, RTVI or metrics, most of which its users have); play streams begin and end in a hook of the transport,
because a processor for them would add a queue for every frame; no log below WARNING, no compression, uvloop.
Against it: its output transport is paced like a sound card. A chunk that arrives on time passes at once, but a burst
is held back, and the delay of a stalled loop adds up and is recovered only when the bot falls silent: under load the
caller hears a response with growing delay. Its service supports 24 kHz PCM only, so mu-law is decoded and resampled
both ways, and its resamplers run at soxr's highest quality ("VHQ"), which cannot be configured.
May import: pipecat, fastapi, uvicorn, the standard library. Rules from: docs/specs/vaic-streaming.md 3, 5.

python benchmarks/relays/pipecat_relay.py --port 8080 --model-url ws://127.0.0.1:9000 [--format raw/lpcm16_24]
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64decode, b64encode

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.utils import create_stream_resampler, pcm_to_ulaw, ulaw_to_pcm
from pipecat.frames.frames import (
    AudioRawFrame,
    CancelWorkerFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    OutputTransportMessageUrgentFrame,
    TTSStartedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.services.openai.realtime.events import (
    AudioConfiguration,
    AudioInput,
    AudioOutput,
    PCMAudioFormat,
    SessionProperties,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.websocket.fastapi import (
    FastAPIWebsocketOutputTransport,
    FastAPIWebsocketParams,
    FastAPIWebsocketTransport,
)
from pipecat.workers.runner import WorkerRunner

MULAW = "raw/mulaw"
# The pipeline runs at the caller's rate, as in pipecat's examples for telephony.
SAMPLE_RATES_HZ = {"raw/lpcm16_24": 24000, "raw/lpcm16": 16000, MULAW: 8000}

encode = json.JSONEncoder(separators=(",", ":")).encode


class VaicSerializer(FrameSerializer):
    """VAIC's messages as pipecat's frames, and back."""

    def __init__(self, conversation: str, media_format: str) -> None:
        super().__init__()
        self._conversation = conversation
        self._media_format = media_format
        self._rate_hz = SAMPLE_RATES_HZ[media_format]
        # What pipecat's conversions of mu-law want handed in; at equal rates it passes samples through.
        self._resampler = create_stream_resampler()
        self._streams = 0
        self._open: str | None = None

    async def serialize(self, frame: Frame) -> str | None:
        match frame:
            case AudioRawFrame():
                audio = frame.audio
                if self._media_format == MULAW:
                    audio = await pcm_to_ulaw(audio, frame.sample_rate, self._rate_hz, self._resampler)
                return self._message(
                    "playStream.chunk", streamId=self._open, audioChunk=b64encode(audio).decode("ascii")
                )
            case TTSStartedFrame() if self._open is None:
                self._streams += 1
                self._open = f"p-{self._streams}"
                return self._message("playStream.start", streamId=self._open, mediaFormat=self._media_format)
            case LLMFullResponseEndFrame() | InterruptionFrame() if self._open is not None:
                closing, self._open = self._open, None
                return self._message("playStream.stop", streamId=closing)
            case OutputTransportMessageUrgentFrame():
                return self._message(frame.message)
        return None

    async def deserialize(self, data: str | bytes) -> Frame | None:
        message = json.loads(data)
        match message["type"]:
            case "userStream.chunk":
                audio = b64decode(message["audioChunk"])
                if self._media_format == MULAW:
                    audio = await ulaw_to_pcm(audio, self._rate_hz, self._rate_hz, self._resampler)
                return InputAudioRawFrame(audio=audio, sample_rate=self._rate_hz, num_channels=1)
            case "userStream.start":
                return OutputTransportMessageUrgentFrame("userStream.started")
            case "userStream.stop":
                return OutputTransportMessageUrgentFrame("userStream.stopped")
            case "session.end":
                return CancelWorkerFrame()
        return None

    def _message(self, kind: str, **fields: object) -> str:
        return encode({"type": kind, "conversationId": self._conversation} | fields)


class VaicOutput(FastAPIWebsocketOutputTransport):
    """Lets the serializer see, in their place among the audio, the frames that begin and end a play stream."""

    async def write_transport_frame(self, frame: Frame) -> None:
        await self._write_frame(frame)


class VaicTransport(FastAPIWebsocketTransport):
    """pipecat's transport with that output."""

    def __init__(self, websocket: WebSocket, params: FastAPIWebsocketParams) -> None:
        super().__init__(websocket, params)
        self._output = VaicOutput(self, self._client, params)


def realtime_service(model_url: str) -> OpenAIRealtimeLLMService:
    pcm = PCMAudioFormat()
    audio = AudioConfiguration(input=AudioInput(format=pcm), output=AudioOutput(format=pcm))
    return OpenAIRealtimeLLMService(
        api_key="none",
        base_url=model_url,
        settings=OpenAIRealtimeLLMService.Settings(
            model="gpt-realtime", session_properties=SessionProperties(output_modalities=["audio"], audio=audio)
        ),
    )


async def answer(websocket: WebSocket, model_url: str, media_format: str) -> None:
    """Serve one socket of VAIC's, from session.initiate to session.end."""
    await websocket.accept()
    conversation = json.loads(await websocket.receive_text())["conversationId"]
    accepted = {"type": "session.accepted", "conversationId": conversation, "mediaFormat": media_format}
    await websocket.send_text(encode(accepted))
    rate_hz = SAMPLE_RATES_HZ[media_format]
    transport = VaicTransport(
        websocket,
        FastAPIWebsocketParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_out_10ms_chunks=2,
            serializer=VaicSerializer(conversation, media_format),
        ),
    )
    worker = PipelineWorker(
        Pipeline([transport.input(), realtime_service(model_url), transport.output()]),
        params=PipelineParams(audio_in_sample_rate=rate_hz, audio_out_sample_rate=rate_hz),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )

    @transport.event_handler("on_client_connected")
    async def greet(_transport: VaicTransport, _websocket: WebSocket) -> None:
        await worker.queue_frame(LLMContextFrame(LLMContext()))

    @transport.event_handler("on_client_disconnected")
    async def hang_up(_transport: VaicTransport, _websocket: WebSocket) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


def application(model_url: str, media_format: str) -> FastAPI:
    app = FastAPI()

    @app.websocket("/")
    async def vaic(websocket: WebSocket) -> None:
        await answer(websocket, model_url, media_format)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model-url", required=True)
    parser.add_argument("--format", choices=SAMPLE_RATES_HZ, default="raw/lpcm16_24")
    options = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    uvicorn.run(
        application(options.model_url, options.format),
        host="127.0.0.1",
        port=options.port,
        loop="uvloop",
        ws_per_message_deflate=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
