"""Values for names and other free text: only what was said for the parameter, not for another one.

May import: the standard library, lab.mind.language, lab.mind.schema, lab.mind.spoken_date, lab.mind.spoken_words.
"""

from __future__ import annotations

import re

from lab.mind.language import STOP, stems, words
from lab.mind.schema import Property
from lab.mind.spoken_date import MONTHS
from lab.mind.spoken_words import FILLER, WEEKDAYS

_LEAD_IN = re.compile(
    r"^(?:\W|\b(?:um+|uh+|er|well|yes|yeah|no|sure|ok|okay|please|so|oh|hello|hi"
    r"|(?:my|the|his|her|our) (?:\w+ )?(?:name|name's) is|(?:my )?name's|name is|i am called|call me|this is|it's"
    r"|it is|that's|that is"
    r"|i am|i'm|that would be|it would be|because(?: of)?|make (?:it|that)|i said|sorry|actually)\b)*",
    re.IGNORECASE,
)
_TAIL = re.compile(r"(?:\W|\b(?:please|thanks|thank you|instead)\b)*$", re.IGNORECASE)
_NO_IDEA = re.compile(r"(?:i )?(?:do not|don't) know|(?:i'?m )?not (?:so |quite )?sure|no idea", re.IGNORECASE)
_NAME_CUE = re.compile(
    r"\b(?:my (?:\w+ )?name is|my name's|the name is|name is|i am called|call me(?! back)"
    r"|under(?: the name(?: of)?)?)\s+",
    re.IGNORECASE,
)
_PERSON_CUE = re.compile(r"\b(?:[Tt]his is|I am|I'm|i am|i'm|[Ii]t is|[Ii]t's)\s+(?=[A-Z])")
_CAPITALS = re.compile(
    r"[A-Z][\w'’.-]*(?:\s+(?:[A-Z][\w'’-]*|(?:del|der|de|da|van|von|la|di|bin|al)\b))*(?:\s+[A-Z][\w'’-]*)?"
)
_NAME_ENDS = re.compile(r"[,;!?]|\.(?:\s|$)|\s(?:and|but|i|from|speaking|calling|here)\b", re.IGNORECASE)
_DATES = frozenset(WEEKDAYS) | {
    *MONTHS, "january", "february", "march", "april", "june", "july", "august", "september", "october", "november",
    "december", "today", "tomorrow",
}  # fmt: skip
# What callers say instead of a name when asked for one. Necessarily incomplete.
_NO_NAMES = frozenset(
    re.findall(
        r"\S+",
        """
        again answer appointment ask before book bother call cancel care change check date day different else first
        forget hear help hold hour human idea keep know later leave let make matter maybe mean mind minute moment move
        name never next nothing number only person question ready remember repeat right same second see sorry sound
        speak stay stop sure talk think time try understand wait week whatever wonder wrong
        """,
    )
)
_NAMED = re.compile(
    r"(?:\b(?:the|their|a|an|first|last|full|family|your|given)|'s)\s+(?:\w+\s+){0,2}names?\b"
    r"(?! of (?:the|a) (?!caller|customer|patient|person|guest))",
    re.IGNORECASE,
)


def free_text(wanted: Property, text: str, rest: str, is_asked: bool, others_heard: bool) -> str | None:
    """The text for a parameter. rest: `plain` text less values for other parameters; others_heard: if any were."""
    if "name" in words(wanted.name) or _NAMED.search(wanted.description):
        return _name(text, is_asked, others_heard)
    found = _about(wanted, text)
    if found is None and is_asked:
        found = _left_over(text, rest) if others_heard else _trimmed(text)
    return None if not found or _NO_IDEA.match(found) else found


def _trimmed(text: str) -> str:
    return _TAIL.sub("", _LEAD_IN.sub("", " ".join(text.split()), count=1))


# ---- names -----------------------------------------------------------------------------------------------------------


def _name(text: str, is_asked: bool, others_heard: bool) -> str | None:
    found = _introduced(text, _NAME_CUE)
    if found:
        return found
    found = _introduced(text, _PERSON_CUE)
    if not is_asked:
        return found
    if others_heard:
        return found or _capitalised(text, alone=False)
    pieces = [piece.strip(" .") for piece in _NAME_ENDS.split(_trimmed(text))]
    names = [_cased(piece) for piece in pieces if _is_name(piece)]
    # "It's John. John Smith."
    return max((name for name in names if name.startswith(found or "")), key=len, default=found)


def _introduced(text: str, cue: re.Pattern[str]) -> str | None:
    """The name after a phrase such as "my name is"."""
    for match in cue.finditer(text):
        said = _TAIL.sub("", _NAME_ENDS.split(text[match.end() :])[0]).strip()
        name = said if cue is _NAME_CUE else _capitalised(said) or ""
        if _is_name(name):
            return _cased(name)
    return None


def _capitalised(text: str, alone: bool = True) -> str | None:
    """The longest sequence of capitalised words that is a name. alone: also one word that begins a sentence."""
    runs = ((match.start(), match[0].strip(" .")) for match in _CAPITALS.finditer(text))
    names = [
        run
        for start, run in runs
        if _is_name(run) and (alone or " " in run or (start and text[:start].rstrip()[-1:] not in ".!?"))
    ]
    return max(names, key=len, default=None)


def _is_name(said: str) -> bool:
    """Whether this may be a person's name: a few words without common ones."""
    parts = said.split()
    if not 1 <= len(parts) <= 5 or not all(re.fullmatch(r"[^\W\d_][\w'’.-]*", part) for part in parts):
        return False
    plain_words = [word for part in parts for word in words(part)]
    if all(word in _DATES for word in plain_words) or any(word in _NO_NAMES for word in plain_words):
        return False
    ordinary = [part for part in parts if part.lower() in STOP]
    # Will Smith and May Jones are names, "will you" is not.
    return not ordinary or (ordinary == parts[:1] and len(parts) > 1 and all(part[0].isupper() for part in parts))


def _cased(name: str) -> str:
    return name.title() if name.islower() else name


# ---- other text ------------------------------------------------------------------------------------------------------


def _left_over(text: str, rest: str) -> str | None:
    """The text other than dates and times, in its original spelling: "Harbour Street 5, tomorrow at ten"."""
    pieces = [piece.strip(" .,!?;") for piece in re.split(r"[;,]", rest)]
    longest = max((piece for piece in pieces if stems(FILLER.sub("", piece))), key=len, default="")
    at = text.lower().find(longest)
    return (text[at : at + len(longest)] if at >= 0 else longest) or None


def _about(wanted: Property, text: str) -> str | None:
    """The text after "the reason is" or "my address is"; for a reason also after "because"."""
    cues = [re.escape(" ".join(re.findall(r"[a-z]+", wanted.name.lower().replace("_", " "))))]
    patterns = [rf"\b{cue} (?:is|was|would be|will be|should be)\s+" for cue in cues if cue]
    if {"reason", "why", "purpose"} & set(words(f"{wanted.name} {wanted.description}")):
        patterns.append(r"\bbecause(?: of)?\s+")
    for pattern in patterns:
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            said = re.split(r"[;!?]|\.(?:\s|$)|\sand (?:my|the|i)\b", text[match.end() :], flags=re.IGNORECASE)[0]
            return _TAIL.sub("", said).strip() or None
    return None
