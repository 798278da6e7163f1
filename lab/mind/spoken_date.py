"""Spoken dates, as a speech recogniser writes them.

Every rule is a pattern over `plain` text and a function that builds the date, or None if there is no such date.
May import: the standard library, lab.mind.spoken_words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from lab.mind.spoken_words import FREE, WEEKDAYS, Spoken, meant, plain

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_DAY = rf"(?P<weekday>{'|'.join(WEEKDAYS)})\b"
_MONTH = (
    r"(?P<month>january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)\b\.?"
)
_NTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)"
_YEAR = r"(?:,? (?:in )?(?P<year>20 ?\d\d)\b)?"


def read_date(text: str, today: date) -> Spoken[date] | None:
    """Like `find_date`, with the position in the text."""
    words = plain(text)
    for rules in _DATE_RULES:  # more specific rules come first: "Tuesday the 24th"
        found = meant(words, _apply(rules, words, today))
        if found is not None:
            return found
    return None


def all_dates(text: str, today: date) -> list[Spoken[date]]:
    """Every date in a `plain` text, in its order, also those that are not meant."""
    found: list[Spoken[date]] = []
    for rules in _DATE_RULES:
        found += [
            one for one in _apply(rules, text, today) if not any(one.start < o.end and o.start < one.end for o in found)
        ]
    return sorted(found, key=lambda one: one.start)


DateRule = tuple[re.Pattern[str], Callable[[re.Match[str], date], date | None]]


def _apply(rules: tuple[DateRule, ...], words: str, today: date) -> list[Spoken[date]]:
    found: list[Spoken[date]] = []
    for pattern, build in rules:
        for match in pattern.finditer(words):
            if any(match.start() < one.end and one.start < match.end() for one in found):
                continue
            try:
                value = build(match, today)
            except (ValueError, OverflowError):  # a date that does not exist, such as 30 February
                value = None
            if value is not None:
                found.append(Spoken(value, match.start(), match.end()))
    return sorted(found, key=lambda one: one.start)


def _on(day: int, month: int, year: str | None, today: date) -> date | None:
    """The date; without a year the next one, today included."""
    if year:
        digits = year.replace(" ", "")
        return date(int(digits) if len(digits) == 4 else 2000 + int(digits), month, day)
    for candidate in range(today.year, today.year + 9):  # 29 February may be eight years away
        try:
            value = date(candidate, month, day)
        except ValueError:
            continue
        if value >= today:
            return value
    return None


def _month_number(match: re.Match[str]) -> int:
    return MONTHS.index(match["month"][:3]) + 1


def _named_month(match: re.Match[str], today: date) -> date | None:
    return _on(int(match["day"]), _month_number(match), match["year"], today)


def _numeric(match: re.Match[str], today: date) -> date | None:
    day, month = int(match["day"]), int(match["m"])
    at_the_end = match.end() >= len(match.string.rstrip())
    if day <= 12 and at_the_end and not match["on"] and not match["year"]:
        return None  # "10.10." at the end of a sentence is ten past ten
    return _on(day, month, match["year"], today)


def _slashed(match: re.Match[str], today: date) -> date | None:
    first, second = int(match["a"]), int(match["b"])
    day, month = (first, second) if first > 12 else (second, first)
    return _on(day, month, match["year"], today)


def _day_of_month(match: re.Match[str], today: date) -> date | None:
    """The date of "the 24th": of this month, or of the next that has such a day to come."""
    for months in range(3):
        year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
        try:
            value = date(year, month + 1, int(match["day"]))
        except ValueError:
            continue
        if value >= today:
            return value
    return None


def _of_next_month(match: re.Match[str], today: date) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 + (match["which"] != "this"), 12)
    return date(year, month + 1, int(match["day"]))


def _nth_weekday(match: re.Match[str], today: date) -> date | None:
    for year in (today.year, today.year + 1):
        first = date(year, _month_number(match), 1)
        ahead = (WEEKDAYS.index(match["weekday"]) - first.weekday()) % 7
        value = first + timedelta(days=ahead + 7 * (int(match["day"]) - 1))
        if value >= today:
            return value
    return None


def _relative(match: re.Match[str], today: date) -> date:
    said = match["said"]
    days = 2 if "day after" in said else 1 if "tomorrow" in said else 0
    return today + timedelta(days=days + (7 if match["week"] else 0))


def _ahead(match: re.Match[str], today: date) -> date:
    count = {"a": 1, "an": 1, "a couple of": 2, "a few": 3}.get(match["count"]) or int(match["count"])
    base = timedelta(days=1 if match["base"] == "tomorrow" else 0)
    if match["unit"] == "month":
        year, month = divmod(today.year * 12 + today.month - 1 + count, 12)
        return date(year, month + 1, min(today.day, 28)) + base
    return today + base + timedelta(days=count * {"day": 1, "week": 7, "fortnight": 14}[match["unit"]])


def _weekday(match: re.Match[str], today: date) -> date:
    groups = match.groupdict()
    wanted = WEEKDAYS.index(match["weekday"])
    if groups.get("next_week"):
        return today - timedelta(days=today.weekday()) + timedelta(days=7 + wanted)
    ahead = (wanted - today.weekday()) % 7
    if ahead == 0 and (groups.get("which") or "").strip() != "this":
        ahead = 7  # a caller who means today says "today"
    return today + timedelta(days=ahead + (7 if groups.get("later") else 0))


def _rules(*rules: tuple[str, Callable[[re.Match[str], date], date | None]]) -> tuple[DateRule, ...]:
    return tuple((re.compile(pattern), build) for pattern, build in rules)


_IN = r"(?P<count>\d{1,3}|a couple of|a few|an?) (?P<unit>day|week|fortnight|month)(?:s'?|'s)?"
_DATE_RULES = (
    _rules(
        (r"\b(?P<year>\d{4})-(?P<m>\d{1,2})-(?P<day>\d{1,2})\b(?P<on>)", _numeric),
        (rf"\b{_NTH} {_DAY} (?:of|in) {_MONTH}", _nth_weekday),
        (rf"(?<!at )\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: day)?(?: of)? {_MONTH}{_YEAR}", _named_month),
        (rf"\b{_MONTH}(?: the)? {_NTH}\b{_YEAR}", _named_month),
        (rf"\b{_MONTH}(?: the)? (?P<day>\d{{1,2}})\b(?![:.]\d)(?:{_YEAR}{FREE})", _named_month),
        (rf"\b{_NTH} of (?P<which>this|next|the next) month\b", _of_next_month),
        (
            r"(?P<on>\b(?:on )?(?:the )?)(?<!at )\b(?P<day>\d{1,2})\. ?(?P<m>\d{1,2})\."
            r"(?: ?(?P<year>(?:20)?\d\d)\b)?(?!\d)",
            _numeric,
        ),
        (r"(?P<on>\b(?:on|the) )(?P<day>\d{1,2})\.(?P<m>\d{1,2})\b(?!\.\d)(?P<year>)", _numeric),
        (r"\b(?P<a>\d{1,2})/(?P<b>\d{1,2})(?:/(?P<year>(?:20)?\d\d))?\b", _slashed),
    ),
    _rules(
        (rf"\b{_IN}(?:(?: from| after) (?P<base>now|today|tomorrow))\b", _ahead),
        (rf"\bin (?:about )?{_IN}(?P<base>)(?: time)?\b", _ahead),
        (
            r"\b(?P<said>(?:the )?day after tomorrow|tomorrow|today|tonight|this (?:morning|afternoon|evening))\b"
            r"(?P<week> week\b)?",
            _relative,
        ),
    ),
    _rules(
        (rf"\b(?P<next_week>next week)(?: on)? {_DAY}", _weekday),
        (rf"\b{_DAY}(?P<next_week>(?: of)? next week)\b", _weekday),
        (rf"\b(?P<later>(?:a|1) week (?:on|from)(?: next| this)?) {_DAY}", _weekday),
        (rf"\b(?:the )?{_DAY}(?P<later> week\b| after next\b| in a week\b)", _weekday),
        (rf"(?:\b(?P<which>this|next|coming|this coming|on) )?\b{_DAY}", _weekday),
    ),
    _rules(
        (rf"(?:\bon )?\bthe {_NTH}\b{FREE}", _day_of_month), (rf"^(?:\W|no|yes|um|on)*{_NTH}\b{FREE}", _day_of_month)
    ),
)
