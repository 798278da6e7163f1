"""The two tracks of a part, placed by the sample clock: never by when a chunk happened to arrive.

The bot's pieces come with the time at which they are heard, by the play stream's reckoning, and a cut takes away what
is later. The caller's chunks follow each other without a gap, as they were spoken; there is one where all chunks that
come after a moment are later than those before it by more than the line's jitter.

Each track is a file of 16-bit samples that grows, so that an hour of a call takes no memory.
May import: protocols.media, numpy, the standard library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from protocols.media import MediaFormat, linear

Samples = NDArray[np.int16]
WIDTH = 2
# Less than this by which chunks are late is the line's jitter.
JITTER_MS = 10.0
# How far ahead is looked for a chunk that came without delay: longer than a stall of a machine or a line.
LOOK_AHEAD_MS = 5000.0
# Pieces that follow each other may be apart by rounding.
_ROUNDING = 1
# Samples that are copied at once.
_COPIED = 1 << 16


def samples_of(audio: bytes, media: MediaFormat) -> Samples:
    """16-bit samples of audio in a call's format; half a sample at its end is dropped."""
    return np.frombuffer(audio, "<i2", len(audio) // WIDTH) if media.is_pcm else linear(audio)


class SoundFile:
    """A track: a file of samples, silent where nothing was put."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.length = 0  # samples up to the last that was put

    def put(self, at: int, samples: Samples) -> None:
        """Put samples from a place on; what lies before the beginning is left out."""
        if at < 0:
            samples, at = samples[-at:], 0
        if len(samples):
            self._file.seek(at * WIDTH)
            self._file.write(samples.astype("<i2").tobytes())
            self.length = max(self.length, at + len(samples))

    def cut(self, at: int) -> None:
        """Nothing is left from a place on."""
        if (at := max(0, at)) < self.length:
            self._file.truncate(at * WIDTH)
            self.length = at

    def read(self, at: int, count: int) -> Samples:
        """So many samples, silent where nothing was put."""
        self._file.seek(at * WIDTH)
        read = np.frombuffer(self._file.read(count * WIDTH), "<i2")
        return np.concatenate([read, np.zeros(count - len(read), np.int16)]) if len(read) < count else read


@dataclass(frozen=True, slots=True)
class Anchor:
    """From this sample of a track on it goes on without a gap. at_ms: of the part, by our clock."""

    sample: int
    at_ms: float


class BotTrack:
    """What the caller heard of the bot. origin_ms: sample 0, by the clock of the entries."""

    def __init__(self, file: IO[bytes], media: MediaFormat, origin_ms: float) -> None:
        self.sound = SoundFile(file)
        self.anchors: list[Anchor] = []
        self.cuts_ms: list[float] = []
        self._rate = media.sample_rate_hz
        self._origin_ms = origin_ms
        self._end = 0

    def heard(self, from_ms: float, samples: Samples) -> None:
        """A piece is heard from that time on."""
        at = self._place(from_ms)
        if self.anchors and abs(at - self._end) <= _ROUNDING:
            at = self._end
        elif at + len(samples) > 0:
            self.anchors.append(Anchor(max(0, at), round(from_ms - self._origin_ms, 3)))
        self.sound.put(at, samples)
        self._end = at + len(samples)

    def cut(self, at_ms: float) -> None:
        """The caller hears nothing more from that time on."""
        at = self._place(at_ms)
        if 0 <= at < self.sound.length:
            self.cuts_ms.append(round(at_ms - self._origin_ms, 3))
        self.sound.cut(at)
        self.anchors = [each for each in self.anchors if each.sample < at]
        self._end = min(self._end, at)

    def _place(self, at_ms: float) -> int:
        return round((at_ms - self._origin_ms) * self._rate / 1000)


class CallerTrack:
    """What was heard of the caller. heard: a file for it as it comes, without its places."""

    def __init__(self, file: IO[bytes], heard: IO[bytes], media: MediaFormat, origin_ms: float) -> None:
        self.sound = SoundFile(file)
        self.anchors: list[Anchor] = []
        self._heard = SoundFile(heard)
        self._rate = media.sample_rate_hz
        self._origin_ms = origin_ms
        self._chunks: list[tuple[float, int]] = []  # when it arrived, in samples, and its length

    def heard(self, at_ms: float, samples: Samples) -> None:
        """A chunk has arrived, whose last sample was spoken at that time or before."""
        if len(samples):
            self._heard.put(self._heard.length, samples)
            self._chunks.append(((at_ms - self._origin_ms) * self._rate / 1000, len(samples)))

    def place(self) -> None:
        """Put every chunk to its place, when all have come."""
        read = 0
        for at, count in runs(self._chunks, JITTER_MS * self._rate / 1000, LOOK_AHEAD_MS * self._rate / 1000):
            if at + count > 0:
                self.anchors.append(Anchor(max(0, at), round(max(0, at) * 1000 / self._rate, 3)))
            for begin in range(0, count, _COPIED):
                size = min(_COPIED, count - begin)
                self.sound.put(at + begin, self._heard.read(read + begin, size))
            read += count


def runs(chunks: Sequence[tuple[float, int]], jitter: float, look_ahead: float) -> list[tuple[int, int]]:
    """Where a caller's chunks belong: runs without a gap, as (first sample, length), in order.

    chunks: when each arrived, and its length. All are in samples.
    """
    found: list[tuple[int, int]] = []
    behind: float | None = None  # of the current run: its place less the samples before it
    end = spoken = 0
    for (_, count), delay in zip(chunks, _delays(chunks, look_ahead), strict=True):
        if behind is None or delay - behind >= jitter:
            at = round(delay + spoken)
            if found and at <= end:
                at = end
                found[-1] = (found[-1][0], found[-1][1] + count)
            else:
                found.append((at, count))
            behind = at - spoken
            end = at + count
        else:
            found[-1] = (found[-1][0], found[-1][1] + count)
            end += count
        spoken += count
    return found


def _delays(chunks: Sequence[tuple[float, int]], look_ahead: float) -> list[float]:
    """By how much each chunk's place is after the samples before it: the least of it and those that arrive soon after.

    What arrives late though it was spoken without a gap is followed by what does not.
    """
    own: list[tuple[float, float]] = []  # arrival and delay
    spoken = 0
    for arrived, count in chunks:
        spoken += count
        own.append((arrived, arrived - spoken))
    least: deque[tuple[float, float]] = deque()  # of those ahead that may be the least: their delays fall
    found = [0.0] * len(own)
    for place in range(len(own) - 1, -1, -1):
        arrived, delay = own[place]
        while least and least[0][1] >= delay:
            least.popleft()
        least.appendleft((arrived, delay))
        while least[-1][0] - arrived > look_ahead:
            least.pop()
        found[place] = least[-1][1]
    return found
