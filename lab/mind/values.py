"""What an utterance says about the parameters of a tool: only what was said, and only what the schema allows.

May import: the standard library, lab.mind.language, lab.mind.schema, lab.mind.spoken_*.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import SequenceMatcher

from lab.mind.language import answer, stem, stems, words
from lab.mind.prompt import Tool
from lab.mind.schema import Property, fits, properties
from lab.mind.spoken_date import MONTHS, read_date
from lab.mind.spoken_time import read_time
from lab.mind.spoken_words import FILLER, WEEKDAYS, Spoken, blank, meant, plain, spoken_numbers

# What a recogniser writes for a number that is said alone.
_SOUNDS_LIKE = {
    "to": "2",
    "too": "2",
    "for": "4",
    "won": "1",
    "ate": "8",
    "tree": "3",
    "free": "3",
    "tan": "10",
    "tin": "10",
}


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said, and what it is heard against.

    asked: name of the parameter the caller was just asked for, or "". today: the caller's.
    """

    text: str
    asked: str
    today: date


def hear(tool: Tool, said: Utterance) -> dict[str, object]:
    """The tool's parameters that the utterance gives, in schema order."""
    declared = properties(tool)
    heard: dict[str, object] = {}
    rest = plain(said.text)
    if any(one.name == said.asked and one.kind in ("time", "number", "digits") for one in declared):
        rest = _SOUNDS_LIKE.get(rest.strip(" .,!?"), rest)
    alone = [one for one in declared if one.kind in ("time", "date-time", "number", "digits")]
    for wanted in _in_turn(declared, said.asked):
        is_asked = wanted.name == said.asked
        value: object = None
        match wanted.kind:
            case "date" | "time" | "date-time":
                value, rest = _moment(wanted, rest, said.today, is_asked or alone == [wanted])
            case "choice":
                value = _choice(wanted, rest, is_asked)
            case "boolean":
                value = _boolean(wanted, rest, said.text, is_asked)
            case "number":
                value = _number(wanted, tool, rest, is_asked, len([one for one in alone if one.kind == "number"]) == 1)
            case "digits":
                value = _digits(wanted, rest, is_asked)
            case "email":
                value = _email(rest)
            case "text":
                value = _text(wanted, said.text, rest, is_asked, bool(heard))
        if value is not None and fits(value, wanted.schema):
            heard[wanted.name] = value
    return {one.name: heard[one.name] for one in declared if one.name in heard}


def _in_turn(declared: Sequence[Property], asked: str) -> list[Property]:
    """What was asked first; dates before times before numbers, since each takes its words away; free text last."""
    order = {
        "date": 0,
        "date-time": 0,
        "time": 1,
        "choice": 2,
        "email": 2,
        "digits": 3,
        "number": 4,
        "boolean": 5,
        "text": 6,
    }
    return sorted(declared, key=lambda one: (order.get(one.kind, 9), one.name != asked))


def _moment(wanted: Property, rest: str, today: date, bare: bool) -> tuple[object, str]:
    """A date, a time or both; and the text without it, so that two dates are not the same one."""
    if wanted.kind == "date-time":
        day, at = read_date(rest, today), read_time(rest, bare=bare)
        if day is None or at is None:
            return None, rest
        both = datetime.combine(day.value, at.value).isoformat()
        return both, plain(blank(blank(rest, day.start, day.end), at.start, at.end))
    if wanted.kind == "date":
        day = read_date(rest, today)
        return (None, rest) if day is None else (day.value.isoformat(), plain(blank(rest, day.start, day.end)))
    at = read_time(rest, bare=bare)
    if at is None:
        return None, rest
    short, long = at.value.strftime("%H:%M"), at.value.strftime("%H:%M:%S")
    return short if fits(short, wanted.schema) else long, plain(blank(rest, at.start, at.end))


def _choice(wanted: Property, rest: str, is_asked: bool) -> object:
    """The member of an enum that was named; all of them where a list is wanted."""
    found = [spoken for choice in wanted.choices for spoken in _named(choice, rest)]
    if not found and is_asked:
        found = _partly(wanted.choices, rest) or _nearest(wanted.choices, rest) or _ordinal(wanted.choices, rest)
    found.sort(key=lambda one: (one.start, -one.end))
    found = [one for one in found if not any(o.start <= one.start and one.end <= o.end and o is not one for o in found)]
    if wanted.type == "array":
        kept: list[object] = []
        for one in found:
            if one.value not in kept and meant(rest, [one]) is not None:
                kept.append(one.value)
        return kept or None
    chosen = meant(rest, found)
    return chosen.value if chosen else None


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
    """ "the second one" of what was offered."""
    match = re.search(r"\b(?:(\d)(?:st|nd|rd|th)|(?:number|option) (\d)|(last))\b(?: 1| option)?", rest)
    if match is None:
        return []
    index = len(choices) - 1 if match[3] else int(match[1] or match[2]) - 1
    return [Spoken(choices[index], match.start(), match.end())] if 0 <= index < len(choices) else []


def _partly(choices: Sequence[object], rest: str) -> list[Spoken[object]]:
    """The one choice of which a word, or the beginning of one, was said: "tech" for technical_support."""
    found = [
        Spoken(choice, match.start(), match.end())
        for choice in choices
        for match in re.finditer(r"[a-z]{4,}", rest)
        if any(part.startswith(match[0]) or match[0].startswith(part) for part in words(str(choice)) if len(part) >= 4)
    ]
    return found if len({str(one.value) for one in found}) == 1 else []


def _nearest(choices: Sequence[object], rest: str) -> list[Spoken[object]]:
    """The choice that sounds most like one of the words, when the recogniser got it nearly right."""
    best: tuple[float, Spoken[object]] | None = None
    for match in re.finditer(r"[a-z']{4,}", rest):
        for choice in choices:
            likeness = SequenceMatcher(None, match[0].replace("'", ""), " ".join(words(str(choice)))).ratio()
            if likeness >= 0.66 and (best is None or likeness > best[0]):
                best = likeness, Spoken(choice, match.start(), match.end())
    return [best[1]] if best else []


def _boolean(wanted: Property, rest: str, text: str, is_asked: bool) -> bool | None:
    if is_asked and (said := answer(text)) is not None:
        return said
    about = stems(wanted.name)
    for match in re.finditer(r"[a-z]+", rest):
        if about and about <= {stem(match[0])}:
            before = rest[max(0, match.start() - 20) : match.start()]
            return re.search(r"\b(?:no|not|without|don't|do not)\b[\w ]*$", before) is None
    return None


def _number(wanted: Property, tool: Tool, rest: str, is_asked: bool, only_one: bool) -> int | float | None:
    """A number is taken when it was asked for, when it stands alone, or when what it counts is what is wanted."""
    found: list[Spoken[str]] = [Spoken(digits, start, end) for start, end, digits in spoken_numbers(rest)]
    bare = re.fullmatch(r"\W*[\d.]+\W*", FILLER.sub("", rest)) is not None
    if not (is_asked or (only_one and bare)):
        about = stems(f"{wanted.name} {wanted.description}" + (f" {tool.name} {tool.description}" if only_one else ""))
        found = [one for one in found if about & _counted_by(rest, one)]
    chosen = meant(rest, found)
    if chosen is None:
        return None
    value = float(chosen.value)
    if wanted.type == "integer":
        return int(value) if value.is_integer() else None
    return value


def _counted_by(rest: str, number: Spoken[str]) -> frozenset[str]:
    """The stems around a number: three words after it, two before."""
    after = re.findall(r"[a-z']+", rest[number.end :])[:3]
    before = re.findall(r"[a-z']+", rest[: number.start])[-2:]
    return stems(" ".join(after + before))


def _digits(wanted: Property, rest: str, is_asked: bool) -> str | None:
    """A number said digit by digit: a phone number, a customer number."""
    about = stems(f"{wanted.name} {wanted.description}") | {"number"}
    least = 1 if is_asked or about & {stem(word) for word in words(rest)} else 5
    for heard in (
        rest,
        re.sub(r"\b(for|to|o|oh)\b(?=[ ,]*\d)", lambda m: {"f": "4", "t": "2"}.get(m[1][0], "0"), rest),
    ):
        heard = re.sub(r"\b(?:oh|o)\b(?=[ ,-]*\d)|(?<=\d)[ ,]+\b(?:oh|o)\b", " 0", heard)
        heard = re.sub(r"\bdouble (\d)", r"\1\1", re.sub(r"\btriple (\d)", r"\1\1\1", heard))
        runs = [re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[\d ,./-]*\d)?", heard)]
        runs = sorted((run for run in runs if len(run) >= least and fits(run, wanted.schema)), key=len)
        if runs:
            return runs[-1]
    if is_asked and wanted.pattern:
        together = "".join(words(FILLER.sub("", rest))).upper()  # "a b 1 2" for AB12
        return together if together and fits(together, wanted.schema) else None
    return None


def _email(rest: str) -> str | None:
    spelled = re.sub(r"\s+(?:dot|point)\s+", ".", re.sub(r"\s+at\s+(?=\S+\s+(?:dot|point)\s|\S+\.)", "@", rest))
    match = re.search(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", spelled)
    return match[0].rstrip(".") if match else None


# ---- free text -------------------------------------------------------------------------------------------------------

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
    r"\b(?:my (?:\w+ )?name is|my name's|the name is|name is|i am called|call me(?! back))\s+", re.IGNORECASE
)
_PERSON_CUE = re.compile(r"\b(?:[Tt]his is|I am|I'm|i am|i'm|[Ii]t is|[Ii]t's)\s+(?=[A-Z])")
_CAPITALS = re.compile(
    r"[A-Z][\w'’.-]*(?:\s+(?:[A-Z][\w'’-]*|(?:del|der|de|da|van|von|la|di|bin|al)\b))*(?:\s+[A-Z][\w'’-]*)?"
)


def _text(wanted: Property, text: str, rest: str, is_asked: bool, others_heard: bool) -> str | None:
    about = words(f"{wanted.name} {wanted.description}")
    if "name" in about or "names" in about:
        found = _introduced(text, _NAME_CUE) or (None if is_asked else _introduced(text, _PERSON_CUE))
        if found is None and is_asked and others_heard:
            found = _capitalised(text)
    else:
        found = _about(wanted, text)
        if found is None and is_asked and others_heard:
            found = _left_over(text, rest)
    if found is None and is_asked and not others_heard:
        found = _TAIL.sub("", _LEAD_IN.sub("", " ".join(text.split()), count=1))
        found = re.split(r"\s(?:from|speaking|calling)\b", found)[0] if "name" in about else found
    return None if not found or _NO_IDEA.match(found) else found


def _introduced(text: str, cue: re.Pattern[str]) -> str | None:
    """The name after "my name is"."""
    match = cue.search(text)
    if match is not None:
        said = re.split(
            r"[,;!?]|\.(?:\s|$)|\s(?:and|but|i|from|speaking|calling)\b", text[match.end() :], flags=re.IGNORECASE
        )[0]
        name = _TAIL.sub("", said).strip()
        if cue is _PERSON_CUE:
            name = _capitalised(name) or ""
        if name and len(name.split()) <= 5:
            return name.title() if name.islower() else name
    return None


def _capitalised(text: str) -> str | None:
    """The longest run of capitalised words that is no weekday or month and not only the start of a sentence."""
    names = [
        run.strip(" .")
        for run in _CAPITALS.findall(text)
        if stems(run) and not any(word in WEEKDAYS or word[:3] in MONTHS for word in words(run))
    ]
    return max(names, key=len, default=None)


def _left_over(text: str, rest: str) -> str | None:
    """What was said beside dates and times, as it was written: "Harbour Street 5, tomorrow at ten"."""
    pieces = [piece.strip(" .,!?;") for piece in re.split(r"[;,]", rest)]
    longest = max((piece for piece in pieces if stems(FILLER.sub("", piece))), key=len, default="")
    at = text.lower().find(longest)
    return (text[at : at + len(longest)] if at >= 0 else longest) or None


def _about(wanted: Property, text: str) -> str | None:
    """What follows "the reason is" or "my address is"; for a reason also what follows "because"."""
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
