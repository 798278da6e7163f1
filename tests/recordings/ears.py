"""Compares a recording with what the simulated caller's own ear and mouth have recorded of the same call.

May import: soundfile, numpy, soxr, the standard library.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

# What every format can carry: a recording of mu-law has nothing of a sharp "s".
RATE_HZ = 8_000
Sound = NDArray[np.float64]
_WINDOW, _STEP, _MOST_LAG = RATE_HZ // 5, RATE_HZ // 10, RATE_HZ // 10
# Of two recordings of one sound, one of them by way of a telephone's codec.
ALIKE = 0.8
_FRAME = RATE_HZ // 200  # 5 ms
# Of something to compare, root mean square of 16-bit samples: speech, not a line's noise.
_LOUD = 200.0


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one track. windows: compared. worst_ms: by how much ours is earlier or later, where that is most.

    unlike: the likeness of the least like window, of 1. alone_ms: the longest sound that only one has, beyond 20 ms.
    by_ms: by how much ours is later, in most windows.
    """

    windows: int
    worst_ms: float
    unlike: float
    alone_ms: float
    by_ms: float


def read(path: Path) -> Sound:
    """Both tracks at RATE_HZ, (samples, 2)."""
    if path.suffix == ".wav":
        with wave.open(str(path), "rb") as wav:
            rate, samples = wav.getframerate(), np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
    else:
        samples, rate = soundfile.read(path, dtype="int16")
    sound: Sound = samples.astype(np.float64)
    return sound if rate == RATE_HZ else soxr.resample(sound, rate, RATE_HZ)


def assert_alike(
    ours: Sound, theirs: Sound, tolerance_ms: float = 20.0, away_ms: Iterable[tuple[float, float]] = ()
) -> list[Difference]:
    """That two recordings of a call are one: as long, and with each sound in its place. Returns how they differ.

    away_ms: when the caller had no socket. What was said then is theirs alone.
    """
    theirs = theirs.copy()
    for begin_ms, end_ms in away_ms:
        theirs[int((begin_ms - 2 * tolerance_ms) * RATE_HZ / 1000) : int((end_ms + tolerance_ms) * RATE_HZ / 1000)] = 0
    assert abs(len(ours) - len(theirs)) * 1000 / RATE_HZ <= tolerance_ms
    found = [difference(ours[:, track], theirs[:, track]) for track in (0, 1)]
    for each in found:
        assert each.windows
        assert each.worst_ms <= tolerance_ms, found
        assert each.unlike > ALIKE, found
        assert each.alone_ms <= tolerance_ms, found
    return found


def difference(ours: Sound, theirs: Sound) -> Difference:
    """Compare two tracks, 200 ms at a time, wherever ours has speech without a pause."""
    length = max(len(ours), len(theirs)) + 2 * _MOST_LAG
    ours, theirs = (_between_silences(each, length) for each in (ours, theirs))
    lags, likeness = [], []
    for at in range(_MOST_LAG, length - _WINDOW, _STEP):
        mine = ours[at : at + _WINDOW]
        if _frames(mine, 10).min() < _LOUD:
            continue
        around = theirs[at - _MOST_LAG : at + _WINDOW + _MOST_LAG]
        size = 1 << (len(around) + _WINDOW - 1).bit_length()
        products = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(mine, size)), size)
        squares = np.concatenate([[0.0], np.cumsum(around**2)])
        norms = np.sqrt((squares[_WINDOW:] - squares[:-_WINDOW]) * np.dot(mine, mine)) + 1e-9
        like = products[: len(norms)] / norms
        best = int(np.argmax(like))
        lags.append((_MOST_LAG - best) * 1000 / RATE_HZ)
        likeness.append(float(like[best]))
    alone_ms = max(_alone_ms(ours, theirs), _alone_ms(theirs, ours))
    by_ms, worst_ms = float(np.median(lags)) if lags else 0.0, max(map(abs, lags), default=0.0)
    return Difference(len(lags), worst_ms, min(likeness, default=1.0), alone_ms, by_ms)


def _between_silences(sound: Sound, length: int) -> Sound:
    return np.concatenate([np.zeros(_MOST_LAG), sound, np.zeros(length - len(sound))])


def _frames(sound: Sound, of_5_ms: int) -> Sound:
    """Root mean squares."""
    size = _FRAME * of_5_ms
    whole = sound[: len(sound) // size * size].reshape(-1, size)
    powers: Sound = np.sqrt((whole**2).mean(axis=1))
    return powers


def _alone_ms(one: Sound, other: Sound) -> float:
    """The longest time for which one sounds, and the other does not within 20 ms."""
    loud = _frames(one, 1) >= 2 * _LOUD
    near = np.convolve(_frames(other, 1) >= _LOUD / 2, np.ones(9), "same") > 0
    alone = np.concatenate([[0], (loud & ~near).astype(int), [0]])
    edges = np.flatnonzero(np.diff(alone))
    return float(max(edges[1::2] - edges[::2], default=0)) * 1000 * _FRAME / RATE_HZ
