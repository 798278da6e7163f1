"""Digits, letters and addresses as callers say them, in English and German."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.spelling import address, characters, digits


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("0171 234-567", "0171234567"),
        ("oh one seven double five, one two", "0175512"),
        ("triple eight and nine", "8889"),
        ("thirty two forty", "3240"),
        ("nineteen", "19"),
        ("twenty-two double-five", "2255"),
        ("plus four nine three zero", "+4930"),
        ("(030) 555/01", "03055501"),
        ("null acht fünfzehn", "0815"),
        ("zweiunddreißig, zwo eins", "3221"),
        ("doppel fünf", "55"),
        ("", ""),
    ],
)
def test_digits(said: str, meant: str) -> None:
    assert digits(said) == meant


@pytest.mark.parametrize("said", ["call me", "five percent", "12a", "0171@x", "1+2"])
def test_what_are_no_digits(said: str) -> None:
    assert digits(said) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("D E eight nine 3704", "DE893704"),
        ("DE89 3704 0044", "DE8937040044"),
        ("A wie Anton, B wie Berta, sieben", "AB7"),
        ("Anna wie Anton", "A"),
        ("S as in Sierra, W for Whiskey, one", "SW1"),
        ("delta echo", "DE"),
        ("s w one a, one a a", "SW1A1AA"),
    ],
)
def test_characters(said: str, meant: str) -> None:
    assert characters(said) == meant


def test_what_are_no_characters() -> None:
    assert characters("my account at the bank") is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("anna.smith@example.com", "anna.smith@example.com"),
        ("Anna dot Smith at example dot com.", "anna.smith@example.com"),
        ("max bindestrich müller ät web punkt de", "max-müller@web.de"),
        ("A as in Anton, n n a at example dot org", "anna@example.org"),
        ("info underscore one at example dot com", "info_one@example.com"),
    ],
)
def test_addresses(said: str, meant: str) -> None:
    assert address(said) == meant


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    read = digits(text)
    assert read is None or set(read) <= set("+0123456789") or any(each.isdecimal() for each in read)
    characters(text)
    address(text)


@given(st.text(alphabet="0123456789", max_size=30))
def test_digits_are_themselves(text: str) -> None:
    assert digits(text) == text
    assert digits(" ".join(text)) == text
