"""What a person is to say, given as text: synthesised to a recording.

May import: lab.caller, lab.mouth, numpy, the standard library.
"""

from __future__ import annotations

import re
import wave
from pathlib import Path

import numpy as np

from lab.caller.audio import recording_of
from lab.caller.script import ScriptError
from lab.mouth import load_synthesis

_RATE_HZ = 24_000
# Between two sentences: short enough that the turn is not taken to be over.
_PAUSE_MS = 200
# Of the ten this one, which no bot has by default, is understood well.
_VOICE = "ash"


def record_text(text: str, language: str, folder: Path) -> Path:
    """Write what is said to a WAV file in a folder, named after its words. language: as "de" or "en-GB".

    Raises: ScriptError for a language that nothing here speaks, or a text without words.
    """
    try:
        synthesis = load_synthesis(language)
    except OSError as error:
        raise ScriptError(f"{text}: {error}") from None
    pause = np.zeros(_RATE_HZ * _PAUSE_MS // 1000, np.int16)
    parts = []
    for pcm in synthesis.say(text, _RATE_HZ, voice=_VOICE):
        spoken = recording_of(Path(text), np.frombuffer(pcm, "<i2"), _RATE_HZ)
        per_ms = _RATE_HZ // 1000
        parts += [spoken.samples[spoken.began_ms * per_ms : spoken.ended_ms * per_ms], pause]
    if not parts:
        raise ScriptError(f"text:{text}: there are no words to say")
    named = re.sub(r"\W+", " ", text).strip()[:60]
    file = folder / f"{len(list(folder.iterdir())) + 1} {named}.wav"
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(_RATE_HZ)
        wav.writeframes(np.concatenate(parts).tobytes())
    return file
