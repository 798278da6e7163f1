"""Which of several named choices was made: by its name, its described meaning, or its place in the list.

May import: the standard library, lab.mind.language, lab.mind.schema, lab.mind.spoken_words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from lab.mind.language import answer, stems, words
from lab.mind.schema import Property
from lab.mind.spoken_words import Spoken, meant, plain

UNASKED = 2.0  # least score by meaning if the choice was not asked for: its whole name
ASKED = 1.0  # least score if it was asked for: one word of its meaning
_NEGATIVE = re.compile(r"\b(?:no|not|never|without|none|neither|nothing|cannot|\w+n't)\b")


def chosen(wanted: Property, rest: str, is_asked: bool, about: str = "", question: str = "") -> object:
    """The chosen member of an enum; all of them for an array. None if none or several were chosen.

    rest: `plain` text. about: text that explains the choices. question: what was asked, if is_asked.
    """
    found = [spoken for one in wanted.choices for spoken in _named(one, rest)]
    if not found and wanted.type != "array":
        ways = meanings([one for one in wanted.choices if isinstance(one, str)], f"{wanted.description}\n{about}")
        way = by_meaning(ways, rest, (question or "?") if is_asked else "", ASKED if is_asked else UNASKED)
        if way is not None:
            return way
    if not found and is_asked:
        found = _partly(wanted.choices, rest) or _nearest(wanted.choices, rest) or _ordinal(wanted.choices, rest)
    found.sort(key=lambda one: (one.start, -one.end))
    found = [one for one in found if not any(o.start <= one.start and one.end <= o.end and o is not one for o in found)]
    if wanted.type == "array":
        kept: list[object] = []
        for spoken in found:
            if spoken.value not in kept and meant(rest, [spoken]) is not None:
                kept.append(spoken.value)
        return kept or None
    spoken_for = meant(rest, found)
    return spoken_for.value if spoken_for else None


# ---- by meaning ------------------------------------------------------------------------------------------------------


def meanings(ways: Sequence[str], text: str) -> dict[str, str]:
    """The meanings in a text of the form "choice: meaning; choice: meaning", or one a line. "" if not explained."""
    starts = {
        way: match.end()
        for way in ways
        if way and (match := re.search(rf"(?<!\w){re.escape(way)}[\"'`]?\s*(?::|=|-|–|\()\s*", text))
    }
    ends = [match.start() for match in re.finditer(r"[;\n)]", text)]
    return {
        way: text[starts[way] : min((end for end in ends if end >= starts[way]), default=len(text))]
        if way in starts
        else ""
        for way in ways
    }


def by_meaning(ways: Mapping[str, str], said: str, question: str = "", least: float = ASKED) -> str | None:
    """The choice whose name and meaning fit best what was said; None if none fits, or two fit equally.

    question: what was asked, so that a plain "yes" can answer it; "" if nothing was.
    """
    own = {way: (stems(way), stems(f"{way} {meaning}")) for way, meaning in ways.items()}
    common = frozenset.intersection(*(every for _, every in own.values())) if len(own) > 1 else frozenset()
    about, asked = stems(said) - common, stems(question) - common
    # If what they have in common was said, only a "not" separates them. Otherwise a "no" may be about something else.
    mood = _mood(said) if question else _NEGATIVE.search(plain(said)) is None if stems(said) & common else None
    negative = {way: _NEGATIVE.search(plain(f"{' '.join(words(way))} {ways[way]}")) is not None for way in ways}
    differ = len(set(negative.values())) > 1
    scored: list[tuple[float, str]] = []
    for way, (name, every) in own.items():
        score = 2.0 * len(name & about) / max(1, len(name - common)) + len((every - name) & about)
        if differ and mood is not None:
            score += 1.0 if mood is not negative[way] else -1.0
            score += 0.5 * len(every & asked) if mood else 0.0
        scored.append((score, way))
    scored.sort(reverse=True)
    if not scored or scored[0][0] < least or (len(scored) > 1 and scored[0][0] == scored[1][0]):
        return None
    return scored[0][1]


def _mood(said: str) -> bool | None:
    """Yes, no, or neither; a sentence with a "not" is a no."""
    agreed = answer(said)
    return False if agreed is None and _NEGATIVE.search(plain(said)) else agreed


# ---- by name and place -----------------------------------------------------------------------------------------------


def _named(choice: object, rest: str) -> list[Spoken[object]]:
    if isinstance(choice, bool) or choice is None:
        return []
    parts = words(str(choice))
    if not parts:
        return []
    # "large" is named by "larger" and "mushroom" by "mushrooms", but "a" not by "ab"
    pattern = r"[\s-]+".join(re.escape(part) + (r"(?:'?e?s|r|er|est)?" if len(part) > 2 else "") for part in parts)
    return [Spoken(choice, match.start(), match.end()) for match in re.finditer(rf"(?<![\w.]){pattern}(?![\w])", rest)]


def _ordinal(choices: Sequence[object], rest: str) -> list[Spoken[object]]:
    """A choice by its position: "the second one"."""
    match = re.search(r"\b(?:(\d)(?:st|nd|rd|th)|(?:number|option) (\d)|(last))\b(?: 1| option)?", rest)
    if match is None:
        return []
    index = len(choices) - 1 if match[3] else int(match[1] or match[2]) - 1
    return [Spoken(choices[index], match.start(), match.end())] if 0 <= index < len(choices) else []


def _partly(choices: Sequence[object], rest: str) -> list[Spoken[object]]:
    """The one choice of which a word or its beginning was said: "tech" for technical_support."""
    found = [
        Spoken(choice, match.start(), match.end())
        for choice in choices
        for match in re.finditer(r"[a-z]{4,}", rest)
        if any(part.startswith(match[0]) or match[0].startswith(part) for part in words(str(choice)) if len(part) >= 4)
    ]
    return found if len({str(one.value) for one in found}) == 1 else []


def _nearest(choices: Sequence[object], rest: str) -> list[Spoken[object]]:
    """The choice most similar to one of the words, for errors of the recogniser."""
    best: tuple[float, Spoken[object]] | None = None
    for match in re.finditer(r"[a-z']{4,}", rest):
        for choice in choices:
            likeness = SequenceMatcher(None, match[0].replace("'", ""), " ".join(words(str(choice)))).ratio()
            if likeness >= 0.66 and (best is None or likeness > best[0]):
                best = likeness, Spoken(choice, match.start(), match.end())
    return [best[1]] if best else []
