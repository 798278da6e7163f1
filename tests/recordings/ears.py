"""Compares a recording with what the simulated caller's own ear and mouth have recorded of the same call.

May import: soundfile, numpy, soxr, the standard library.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE_HZ = 24_000
Sound = NDArray[np.float64]
_WINDOW, _STEP, _MOST_LAG = RATE_HZ // 5, RATE_HZ // 10, RATE_HZ // 10
# Of a window with something to compare, root mean square of 16-bit samples: speech, not a line's noise.
_LOUD = 200.0


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one track. windows: compared. lags_ms: how much later ours is, by window. unlike: the least likeness, of 1."""

    windows: int
    lags_ms: tuple[float, ...]
    unlike: float

    @property
    def worst_ms(self) -> float:
        return max(map(abs, self.lags_ms), default=0.0)


def read(path: Path) -> Sound:
    """Both tracks at RATE_HZ, (samples, 2)."""
    if path.suffix == ".wav":
        with wave.open(str(path), "rb") as wav:
            assert wav.getframerate() == RATE_HZ
            return np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2).astype(np.float64)
    samples, rate = soundfile.read(path, dtype="int16")
    ours: Sound = samples.astype(np.float64) if rate == RATE_HZ else soxr.resample(samples.astype(float), rate, RATE_HZ)
    return ours


def difference(ours: Sound, theirs: Sound) -> Difference:
    """Compare two tracks, 200 ms at a time, wherever either of them has speech."""
    length = max(len(ours), len(theirs)) + 2 * _MOST_LAG
    ours, theirs = (
        np.concatenate([np.zeros(_MOST_LAG), each, np.zeros(length - len(each))]) for each in (ours, theirs)
    )
    lags, likeness = [], []
    for at in range(_MOST_LAG, length - _WINDOW, _STEP):
        mine, other = ours[at : at + _WINDOW], theirs[at : at + _WINDOW]
        if max(_power(mine), _power(other)) < _LOUD:
            continue
        around = theirs[at - _MOST_LAG : at + _WINDOW + _MOST_LAG]
        size = 1 << (len(around) + _WINDOW - 1).bit_length()
        product = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(mine, size)), size)
        products = product[: 2 * _MOST_LAG + 1]
        squares = np.concatenate([[0.0], np.cumsum(around**2)])
        norms = np.sqrt((squares[_WINDOW:] - squares[:-_WINDOW])[: 2 * _MOST_LAG + 1] * np.dot(mine, mine)) + 1e-9
        best = int(np.argmax(products / norms))
        lags.append((_MOST_LAG - best) * 1000 / RATE_HZ)
        likeness.append(float(products[best] / norms[best]))
    return Difference(len(lags), tuple(lags), min(likeness, default=1.0))


def _power(sound: Sound) -> float:
    return float(np.sqrt(np.mean(sound**2)))
