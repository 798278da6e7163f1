"""How much a peer may send; beyond that it is disconnected as abusive.

`Traffic` limits what a socket reads, of any kind and before anything is done with it; `RateLimits` what a call is sent.

Token buckets. Taking is one subtraction: the clock is read, and the bucket filled, only when it is empty.
May import: protocols, the standard library. Rules from: docs/specs/reliability.md 2.3, 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.media import MediaFormat

# What a frame counts for in traffic besides its bytes, since an empty one costs work as well, and so does a read that
# ends no frame.
FRAME_BYTES = 2048

# After an interruption of the network everything that was sent meanwhile arrives at once, so every rate has a burst on
# top, which is what its name with AHEAD says.

# Messages that are not audio: a caller who presses keys sends a few a second. One counts once more for each KB that it
# is long, because its values cost most of all that may be sent; so does what stands beside the audio in a chunk.
CONTROLS_PER_S = 20
CONTROLS_AHEAD = 200
CONTROL_BYTES = 1024
# The model's events about turns and responses: a response has half a dozen, and several may follow one another.
# Each counts once more for every EVENT_BYTES of it, up to the length at which words are cut: to look through them for
# claims and numbers takes some 0.3 ms a KB.
EVENTS_PER_S = 50
EVENTS_AHEAD = 500
EVENT_BYTES = 1024
# Chunks of audio: at the rate below, of 20 ms each, and of those that are dropped because they are over it.
MESSAGES_PER_S = 200
MESSAGES_AHEAD = 1000
# Malformed frames: a defect of the peer shows in every frame of one kind, so a call bears some.
BAD_PER_S = 20 / 60
BAD_AHEAD = 20
# Audio, in real time: VAIC may deliver what it had buffered faster than it was spoken, also as one chunk. Ahead is what
# may be written to the model at once (WRITE_LIMIT_BYTES).
AUDIO_PER_REAL_TIME = 4
AUDIO_AHEAD_S = 16


@dataclass(frozen=True, slots=True)
class Traffic:
    """How much a socket may send, in bytes, with FRAME_BYTES for each frame. ahead: the burst on top of per_s.

    overloaded: to what it falls while the loop is overloaded, and above which a socket lines up; None for neither.
    """

    per_s: int
    ahead: int
    overloaded: Traffic | None = None


# What a socket takes of its traffic at a time. If one such allowance was used up faster than audio is, it lines up.
ALLOWANCE_BYTES = 128 * 1024

# What a socket may send is far above what a call needs, so sockets that all use it add up to more than the loop can do.
# Those that send more than audio needs line up: all together, they delay a call by one turn of the loop. While it is
# overloaded nobody may send more than that for long, so that who does is cut.
#
# Twice what two parties send in 24 kHz and chunks of 10 ms; ahead are 35 s of a usual call's audio at once. Overloaded:
# twice what one party sends in 24 kHz and chunks of 20 ms, more than it sends in chunks of 10 ms; ahead are 6 s of it.
VAIC_TRAFFIC = Traffic(
    per_s=1024 * 1024, ahead=6 * 1024 * 1024, overloaded=Traffic(per_s=384 * 1024, ahead=1024 * 1024)
)
# Ahead is the longest response of the API at once (4,096 tokens, 205 s of 24 kHz audio); then 20 times real time.
# Overloaded: a minute of speech at once with its transcript, in pieces of 100 ms; then five times real time.
MODEL_TRAFFIC = Traffic(
    per_s=2 * 1024 * 1024, ahead=24 * 1024 * 1024, overloaded=Traffic(per_s=512 * 1024, ahead=6 * 1024 * 1024)
)


class TokenBucket:
    """Fills at a rate up to its capacity.

    per_s: the rate. most: the capacity, which is there at the start. now_ms: monotonic.
    left: how much can be taken before the clock is read; below 0 while more was taken than there was known to be.
    """

    __slots__ = ("_at_ms", "_most", "_now_ms", "_per_ms", "left")

    def __init__(self, per_s: float, most: float, now_ms: Callable[[], float]) -> None:
        self._per_ms, self._most, self._now_ms = per_s / 1000, most, now_ms
        self._at_ms = now_ms()
        self.left = most

    def take(self, amount: float) -> bool:
        """Take an amount. Returns False, and takes nothing, where there is less."""
        self.left -= amount
        return self.left >= 0 or self.refill(amount)

    def change(self, per_s: float, most: float) -> None:
        """From now on fill at another rate, up to another capacity. What is missing in it stays missing."""
        now_ms = self._now_ms()
        self.left = min(self.left + (now_ms - self._at_ms) * self._per_ms, self._most) + most - self._most
        self._at_ms, self._per_ms, self._most = now_ms, per_s / 1000, most

    def refill(self, amount: float) -> bool:
        """Fill the bucket after `left` fell below 0. Returns False, and puts the amount back, if it is still below 0.

        amount: what was taken last.
        """
        now_ms = self._now_ms()
        self.left = min(self.left + amount + (now_ms - self._at_ms) * self._per_ms, self._most) - amount
        self._at_ms = now_ms
        if self.left >= 0:
            return True
        self.left += amount
        return False


class RateLimits:
    """The limits of one VAIC socket. media: the format of its audio.

    audio: in characters of base64. least: what a chunk counts for at least, because an empty one costs work as well.
    surplus: chunks that were dropped because `audio` was empty. controls, bad: in messages.
    """

    __slots__ = ("audio", "bad", "controls", "least", "surplus")

    def __init__(self, media: MediaFormat, now_ms: Callable[[], float]) -> None:
        chars_per_s = media.bytes_per_ms * 1000 / 3 * 4
        self.audio = TokenBucket(AUDIO_PER_REAL_TIME * chars_per_s, AUDIO_AHEAD_S * chars_per_s, now_ms)
        self.least = AUDIO_PER_REAL_TIME * chars_per_s / MESSAGES_PER_S
        self.surplus = TokenBucket(MESSAGES_PER_S, MESSAGES_AHEAD, now_ms)
        self.controls = TokenBucket(CONTROLS_PER_S, CONTROLS_AHEAD, now_ms)
        self.bad = TokenBucket(BAD_PER_S, BAD_AHEAD, now_ms)
