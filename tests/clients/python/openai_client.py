"""The `openai` package's own client of the Realtime interface."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import scenes
from openai import AsyncOpenAI


@asynccontextmanager
async def connected(**given: Any) -> AsyncIterator[Any]:
    session: Any = {"type": "realtime", "instructions": scenes.INSTRUCTIONS, **given}
    async with (
        AsyncOpenAI(api_key=scenes.KEY, websocket_base_url=scenes.URL.removesuffix("/realtime")) as client,
        client.realtime.connect(model=scenes.MODEL) as connection,
    ):
        await connection.session.update(session=session)
        yield connection


async def events(connection: Any) -> AsyncIterator[Any]:
    async for event in connection:
        assert event.type != "error", event.error
        yield event


async def ask(connection: Any, words: str) -> None:
    await connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    )
    await connection.response.create()


async def say(connection: Any) -> None:
    for piece in scenes.pieces(scenes.speech()):
        await connection.input_audio_buffer.append(audio=b64encode(piece).decode())


async def answer(connection: Any) -> tuple[str, bytes, Any]:
    """What the next response says, its audio, and itself."""
    words, audio = "", b""
    async for event in events(connection):
        if event.type in ("response.output_text.delta", "response.output_audio_transcript.delta"):
            words += event.delta
        elif event.type == "response.output_audio.delta":
            audio += b64decode(event.delta)
        elif event.type == "response.done":
            return words, audio, event.response
    raise AssertionError("the connection ended")


async def text() -> None:
    async with connected(output_modalities=["text"]) as connection:
        await ask(connection, "What are your opening hours?")
        words, audio, response = await answer(connection)
        assert scenes.HOURS in words, words
        assert not audio
        assert response.status == "completed"


async def audio() -> None:
    async with connected(audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}}) as connection:
        await say(connection)
        words, sound, _ = await answer(connection)
        assert scenes.HOURS in words, words
        assert len(sound) > 48 * 1000


async def function() -> None:
    tool = {
        "type": "function",
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    async with connected(output_modalities=["text"], tools=[tool]) as connection:
        await ask(connection, "How is the weather in Paris?")
        _, _, response = await answer(connection)
        (call,) = response.output
        assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Paris"})
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        )
        await connection.response.create()
        words, _, _ = await answer(connection)
        assert scenes.WEATHER in words.lower(), words


async def interruption() -> None:
    async with connected() as connection:
        await ask(connection, "Tell me a story.")
        item, heard_ms = "", 0
        async for event in events(connection):
            if event.type == "response.output_audio.delta":
                if not item:
                    item = event.item_id
                    await say(connection)
                heard_ms += len(b64decode(event.delta)) // 48
            elif event.type == "input_audio_buffer.speech_started":
                await connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=heard_ms // 2)
            elif event.type == "response.done":
                assert event.response.status == "cancelled", event.response.status
                assert event.response.status_details.reason == "turn_detected"
                break
        words, _, _ = await answer(connection)
        assert scenes.HOURS in words, words


async def tls() -> None:
    async with (
        AsyncOpenAI(
            api_key=scenes.KEY, base_url=scenes.TLS_URL.replace("wss:", "https:").removesuffix("/realtime")
        ) as client,
        client.realtime.connect(model=scenes.MODEL) as connection,
    ):
        async for event in events(connection):
            assert event.type == "session.created"
            break


async def transcription() -> None:
    async with (
        AsyncOpenAI(api_key=scenes.KEY, websocket_base_url=scenes.URL.removesuffix("/realtime")) as client,
        client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
    ):
        await connection.session.update(
            session={
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
                        "turn_detection": {"type": "server_vad"},
                    }
                },
            }
        )
        await say(connection)
        async for event in events(connection):
            assert not event.type.startswith("response."), event.type
            if event.type == "conversation.item.input_audio_transcription.completed":
                assert "hours" in event.transcript.lower(), event.transcript
                break


async def mcp() -> None:
    server = {"type": "mcp", "server_label": "shop", "server_url": scenes.MCP_URL, "require_approval": "never"}
    async with connected(output_modalities=["text"], tools=[server]) as connection:
        async for event in events(connection):
            if event.type == "conversation.item.done" and event.item.type == "mcp_list_tools":
                assert "price" in [tool.name for tool in event.item.tools]
            elif event.type == "mcp_list_tools.completed":
                break
        await ask(connection, "What is the price of a cleaning?")
        async for event in events(connection):
            if event.type == "response.mcp_call.completed":
                break
        await connection.response.create()
        words, _, _ = await answer(connection)
        assert "twelve fifty" in words, words


scenes.run(text, audio, function, interruption, tls, transcription, mcp)
