"""Recorded sentences: read from files, ready in every format, and a bad file named before the first call."""

from __future__ import annotations

import wave
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest

from actors.clips import Clip, load_clips
from protocols.errors import MisuseError
from protocols.media import KNOWN, MULAW

LENGTH_S, RATE_HZ = 0.5, 16_000


def write(folder: Path, clip: Clip, *, channels: int = 1, width: int = 2, words: bytes = b"One\n  moment. \n") -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(int(LENGTH_S * RATE_HZ)) / RATE_HZ)).astype("<i2")
    with wave.open(str(folder / f"{clip.value}.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(RATE_HZ)
        file.writeframes(tone.tobytes())
    (folder / f"{clip.value}.txt").write_bytes(words)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for clip in Clip:
        write(tmp_path, clip)
    return tmp_path


def test_every_clip_is_there_with_its_words_in_every_format(folder: Path) -> None:
    clips = load_clips(folder)
    assert set(clips) == set(Clip)
    for recording in clips.values():
        assert recording.words == "One moment."
        assert set(recording.payloads) == {media.raw.name for media in KNOWN.values()}
        for name, payloads in recording.payloads.items():
            sound = b"".join(map(b64decode, payloads))
            assert len(sound) == pytest.approx(KNOWN[name].bytes_per_ms * LENGTH_S * 1000, rel=0.01)
            assert len(payloads) in (5, 6), "pieces of a tenth of a second"


def test_a_clip_sounds_the_same_in_every_format(folder: Path) -> None:
    payloads = load_clips(folder)[Clip.ONE_MOMENT].payloads
    heard = np.frombuffer(b"".join(map(b64decode, payloads["raw/lpcm16_24"])), dtype="<i2")
    expected = 8000 * np.sin(2 * np.pi * 440 * np.arange(len(heard)) / 24_000)
    middle = slice(len(heard) // 4, len(heard) // 2)
    assert np.corrcoef(heard[middle], expected[middle])[0, 1] > 0.99
    assert len(set(b"".join(map(b64decode, payloads[MULAW.name])))) > 10


@pytest.mark.parametrize("form", [{"channels": 2}, {"width": 1}])
def test_a_recording_that_is_not_mono_of_16_bits_is_named(folder: Path, form: dict[str, int]) -> None:
    write(folder, Clip.SAY_AGAIN, **form)  # type: ignore[arg-type]
    with pytest.raises(MisuseError, match=r"say_again\.wav: must be mono, of 16 bits"):
        load_clips(folder)


def test_a_missing_or_unreadable_clip_is_named(folder: Path) -> None:
    (folder / "one_moment.txt").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(MisuseError, match="clip one_moment cannot be read"):
        load_clips(folder)
    (folder / "one_moment.txt").unlink()
    with pytest.raises(MisuseError, match="clip one_moment cannot be read"):
        load_clips(folder)
    (folder / "one_moment.wav").write_bytes(b"")
    with pytest.raises(MisuseError, match="clip one_moment cannot be read"):
        load_clips(folder)


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_clips_of_the_product_can_be_loaded(language: str) -> None:
    clips = load_clips(Path(__file__).parents[2] / "gateway" / "clips" / language)
    assert all(recording.words for recording in clips.values())
