"""What callers and recognisers make of digits, letters and signs, as characters: "double five", "A wie Anton", "at".

English and German together: a bot in one is told numbers in the other too, and their words do not clash.
Pure. May import: the standard library.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

_DIGITS: Mapping[str, str] = {
    "zero": "0", "oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0", "null": "0",
    "one": "1", "ein": "1", "eins": "1", "two": "2", "to": "2", "too": "2", "zwei": "2", "zwo": "2",
    "three": "3", "drei": "3", "four": "4", "for": "4", "vier": "4", "five": "5", "fünf": "5", "fuenf": "5",
    "six": "6", "sechs": "6", "seven": "7", "sieben": "7", "eight": "8", "acht": "8", "nine": "9", "niner": "9",
    "neun": "9",
}  # fmt: skip
_TEENS: Mapping[str, str] = {
    "ten": "10", "zehn": "10", "eleven": "11", "elf": "11", "twelve": "12", "zwölf": "12", "zwoelf": "12",
    "thirteen": "13", "dreizehn": "13", "fourteen": "14", "vierzehn": "14", "fifteen": "15", "fünfzehn": "15",
    "sixteen": "16", "sechzehn": "16", "seventeen": "17", "siebzehn": "17", "eighteen": "18", "achtzehn": "18",
    "nineteen": "19", "neunzehn": "19",
}  # fmt: skip
_TENS: Mapping[str, str] = {
    "twenty": "2", "zwanzig": "2", "thirty": "3", "dreißig": "3", "dreissig": "3", "forty": "4", "vierzig": "4",
    "fifty": "5", "fünfzig": "5", "sixty": "6", "sechzig": "6", "seventy": "7", "siebzig": "7", "eighty": "8",
    "achtzig": "8", "ninety": "9", "neunzig": "9",
}  # fmt: skip
_REPEATED: Mapping[str, int] = {"double": 2, "doppel": 2, "doppelt": 2, "zweimal": 2, "triple": 3, "dreimal": 3}
_SIGNS: Mapping[str, str] = {
    "at": "@", "ät": "@", "aet": "@", "klammeraffe": "@", "dot": ".", "point": ".", "punkt": ".", "period": ".",
    "dash": "-", "hyphen": "-", "minus": "-", "bindestrich": "-", "strich": "-", "underscore": "_",
    "unterstrich": "_", "plus": "+", "slash": "/", "schrägstrich": "/",
}  # fmt: skip
# The letter alphabets of radio and telephone; a word not listed stands for its first letter after "as in".
_ALPHABETS = """
    alfa alpha bravo charlie delta echo foxtrot golf hotel india juliett juliet kilo lima mike november oscar papa
    quebec romeo sierra tango uniform victor whiskey xray yankee zulu
    anton berta caesar cäsar dora emil friedrich gustav heinrich ida julius kaufmann ludwig martha nordpol otto paula
    quelle richard samuel siegfried theodor ulrich viktor wilhelm xanthippe ypsilon zacharias zeppelin
"""
_ALPHABET: Mapping[str, str] = {word: word[0] for word in _ALPHABETS.split()} | {
    "ärger": "ä", "ökonom": "ö", "übermut": "ü", "eszett": "ß"
}  # fmt: skip
_AS_IN = frozenset({"as", "for", "like", "wie"})
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
# "twenty-two", "double-five".
_HYPHENED = re.compile(rf"\b({'|'.join((*_TENS, *_REPEATED))})[-–](?=\w)", re.IGNORECASE)
_GERMAN_TENS = re.compile(rf"({'|'.join(each for each in _DIGITS if len(each) > 2)})und({'|'.join(_TENS)})")
_SAID_BETWEEN = frozenset({"and", "und", "then", "dann", "again", "nochmal"})


def digits(text: str) -> str | None:
    """The digits, with a leading "+" if it is said; None where a word is no digit. Separators are left out."""
    found: list[str] = []
    for kind, said in _units(text, signs={"plus": "+"}):
        if kind == "word":
            return None
        if kind == "sign" and said == "+" and not found:
            found.append("+")
        elif kind == "sign" and said not in "-./()#,;:":
            return None
        elif kind == "characters":
            if not said.isdecimal():
                return None
            found.append(said)
    return "".join(found)


def characters(text: str) -> str | None:
    """Letters and digits as said one by one, upper case ("D E eight nine"); None where a word is neither."""
    found: list[str] = []
    for kind, said in _units(text, signs={}):
        match kind:
            case "characters":
                found.append(said)
            case "word" if len(said) == 1 or any(each.isdecimal() for each in said) or said.isupper():
                found.append(said)
            case "word":
                return None
            case _:
                continue
    return "".join(found).upper()


def address(text: str) -> str:
    """An e-mail address as said ("anna dot smith at example dot com"): lower case, without spaces."""
    found: list[str] = []
    for kind, said in _units(text, signs=_SIGNS, numbers=False):
        if kind == "sign" and said in ",;:?!":
            continue
        found.append(said)
    return "".join(found).lower().rstrip(".")


def _units(text: str, signs: Mapping[str, str], *, numbers: bool = True) -> Iterator[tuple[str, str]]:
    """Each piece of a text: ("characters", those meant), ("sign", one), ("word", one that means itself).

    numbers: whether number words are digits; in an e-mail address "one" may be a word.
    """
    words = _WORD.findall(_HYPHENED.sub(r"\1 ", unicodedata.normalize("NFC", text)))
    at = 0
    while at < len(words):
        word, lower = words[at], words[at].casefold()
        following = words[at + 1].casefold() if at + 1 < len(words) else ""
        if following in _AS_IN and (end := _example_end(words, at)):
            yield "characters", words[end - 1][0]
            at = end
        elif (times := _REPEATED.get(lower)) and following:
            yield "characters", _repeated(following) * times
            at += 2
        elif lower in signs:
            yield "sign", signs[lower]
            at += 1
        elif numbers and (read := _number(lower, following)):
            number, used = read
            yield "characters", number
            at += used
        elif word.isdecimal():
            yield "characters", word
            at += 1
        elif lower in _SAID_BETWEEN and numbers:
            at += 1
        elif not word.isalnum():
            yield "sign", word
            at += 1
        elif lower in _ALPHABET and numbers:
            yield "characters", _ALPHABET[lower]
            at += 1
        else:
            yield "word", word
            at += 1


def _example_end(words: list[str], at: int) -> int:
    """The index after "A as in Anton", "A for Anton", "Anna wie Anton"; 0 if it is none."""
    named = at + 2 + (words[at + 1].casefold() == "as" and at + 2 < len(words) and words[at + 2].casefold() == "in")
    if named >= len(words) or not words[named].isalpha():
        return 0
    same = words[named][0].casefold() == words[at][0].casefold()
    # "four for ..." is no letter.
    return named + 1 if same and words[at].isalpha() and len(words[named]) > 1 else 0


def _repeated(word: str) -> str:
    return _DIGITS.get(word, word)


def _number(word: str, following: str) -> tuple[str, int] | None:
    """The digits of a number word and how many words it took: "thirty two" is two."""
    if (german := _GERMAN_TENS.fullmatch(word)) is not None:
        return _TENS[german[2]] + _DIGITS[german[1]], 1
    if word in _TENS:
        unit = _DIGITS.get(following, "0")
        return (_TENS[word] + unit, 2) if unit != "0" else (f"{_TENS[word]}0", 1)
    found = _TEENS.get(word) or _DIGITS.get(word)
    return (found, 1) if found else None
