"""Stamped audio: each chunk carries its stream, its number and the time it was sent.

A stamp is 18 bytes at the head of a chunk, which are 24 characters of its base64: found without parsing JSON.
May import: the standard library.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections import deque
from dataclasses import dataclass
from struct import Struct

_MAGIC = b"\xa7TL\x1f9\xc3"
_MAGIC_BASE64 = b2a_base64(_MAGIC, newline=False)
_BODY = Struct("!III")
STAMP_BYTES = len(_MAGIC) + _BODY.size
_MASKED_NOTHING = b"\0\0\0\0"
CLOCK_MASK = 0xFFFFFFFF
# No resampler keeps back more than this.
HELD_CHUNKS = 3


@dataclass(slots=True)
class Stamp:
    """stream: the sender's number. number: counts its chunks from 0. sent_us: on the generator's clock, 32 bits."""

    stream: int
    number: int
    sent_us: int

    def delay_us(self, now_us: int) -> int:
        return (now_us - self.sent_us) & CLOCK_MASK


class StampedChunk:
    """A WebSocket text frame with one chunk of audio, complete except for its stamp.

    before, after: the JSON around the audio. masks: for a client; the masking key is zero, which costs the generator
    nothing and the receiver as much as any other.
    """

    def __init__(self, before: str, audio: bytes, after: str, masks: bool) -> None:
        rest = b2a_base64(audio[STAMP_BYTES:], newline=False) + after.encode()
        length = len(before) + len(_MAGIC_BASE64) + 16 + len(rest)
        head = bytes((0x81, 126 | (0x80 if masks else 0))) + length.to_bytes(2, "big")
        if not 126 <= length < 65536:
            raise ValueError("a chunk must make a frame of 126 to 65535 bytes")
        self._head = head + (_MASKED_NOTHING if masks else b"") + before.encode() + _MAGIC_BASE64
        self._rest = rest

    def stamped(self, stream: int, number: int, now_us: int) -> bytes:
        body = _BODY.pack(stream, number, now_us & CLOCK_MASK)
        return b"".join((self._head, b2a_base64(body, newline=False), self._rest))


def find_stamp(text: bytes) -> Stamp | None:
    """The stamp of a message whose chunk was passed on unchanged; None if there is none."""
    at = text.find(_MAGIC_BASE64)
    if at < 0:
        return None
    begin = at + len(_MAGIC_BASE64)
    return Stamp(*_BODY.unpack(a2b_base64(text[begin : begin + 16])))


class StampsInAudio:
    """Finds stamps in a stream of audio that was split differently on the way."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, audio: bytes) -> list[Stamp]:
        audio = self._tail + audio
        found, at = [], 0
        while (at := audio.find(_MAGIC, at)) >= 0 and at + STAMP_BYTES <= len(audio):
            found.append(Stamp(*_BODY.unpack_from(audio, at + len(_MAGIC))))
            at += STAMP_BYTES
        self._tail = audio[max(0, len(audio) - STAMP_BYTES + 1) :] if at < 0 else audio[at:]
        return found


class StampsByLength:
    """Identifies chunks by the amount of audio received, if stamps do not survive: for a resampled stream.

    chunk_ms: of every chunk sent. What the other side still held when its first audio came is not counted as late.
    """

    def __init__(self, chunk_ms: float) -> None:
        self._chunk_ms = chunk_ms
        self._sent: deque[int] = deque()
        self._missing_ms = 0.0
        self._held_first = 0
        self._begun = False
        self._unaltered = False

    def told_by_stamps(self) -> None:
        """The stamps survive: the peer passes the audio on as it came, and no resampler holds any of it."""
        self._unaltered = True

    @property
    def held(self) -> int:
        """How many chunks the peer's resampler may still hold: they never arrive, but are not lost.

        Audio that arrived late from a slow start has completed no chunk: it stands for as many that were sent.
        """
        if self._unaltered:
            return 0
        surplus = max(0, round(self._missing_ms / self._chunk_ms))
        return min(len(self._sent) + self._held_first, HELD_CHUNKS + surplus)

    def sent(self, now_us: int) -> None:
        self._sent.append(now_us)

    def arrived(self, length_ms: float, now_us: int) -> list[int]:
        """The delays in µs of the chunks that this audio completes."""
        if not self._begun and self._sent:
            self._begun = True
            # A resampler keeps back a few chunks. What was sent beyond them before its first audio arrived was delayed
            # by a slow start: it still has to arrive and is counted, but not as late.
            self._held_first = min(len(self._sent) - 1, HELD_CHUNKS)
            self._sent = deque([self._sent[-1]] * (len(self._sent) - self._held_first))
        self._missing_ms += length_ms
        delays = []
        # Half a chunk of tolerance: a resampler's output varies in length.
        while self._sent and self._missing_ms >= self._chunk_ms / 2:
            self._missing_ms -= self._chunk_ms
            delays.append(now_us - self._sent.popleft())
        return delays
