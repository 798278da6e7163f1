"""Rate limits on what a peer sends: above them it is disconnected as abusive, or its audio dropped.

Token buckets whose clock is read only when one is empty, to keep the audio path cheap.
May import: protocols, the standard library. Rules from: docs/specs/reliability.md 2.3, 6.
"""

from __future__ import annotations

from collections.abc import Callable

from protocols.media import MediaFormat

# Bursts are large: after a pause of the network everything sent meanwhile arrives at once.
# Messages that carry no audio.
CONTROLS_PER_S = 20
CONTROLS_BURST = 200
# Audio messages that are being dropped, and control frames and fragments of the WebSocket layer.
MESSAGES_PER_S = 200
MESSAGES_BURST = 1000
# Frames that break the protocol.
BAD_FRAMES_PER_S = 20 / 60
BAD_FRAMES_BURST = 20
# Audio, as a multiple of real time; the burst is on top of that.
AUDIO_SPEED_LIMIT = 4
AUDIO_BURST_S = 10


class TokenBucket:
    """A token bucket. per_s: tokens added per s. burst: its capacity. now_ms: monotonic.

    left: tokens left at the last reading of the clock, less those taken since; below 0 between `left -=` and `refill`.
    """

    __slots__ = ("_at_ms", "_burst", "_now_ms", "_per_ms", "left")

    def __init__(self, per_s: float, burst: float, now_ms: Callable[[], float]) -> None:
        self._per_ms, self._burst, self._now_ms = per_s / 1000, burst, now_ms
        self._at_ms = now_ms()
        self.left = burst

    def take(self, amount: float) -> bool:
        """Take tokens. False: there were not enough, and none were taken."""
        self.left -= amount
        return self.left >= 0 or self.refill(amount)

    def refill(self, amount: float) -> bool:
        """Add the tokens due since the last refill, after `amount` was taken from too few.

        False: it is still not covered, and was put back.
        """
        now_ms = self._now_ms()
        self.left = min(self.left + amount + (now_ms - self._at_ms) * self._per_ms, self._burst) - amount
        self._at_ms = now_ms
        if self.left >= 0:
            return True
        self.left += amount
        return False


class RateLimits:
    """The limits of one socket. media: the format of its audio.

    audio: in characters of base64; a chunk costs `min_chunk_cost` at least. controls: messages without audio.
    dropped_chunks: chunks over the audio limit. bad_frames: frames that break the protocol.
    """

    __slots__ = ("audio", "bad_frames", "controls", "dropped_chunks", "min_chunk_cost")

    def __init__(self, media: MediaFormat, now_ms: Callable[[], float]) -> None:
        chars_per_s = media.bytes_per_ms * 1000 / 3 * 4
        self.audio = TokenBucket(AUDIO_SPEED_LIMIT * chars_per_s, AUDIO_BURST_S * chars_per_s, now_ms)
        self.min_chunk_cost = AUDIO_SPEED_LIMIT * chars_per_s / MESSAGES_PER_S
        self.dropped_chunks = TokenBucket(MESSAGES_PER_S, MESSAGES_BURST, now_ms)
        self.controls = TokenBucket(CONTROLS_PER_S, CONTROLS_BURST, now_ms)
        self.bad_frames = TokenBucket(BAD_FRAMES_PER_S, BAD_FRAMES_BURST, now_ms)
