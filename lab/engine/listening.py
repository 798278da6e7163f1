"""The input audio buffer of one session, and the transcription of the caller's items.

May import: protocols, lab.ears, lab.engine, loguru, the standard library.
Rules from: docs/specs/openai-realtime.md 2.3, 2.4, 4.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from lab.ears import TurnDetector, VadEvent
from lab.engine.config import Configuration
from lab.engine.conversation import StoredItem
from lab.engine.refusals import InvalidEvent
from lab.engine.sound import Intake, audio_bytes
from lab.engine.tokens import heard_usage
from lab.engine.work import Workshop
from protocols.realtime.objects import ContentPart, ErrorDetail
from protocols.realtime.server_events import (
    AnyServerEvent,
    TranscriptionCompleted,
    TranscriptionDelta,
    TranscriptionFailed,
)

if TYPE_CHECKING:
    from loguru import Logger

Emit = Callable[[AnyServerEvent], None]
_LEAST_COMMIT_MS = 100
# Audio processed before other sessions get a turn: voice activity detection takes 60 us for each ms of speech.
_PIECE_MS = 100


class InputBuffer:
    """Caller audio that belongs to no item yet. Its time is counted in samples, not by a clock."""

    def __init__(self, config: Configuration) -> None:
        self._format = config.input_format
        self._intake = Intake(self._format)
        self._detector = TurnDetector(config.voice_detection)
        self._uncommitted_ms = 0.0
        self.heard_ms = 0.0

    def configure(self, config: Configuration) -> None:
        """Apply a changed configuration from the next audio on."""
        if config.input_format != self._format:
            self._format = config.input_format
            self._intake = Intake(self._format)
        self._detector.configure(config.voice_detection)

    def take(self, payload: str) -> Iterator[list[VadEvent]]:
        """Process audio in pieces of 100 ms; yield the VAD events of each. Raises: InvalidEvent."""
        encoded = audio_bytes(payload, "audio")
        width = self._intake.sound.bytes_per_ms * _PIECE_MS
        for start in range(0, len(encoded), width):
            piece = encoded[start : start + width]
            length_ms = len(piece) / self._intake.sound.bytes_per_ms
            self._uncommitted_ms += length_ms
            self.heard_ms += length_ms
            yield self._detector.feed(self._intake.take(piece))

    def utterance(self) -> bytes:
        """The audio of the utterance that has just ended."""
        self._uncommitted_ms = 0
        return self._detector.utterance()

    def commit(self) -> bytes:
        """Take all that is buffered. Raises: InvalidEvent if that is less than 100 ms, which is kept."""
        if self._uncommitted_ms < _LEAST_COMMIT_MS:
            raise InvalidEvent(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer "
                f"only has {self._uncommitted_ms:.2f}ms of audio.",
            )
        self._uncommitted_ms = 0
        return self._detector.take_buffered() + self._intake.flush()

    def clear(self) -> None:
        self._uncommitted_ms = 0
        self._detector.clear()


class Listener:
    """Transcribes the caller's items in the background."""

    def __init__(self, workshop: Workshop, emit: Emit, log: Logger) -> None:
        self._workshop = workshop
        self._emit = emit
        self._log = log
        self._at_work: dict[str, asyncio.Task[None]] = {}

    def listen(self, entry: StoredItem, announced: str | None) -> None:
        """Start transcribing an item. announced: by which model the client is told to have it transcribed; None: it is
        told nothing.
        """
        if entry.item.id in self._at_work:
            return
        task = asyncio.create_task(self._write_down(entry, announced))
        self._at_work[entry.item.id] = task
        task.add_done_callback(lambda _: self._at_work.pop(entry.item.id, None))

    def take(self, entry: StoredItem, words: str, announced: str | None) -> None:
        """Take an item as these words, without listening."""
        entry.said = words
        self._log.debug("heard by script", item=entry.item.id, words=words)
        if announced is not None:
            self._announce(entry, announced)

    async def settle(self, entries: Iterable[StoredItem]) -> None:
        """Wait until all of these are transcribed: `lab.mind` needs the text of what a model would hear."""
        tasks = [task for entry in entries if (task := self._at_work.get(entry.item.id))]
        if tasks:
            await asyncio.wait(tasks)

    def close(self) -> None:
        for task in self._at_work.values():
            task.cancel()

    async def _write_down(self, entry: StoredItem, announced: str | None) -> None:
        item_id = entry.item.id
        try:
            entry.said = await self._workshop.transcribe(entry.audio)
        except Exception:  # noqa: BLE001  # a crash of the recogniser must not end the conversation
            self._log.exception("transcription failed")
            if announced is not None:
                failure = ErrorDetail(type="server_error", code="transcription_failed", message="No transcript.")
                self._emit(TranscriptionFailed(item_id=item_id, content_index=0, error=failure))
            return
        self._log.debug("heard", item=item_id, words=entry.said)
        if announced is not None:
            self._announce(entry, announced)

    def _announce(self, entry: StoredItem, model: str) -> None:
        part = ContentPart(type="input_audio", transcript=entry.said)
        entry.item = entry.item.model_copy(update={"content": (part,)})
        if entry.said:
            self._emit(TranscriptionDelta(item_id=entry.item.id, content_index=0, delta=entry.said))
        self._emit(
            TranscriptionCompleted(
                item_id=entry.item.id,
                content_index=0,
                transcript=entry.said,
                usage=heard_usage(model, entry),
            )
        )
