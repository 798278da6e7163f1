"""Speech synthesis for the lab's realtime engine, without any API key.

Uses flite for English if it is installed, because it is easier to understand; otherwise eSpeak NG, whose library comes
as a wheel and knows a hundred languages.
A sentence takes 10 to 100 ms, so say() yields one piece for each sentence as it is ready.
May import: espeakng_loader, soxr, numpy, the standard library. Rules from: espeak-ng's speak_lib.h, flite's manual.
"""

from __future__ import annotations

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import espeakng_loader
import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.int16]
ENGLISH = "en"
_ENGLISH_VOICE = "en-us"


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice's parameters. flite_pitch: 1 is flite's own. espeak_pitch: 0..99. pace: 1 is 160 words a minute."""

    flite: str
    flite_pitch: float
    espeak: str
    espeak_pitch: int = 50
    pace: float = 1.0


# The model's ten voices. Each must be distinct and constant; it need not resemble the model's. Of eSpeak's hundred
# variants these are the ones a speech recogniser understood best.
VOICES = {
    "alloy": Voice("slt", 1.0, "en-us+f3"),
    "ash": Voice("rms", 1.0, "en-us+m3"),
    "ballad": Voice("awb", 0.96, "en-us+m1", pace=0.94),
    "cedar": Voice("rms", 0.92, "en-us+Michael", pace=0.97),
    "coral": Voice("slt", 1.07, "en-us+anika"),
    "echo": Voice("rms", 1.08, "en-us+adam"),
    "marin": Voice("slt", 0.96, "en-us+Annie", pace=1.03),
    "sage": Voice("slt", 0.92, "en-us", pace=0.94),
    "shimmer": Voice("slt", 1.12, "en-us+f2", 60, pace=0.97),
    "verse": Voice("awb", 1.06, "en-us+travis", pace=1.03),
}
_WORDS_PER_MINUTE = 160
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
# Both synthesisers read "10:30" well, but not "09:00", "14:05" or "9:00 a.m.".
_CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b(?P<half> ?[ap]\.?m\b)?", re.IGNORECASE)


class Synthesiser(Protocol):
    """Speaks one sentence. Thread-safe."""

    def speak(self, text: str, voice: Voice, speed: float) -> tuple[Samples, int]:
        """Return the speech and its sample rate in Hz."""
        ...


class SpeechSynthesis:
    """Says text in one of the model's voices. Thread-safe."""

    def __init__(self, synthesiser: Synthesiser, language: str = ENGLISH) -> None:
        self._synthesiser = synthesiser
        self._language = language

    def say(
        self, text: str, sample_rate_hz: int = 24_000, *, voice: str = "alloy", speed: float = 1.0
    ) -> Iterator[bytes]:
        """Yield the speech for text, sentence by sentence: s16le mono at sample_rate_hz; nothing without words.

        voice: a key of VOICES; others sound like alloy. speed: 0.25..1.5 (eSpeak: at least 0.5).
        """
        chosen = VOICES.get(voice, VOICES["alloy"])
        if self._language != ENGLISH:
            chosen = replace(chosen, espeak=chosen.espeak.replace(_ENGLISH_VOICE, self._language))
        else:
            text = spoken_form(text)
        for sentence in _SENTENCE.split(text):
            if any(character.isalnum() for character in sentence):
                samples, made_at_hz = self._synthesiser.speak(sentence, chosen, speed)
                yield soxr.resample(samples, made_at_hz, sample_rate_hz).tobytes()

    def synthesize(self, text: str, sample_rate_hz: int = 24_000, *, voice: str = "alloy", speed: float = 1.0) -> bytes:
        """Return all of say() at once."""
        return b"".join(self.say(text, sample_rate_hz, voice=voice, speed=speed))


@functools.cache
def load_synthesis(language: str = "en") -> SpeechSynthesis:
    """Return the process's synthesis: for English flite if it is on PATH, otherwise eSpeak NG.

    language: "de", or "de-AT" for German as well. Raises: OSError for one that eSpeak does not know.
    """
    primary = language.partition("-")[0].lower()
    if primary != ENGLISH:
        library = espeak()
        library.check(primary)
        return SpeechSynthesis(library, primary)
    flite = shutil.which("flite")
    return SpeechSynthesis(Flite(flite) if flite else espeak())


def spoken_form(text: str) -> str:
    """Return text with its clock times written as they are said: "14:05" is "2 oh 5 p.m."."""
    return _CLOCK.sub(_clock, text)


def _clock(found: re.Match[str]) -> str:
    hour, minutes, half = int(found[1]), found[2], found["half"] or ""
    if hour > 12:
        hour, half = hour - 12, " p.m."
    if minutes == "00":
        half = half or " o'clock"
        return f"{hour}{half}"
    if minutes.startswith("0"):
        minutes = f"oh {minutes[1]}"
    return f"{hour} {minutes}{half}"


class Flite:
    """flite: one short-lived process for each sentence."""

    def __init__(self, program: str) -> None:
        self._program = program

    def speak(self, text: str, voice: Voice, speed: float) -> tuple[Samples, int]:
        """Return the speech and its sample rate in Hz. Raises: subprocess.CalledProcessError."""
        with tempfile.TemporaryDirectory() as folder:
            spoken, written = Path(folder) / "speech.wav", Path(folder) / "words.txt"
            # The words go in a file: as an argument, text that begins with a dash would be an option.
            written.write_text(text, encoding="utf-8")
            # Some flite voices ignore its pitch setting, so the pitch is changed as on a tape recorder: the speech is
            # stretched by the same factor, and its sample rate declared higher or lower.
            stretch = f"duration_stretch={voice.flite_pitch / (speed * voice.pace):.3f}"
            command = [self._program, "-voice", voice.flite, "--setf", stretch, "-f", str(written), "-o", str(spoken)]
            subprocess.run(command, check=True, capture_output=True, timeout=30)
            with wave.open(str(spoken)) as recording:
                samples = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
                return samples, round(recording.getframerate() * voice.flite_pitch)


_SYNCHRONOUS = 2
_RATE, _PITCH = 1, 3
_UTF8 = 1
_SLOWEST_WPM, _FASTEST_WPM = 80, 450
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """eSpeak NG, in this process. The library has global state: espeak() returns the only instance.

    Its voices vary randomly: the same words sound the same, but are never equal sample for sample.
    """

    def __init__(self) -> None:
        self._lib: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(Path(espeakng_loader.get_data_path()).parent)
        self._sample_rate_hz = int(self._lib.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), 0))
        if self._sample_rate_hz <= 0:
            raise OSError("eSpeak NG found no voices")
        self._spoken: list[bytes] = []
        # Kept referenced for as long as the library may call it.
        self._callback = _Callback(self._take)
        self._lib.espeak_SetSynthCallback(self._callback)
        self._turn = threading.Lock()

    def check(self, language: str) -> None:
        """Raises: OSError for a language without a voice."""
        with self._turn:
            if self._lib.espeak_SetVoiceByName(language.encode()):
                raise OSError(f"eSpeak NG speaks no {language!r}")

    def speak(self, text: str, voice: Voice, speed: float) -> tuple[Samples, int]:
        """Return the speech and its sample rate in Hz. Raises: OSError if the library reports an error."""
        words = text.encode() + b"\0"
        pace_wpm = round(_WORDS_PER_MINUTE * voice.pace * speed)
        with self._turn:
            self._spoken.clear()
            refused = (
                self._lib.espeak_SetVoiceByName(voice.espeak.encode())
                or self._lib.espeak_SetParameter(_RATE, min(max(pace_wpm, _SLOWEST_WPM), _FASTEST_WPM), 0)
                or self._lib.espeak_SetParameter(_PITCH, voice.espeak_pitch, 0)
                or self._lib.espeak_Synth(words, ctypes.c_size_t(len(words)), 0, 1, 0, _UTF8, None, None)
                or self._lib.espeak_Synchronize()
            )
            if refused:
                raise OSError(f"eSpeak NG refused with {refused}")
            return np.frombuffer(b"".join(self._spoken), np.int16), self._sample_rate_hz

    def _take(self, samples: Any, count: int, _events: object) -> int:
        if samples and count > 0:
            self._spoken.append(ctypes.string_at(samples, 2 * count))
        return 0


_loading = threading.Lock()


def espeak() -> Espeak:
    """Return the process's eSpeak NG. Locked, because concurrent initialisation aborts the process."""
    with _loading:
        return _load_once()


@functools.cache
def _load_once() -> Espeak:
    return Espeak()
