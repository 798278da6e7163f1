"""The `openai` package's realtime client against the engine: a client that is not ours."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from tests.lab.engine_client import running, speech
from tests.paced_loop import run_paced

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.realtime import RealtimeServerEvent


def _client(url: str) -> AsyncOpenAI:
    from openai import AsyncOpenAI  # it takes a second to load

    return AsyncOpenAI(api_key="any", websocket_base_url=url.removesuffix("/realtime"))


def test_a_text_turn() -> None:
    async def call() -> None:
        async with (
            running() as engine,
            _client(engine.url) as client,
            client.realtime.connect(model="gpt-realtime") as connection,
        ):
            await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            await connection.conversation.item.create(
                item={
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Say exactly: Hi."}],
                }
            )
            await connection.response.create()
            written = ""
            async for event in connection:
                if event.type == "response.output_text.delta":
                    written += event.delta
                elif event.type == "response.done":
                    assert event.response.status == "completed"
                    break
            assert written == "Hi."

    run_paced(asyncio.wait_for(call(), 15))


def test_an_audio_turn() -> None:
    async def call() -> None:
        async with (
            running() as engine,
            _client(engine.url) as client,
            client.realtime.connect(model="gpt-realtime") as connection,
        ):
            await connection.session.update(
                session={"type": "realtime", "instructions": "Opening hours: we are open from nine to five."}
            )
            audio = speech("rms_hours")
            for start in range(0, len(audio), 4800):
                await connection.input_audio_buffer.append(audio=b64encode(audio[start : start + 4800]).decode())
            spoken, transcript = b"", ""
            async for event in connection:
                spoken += _audio(event)
                if event.type == "response.output_audio_transcript.done":
                    transcript = event.transcript
                elif event.type == "response.done":
                    break
            assert "nine to five" in transcript
            assert len(spoken) > 48 * 1000

    run_paced(asyncio.wait_for(call(), 15))


def _audio(event: RealtimeServerEvent) -> bytes:
    return b64decode(event.delta) if event.type == "response.output_audio.delta" else b""
