"""The price list: the one that comes along, and one of the customer's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.prices import read_prices
from gateway.settings import Settings, SettingsError


def settings(path: Path | str) -> Settings:
    return Settings(OPENAI_API_KEY="sk-of-the-tests-1234", prices=str(path))


def test_the_list_that_comes_along_has_the_models_of_the_defaults() -> None:
    prices, defaults = read_prices(settings("")), settings("")
    used = {"input_audio": 1_000_000, "input_audio_cached": 1_000_000, "output_audio": 1_000_000, "output_text": 1}
    assert prices.as_of is not None
    assert prices.cost(defaults.openai_model, used) == pytest.approx(32 + 0.4 + 64 + 16e-6)
    assert prices.cost(defaults.transcription_model, {"input_audio": 1_000_000}) == pytest.approx(1.25)


def test_a_list_of_ones_own_replaces_it(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text('as_of = 2026-12-01\n["mine"]\noutput_audio = 10\nminute = 0.01\n')
    prices = read_prices(settings(own))
    assert prices.cost("mine", {"output_audio": 100_000}, 60) == pytest.approx(1.01)
    assert prices.cost("gpt-realtime", {"output_audio": 1}) is None


def test_every_fault_of_a_list_is_told(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text('as_of = "today"\nmine = 3\n["other"]\noutput_sound = 1\noutput_audio = "64"\ninput_text = -1\n')
    with pytest.raises(SettingsError) as wrong:
        read_prices(settings(own))
    told = [fault.partition(": ")[2].partition(":")[0] for fault in wrong.value.faults]
    assert told == ["as_of", "mine", "other.output_sound", "other.output_audio", "other.input_text"]
    assert all(fault.startswith("TIELINE_PRICES: ") for fault in wrong.value.faults)


@pytest.mark.parametrize("text", ["as_of = ", None])
def test_a_list_that_cannot_be_read_is_a_wrong_setting(text: str | None, tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    if text is not None:
        own.write_text(text)
    with pytest.raises(SettingsError, match="TIELINE_PRICES"):
        read_prices(settings(own))
