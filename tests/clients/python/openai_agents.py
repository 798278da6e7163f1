"""`openai-agents`: a RealtimeAgent with a strict function tool, in a session that runs the tool itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import scenes
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner

asked: list[str] = []


@function_tool
def get_weather(city: str, unit: str | None = None) -> str:
    """The weather of a city."""
    asked.append(city)
    return "sunny"


@asynccontextmanager
async def session(**settings: Any) -> AsyncIterator[Any]:
    agent = RealtimeAgent(name="Shop", instructions=scenes.INSTRUCTIONS, tools=[get_weather])
    runner = RealtimeRunner(agent, config={"model_settings": {"model_name": scenes.MODEL, **settings}})
    url = f"{scenes.URL}?model={scenes.MODEL}"
    async with await runner.run(model_config={"api_key": scenes.KEY, "url": url}) as opened:
        yield opened


async def events(opened: Any) -> AsyncIterator[Any]:
    async for event in opened:
        assert event.type != "error", event.error
        if event.type == "raw_model_event":
            assert event.data.type not in ("error", "exception"), event.data
        yield event


def raw(event: Any, kind: str) -> dict[str, Any] | None:
    """The server's own event of this type, if it is one."""
    if event.type == "raw_model_event" and event.data.type == "raw_server_event" and event.data.data["type"] == kind:
        told: dict[str, Any] = event.data.data
        return told
    return None


async def answer(opened: Any) -> tuple[str, bytes, str]:
    """What the next response says, its audio, and its status."""
    words, audio = "", b""
    async for event in events(opened):
        if event.type == "audio":
            audio += event.audio.data
        for kind in ("response.output_text.delta", "response.output_audio_transcript.delta"):
            if told := raw(event, kind):
                words += told["delta"]
        if told := raw(event, "response.done"):
            return words, audio, told["response"]["status"]
    raise AssertionError("the session ended")


async def text() -> None:
    async with session(modalities=["text"]) as opened:
        await opened.send_message("What are your opening hours?")
        words, audio, _ = await answer(opened)
        assert scenes.HOURS in words, words
        assert not audio


async def audio() -> None:
    async with session(input_audio_transcription={"model": "gpt-4o-transcribe"}) as opened:
        for piece in scenes.pieces(scenes.speech()):
            await opened.send_audio(piece)
        words, sound, _ = await answer(opened)
        assert scenes.HOURS in words, words
        assert len(sound) > 48 * 1000


async def function() -> None:
    asked.clear()
    async with session() as opened:
        await opened.send_message("How is the weather in Paris?")
        await answer(opened)
        words, _, _ = await answer(opened)
        assert asked == ["Paris"]
        assert scenes.WEATHER in words.lower(), words


async def interruption() -> None:
    interrupted = False
    async with session() as opened:
        await opened.send_message("Tell me a story.")
        async for event in events(opened):
            if event.type == "audio" and not interrupted:
                interrupted = True
                for piece in scenes.pieces(scenes.speech()):
                    await opened.send_audio(piece)
            if event.type == "audio_interrupted":
                break
        statuses, words = [], ""
        while scenes.HOURS not in words:
            words, _, status = await answer(opened)
            statuses.append(status)
        assert statuses == ["cancelled", "completed"], statuses


scenes.run(text, audio, function, interruption)
