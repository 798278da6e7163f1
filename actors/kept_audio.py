"""The caller's audio while nobody can hear it: the newest of it, for older sound is of no use to an answer.

May import: the standard library. Rules from: specs/openai-realtime.md 4.7.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

KEPT_MS = 4000


class KeptAudio:
    """length_ms: of a piece of base64 audio."""

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
        """All of it, in order; none is kept any more."""
        pieces = list(self._pieces)
        self._pieces.clear()
        self._kept_ms = 0.0
        return pieces
