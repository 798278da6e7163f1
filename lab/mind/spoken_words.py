"""Shared by the readers of spoken values: normalised text, and which of several values is meant.

Number words become digits by `text_to_num`; the rest is ours.
May import: text_to_num, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from text_to_num import alpha2digit

T = TypeVar("T")

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# A number alone is an hour or a day only if it counts nothing: "at 1 of your offices" is not a time.
FREE = (
    r"(?=[\s.,;!?]*$|[.,;!?](?!\d)|\s+(?:please|at|on|in|would|will|is|was|works?|if|and|or|then|for|around|about|instead"
    r"|sharp|today|tomorrow|tonight|this|next|thanks?|because|suits?|sounds|should|could|can|might|but|to|not|rather"
    r"|from|the day|a\.?m|p\.?m|" + "|".join(WEEKDAYS) + r")\b)"
)
# Filler words around a value that do not change it.
FILLER = re.compile(
    r"\b(?:um+|uh+|er|hm+|well|ok|okay|yes|yeah|no|please|then|maybe|perhaps|say|let's say|i think|i guess|sorry"
    r"|actually|(?:i'd|i would|we'd|we would) (?:like|prefer)|i'll take|(?:could|can|may|shall) (?:i|we|you)"
    r"(?: do| have| come| say)?|(?:how|what) about|rather|instead|better|thanks|thank you"
    r"|(?:would|will|should) (?:be|do|suit|work)(?: me| us)?"
    r"|(?:is|are|be|sounds?) (?:fine|good|great|nice|perfect|ok|okay|best)|i said|i meant|and|but|so|that's|works?"
    r"|for me|for us|suits me|good|fine|great|ideal|best|in the|(?:early |late )?(?:morning|afternoon|evening)"
    r"|that|it|make|make it|on|at|the)\b"
)
# Seen from recognisers: "make it do thirty in the afternoon" for two thirty, "twelve new" for twelve noon, "ten or
# five." for ten oh five, and "tend in the morning" for ten.
_HOMOPHONE = re.compile(
    r"(?<!quarter )(?<!half )(?<!minutes )\b(?:to|too|do) (?=(?:ten|fifteen|twenty|thirty|forty|fifty"
    r"|[1-5][05])(?: five)?"
    r"(?: in the|,? instead| ?[ap]\.? ?m\b|\W*$))"
)
_CORRECTION = re.compile(
    r"\b(?:no|nope|sorry|i mean|i meant|actually|or rather|wait|make (?:it|that)|change (?:it|that) to|let's say)\b"
)
_REJECTED = re.compile(
    r"(?:(?<!why )\bnot|n't|instead of|rather than|except|(?:n't|\bnot|\bcannot) (?:come|make(?: it)?|do|attend))"
    r"(?: on| at| for)?(?: the)? $"
)
_LEFT = re.compile(r"\bfrom(?: on| at)?(?: the)? $")


@dataclass(frozen=True, slots=True)
class Spoken(Generic[T]):
    """A value and its position in `plain(text)`, half-open."""

    value: T
    start: int
    end: int


@lru_cache(maxsize=512)
def plain(text: str) -> str:
    """The text in lower case with number words as digits: "Ten-thirty p.m." gives "10 30 pm"."""
    text = text.lower().replace("’", "'")
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text)
    text = text.replace("mourning", "morning")
    text = re.sub(r"\btend (?=in the|o'? ?clock|[ap]\.? ?m\b)", "ten ", text)
    text = re.sub(r"\bto+(?: |-)?m+or+ow(?:'s)?\b|\btom+or+ow(?:'s)?\b", "tomorrow", text)
    text = _HOMOPHONE.sub("two ", text)
    digits: str = alpha2digit(" ".join(text.split()), "en", 0)
    digits = re.sub(r"\b12 new\b", "12 noon", re.sub(r"(?<=\d) or (?=\d\b\W*$)", " oh ", digits))
    return re.sub(r"(?<![a-z'])([ap])\. ?m\b\.?|(?<=\d) ?\b([ap]) m\b\.?", r" \1\2m", digits).replace("  ", " ").strip()


def blank(text: str, start: int, end: int) -> str:
    """The text with a span blanked out, its length kept; a ";" separates the neighbours."""
    return text[:start] + ";".ljust(end - start) + text[end:]


def is_rejected(words: str, one: Spoken[T]) -> bool:
    """Whether a value is named as one that is not wanted: "not Monday"."""
    return _REJECTED.search(words[: one.start]) is not None


def last_correction(words: str) -> int:
    """Where the last "no, make it" ends; 0 if there is none."""
    return max((mark.end() for mark in _CORRECTION.finditer(words)), default=0)


def meant(words: str, found: list[Spoken[T]]) -> Spoken[T] | None:
    """The value that is meant: not a rejected one, and preferably the one after "no, make it"."""
    kept = [one for one in found if not is_rejected(words, one)]
    kept = [one for one in kept if not _LEFT.search(words[: one.start])] or kept
    for cut in reversed([mark.end() for mark in _CORRECTION.finditer(words)]):
        after = [one for one in kept if one.start >= cut]
        if after:
            return after[0]
    return kept[0] if kept else None


def spoken_numbers(text: str) -> Iterator[tuple[int, int, str]]:
    """Every number in `plain(text)`: its start, its end and its digits ("2", "2.5", "2nd" as "2")."""
    for match in re.finditer(r"(?<![\w.])(\d+(?:\.\d+)?)(?:st|nd|rd|th)?(?![\w]|\.\d)", text):
        yield match.start(), match.end(), match[1]
