"""What reading has in common in all languages, each case in each of them."""

from __future__ import annotations

from datetime import date, time

import pytest

from fsm.consent import JUDGED_CHARS
from fsm.english import English
from fsm.german import German
from fsm.reading import CLAIMS_CHARS, MOST_CLAIMS, WordReader

MONDAY = date(2026, 11, 23)
ENGLISH, GERMAN = English(), German()
EACH = pytest.mark.parametrize(
    ("reader", "booked", "ten", "row"),
    [
        (ENGLISH, "It is booked. ", "at ten in the evening", "oh three double five"),
        (GERMAN, "Er ist gebucht. ", "um zehn Uhr abends", "null drei doppel fünf"),
    ],
    ids=["English", "German"],
)


@EACH
def test_values_are_taken_out_phrases_first(reader: WordReader, booked: str, ten: str, row: str) -> None:
    reading = reader.read(f"Ada {ten}, {row}.", MONDAY, ["ada", "0355"])
    assert set(reading.phrases) == {"ada", "0355"}
    assert list(reading.times) == [{time(22)}]
    assert reading.rest in ("# at #", "# um #")
    assert reader.read("Ada Ada", MONDAY, ["0355"]).rest == "ada ada"


@EACH
def test_only_the_end_of_a_long_text_is_read(reader: WordReader, booked: str, ten: str, row: str) -> None:
    beyond = "x " * JUDGED_CHARS
    assert reader.times(f"{ten} {beyond}", MONDAY) == []
    assert reader.times(f"{beyond} {ten}", MONDAY) == [{time(22)}]
    assert not reader.wordless("," * (JUDGED_CHARS + 1))


@EACH
def test_the_last_statements_of_a_text_count(reader: WordReader, booked: str, ten: str, row: str) -> None:
    assert len(reader.claims(booked)) == 1
    assert len(reader.claims(booked * 3 * MOST_CLAIMS)) == MOST_CLAIMS
    assert reader.claims(booked + "x. " * CLAIMS_CHARS) == []


@EACH
def test_a_reader_is_a_language_by_itself(reader: WordReader, booked: str, ten: str, row: str) -> None:
    assert reader.readers() == (reader,)
