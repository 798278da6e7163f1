"""The call as a stereo recording: caller left, bot right, as spoken and as heard, aligned in time.

May import: lab.caller, numpy, the standard library.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lab.caller.audio import Samples, decode, resample
from lab.caller.ear import UNITS_PER_MS, AudioSegment
from lab.caller.mouth import SpokenSentence

RATE_HZ = 24_000
_UNITS_PER_SAMPLE = UNITS_PER_MS * 1000 // RATE_HZ


def write_call(path: Path, length_ms: int, said: Iterable[SpokenSentence], heard: Iterable[AudioSegment]) -> None:
    """Write a 16-bit stereo WAV at 24 kHz. length_ms: from `session.initiate` to the end of the call."""
    tracks = np.zeros((length_ms * RATE_HZ // 1000, 2), dtype="<i2")
    for utterance in said:
        speech = utterance.speech
        sound = resample(speech.samples, speech.sample_rate_hz, RATE_HZ)
        _place(tracks[:, 0], utterance.began_ms * RATE_HZ // 1000, sound)
    for piece in heard:
        sound = resample(decode(piece.audio, piece.media), piece.media.sample_rate_hz, RATE_HZ)
        _place(tracks[:, 1], piece.at_units // _UNITS_PER_SAMPLE, sound)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(2)
        wav.setsampwidth(2)
        wav.setframerate(RATE_HZ)
        wav.writeframes(tracks.tobytes())


def _place(track: Samples, at: int, sound: Samples) -> None:
    """Copy the audio to its time; the end of the call cuts off the rest."""
    room = track[at : at + len(sound)]
    room[:] = sound[: len(room)]
