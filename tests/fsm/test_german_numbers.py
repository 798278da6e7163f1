"""German number words and what they are worth."""

from __future__ import annotations

import pytest

from fsm.german_numbers import cardinal, folded, ordinal, written_below_100


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("null", 0), ("eins", 1), ("zwo", 2), ("zwölf", 12), ("zwoelf", 12), ("siebzehn", 17), ("dreißig", 30),
        ("dreissig", 30), ("einundzwanzig", 21), ("fünfundvierzig", 45), ("zweiunddreißig", 32), ("hundert", 100),
        ("zweihundert", 200), ("zweihundertfünf", 205), ("zweihundertundfünf", 205), ("elfhundert", 1100),
        ("zweitausendsechsundzwanzig", 2026), ("tausend", 1000), ("neunhundertneunundneunzigtausend", 999_000),
        ("zwolf", 12), ("fünfzehn", 15), ("funfzehn", 15), ("dreizig", 30), ("fünfzig", 50), ("funfzig", 50),
        ("undzwanzig", None), ("einundzehn", None), ("nullundzwanzig", None), ("nullhundert", None), ("und", None),
        ("elfundzwanzig", None), ("hunderttausendtausend", None), ("termin", None), ("", None),
        ("hundert" * 500, None), ("hunderthundert", None),
    ],
)  # fmt: skip
def test_a_cardinal(word: str, number: int | None) -> None:
    assert cardinal(folded(word)) == number


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("ersten", 1), ("zweiter", 2), ("dritte", 3), ("siebten", 7), ("siebenten", 7), ("achtem", 8), ("zwölftes", 12),
        ("neunzehnten", 19), ("zwanzigsten", 20), ("sechsundzwanzigsten", 26), ("einunddreißigster", 31),
        ("besten", None), ("letzte", None), ("einte", None), ("dreite", None), ("achtte", None), ("zwanzigte", None),
        ("zweiste", None), ("zehn", None), ("", None),
    ],
)  # fmt: skip
def test_an_ordinal(word: str, number: int | None) -> None:
    assert ordinal(folded(word)) == number


@pytest.mark.parametrize("number", range(100))
def test_the_words_below_a_hundred_are_read_as_what_they_are_for(number: int) -> None:
    words = written_below_100(number)
    assert words
    assert {cardinal(folded(word)) for word in words} == {number}


def test_umlauts_may_be_missing_or_written_out_in_numbers() -> None:
    assert {"fünfundzwanzig", "fuenfundzwanzig", "funfundzwanzig"} <= set(written_below_100(25))
