"""Clips: recorded sentences that are played without the model, ready in every media format.

May import: protocols, numpy, soxr, the standard library. Rules from: docs/specs/vaic-streaming.md 6.
"""

from __future__ import annotations

import wave
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from protocols.errors import MisuseError
from protocols.media import RAW, MediaFormat, mulaw, pieces
from protocols.playout import PIECE_MS


class Clip(Enum):
    """A recorded sentence. The value is the stem of its files' names."""

    ONE_MOMENT = "one_moment"
    SAY_AGAIN = "say_again"
    CALL_AGAIN = "call_again"
    STILL_THERE = "still_there"
    GOODBYE = "goodbye"


@dataclass(frozen=True, slots=True)
class Recording:
    """A loaded clip, shared by all calls. words: its text, for transcripts.

    payloads: its audio in base64, in pieces of PIECE_MS, by the name of the raw media format.
    """

    words: str
    payloads: Mapping[str, tuple[str, ...]]


Clips = Mapping[Clip, Recording]


def load_clips(folder: Path) -> Clips:
    """Read NAME.wav (mono, 16 bits) and NAME.txt of every clip. Raises: MisuseError naming what is wrong."""
    return {clip: _load(folder / f"{clip.value}.wav", folder / f"{clip.value}.txt") for clip in Clip}


def _load(sound: Path, words: Path) -> Recording:
    try:
        return recording(sound.read_bytes(), words.read_bytes())
    except (OSError, ValueError) as error:
        raise MisuseError(f"clip {sound.stem} cannot be read: {sound}: {error}") from error


@lru_cache(maxsize=128)
def recording(sound: bytes, words: bytes) -> Recording:
    """A clip from the contents of its files. Kept, because versions of a bot have most of theirs in common.

    Raises: ValueError.
    """
    try:
        with wave.open(BytesIO(sound)) as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise ValueError("must be mono, of 16 bits")
            rate_hz, frames = file.getframerate(), file.readframes(file.getnframes())
    except (EOFError, wave.Error) as error:
        raise ValueError(f"is no WAV file: {error or 'it ends too early'}") from error
    text = " ".join(words.decode().split())
    samples = np.frombuffer(frames, dtype="<i2")
    return Recording(text, {media.name: _payloads(samples, rate_hz, media) for media in RAW})


def _payloads(samples: NDArray[np.int16], rate_hz: int, media: MediaFormat) -> tuple[str, ...]:
    resampled = soxr.resample(samples, rate_hz, media.sample_rate_hz)
    sound = resampled.astype("<i2").tobytes() if media.is_pcm else mulaw(resampled)
    return tuple(pieces(b64encode(sound).decode("ascii"), media, PIECE_MS))
