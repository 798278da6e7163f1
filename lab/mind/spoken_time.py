"""Spoken dates and times: `find_date` and `find_time`, and the rules for times.

A small grammar of our own over the words, after `text_to_num` has turned number words into digits.
`ctparse`, `dateparser` and `parsedatetime` are right on fewer than half of the same phrases
(benchmarks/spoken_times.py), mostly because they find times where none were said.
May import: the standard library, lab.mind.spoken_date, lab.mind.spoken_words.
"""

from __future__ import annotations

import re
from datetime import date, time

from lab.mind.spoken_date import read_date
from lab.mind.spoken_words import FILLER, FREE, Spoken, blank, meant, plain

_HOUR = r"(?<![\d.:/#])(?P<hour>\d{1,2})"
_HALF = r"(?:\s?(?P<half>am|pm)\b)?"
_PART = r"(?:in the |at |this |tomorrow |during the )?(?:early |late )?(?:morning|afternoon|evening|night)\b"


def find_date(text: str, today: date) -> date | None:
    """The date in a text, on or after `today` unless its year was said; None if there is none."""
    found = read_date(text, today)
    return found.value if found else None


def find_time(text: str, *, bare: bool = True) -> time | None:
    """The time of day in a text; None if there is none.

    Hours without morning, afternoon, a.m. or p.m. are office hours: 7 to 11 a.m., 12 noon, 1 to 6 p.m.
    bare: whether a number alone ("eleven, please") is an hour.
    """
    found = read_time(text, bare=bare)
    return found.value if found else None


def without_dates_and_times(text: str, today: date, *, bare: bool = True) -> str:
    """`plain(text)` with its date and time blanked out."""
    rest = plain(text)
    for found in (read_date(text, today), read_time(text, bare=bare)):
        if found is not None:
            rest = blank(rest, found.start, found.end)
    return rest


def read_time(text: str, *, bare: bool = True) -> Spoken[time] | None:
    """Like `find_time`, with the position in the text."""
    words = plain(text)
    day = read_date(text, date(2024, 1, 1))  # so that "November 24th 20 26" is not read as 20:26
    rest = blank(words, day.start, day.end) if day else words
    part = re.search(r"(?<!good )\b(morning|afternoon|evening|night|tonight)\b", words)
    found = meant(rest, _times(rest, part[1] if part else ""))
    if found is None and bare:
        found = _bare_hour(rest, part[1] if part else "")
    return found


def all_times(text: str) -> list[Spoken[time]]:
    """Every time of day in a `plain` text without dates, in its order, also those that are not meant."""
    part = re.search(r"(?<!good )\b(morning|afternoon|evening|night|tonight)\b", text)
    return _times(text, part[1] if part else "")


_BEFORE = r"(?P<minute>\d{1,2}|quarter|half)(?: minutes?)?"
_TIME_RULES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:12 (?:o'?clock )?)?(?P<named>noon|midday|midnight)\b",
        rf"(?<!from )(?<!between )\b{_BEFORE} (?P<way>past|after|to|of|before"
        rf"|till) {_HOUR}\b(?! minutes)(?:\s?o'? ?clock)?{_HALF}",
        r"\bhalf (?P<half_hour>\d{1,2})\b" + FREE,
        rf"{_HOUR}\s?[:.h]\s?(?P<minute>[0-5]\d)(?![\d:]|\.\d|\s?(?:euros?|dollars?|pounds?|cents?|percent|%)){_HALF}",
        rf"(?<!\d ){_HOUR},? (?:(?:oh|o) (?P<units>\d)|(?P<minute>[1-5]\d|0\d))\b(?![\d:/]| \d|\.\d){_HALF}",
        rf"{_HOUR}(?:\s?[o0]'? ?clock|\s?(?P<half>am|pm)\b| {_PART})",
        r"(?<![\d.:])(?P<hour>\d{1,2})(?P<minute>[0-5]\d)(?: hours\b|\s?(?P<half>am|pm)\b)",
        rf"\b(?:at|around|about|by|after|before|until|till|to|do|say|make it|make that|from|towards"
        rf"|(?:it|me|in|appointment|tomorrow|today|day) for) "
        rf"(?:about |around |exactly )?(?:(?P<hour>\d{{1,2}})|(?P<hours4>[012]?\d)(?P<minute>[0-5]\d)){FREE}",
    )
)


def _times(words: str, part: str) -> list[Spoken[time]]:
    found: list[Spoken[time]] = []
    for pattern in _TIME_RULES:
        for match in pattern.finditer(words):
            value = _clock(match, part)
            if value is None or any(match.start() < one.end and one.start < match.end() for one in found):
                continue
            found.append(Spoken(value, match.start(), match.end()))
    return sorted(found, key=lambda one: one.start)


def _clock(match: re.Match[str], part: str) -> time | None:
    said = {name: value for name, value in match.groupdict().items() if value is not None}
    if "named" in said:
        return time(0 if said["named"] == "midnight" else 12)
    if "half_hour" in said:
        return _of_day(int(said["half_hour"]), 30, "", part)
    hour_text = said.get("hour") or said["hours4"]
    hour, half = int(hour_text), said.get("half", "")
    minute = {"quarter": 15, "half": 30}.get(said.get("minute", "")) or int(
        said.get("minute") or said.get("units") or 0
    )
    if said.get("way") in ("to", "of", "before", "till"):
        if not 0 < minute < 60 or hour > 23 or (said["way"] == "of" and said["minute"] != "quarter"):
            return None
        whole = _of_day(hour, 0, half, part)
        return None if whole is None else time((whole.hour - 1) % 24, 60 - minute)
    if hour_text.startswith("0") and not half and not part:
        return time(hour, minute) if hour < 24 and minute < 60 else None
    return _of_day(hour, minute, half, part)


def _of_day(hour: int, minute: int, half: str, part: str) -> time | None:
    """The time of day for a 12-hour clock. half: am, pm or "". part: the part of the day that was named, or ""."""
    if hour > 23 or minute > 59:
        return None
    if hour == 0 or hour > 12:
        return time(hour, minute)
    at_night = part in ("night", "tonight")
    if half:
        late = half == "pm"
    elif part == "morning":
        late = hour == 12  # "twelve in the morning" is more often noon than midnight
    elif at_night:
        late = 5 <= hour < 12
    else:
        late = part in ("afternoon", "evening") or hour < 7 or hour == 12
    return time(hour % 12 + (12 if late else 0), minute)


def _bare_hour(words: str, part: str) -> Spoken[time] | None:
    """An hour with only filler words around it."""
    bare = FILLER.sub(lambda said: " " * len(said[0]), words)
    match = re.fullmatch(r"[\s.,;!?]*(?:(?P<hour>\d{1,2})|(?P<hours4>[012]?\d)(?P<minute>[0-5]\d))[\s.,;!?]*", bare)
    if match is None or re.search(r"\b(?:that|this|the|another|other|which) 1\b", words):
        return None
    value = _clock(match, part)
    digits = re.search(r"\d+", bare)
    return None if value is None or digits is None else Spoken(value, digits.start(), digits.end())
