"""`livekit-agents`: an AgentSession over OpenAI's realtime model, with an ear and a mouth in place of a room."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import scenes
from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool, stt
from livekit.agents.utils import http_context
from livekit.agents.voice import io
from livekit.plugins import openai

HZ = 24000
asked: list[str] = []


@function_tool
async def get_weather(city: str, unit: str | None = None) -> str:
    """The weather of a city."""
    asked.append(city)
    return "sunny"


class Ear(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="ear")
        self.frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self.frames.get()

    async def say(self) -> None:
        """As fast as people speak: the session cancels whatever is being said when it has noticed an interruption."""
        for piece in scenes.pieces(scenes.speech(), 20):
            self.frames.put_nowait(rtc.AudioFrame(piece, HZ, 1, len(piece) // 2))
            await asyncio.sleep(0.02)


class Mouth(io.AudioOutput):
    """Plays at once; with `release` unset, what it plays has no end until it is interrupted."""

    def __init__(self) -> None:
        super().__init__(label="mouth", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=HZ)
        self.size = 0
        self.began = asyncio.Event()
        self.cut = asyncio.Event()
        self.release = True
        self._segment = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.size += len(frame.data.cast("b"))
        self._segment += frame.duration
        self.began.set()

    def flush(self) -> None:
        super().flush()
        if self.release:
            self._finish(interrupted=False)

    def clear_buffer(self) -> None:
        self.cut.set()
        self.release = True
        self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool) -> None:
        if self._segment:
            played, self._segment = self._segment, 0.0
            self.on_playback_finished(playback_position=played / 2 if interrupted else played, interrupted=interrupted)


class Call:
    def __init__(self, session: AgentSession) -> None:
        self.session = session
        self.ear = Ear()
        self.mouth = Mouth()
        self.said: asyncio.Queue[str] = asyncio.Queue()

    async def heard(self, wanted: str) -> None:
        """Wait until the agent has said this."""
        while wanted not in (await self.said.get()).lower():
            pass


@asynccontextmanager
async def call(modality: str = "audio") -> AsyncIterator[Call]:
    async with aiohttp.ClientSession() as http:
        model = openai.realtime.RealtimeModel(
            model=scenes.MODEL,
            api_key=scenes.KEY,
            base_url=scenes.URL.replace("ws:", "http:").removesuffix("/realtime"),
            modalities=[modality],
            http_session=http,
        )
        session = AgentSession(llm=model)
        on_line = Call(session)
        session.input.audio = on_line.ear
        session.output.audio = on_line.mouth if modality == "audio" else None

        @session.on("conversation_item_added")
        def added(event: Any) -> None:
            item = event.item
            if item.type == "message" and item.role == "assistant":
                on_line.said.put_nowait(item.text_content or "")

        @session.on("error")
        def failed(event: Any) -> None:
            on_line.said.put_nowait(f"error {event.error}")
            raise AssertionError(event.error)

        await session.start(agent=Agent(instructions=scenes.INSTRUCTIONS, tools=[get_weather]), record=False)
        try:
            yield on_line
        finally:
            await session.aclose()


async def text() -> None:
    async with call("text") as on_line:
        on_line.session.generate_reply(user_input="What are your opening hours?")
        await on_line.heard(scenes.HOURS)
        assert not on_line.mouth.size


async def audio() -> None:
    async with call() as on_line:
        await on_line.ear.say()
        await on_line.heard(scenes.HOURS)
        assert on_line.mouth.size > 48 * 1000


async def function() -> None:
    asked.clear()
    async with call() as on_line:
        on_line.session.generate_reply(user_input="How is the weather in Paris?")
        await on_line.heard(scenes.WEATHER)
        assert asked == ["Paris"], asked


async def interruption() -> None:
    async with call() as on_line:
        on_line.mouth.release = False
        on_line.session.generate_reply(user_input="Tell me a story.")
        await on_line.mouth.began.wait()
        await on_line.ear.say()
        await on_line.mouth.cut.wait()
        await on_line.heard(scenes.HOURS)


async def transcription() -> None:
    async with http_context.open():
        recogniser = openai.STT(
            model="gpt-4o-transcribe",
            use_realtime=True,
            api_key=scenes.KEY,
            base_url=scenes.URL.replace("ws:", "http:").removesuffix("/realtime"),
        )
        async with recogniser.stream() as stream:
            for piece in scenes.pieces(scenes.speech(), 20):
                stream.push_frame(rtc.AudioFrame(piece, HZ, 1, len(piece) // 2))
            async for event in stream:
                if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                    assert "hours" in event.alternatives[0].text, event.alternatives[0].text
                    break
        await recogniser.aclose()


os.environ.setdefault("OPENAI_API_KEY", scenes.KEY)
scenes.run(text, audio, function, interruption, transcription)
