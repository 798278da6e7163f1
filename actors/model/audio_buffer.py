"""The caller's audio while nobody can hear it: the newest of it, for older sound is of no use to an answer.

May import: the standard library. Rules from: docs/specs/openai-realtime.md 4.7.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

KEPT_MS = 4000
# A voice is noticed some time after it began: as many pieces before that, of 20 ms as VAIC sends them.
BEFORE_PIECES = 20


class AudioBuffer:
    """length_ms: of a piece of base64 audio."""

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
        """All of it, in order; none is kept any more."""
        pieces = list(self._pieces)
        self._pieces.clear()
        self._kept_ms = 0.0
        return pieces


class Utterance:
    """What the caller says now, from a moment before it was noticed: to be said again to who comes next.

    Its beginning is kept rather than its end. length_ms: of a piece of base64 audio.
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
        """The caller has begun to speak; what was said before is no longer owed an answer by itself."""
        if self._pieces is None:
            self._pieces, self._kept_ms = list(self._before), 0.0
            self._before.clear()

    def forget(self) -> None:
        """Somebody has understood it."""
        self._pieces = None

    def take(self) -> list[str]:
        """What nobody has understood, in order; it is not kept any more."""
        pieces, self._pieces = self._pieces or [], None
        return pieces
