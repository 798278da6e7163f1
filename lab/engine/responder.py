"""Runs one response: waits for transcripts, calls `lab.mind`, and sends speech at the model's pace.

May import: protocols, lab.mind, lab.engine, loguru, the standard library.
Rules from: docs/specs/openai-realtime.md 4.2, 5.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lab import mind
from lab.engine.conversation import Conversation, StoredItem, seen
from lab.engine.faults import ArmedFaults
from lab.engine.listening import Listener
from lab.engine.mcp_servers import ListedTool, ServerTools
from lab.engine.pacing import Pace, SpeechPiece, SpeechSplitter, spaced_words
from lab.engine.settings import EngineSettings
from lab.engine.work import Workshop
from lab.engine.writer import ResponseWriter
from protocols.realtime.objects import ErrorDetail

if TYPE_CHECKING:
    from loguru import Logger

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_RATE_LIMITED = ErrorDetail(
    type="invalid_request_error", code="rate_limit_exceeded", message="Rate limit reached. Please try again."
)
_BROKEN = ErrorDetail(type="server_error", code="server_error", message="The engine failed to make a response.")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The dependencies of a session's responses. now: the caller's local time. think: the model."""

    settings: EngineSettings
    workshop: Workshop
    faults: ArmedFaults
    listener: Listener
    servers: ServerTools
    conversation: Conversation
    now: Callable[[], datetime]
    think: Callable[[mind.Prompt], mind.Reply]
    log: Logger


class Responder:
    """Runs one response. ended: called once, right after its `response.done`."""

    def __init__(self, writer: ResponseWriter, around: Surroundings, ended: Callable[[ResponseWriter], None]) -> None:
        self.writer = writer
        self._around = around
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self._listed: dict[str, ListedTool] = {}

    def start(self) -> None:
        self.writer.begin()
        self._task = asyncio.create_task(self._run())

    def cancel(self, reason: str) -> None:
        """Stop at once; the closing events are sent before this returns. reason: turn_detected or client_cancelled."""
        self._end("cancelled", reason)
        self.stop()

    def stop(self) -> None:
        """Stop without closing events: the connection is gone."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            if self._around.faults.fails_response():
                self._end("failed", error=_RATE_LIMITED)
                return
            await self._carry_out(await self._think())
            self._end("completed")
        except Exception:  # reported to the client, as OpenAI's server does
            self._around.log.exception("response failed", response=self.writer.id)
            self._end("failed", error=_BROKEN)

    def _end(self, status: str, reason: str | None = None, error: ErrorDetail | None = None) -> None:
        if not self.writer.ended:
            self.writer.end(status, reason, error)
            self._ended(self.writer)

    async def _think(self) -> mind.Reply:
        around, plan = self._around, self.writer.plan
        if around.settings.think_ms:
            await asyncio.sleep(around.settings.think_ms / 1000 / around.settings.speed)
        await around.listener.settle(self._context())
        if plan.servers:
            await around.servers.settle()
            self._listed = {each.tool.name: each for each in around.servers.tools(plan.servers)}
        self.writer.context = self._context()
        prompt = mind.Prompt(
            instructions=plan.instructions,
            response_instructions=plan.own_instructions,
            tools=(*plan.tools, *(each.tool for each in self._listed.values())),
            tool_choice=plan.tool_choice,
            items=seen(self.writer.context),
            now=around.now(),
        )
        reply = await around.workshop.think(lambda: around.think(prompt))
        around.log.debug("thought", response=self.writer.id, words=reply.text, calls=reply.calls)
        return reply

    def _context(self) -> Sequence[StoredItem]:
        given = self.writer.plan.given
        return tuple(self._around.conversation) if given is None else given

    async def _carry_out(self, reply: mind.Reply) -> None:
        if reply.text:
            self.writer.open_message()
            await (self._speak(reply.text) if self.writer.plan.speaks else self._write(reply.text))
        for call in reply.calls:
            if (listed := self._listed.get(call.name)) is not None:
                self.writer.call_server(call, listed)
            else:
                self.writer.call(call)
        if reply.text and not reply.calls:
            self.writer.close_message()

    async def _write(self, text: str) -> None:
        for words in spaced_words(text):
            self.writer.words(words, 0)
            await asyncio.sleep(0)  # so that a cancel can be handled

    async def _speak(self, text: str) -> None:
        sound = self.writer.plan.sound
        pace, speech = Pace(self._around.settings), SpeechSplitter(sound)
        async for sentence, pcm in self._synthesised(text):
            speech.add(sentence, sound.encode(pcm))
            while (piece := speech.piece()) is not None:
                await self._say(piece, pace)
        while (piece := speech.rest()) is not None:
            await self._say(piece, pace)

    async def _say(self, piece: SpeechPiece, pace: Pace) -> None:
        await pace.wait()
        for words, over_ms in piece.words:
            self.writer.words(words, over_ms)
        if piece.audio and not self._around.faults.is_mute:
            self.writer.audio(piece.audio)
        pace.sent(piece.length_ms)

    async def _synthesised(self, text: str) -> AsyncIterator[tuple[str, bytes]]:
        """Yield each sentence and its speech (s16le); the next one is synthesised while one is being sent."""
        sentences = _SENTENCE.split(text.strip())
        coming: asyncio.Future[bytes] | None = None
        for at, sentence in enumerate(sentences):
            ready = coming or self._synthesize(sentence)
            pcm = await ready
            coming = self._synthesize(sentences[at + 1]) if at + 1 < len(sentences) else None
            yield (sentence if at == 0 else " " + sentence), pcm

    def _synthesize(self, sentence: str) -> asyncio.Future[bytes]:
        plan = self.writer.plan
        return self._around.workshop.synthesize(sentence, plan.sound.sample_rate_hz, plan.voice_name, plan.speed)
