"""Whether words are a row of known phrases, and nothing else: the closed vocabularies of all languages.

A phrase is a regular expression over words with one space between them.
Pure. May import: the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def consists_of(words: str, phrases: Iterable[str]) -> bool:
    """Whether the words are a row of these phrases. Possessive: what has matched at one place is not tried again."""
    return re.fullmatch(rf"(?>(?:{'|'.join(phrases)}) )*+", f"{words} ") is not None


def row_of(words: str, polite: Iterable[str], agreeing: Iterable[str], beside: Iterable[str]) -> bool:
    """Whether the words are a row of these phrases, and one of them agrees.

    polite: looked for first: "good morning" is no "good". beside: last.
    """
    each = [*polite, f"(?P<agrees>{'|'.join(agreeing)})", *beside]
    phrase = re.compile(rf"(?:{'|'.join(each)}) ")
    at, agreed, words = 0, False, f"{words} "
    while (match := phrase.match(words, at)) is not None:
        at, agreed = match.end(), agreed or match["agrees"] is not None
    return agreed and at == len(words)
