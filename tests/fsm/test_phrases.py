"""Whether words are a row of known phrases."""

from __future__ import annotations

import pytest

from fsm.phrases import consists_of, row_of


@pytest.mark.parametrize(
    ("words", "known"),
    [("a", True), ("a b a", True), ("a b c", False), ("ab", False), ("c d", True), ("c", False)],
)
def test_a_row_of_phrases_has_no_other_words(words: str, known: bool) -> None:
    assert consists_of(words, ["a", "b", "c d"]) is known


@pytest.mark.parametrize(
    ("words", "agrees"),
    [
        ("good", True),
        ("good morning", False),
        ("good morning good", True),
        ("thanks", False),
        ("good so", True),
        ("so", False),
        ("good other", False),
        ("", False),
    ],
)
def test_a_row_agrees_by_one_phrase_that_does(words: str, agrees: bool) -> None:
    assert row_of(words, ["good morning", "thanks"], ["good"], ["so"]) is agrees


def test_a_row_that_nearly_matches_is_given_up_at_once() -> None:
    assert not consists_of("a " * 5000 + "b", ["a", "a a", "a a a"])
