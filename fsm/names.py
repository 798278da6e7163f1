"""Callers' names: which words are one, and which two names are one person's.

Pure. May import: fsm, the standard library.
"""

from __future__ import annotations

import unicodedata
from itertools import product, starmap, takewhile
from typing import NamedTuple

from fsm.errors import SlotError
from fsm.spec import Known

LONGEST_NAME = 100
# A surname of at least so many letters may be off by one of them. Given names must be equal: those of a family, which
# share a surname and a telephone, often differ by one letter.
LONG_SURNAME = 5
# What models put in as the name of a caller who gave none. A name with any other word in it is accepted.
_NO_NAMES = """
    a anonim anonym anonyme anonymous anrufer available blank blocked caller client customer default empty first
    full given gast guest human i id inconnu invité is it keine known kunde last madam me mentioned missing mr mrs
    ms myself n na name nil no nobody none not null of ok okay person placeholder please private provided restricted
    said self sir somebody someone specified stated still tba tbd test the they this unavailable unbekannt undefined
    unknown unnamed unspecified user withheld yes yet your angabe angaben angegeben anonymer anruferin bekannt
    genannt kein keine keiner keinen kundin nicht niemand ohne unbekannte unbekannter desconocido sconosciuto
    onbekend nepoznat неизвестно 未知 不明
"""
PLACEHOLDERS = frozenset(_NO_NAMES.split())
_TITLES = frozenset(["doctor", "dr", "frau", "herr", "madam", "miss", "mr", "mrs", "ms", "prof", "professor", "sir"])
# Letters that Unicode does not decompose, and the two ways in which German and Nordic vowels are written without marks.
_PLAIN = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


class _Person(NamedTuple):
    given: str
    middle: tuple[str, ...]
    surname: str


def real_name(name: str, known: Known) -> str:
    """The name with its spaces normalised. Raises: SlotError for a placeholder, no letters, or excessive length."""
    name = " ".join(name.split())
    words = "".join(letter if letter.isalpha() else " " for letter in name.casefold()).split()
    if not words or len(name) > LONGEST_NAME or PLACEHOLDERS.issuperset(words):
        raise SlotError("I did not get a name.")
    return name


def has_letters(name: str) -> bool:
    """Whether anything of it can be compared."""
    return bool(_parts(name))


def is_whole(name: str) -> bool:
    """Whether it has more parts than one, as a given name with a surname has."""
    return len(_parts(name)) > 1


def same_person(stored: str, said: str) -> bool:
    """Whether two names are one person's. A name without letters matches none.

    Compared part by part, in either order, without case, diacritics and titles. Given names are equal, surnames differ
    by one letter at most; middle names may be left out. One part alone matches only a name that is nothing else.
    """
    one, other = _parts(stored), _parts(said)
    if one and _equal("".join(one), "".join(other)):  # "Anne Marie Fox" and "Annemarie Fox"
        return True
    if min(len(one), len(other)) < 2:
        return False
    mine, yours = _in_order(one), _in_order(other)
    # Only in the same order is it the surnames that may differ by a letter.
    return _same(mine, yours, exactly=False) or any(
        _same(left, right, exactly=True) for left, right in ((_turned(one), yours), (mine, _turned(other)))
    )


def _same(one: _Person, other: _Person, *, exactly: bool) -> bool:
    shorter, longer = sorted((one.middle, other.middle), key=len)
    return (
        _equal(one.given, other.given)
        and (_equal(one.surname, other.surname) or (not exactly and _nearly_equal(one.surname, other.surname)))
        and all(any(_equal(each, middle) for middle in longer) for each in shorter)
    )


def _in_order(parts: list[str]) -> _Person:
    given, *middle, surname = parts
    return _Person(given, tuple(middle), surname)


def _turned(parts: list[str]) -> _Person:
    """With the surname first, as in "Smith John Paul"."""
    surname, given, *middle = parts
    return _Person(given, tuple(middle), surname)


def _parts(name: str) -> list[str]:
    """The parts without case and titles, surname last if a comma says which it is; hyphens join."""
    surname, _, given = unicodedata.normalize("NFKC", name).casefold().partition(",")
    words = ("".join(filter(_is_letter, word)) for word in f"{given} {surname}".split())
    parts = [word for word in words if word]
    while len(parts) > 1 and parts[0] in _TITLES:
        del parts[0]
    return parts


def _is_letter(letter: str) -> bool:
    # Marks spell the vowels of some scripts; those that are mere diacritics are left out by _plain.
    return letter.isalpha() or unicodedata.category(letter).startswith("M")


def _equal(one: str, other: str) -> bool:
    return not _spellings(one).isdisjoint(_spellings(other))


def _nearly_equal(one: str, other: str) -> bool:
    return any(starmap(_one_letter_off, product(_spellings(one), _spellings(other))))


def _one_letter_off(one: str, other: str) -> bool:
    """Whether one letter is wrong, missing or too many."""
    if min(len(one), len(other)) < LONG_SURNAME:
        return False
    at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return one[at + 1 :] in (other[at:], other[at + 1 :]) or one[at:] == other[at + 1 :]


def _spellings(word: str) -> set[str]:
    """Müller is spelt Muller and Mueller."""
    return {_plain(word), _plain(word.translate(_SPELLED_OUT))}


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.translate(_PLAIN))
    # Only the diacritics of European scripts: in others, a mark makes another letter. Composed again, so that a Korean
    # syllable is one letter.
    return unicodedata.normalize("NFC", "".join(letter for letter in decomposed if not "\u0300" <= letter <= "\u036f"))
