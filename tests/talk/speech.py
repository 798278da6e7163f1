"""The caller's voice: sentences spoken by flite, as they sound at the other end of a telephone line.

May import: lab.mouth, lab.caller, numpy, the standard library. Rules from: flite's manual; ITU-T G.711, G.712.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.caller.audio import Samples, SpeechRecording, recording_of, resample
from lab.mouth import Flite, Voice

VOICES = ("awb", "kal16", "rms", "slt")
RATE_HZ = 8000
# With the slopes that filters have beside the nominal 300 to 3400 Hz.
BAND_HZ = 200, 3600
# Of the parts in which somebody speaks; full scale is 0 dB.
LEVEL_DB = -22.0
_FRAME = RATE_HZ // 50


class FliteMissing(Exception):
    """There is nothing to speak with; says what to install."""


@lru_cache(maxsize=1)
def flite() -> str:
    """The program. Raises: FliteMissing, also if it lacks one of the voices."""
    program = shutil.which("flite")
    if program is None:
        raise FliteMissing("flite is not installed: it speaks for the callers. Debian, Ubuntu: apt install flite.")
    listed = subprocess.run([program, "-lv"], check=True, capture_output=True, text=True, timeout=30).stdout.split()
    missing = [voice for voice in VOICES if voice not in listed]
    if missing:
        raise FliteMissing(f"{program} lacks the voices {', '.join(missing)}; Debian's package flite has all of them.")
    return program


def spoken(text: str, voice: str, pace: float = 1.0) -> Samples:
    """The words at RATE_HZ, in the telephone's band, at LEVEL_DB. voice: one of flite's. Raises: FliteMissing."""
    made, made_at_hz = Flite(flite()).speak(text, Voice(voice, 1.0, ""), pace)
    return levelled(banded(resample(made, made_at_hz, RATE_HZ).astype(np.float64)), LEVEL_DB)


@lru_cache(maxsize=512)
def sentence(text: str, voice: str, pace: float = 1.0) -> SpeechRecording:
    """A sentence that a person can say. pace: below 1 is slower. Raises: FliteMissing."""
    return recording_of(Path(text), spoken(text, voice, pace), RATE_HZ)


def cough(seed: int) -> SpeechRecording:
    """Two bursts of noise, as loud as speech, and the throat's rumble below them."""
    rand = np.random.default_rng(seed)
    bursts = [
        rand.standard_normal(RATE_HZ * ms // 1000) * np.exp(-np.arange(RATE_HZ * ms // 1000) / (RATE_HZ * 0.05))
        for ms in (180, 260)
    ]
    pause = np.zeros(RATE_HZ // 10)
    sound = levelled(banded(np.concatenate([bursts[0], pause, bursts[1]])), LEVEL_DB)
    return recording_of(Path("(cough)"), sound, RATE_HZ)


def banded(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a sound at RATE_HZ that a telephone line carries."""
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    spectrum[(hertz < BAND_HZ[0]) | (hertz > BAND_HZ[1])] = 0
    return np.fft.irfft(spectrum, len(sound))


def levelled(sound: NDArray[np.float64], level_db: float) -> Samples:
    """The sound with its louder parts at that level; silence as it is."""
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = (frames**2).mean(axis=1)
    loud = power[power > power.max(initial=0) / 100]
    if not len(loud) or not loud.mean():
        return np.zeros(len(sound), np.int16)
    factor = 32768 * 10 ** (level_db / 20) / np.sqrt(loud.mean())
    louder: Samples = np.clip(sound * factor, -32767, 32767).astype(np.int16)
    return louder
