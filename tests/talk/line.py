"""The caller's line: what is heard on it beside the caller, all through the call, and the caller's mouth upon it.

May import: tests.talk.speech, lab.caller, protocols.media, numpy, the standard library.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lab.caller.audio import TICK_MS, Samples, decode, encode
from lab.caller.mouth import Mouth
from protocols.media import MediaFormat
from tests.talk.speech import LEVEL_DB, RATE_HZ, VOICES, banded, levelled, spoken

TICK_SAMPLES = RATE_HZ * TICK_MS // 1000
_NOISE_S = 30
# How much quieter than the caller the second voice is: somebody in the same room, not at the telephone.
SECOND_VOICE_DB = 20
_SECOND_VOICE_PAUSE_S = 1.5
_READ_OUT = (
    "The weather in the north will be cloudy with some rain.",
    "In the second half they played much better than before.",
    "And then she told me that the kitchen was far too small.",
    "There are road works on the bridge, so we took the train.",
)


class Condition(Enum):
    """The state of a line."""

    CLEAR = "clear"
    NOISE_20 = "noise 20 dB"
    NOISE_10 = "noise 10 dB"
    VOICE = "second voice"


def background(condition: Condition, voice: str, seed: int) -> Iterator[Samples]:
    """What is on the line beside the caller, 20 ms at a time, without an end; nothing on a clear one.

    voice: the caller's; a second voice is another one. seed: equal ones make equal sounds.
    """
    match condition:
        case Condition.CLEAR:
            return iter(())
        case Condition.NOISE_20:
            return _round(noise(seed, LEVEL_DB - 20))
        case Condition.NOISE_10:
            return _round(noise(seed, LEVEL_DB - 10))
        case Condition.VOICE:
            other = VOICES[(VOICES.index(voice) + 1 + seed % (len(VOICES) - 1)) % len(VOICES)]
            return _round(second_voice(other))


def noise(seed: int, level_db: float) -> Samples:
    """Steady noise as of a street or a fan: each octave as loud as the next."""
    rand = np.random.default_rng(seed)
    white = rand.standard_normal(_NOISE_S * RATE_HZ)
    spectrum = np.fft.rfft(white)
    hertz = np.fft.rfftfreq(len(white), 1 / RATE_HZ)
    pink: NDArray[np.float64] = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 1)), len(white))
    return levelled(banded(pink), level_db)


@lru_cache(maxsize=4)
def second_voice(voice: str) -> Samples:
    """Somebody who talks, with pauses, and not to the telephone."""
    pause = np.zeros(round(_SECOND_VOICE_PAUSE_S * RATE_HZ), np.int16)
    talk = np.concatenate([part for text in _READ_OUT for part in (pause, spoken(text, voice))])
    return (talk * 10 ** (-SECOND_VOICE_DB / 20)).astype(np.int16)


def _round(sound: Samples) -> Iterator[Samples]:
    """The sound again and again, 20 ms at a time; what is left over at its end is dropped."""
    while True:
        for at in range(0, len(sound) - TICK_SAMPLES + 1, TICK_SAMPLES):
            yield sound[at : at + TICK_SAMPLES]


class MouthOnALine(Mouth):
    """A mouth on a line with something in the background. sent: all that went over it, decoded."""

    def __init__(self, beside: Iterator[Samples]) -> None:
        super().__init__()
        self._beside = beside
        self.sent: list[Samples] = []

    def next_chunk(self, media: MediaFormat, now_ms: int, *, sent: bool) -> str:
        payload = super().next_chunk(media, now_ms, sent=sent)
        sound = decode(b64decode(payload), media)
        beside = next(self._beside, None)
        if beside is not None:
            sound = np.clip(sound.astype(np.int32) + beside, -32767, 32767).astype(np.int16)
            payload = b64encode(encode(sound, media)).decode("ascii")
        if sent:
            self.sent.append(sound)
        return payload
