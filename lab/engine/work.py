"""Thread pools for blocking work, so that twenty sessions share two cores fairly.

May import: lab.ears, lab.mouth, the standard library.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lab.ears import Transcriber, load_transcriber
from lab.mouth import SpeechSynthesis, load_synthesis

T = TypeVar("T")


class Workshop:
    """Transcription has a pool of its own, so that speech synthesis does not wait behind it."""

    def __init__(self, language: str = "en") -> None:
        """language: that of the mouth."""
        self._language = language
        cores = os.cpu_count() or 1
        self._hearing = ThreadPoolExecutor(cores, "hearing")
        self._speaking = ThreadPoolExecutor(cores, "speaking")
        self._transcriber: Transcriber | None = None
        self._mouth: SpeechSynthesis | None = None

    async def open(self) -> None:
        """Load the models (about 2 s, once per process). Raises: OSError if nothing speaks the language."""
        self._transcriber, self._mouth = await asyncio.gather(
            self._run(self._hearing, load_transcriber),
            self._run(self._speaking, lambda: load_synthesis(self._language)),
        )

    async def transcribe(self, pcm16k: bytes) -> str:
        """Transcribe s16le at 16 kHz."""
        assert self._transcriber is not None
        transcriber = self._transcriber
        return await self._run(self._hearing, lambda: transcriber.transcribe(pcm16k))

    def synthesize(self, sentence: str, sample_rate_hz: int, voice: str, speed: float) -> asyncio.Future[bytes]:
        """Start synthesising a sentence, as s16le."""
        assert self._mouth is not None
        mouth = self._mouth
        return self._run(self._speaking, lambda: mouth.synthesize(sentence, sample_rate_hz, voice=voice, speed=speed))

    def think(self, thought: Callable[[], T]) -> asyncio.Future[T]:
        return self._run(self._speaking, thought)

    def close(self) -> None:
        self._hearing.shutdown(cancel_futures=True)
        self._speaking.shutdown(cancel_futures=True)

    @staticmethod
    def _run(pool: ThreadPoolExecutor, job: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(pool, job)
