"""German number words, written together as German has them: "sechsundzwanzig", "zweihundertfünf", "einundzwanzigsten".

Pure. May import: the standard library.
"""

from __future__ import annotations

import unicodedata

_UNITS = (
    "null", "ein", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwoelf",
    "dreizehn", "vierzehn", "fuenfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
)  # fmt: skip
_TENS = ("zwanzig", "dreissig", "vierzig", "fuenfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_CARDINALS = {
    **{word: number for number, word in enumerate(_UNITS)},
    **{word: number for number, word in zip(range(20, 100, 10), _TENS, strict=True)},
    # "zwo" is said on the telephone, "drei" being near to "zwei"; the others are what recognisers write.
    "eins": 1, "zwo": 2, "funf": 5, "zwolf": 12, "funfzehn": 15, "dreizig": 30, "funfzig": 50,
}  # fmt: skip
# The stems that are no cardinal with "t" or "st" behind it.
_STEMS = {"erst": 1, "dritt": 3, "siebt": 7, "siebent": 7, "acht": 8}
_FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_LARGEST = 999_999
_LONGEST = 60  # letters of a number word below that


def folded(text: str) -> str:
    """In lower case and with letters that every transcript has: "fuenf" for "fünf"."""
    return unicodedata.normalize("NFC", text).lower().translate(_FOLDED)


def cardinal(word: str) -> int | None:
    """The number that a word is, up to 999,999; None if it is none. word: folded.

    "ein" is one too: whether it is an article only the words beside it tell.
    """
    if (number := _CARDINALS.get(word)) is not None or len(word) > _LONGEST:
        return number
    for name, size in (("tausend", 1000), ("hundert", 100)):
        left, found, right = word.partition(name)
        if found:
            times = cardinal(left) if left else 1
            rest = cardinal(right.removeprefix("und")) if right else 0
            if times is None or rest is None or not 0 < times < 1000 or rest >= size:
                return None
            number = times * size + rest
            return number if number <= _LARGEST else None
    unit, found, ten = word.partition("und")
    units, tens = _CARDINALS.get(unit), _CARDINALS.get(ten)
    return tens + units if units and tens and units < 10 and tens in range(20, 100, 10) else None


def ordinal(word: str) -> int | None:
    """The number of an ordinal below a hundred, however it ends; None if it is none. word: folded."""
    for ending in ("e", "en", "er", "em", "es"):
        stem = word.removesuffix(ending)
        if stem == word:
            continue
        if (number := _STEMS.get(stem)) is not None:
            return number
        for mark, smallest, beyond in (("st", 20, 100), ("t", 1, 20)):
            number = cardinal(stem.removesuffix(mark)) if stem.endswith(mark) else None
            if number is not None and smallest <= number < beyond and not (mark == "t" and number in (1, 3, 7, 8)):
                return number
    return None


def written_below_100(number: int) -> tuple[str, ...]:
    """The words for a number, with umlauts and without, in small letters."""
    if number < 20 or number % 10 == 0:
        plain = [word for word, meant in _CARDINALS.items() if meant == number]
    else:
        units = (word for word, meant in _CARDINALS.items() if meant == number % 10 and word != "eins")
        tens = [word for word, meant in _CARDINALS.items() if meant == number // 10 * 10]
        plain = [f"{unit}und{ten}" for unit in units for ten in tens]
    marked = [word.replace("fuenf", "fünf").replace("zwoelf", "zwölf").replace("dreissig", "dreißig") for word in plain]
    return tuple(dict.fromkeys((*plain, *marked)))
