"""Extracts values for a tool's parameters from an utterance: only what was said, and only what the schema allows.

May import: the standard library, lab.mind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TypeVar

from lab.mind.choices import chosen
from lab.mind.free_text import free_text
from lab.mind.language import Intent, answer, described_intents, stem, stems, words
from lab.mind.prompt import Tool
from lab.mind.schema import Property, fits, properties
from lab.mind.several import assigned
from lab.mind.spelled import is_spelling, spelled
from lab.mind.spoken_date import all_dates, read_date
from lab.mind.spoken_time import all_times, read_time
from lab.mind.spoken_words import FILLER, Spoken, blank, meant, plain, spoken_numbers

T = TypeVar("T")

# Misrecognitions of a number that is said alone.
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
    """What was said, and its context.

    asked: name of the parameter the caller was just asked for, or "". today: the caller's date. question: the question.
    """

    text: str
    asked: str
    today: date
    question: str = ""


def hear(tool: Tool, said: Utterance) -> dict[str, object]:
    """The tool's parameters and their values in the utterance, in schema order."""
    declared = properties(tool)
    heard: dict[str, object] = {}
    moves = Intent.CHANGE in described_intents(tool.name, "")
    rest = plain(_as_it_shall_be(said.text) if moves else said.text)
    was = plain(_as_it_was(said.text)) if moves else ""
    if any(one.name == said.asked and one.kind in ("time", "number", "digits") for one in declared):
        rest = _SOUNDS_LIKE.get(rest.strip(" .,!?"), rest)
    asked = next((one for one in declared if one.name == said.asked), None)
    if asked is not None and asked.kind in ("digits", "text") and is_spelling(said.text):
        return _of_spelling(asked, said.text)
    several, rest = ({}, rest) if moves else _of_several(declared, rest, said, asked)
    alone = [one for one in declared if one.kind in ("time", "date-time", "number", "digits")]
    for wanted in _in_turn(declared, said.asked):
        is_asked = wanted.name == said.asked
        value: object = None
        match wanted.kind:
            case kind if kind in several:
                value = several[kind].get(wanted.name)
            case "date" | "time" | "date-time" if moves and not is_asked and _ALREADY.search(wanted.description):
                value, was = _moment(wanted, was, said.today, bare=False)
            case "date" | "time" | "date-time":
                value, rest = _moment(wanted, rest, said.today, is_asked or alone == [wanted])
            case "choice":
                value = chosen(wanted, rest, is_asked, tool.description, said.question)
            case "boolean":
                value = _boolean(wanted, rest, said.text, is_asked)
            case "number":
                value = _number(wanted, tool, rest, is_asked, len([one for one in alone if one.kind == "number"]) == 1)
            case "digits":
                value = _digits(wanted, rest, is_asked)
            case "email":
                value = _email(rest, said.text if is_asked else "")
            case "text":
                value = free_text(wanted, said.text, rest, is_asked, bool(heard))
        if value is not None and fits(value, wanted.schema):
            heard[wanted.name] = value
    return {one.name: heard[one.name] for one in declared if one.name in heard}


def _of_spelling(asked: Property, text: str) -> dict[str, object]:
    """What was spelled is for the parameter that was asked for: a name as it is written, else the characters."""
    value = spelled(text) or ""
    if "name" in words(asked.name) and value.isalpha():
        value = value.title()
    return {asked.name: value} if fits(value, asked.schema) else {}


def _of_several(
    declared: Sequence[Property], rest: str, said: Utterance, asked: Property | None
) -> tuple[dict[str, dict[str, object]], str]:
    """For each kind of which there are several parameters, their values; and the text without dates and times."""
    groups = {
        kind: wanted
        for kind in ("date", "time", "digits")
        if len(wanted := [one for one in declared if one.kind == kind]) > 1
    }
    values: dict[str, dict[str, object]] = {}
    # A day in the caller's own words for something else is not that of another parameter.
    in_order = asked is None or asked.kind != "text"
    if "date" in groups:
        days = all_dates(rest, said.today)
        given = assigned(days, groups["date"], rest, said.asked, in_order=in_order)
        values["date"] = {name: one.value.isoformat() for name, one in given.items()}
        rest = _without(rest, days if in_order else list(given.values()))
    if "time" in groups:
        day = read_date(rest, said.today)  # so that "November 24th 20 26" is not read as 20:26
        timed = blank(rest, day.start, day.end) if day is not None else rest
        times = all_times(re.sub(r"\bbetween (?=\d{1,2} and\b)", "     at ", timed))
        bare = read_time(rest) if not times and any(one.name == said.asked for one in groups["time"]) else None
        times = times or ([bare] if bare is not None else [])
        at = assigned(times, groups["time"], rest, said.asked, in_order=in_order)
        values["time"] = {one.name: _clock(at[one.name].value, one) for one in groups["time"] if one.name in at}
        rest = _without(rest, times if in_order else list(at.values()))
    if "digits" in groups:
        values["digits"] = _each_number(groups["digits"], rest, said.asked)
    return values, rest


def _without(text: str, found: Sequence[Spoken[T]]) -> str:
    for one in found:
        text = blank(text, one.start, one.end)
    return text


def _each_number(wanted: Sequence[Property], rest: str, asked: str) -> dict[str, object]:
    """Several numbers said digit by digit. Whose they are is never guessed."""
    text = _as_digits(rest)
    runs = [Spoken(re.sub(r"\D", "", match[0]), match.start(), match.end()) for match in _DIGIT_RUN.finditer(text)]
    given = assigned(runs, wanted, text, asked, in_order=False)
    if not given and len(runs) == 1:
        fitting = [one for one in wanted if one.pattern and fits(runs[0].value, one.schema)]
        given = {fitting[0].name: runs[0]} if len(fitting) == 1 else {}
    return {name: one.value for name, one in given.items()}


_MOVED_TO = re.compile(
    r"\b(?:mov|chang|shift|push|bring|re-?schedul|postpon|put)\w*\b.*\b(?:to|until|till)\b (?=.*\w)", re.IGNORECASE
)
_AS_IT_WAS = re.compile(
    r"\b(?:i am|i'm|i was|we are|we're|i have|i've|we have|i had|i've got)\b[^,.;?!]*?"
    r"\b(?:booked|appointment|scheduled|due|down)\b[^,.;?!]*",
    re.IGNORECASE,
)


# Words in a parameter's description which show that it is about the present state of what is to be moved.
_ALREADY = re.compile(r"\balready\b", re.IGNORECASE)


def _as_it_was(text: str) -> str:
    """The part of a request to move something that says where it is now."""
    moved = _MOVED_TO.search(text)
    return text[: moved.end()] if moved else " ".join(match[0] for match in _AS_IT_WAS.finditer(text))


def _as_it_shall_be(text: str) -> str:
    """The part of a request to move something that says the new time, not the old one."""
    moved = _MOVED_TO.search(text)
    return text[moved.end() :] if moved else _AS_IT_WAS.sub("", text)


def _in_turn(declared: Sequence[Property], asked: str) -> list[Property]:
    """The asked parameter first within a kind; dates before times before numbers, because each consumes its words."""
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
    """A date, a time or both; and the text without it, so that a second date is not the same one."""
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
    return _clock(at.value, wanted), plain(blank(rest, at.start, at.end))


def _clock(at: time, wanted: Property) -> str:
    """A time of day in the form that the schema takes."""
    short, long = at.strftime("%H:%M"), at.strftime("%H:%M:%S")
    return short if fits(short, wanted.schema) else long


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
    """A number, if it was asked for, stands alone, or counts what the parameter is about."""
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
    """The stems near a number: three words after it, two before."""
    after = re.findall(r"[a-z']+", rest[number.end :])[:3]
    before = re.findall(r"[a-z']+", rest[: number.start])[-2:]
    return stems(" ".join(after + before))


def _digits(wanted: Property, rest: str, is_asked: bool) -> str | None:
    """A number said digit by digit, such as a phone number."""
    about = stems(f"{wanted.name} {wanted.description}") | {"number"}
    least = 1 if is_asked or about & {stem(word) for word in words(rest)} else 5
    for said in (
        rest,
        re.sub(r"\b(for|to|o|oh)\b(?=[ ,]*\d)", lambda m: {"f": "4", "t": "2"}.get(m[1][0], "0"), rest),
    ):
        runs = [re.sub(r"\D", "", run) for run in _DIGIT_RUN.findall(_as_digits(said))]
        runs = sorted((run for run in runs if len(run) >= least and fits(run, wanted.schema)), key=len)
        if runs:
            return runs[-1]
    if is_asked and wanted.pattern:
        together = "".join(words(FILLER.sub("", rest))).upper()  # "a b 1 2" for AB12
        return together if together and fits(together, wanted.schema) else None
    return None


_DIGIT_RUN = re.compile(r"\d(?:[\d ,./-]*\d)?")


def _as_digits(text: str) -> str:
    """`plain` text with "oh" and "double five" as digits."""
    heard = re.sub(r"\b(?:oh|o)\b(?=[ ,-]*\d)|(?<=\d)[ ,]+\b(?:oh|o)\b", " 0", text)
    return re.sub(r"\bdouble (\d)", r"\1\1", re.sub(r"\btriple (\d)", r"\1\1\1", heard))


_EMAIL_SIGNS = {"dot": ".", "point": ".", "dash": "-", "hyphen": "-", "minus": "-", "underscore": "_", "plus": "+"}


def _email(rest: str, asked_for: str) -> str | None:
    """An address, with its signs as they are said. asked_for: the words if it was asked for."""
    letters = re.sub(r"(?<=\b[a-z\d]) (?=[a-z\d]\b)", "", rest)  # "a n n a"
    signs = re.sub(rf"\s+({'|'.join(_EMAIL_SIGNS)})\s+(?=\S)", lambda found: _EMAIL_SIGNS[found[1]], letters)
    together = re.sub(r"\s+at\s+(?=\S+\.\S)", "@", signs)
    match = re.search(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", together)
    if match is not None:
        return match[0].rstrip(".")
    return asked_for.strip() if re.search(r"\bat\b", asked_for) else None
