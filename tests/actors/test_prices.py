"""What a model's tokens cost by the list, and what is not in it."""

from __future__ import annotations

import pytest

from actors.prices import Price, Prices

LIST = Prices(
    {
        "big": Price({"input_text": 4.0, "input_text_cached": 0.4, "output_audio": 64.0}),
        "ears": Price(minute=0.006),
    }
)


@pytest.mark.parametrize("model", ["big", "big-2026-08-28"])
def test_each_kind_has_its_price(model: str) -> None:
    used = {"input_text": 1_000_000, "input_text_cached": 500_000, "output_audio": 250_000}
    assert LIST.cost(model, used) == pytest.approx(4.0 + 0.2 + 16.0)


def test_audio_is_billed_by_the_minute() -> None:
    assert LIST.cost("ears", {}, 90) == pytest.approx(0.009)


def test_what_has_no_price_has_no_cost() -> None:
    assert LIST.cost("small", {"input_text": 5}) is None
    assert LIST.cost("big", {"input_text": 5, "input_image": 1}) is None
    assert LIST.cost("big", {}, 5.0) is None
    assert LIST.cost("big", {}) is None


def test_a_missing_price_is_logged_once(log_lines: list[str]) -> None:
    prices = Prices()
    for _ in range(3):
        prices.cost("small", {"input_text": 5})
        prices.cost("tiny", {"input_text": 5})
    assert len([line for line in log_lines if "no price" in line]) == 2


def test_names_outside_the_list_are_one() -> None:
    assert [LIST.name(each) for each in ("big", "big-2026-08-28", "big-2", "", "caller's words")] == [
        "big",
        "big",
        "other",
        "other",
        "other",
    ]
