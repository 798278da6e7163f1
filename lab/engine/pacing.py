"""Splits a message's speech into pieces with their words, and paces the sending.

May import: lab.engine, the standard library. Rules from: docs/specs/openai-realtime.md 5.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.engine.settings import EngineSettings
from lab.engine.sound import Sound

_FIRST_PIECES_MS = (50, 100)  # small, so that a message is heard soon
_PIECE_MS = 250  # as OpenAI's server sends
_LEAD_MS = 400  # the transcript is this far ahead of the speech


@dataclass(frozen=True, slots=True)
class SpeechPiece:
    """words: those whose time has come, each with the ms at which it ends."""

    audio: bytes
    length_ms: float
    words: tuple[tuple[str, float], ...]


class SpeechSplitter:
    """Cuts a message's speech into pieces, each with its words."""

    def __init__(self, sound: Sound) -> None:
        self._sound = sound
        self._audio = bytearray()
        self._words: list[tuple[str, float, float]] = []
        self._made_ms = 0.0
        self._cut_ms = 0.0
        self._pieces = 0

    def add(self, sentence: str, encoded: bytes) -> None:
        """Add a sentence. The times of its words are estimated by their length."""
        length_ms = len(encoded) / self._sound.bytes_per_ms
        characters = 0
        for words in spaced_words(sentence):
            begin_ms = self._made_ms + length_ms * characters / len(sentence)
            characters += len(words)
            self._words.append((words, begin_ms, self._made_ms + length_ms * characters / len(sentence)))
        self._made_ms += length_ms
        self._audio += encoded

    def piece(self) -> SpeechPiece | None:
        """The next full piece, if there is one."""
        length_ms = _FIRST_PIECES_MS[self._pieces] if self._pieces < len(_FIRST_PIECES_MS) else _PIECE_MS
        size = length_ms * self._sound.bytes_per_ms
        return self._cut(size) if len(self._audio) >= size else None

    def rest(self) -> SpeechPiece | None:
        """The last, shorter piece."""
        return self._cut(len(self._audio), last=True) if self._audio or self._words else None

    def _cut(self, size: int, last: bool = False) -> SpeechPiece:
        audio = bytes(self._audio[:size])
        del self._audio[:size]
        length_ms = size / self._sound.bytes_per_ms
        self._pieces += 1
        self._cut_ms += length_ms
        due = [words for words in self._words if last or words[1] < self._cut_ms + _LEAD_MS]
        del self._words[: len(due)]
        return SpeechPiece(audio, length_ms, tuple((words, over_ms) for words, _, over_ms in due))


class Pace:
    """Limits the rate at which speech is sent, as OpenAI's server does."""

    def __init__(self, settings: EngineSettings) -> None:
        self._factor = settings.pace * settings.speed
        self._began_s: float | None = None
        self._sent_ms = 0.0

    async def wait(self) -> None:
        loop = asyncio.get_running_loop()
        if self._began_s is None:
            self._began_s = loop.time()
        due_s = self._began_s + self._sent_ms / 1000 / self._factor
        await asyncio.sleep(max(0.0, due_s - loop.time()))

    def sent(self, length_ms: float) -> None:
        self._sent_ms += length_ms


def spaced_words(text: str) -> Iterator[str]:
    """The words of a text, each with the space before it."""
    return (match[0] for match in re.finditer(r"\s*\S+", text))
