"""What a caller spells: letters and digits one by one, as the characters they are.

May import: the standard library, lab.mind.
"""

from __future__ import annotations

import re

from lab.mind.spoken_words import plain

_LEAD_IN = re.compile(
    r"^(?:\W|\b(?:um+|uh+|er|well|yes|yeah|ok|okay|so|sure|please|it's|it is|that's|that is|that would be"
    r"|(?:my|the) (?:\w+ ){1,3}is|i spell(?: it| that)?|spelled|spelt)\b)*"
)
_AS_IN = re.compile(r"\b([a-z])(?:,? (?:as in|like|for) [a-z]+)\b")
_REPEATED = re.compile(r"\b(double|triple) ([a-z0-9])\b")
_SIGNS = re.compile(r"\b(?P<sign>dash|hyphen|minus|slash)\b")
# One, or a group with a digit in it, as recognisers write "S W one A"; a day or an hour is none.
_CHARACTERS = re.compile(r"[a-z]|(?!\d+(?:st|nd|rd|th|am|pm)$)[a-z0-9]*\d[a-z0-9]*|[-/]")
_LAST = re.compile(r"[\s.,]*(?:please|thanks|thank you|again)?[\s.,!?]*$")
_OH = re.compile(r"(?<=\d)[ ,]+(?:oh|o)\b|\b(?:oh|o)\b(?=[ ,]+\d)")


def spelled(text: str) -> str | None:
    """The characters, in upper case; None where a word is none.

    "S W one A" gives "SW1A", "D as in Dora, double five" gives "D55".
    """
    said = _LAST.sub("", _LEAD_IN.sub("", plain(text), count=1))
    said = _OH.sub(" 0 ", _AS_IN.sub(r"\1", said))
    said = _REPEATED.sub(lambda found: " ".join([found[2]] * (2 if found[1] == "double" else 3)), said)
    said = _SIGNS.sub(lambda found: "/" if found["sign"] == "slash" else "-", said)
    parts = re.findall(r"[^\s,.]+", said)
    if not parts or not all(_CHARACTERS.fullmatch(part) for part in parts):
        return None
    return "".join(parts).upper()


def is_spelling(text: str) -> bool:
    """Whether it is spelled with letters, at least two characters of it."""
    found = spelled(text)
    return found is not None and len(found) > 1 and any(character.isalpha() for character in found)
