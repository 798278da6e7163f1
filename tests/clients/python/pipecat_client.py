"""`pipecat`: its OpenAI Realtime service in a pipeline, between the context aggregators that its users have there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import scenes
from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime import events as rt
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

WEATHER = FunctionSchema(
    name="get_weather",
    description="The weather of a city.",
    properties={"city": {"type": "string"}},
    required=["city"],
)
HZ = 24000


class Heard(FrameProcessor):
    """Collects what comes out of the service, and puts it in a queue."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.put_nowait(frame)
        await self.push_frame(frame, direction)


class Call:
    def __init__(self, worker: PipelineWorker, heard: Heard, asked: list[str]) -> None:
        self.worker = worker
        self.heard = heard
        self.asked = asked
        self.errors: list[str] = []

    async def say(self) -> None:
        for piece in scenes.pieces(scenes.speech(), 20):
            await self.worker.queue_frame(InputAudioRawFrame(audio=piece, sample_rate=HZ, num_channels=1))

    async def next(self) -> Frame:
        frame = await self.heard.frames.get()
        assert not self.errors, self.errors
        return frame

    async def answer(self) -> tuple[str, int]:
        """What the next response says, and its bytes of audio."""
        words, size = "", 0
        while True:
            match await self.next():
                case TTSAudioRawFrame(audio=sound):
                    size += len(sound)
                case LLMTextFrame(text=text):
                    words += text
                case LLMFullResponseEndFrame():
                    if words:
                        return words, size


@asynccontextmanager
async def call(*words: str, modality: str = "audio") -> AsyncIterator[Call]:
    """words: of the context's first message, which the model answers; without, it waits for the caller."""
    asked: list[str] = []
    pcm = rt.PCMAudioFormat()
    heard_as = rt.AudioInput(
        format=pcm,
        transcription=rt.InputAudioTranscription(),
        turn_detection=rt.TurnDetection(),
        noise_reduction=rt.InputAudioNoiseReduction(type="near_field"),
    )
    service = OpenAIRealtimeLLMService(
        api_key=scenes.KEY,
        base_url=scenes.URL,
        settings=OpenAIRealtimeLLMService.Settings(
            model=scenes.MODEL,
            system_instruction=scenes.INSTRUCTIONS,
            session_properties=rt.SessionProperties(
                output_modalities=[modality],
                audio=rt.AudioConfiguration(input=heard_as, output=rt.AudioOutput(format=pcm)),
            ),
        ),
    )

    async def weather(params: Any) -> None:
        asked.append(params.arguments["city"])
        await params.result_callback({"weather": "sunny"})

    service.register_function("get_weather", weather)
    messages = [{"role": "user", "content": each} for each in words]
    context = LLMContext(messages, tools=ToolsSchema(standard_tools=[WEATHER]))
    of_user, of_assistant = LLMContextAggregatorPair(context)
    heard = Heard()
    worker = PipelineWorker(
        Pipeline([of_user, service, heard, of_assistant]),
        params=PipelineParams(audio_in_sample_rate=HZ, audio_out_sample_rate=HZ),
        idle_timeout_secs=None,
        enable_rtvi=False,
    )
    on_line = Call(worker, heard, asked)

    @worker.event_handler("on_pipeline_error")
    async def failed(_worker: PipelineWorker, frame: ErrorFrame) -> None:
        on_line.errors.append(frame.error)
        heard.frames.put_nowait(frame)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await worker.queue_frame(LLMRunFrame())
        yield on_line
    finally:
        await worker.cancel()
        await running


async def text() -> None:
    async with call("What are your opening hours?", modality="text") as on_line:
        words, size = await on_line.answer()
        assert scenes.HOURS in words, words
        assert not size


async def audio() -> None:
    async with call("What are your opening hours?") as on_line:
        words, size = await on_line.answer()
        assert scenes.HOURS in words, words
        assert size > 2 * HZ
        await on_line.say()
        words, _ = await on_line.answer()
        assert scenes.HOURS in words, words


async def function() -> None:
    async with call("How is the weather in Paris?") as on_line:
        words, _ = await on_line.answer()
        assert on_line.asked == ["Paris"]
        assert scenes.WEATHER in words.lower(), words


async def interruption() -> None:
    async with call("Tell me a story.") as on_line:
        while not isinstance(await on_line.next(), TTSAudioRawFrame):
            pass
        await on_line.say()
        while not isinstance(await on_line.next(), InterruptionFrame):
            pass
        words = ""
        while scenes.HOURS not in words:
            words, _ = await on_line.answer()


logger.remove()
logger.add(sys.stderr, level="WARNING")
scenes.run(text, audio, function, interruption)
