"""How much a peer may say: beyond that it is not believed to be a telephone any more.

Buckets that fill with time: what is taken from them is a number, and the clock is read only when one is empty.
May import: protocols, the standard library. Rules from: docs/specs/reliability.md 2.3, 6.
"""

from __future__ import annotations

from collections.abc import Callable

from protocols.media import MediaFormat

# Messages a second: of all that is no audio, and of audio that is dropped already. After a pause of the network what
# was said meanwhile comes at once, so each may be far ahead of its rate.
CONTROLS_PER_S, CONTROLS_AHEAD = 20, 200
MESSAGES_PER_S, MESSAGES_AHEAD = 200, 1000
BAD_PER_S, BAD_AHEAD = 20 / 60, 20
# Audio may be so many times faster than real time, and so many s ahead of that.
TIMES_REAL, AUDIO_AHEAD_S = 4, 10


class TokenBucket:
    """left: how much may be taken before the clock must be asked; below 0 after more was taken than there is."""

    __slots__ = ("_at_ms", "_most", "_now_ms", "_per_ms", "left")

    def __init__(self, per_s: float, most: float, now_ms: Callable[[], float]) -> None:
        self._per_ms, self._most, self._now_ms = per_s / 1000, most, now_ms
        self._at_ms = now_ms()
        self.left = most

    def take(self, amount: float) -> bool:
        """Whether there was as much; where there was not, nothing is taken."""
        self.left -= amount
        return self.left >= 0 or self.refill(amount)

    def refill(self, amount: float) -> bool:
        """Something was taken that is not there: whether it is, with what time has brought. Else it is put back."""
        now_ms = self._now_ms()
        self.left = min(self.left + amount + (now_ms - self._at_ms) * self._per_ms, self._most) - amount
        self._at_ms = now_ms
        if self.left >= 0:
            return True
        self.left += amount
        return False


class RateLimits:
    """What one socket may say. media: of its audio, which is counted in characters of base64.

    least: what a chunk of audio counts for, small as it may be. surplus: chunks that were dropped for being too many.
    """

    __slots__ = ("audio", "bad", "controls", "least", "surplus")

    def __init__(self, media: MediaFormat, now_ms: Callable[[], float]) -> None:
        chars_per_s = media.bytes_per_ms * 1000 / 3 * 4
        self.audio = TokenBucket(TIMES_REAL * chars_per_s, AUDIO_AHEAD_S * chars_per_s, now_ms)
        self.least = TIMES_REAL * chars_per_s / MESSAGES_PER_S
        self.surplus = TokenBucket(MESSAGES_PER_S, MESSAGES_AHEAD, now_ms)
        self.controls = TokenBucket(CONTROLS_PER_S, CONTROLS_AHEAD, now_ms)
        self.bad = TokenBucket(BAD_PER_S, BAD_AHEAD, now_ms)
