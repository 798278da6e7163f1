"""The languages that bots speak."""

from __future__ import annotations

from fsm.english import English
from fsm.locales import ENGLISH, locale_of


def test_a_tag_tells_the_language() -> None:
    assert locale_of("de-AT").language == "de"
    assert locale_of("de").language == "de"


def test_english_reads_where_a_language_has_no_reader() -> None:
    assert isinstance(locale_of("tlh").reader, English)
    assert isinstance(ENGLISH.reader, English)


def test_one_tag_is_one_locale() -> None:
    assert locale_of("en-GB") is ENGLISH
