"""How a voice sounds on a telephone; what is said where there is no voice."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.talk.__main__ import app
from tests.talk.speech import BAND_HZ, LEVEL_DB, RATE_HZ, VOICES, FliteMissing, banded, cough, flite, levelled, spoken


def test_a_telephone_carries_its_band_only() -> None:
    seconds = np.arange(RATE_HZ) / RATE_HZ
    for hertz in (50.0, 3900.0):
        assert np.abs(banded(np.sin(2 * np.pi * hertz * seconds))).max() < 0.01
    kept = banded(np.sin(2 * np.pi * sum(BAND_HZ) / 2 * seconds))
    assert np.abs(kept).max() > 0.9


def test_speech_is_brought_to_one_level_and_silence_stays() -> None:
    loud = np.concatenate([np.zeros(RATE_HZ), np.sin(np.arange(RATE_HZ) / 5)])
    sound = levelled(loud, LEVEL_DB)
    rms = np.sqrt((sound[RATE_HZ:].astype(np.float64) ** 2).mean())
    assert abs(20 * np.log10(rms / 32768) - LEVEL_DB) < 1
    assert not sound[:RATE_HZ].any()
    assert not levelled(np.zeros(RATE_HZ), LEVEL_DB).any()


def test_a_cough_is_short_and_loud() -> None:
    sound = cough(1)
    assert 300 < sound.length_ms < 900
    assert (cough(1).samples == sound.samples).all()


def test_without_flite_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    flite.cache_clear()
    with pytest.raises(FliteMissing, match="apt install flite"):
        flite()
    told = CliRunner().invoke(app, ["book_plain"])
    assert told.exit_code == 1
    assert "apt install flite" in told.output


@pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite")
def test_flite_has_the_voices_and_speaks_equally_each_time() -> None:
    flite.cache_clear()
    for voice in VOICES:
        said = spoken("Yes, please.", voice)
        assert len(said) > RATE_HZ // 2
        assert (said == spoken("Yes, please.", voice)).all()
        assert len(spoken("Yes, please.", voice, 0.8)) > len(said)
