"""Whether words are a row of known phrases, and nothing else: the closed vocabularies of all languages.

A phrase is a regular expression over words with one space between them.
Pure. May import: the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def consists_of(words: str, phrases: Iterable[str]) -> bool:
    """Whether the words are a row of these phrases. Possessive: what has matched at one place is not tried again."""
    return re.fullmatch(rf"(?>(?:{'|'.join(phrases)}) )*+", f"{words} ") is not None


def row_of(words: str, polite: tuple[str, ...], agreeing: Iterable[tuple[str, ...]], beside: tuple[str, ...]) -> bool:
    """Whether the words are a row of these phrases, and one of them agrees.

    polite: looked for first: "good morning" is no "good". agreeing: in parts, of which those that are always the same
    are compiled once. beside: last.
    """
    ordered = [(_one_of(polite), False), *((_one_of(each), True) for each in agreeing), (_one_of(beside), False)]
    at, agreed, words = 0, False, f"{words} "
    while at < len(words):
        for phrase, agrees in ordered:
            if (match := phrase.match(words, at)) is not None:
                at, agreed = match.end(), agreed or agrees
                break
        else:
            return False
    return agreed


# To compile the phrases of a language takes some 30 ms, and an answer to a read-back is judged on the loop.
@lru_cache(maxsize=256)
def _one_of(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(phrases)}) ") if phrases else _NEVER


_NEVER = re.compile("(?!)")
