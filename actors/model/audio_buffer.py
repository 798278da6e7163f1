"""The caller's audio while no model session is live, and the utterance that no session has understood yet.

May import: the standard library. Rules from: docs/specs/openai-realtime.md 4.7.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

KEPT_MS = 4000  # a longer gap is bridged by asking the caller to repeat
# The VAD reports speech some time after it began: how many earlier chunks to keep, of 20 ms each as VAIC sends them.
BEFORE_PIECES = 20


class AudioBuffer:
    """The newest KEPT_MS of audio; older audio is dropped. length_ms: gives the duration of a base64 chunk."""

    __slots__ = ("_kept_ms", "_length_ms", "_pieces")

    def __init__(self, length_ms: Callable[[str], float]) -> None:
        self._length_ms = length_ms
        self._pieces: deque[str] = deque()
        self._kept_ms = 0.0

    def append(self, payload: str) -> None:
        self._pieces.append(payload)
        self._kept_ms += self._length_ms(payload)
        while self._kept_ms > KEPT_MS:
            self._kept_ms -= self._length_ms(self._pieces.popleft())

    def take(self) -> list[str]:
        """Return the chunks in order and empty the buffer."""
        pieces = list(self._pieces)
        self._pieces.clear()
        self._kept_ms = 0.0
        return pieces


class UtteranceBuffer:
    """The caller's current utterance, from shortly before the VAD noticed it, for replay to the next model session.

    Keeps the first KEPT_MS and drops the rest. length_ms: gives the duration of a base64 chunk.
    """

    __slots__ = ("_before", "_kept_ms", "_length_ms", "_pieces")

    def __init__(self, length_ms: Callable[[str], float]) -> None:
        self._length_ms = length_ms
        self._before: deque[str] = deque(maxlen=BEFORE_PIECES)
        self._pieces: list[str] | None = None
        self._kept_ms = 0.0

    def append(self, payload: str) -> None:
        if self._pieces is None:
            self._before.append(payload)
        elif self._kept_ms < KEPT_MS:
            self._pieces.append(payload)
            self._kept_ms += self._length_ms(payload)

    def begin(self) -> None:
        """The VAD reports that speech began; it continues an utterance that was not answered yet."""
        if self._pieces is None:
            self._pieces, self._kept_ms = list(self._before), 0.0
            self._before.clear()

    def forget(self) -> None:
        """A model session has understood the utterance."""
        self._pieces = None

    def take(self) -> list[str]:
        """Return the chunks of an utterance not understood yet, in order, and empty the buffer."""
        pieces, self._pieces = self._pieces or [], None
        return pieces
