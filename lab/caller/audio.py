"""Recorded speech, and its encoding in the wire's media formats.

May import: lab.caller.script, protocols.media, numpy, soxr, the standard library.
Rules from: docs/specs/vaic-streaming.md 6; mu-law as in ITU-T G.711.
"""

from __future__ import annotations

import wave
from base64 import b64encode
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from lab.caller.script import ScriptError
from protocols.media import MediaFormat, linear, mulaw

Samples = NDArray[np.int16]

TICK_MS = 20
# A file's edges this much quieter than its loudest 10 ms are not speech: room noise is below, a final "s" above.
_SILENCE_DB = 35
_WINDOW_MS = 10


# Compared by identity, so that one file's encodings can be cached.
@dataclass(frozen=True, slots=True, eq=False)
class SpeechRecording:
    """One recording, mono. Of its `length_ms` only `began_ms` to `ended_ms` is speech; the rest is silence."""

    file: Path
    samples: Samples
    sample_rate_hz: int
    began_ms: int
    ended_ms: int

    @property
    def length_ms(self) -> int:
        return len(self.samples) * 1000 // self.sample_rate_hz


@lru_cache(maxsize=128)
def read_recording(file: Path) -> SpeechRecording:
    """Read a WAV file of any rate and number of channels, 16-bit PCM. Raises: ScriptError."""
    try:
        with wave.open(str(file), "rb") as wav:
            width, rate, channels = wav.getsampwidth(), wav.getframerate(), wav.getnchannels()
            audio = wav.readframes(wav.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise ScriptError(f"{file}: {error}") from None
    if width != 2:
        raise ScriptError(f"{file}: 16-bit samples are wanted, these have {8 * width}")
    together = np.frombuffer(audio, dtype="<i2").reshape(-1, channels)
    samples = together[:, 0] if channels == 1 else together.mean(axis=1)
    return recording_of(file, samples.astype(np.int16), rate)


def recording_of(file: Path, samples: Samples, sample_rate_hz: int) -> SpeechRecording:
    """A recording that is in memory. file: its name in reports."""
    began_ms, ended_ms = _spoken_part(samples, sample_rate_hz)
    return SpeechRecording(file, samples, sample_rate_hz, began_ms, ended_ms)


def _spoken_part(samples: Samples, rate: int) -> tuple[int, int]:
    """The start and end of the speech, in ms; the whole recording if it is only silence."""
    window = rate * _WINDOW_MS // 1000
    whole = samples[: len(samples) // window * window].reshape(-1, window).astype(np.float64)
    power = (whole**2).mean(axis=1)
    loud = np.flatnonzero(power > power.max(initial=0) * 10 ** (-_SILENCE_DB / 10))
    if not len(loud):
        return 0, len(samples) * 1000 // rate
    return int(loud[0]) * _WINDOW_MS, (int(loud[-1]) + 1) * _WINDOW_MS


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """The same audio at another sample rate."""
    if from_hz == to_hz or not len(samples):
        return samples
    resampled: Samples = soxr.resample(samples, from_hz, to_hz)
    return resampled


def encode(samples: Samples, media: MediaFormat) -> bytes:
    """Encode samples at the format's rate."""
    return samples.astype("<i2").tobytes() if media.is_pcm else mulaw(samples)


def decode(audio: bytes | bytearray, media: MediaFormat) -> Samples:
    """Decode to samples at the format's rate; half a sample at the end is dropped."""
    if media.is_pcm:
        return np.frombuffer(audio, dtype="<i2", count=len(audio) // 2)
    return linear(audio)


@lru_cache(maxsize=256)
def payloads(recording: SpeechRecording, media: MediaFormat) -> tuple[str, ...]:
    """The recording as base64 chunks of 20 ms, the last one padded with silence."""
    audio = encode(resample(recording.samples, recording.sample_rate_hz, media.sample_rate_hz), media)
    width = media.bytes_per_ms * TICK_MS
    audio += silence(media, -len(audio) % width)
    return tuple(b64encode(audio[at : at + width]).decode("ascii") for at in range(0, len(audio), width))


@cache
def silent_payload(media: MediaFormat) -> str:
    """20 ms of silence in base64."""
    return b64encode(silence(media, media.bytes_per_ms * TICK_MS)).decode("ascii")


def silence(media: MediaFormat, length: int) -> bytes:
    """Digital silence. length: in bytes."""
    return media.silent_byte * length
