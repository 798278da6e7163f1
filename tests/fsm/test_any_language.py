"""A bot that speaks its caller's language: a yes of any of them, and a no of any of them."""

from __future__ import annotations

from datetime import date, time

import pytest

from fsm.any_language import AnyLanguage
from fsm.claims import Deed, Done, deeds_in, unbacked
from fsm.consent import Readback, Reply, Spoken, reply, states
from fsm.english import English
from fsm.german import German

WEDNESDAY, THURSDAY = date(2026, 11, 25), date(2026, 11, 26)
ENGLISH_FIRST, GERMAN_FIRST = AnyLanguage(English(), [German()]), AnyLanguage(German(), [English()])
BOOK = Readback(
    (1,),
    {},
    "Thursday 26 November at 10:30 for Jan Halb. Shall I book it?",
    (THURSDAY,),
    (time(10, 30),),
    ("Jan Halb",),
)
CANCEL = Readback((1,), {}, "Ihr Termin am Donnerstag um halb elf. Soll ich ihn absagen?", (THURSDAY,), (time(10, 30),))


@pytest.mark.parametrize(
    "words",
    ["Yes please.", "Ja, bitte.", "Jawohl.", "Ja, morgen um halb elf.", "Yes, tomorrow at half past ten.", "Genau."],
)
def test_a_yes_of_any_of_them_counts(words: str) -> None:
    assert reply(BOOK, words, WEDNESDAY, ENGLISH_FIRST) is Reply.YES
    assert reply(CANCEL, words, WEDNESDAY, GERMAN_FIRST) is Reply.YES


@pytest.mark.parametrize(
    "words",
    ["Ja, no.", "Yes, nein.", "Okay, nee.", "Ja, aber lieber elf.", "Yes, um elf.", "Ja, at eleven.", "No.", "Nein.",
     "Okay, lieber nicht.", "Oui.", "Lieber um elf."],
)  # fmt: skip
def test_a_no_of_any_of_them_and_what_none_knows_is_no_yes(words: str) -> None:
    assert reply(BOOK, words, WEDNESDAY, ENGLISH_FIRST) is not Reply.YES
    assert reply(CANCEL, words, WEDNESDAY, GERMAN_FIRST) is not Reply.YES


class Abrupt(German):
    """In which "okay" is a no."""

    def agrees(self, said: str, own: str | None) -> bool:
        return said != "okay" and super().agrees(said, own)

    def declines(self, said: str) -> bool:
        return said == "okay"


def test_a_yes_that_another_language_reads_as_a_no_is_none() -> None:
    assert reply(BOOK, "Okay.", WEDNESDAY, AnyLanguage(English(), [German()])) is Reply.YES
    assert reply(BOOK, "Okay.", WEDNESDAY, AnyLanguage(English(), [Abrupt()])) is Reply.OTHER


def test_what_the_bot_offers_is_known_in_its_own_language_only() -> None:
    assert reply(CANCEL, "Thursday is fine.", WEDNESDAY, GERMAN_FIRST) is not Reply.YES
    assert reply(CANCEL, "That works for me.", WEDNESDAY, GERMAN_FIRST) is not Reply.YES
    assert not states(
        BOOK, [Spoken("Morgen um halb elf für Jan Halb. Ist das richtig?", True, WEDNESDAY)], ENGLISH_FIRST
    )
    assert states(BOOK, [Spoken(BOOK.sentence, True, WEDNESDAY)], ENGLISH_FIRST)


@pytest.mark.parametrize("language", [ENGLISH_FIRST, GERMAN_FIRST])
def test_statements_are_found_in_any_and_their_values_in_their_own(language: AnyLanguage) -> None:
    done = Done(frozenset({Deed.BOOKED}), frozenset({THURSDAY}), frozenset({time(15)}), "")
    for true in (
        "Your appointment tomorrow at three is booked.",
        "Ihr Termin morgen um drei ist gebucht.",
        "Ihr Termin um 3 am Donnerstagnachmittag ist gebucht.",
    ):
        assert deeds_in(true, language) == {Deed.BOOKED}
        assert unbacked(language.claims(true), [done], language, WEDNESDAY) == []
    for false in ("Your appointment today at three is booked.", "Ihr Termin heute um drei ist gebucht."):
        assert len(unbacked(language.claims(false), [done], language, WEDNESDAY)) == 1


def test_hums_and_goodbyes_are_those_of_any() -> None:
    for words in ("Äh.", "Erm."):
        assert GERMAN_FIRST.wordless(words)
        assert ENGLISH_FIRST.wordless(words)
    for words in ("Danke, tschüss.", "Thanks, bye."):
        assert GERMAN_FIRST.parting(words)
    assert not GERMAN_FIRST.parting("Nein, danke, no.")


def test_a_statement_is_taken_back_in_the_language_that_the_bot_speaks() -> None:
    assert GERMAN_FIRST.denial(frozenset({Deed.BOOKED})) == German().denial(frozenset({Deed.BOOKED}))
