"""Converts between the session's audio formats and 16-bit linear samples, which hearing and synthesis use.

May import: protocols, lab.engine.refusals, numpy, soxr, the standard library.
Rules from: docs/specs/openai-realtime.md 5, ITU-T G.711.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from lab.engine.refusals import InvalidEvent
from protocols.realtime.objects import AudioFormat, PcmaFormat, PcmFormat, PcmuFormat

HEARING_HZ = 16_000
Samples = NDArray[np.int16]


def _mu_law() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _a_law() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 0x0F
    size = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


class G711:
    """One of the two companding laws of G.711, by table."""

    def __init__(self, levels: Samples) -> None:
        self._levels = levels
        order = np.argsort(levels, kind="stable")
        ascending = levels[order].astype(np.int32)
        middles = (ascending[1:] + ascending[:-1] + 1) // 2
        every = np.arange(-32768, 32768)
        # The code of the level nearest to each of the 65,536 sample values.
        self._codes = order[np.searchsorted(middles, every, side="right")].astype(np.uint8)

    def decode(self, encoded: bytes) -> Samples:
        return self._levels[np.frombuffer(encoded, np.uint8)]

    def encode(self, samples: Samples) -> bytes:
        return self._codes[samples.astype(np.int32) + 32768].tobytes()


MU_LAW = G711(_mu_law())
A_LAW = G711(_a_law())


@dataclass(frozen=True, slots=True)
class Sound:
    """The encoding of one audio format. law: None for linear samples."""

    sample_rate_hz: int
    bytes_per_ms: int
    law: G711 | None

    def encode(self, pcm: bytes) -> bytes:
        """pcm: s16le at this format's own sample rate."""
        return pcm if self.law is None else self.law.encode(np.frombuffer(pcm, np.int16))

    def decode(self, encoded: bytes) -> Samples:
        """encoded: whole samples."""
        return np.frombuffer(encoded, np.int16) if self.law is None else self.law.decode(encoded)


_PCM = Sound(24_000, 48, None)
_PCMU = Sound(8_000, 8, MU_LAW)
_PCMA = Sound(8_000, 8, A_LAW)


def sound_of(media: AudioFormat) -> Sound:
    """The encoding of one of the API's formats."""
    match media:
        case PcmFormat():
            return _PCM
        case PcmuFormat():
            return _PCMU
        case PcmaFormat():
            return _PCMA


def audio_bytes(payload: str, param: str) -> bytes:
    """Decode base64. Raises: InvalidEvent."""
    try:
        return b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidEvent("invalid_value", f"Invalid '{param}'. Expected base64-encoded audio bytes.", param) from None


class Intake:
    """Converts one session's incoming audio, in any format, to a stream of s16le at 16 kHz."""

    def __init__(self, media: AudioFormat) -> None:
        self.sound = sound_of(media)
        self._rest = b""
        self._stream = soxr.ResampleStream(self.sound.sample_rate_hz, HEARING_HZ, 1, dtype="int16", quality="MQ")

    def take(self, encoded: bytes) -> bytes:
        """Convert the next piece; less may come out than went in, while the filter fills."""
        if self.sound.law is None:
            # A sample may be split between two events: its first byte waits for the second.
            encoded = self._rest + encoded
            whole = len(encoded) & ~1
            encoded, self._rest = encoded[:whole], encoded[whole:]
        return self._resample(self.sound.decode(encoded), last=False)

    def flush(self) -> bytes:
        """Return what the filter still holds, and reset it."""
        tail = self._resample(np.zeros(0, np.int16), last=True)
        self._stream.clear()
        self._rest = b""
        return tail

    def _resample(self, samples: Samples, last: bool) -> bytes:
        resampled: Samples = self._stream.resample_chunk(samples, last=last)
        return resampled.tobytes()


def resampled(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """s16le at another sample rate."""
    whole: Samples = soxr.resample(np.frombuffer(pcm, np.int16), from_hz, to_hz)
    return whole.tobytes()
