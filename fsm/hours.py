"""Opening hours: when a bot's business is open, and how that is said.

Pure data. May import: fsm.locales, pydantic, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from itertools import chain, groupby, pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.dataclasses import dataclass

from fsm.locales import ENGLISH, Locale

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"\s*(\d\d?):(\d\d)\s*[-–]\s*(\d\d?):(\d\d)\s*")
_DAY_MIN = 24 * 60
_NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a day, in minutes from midnight. until_min is excluded, and at most a day's end."""

    from_min: int
    until_min: int

    def __str__(self) -> str:
        return f"{_clock(self.from_min)}-{_clock(self.until_min)}"

    @classmethod
    def parse(cls, text: object) -> Span:
        """Read "HH:MM-HH:MM". Raises: ValueError, saying what to write."""
        if isinstance(text, Span):
            return text
        found = _SPAN.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError(f'{_shown(text)} is no piece of a day; write it like "09:00-12:30"')
        from_min, until_min = (60 * int(found[each]) + int(found[each + 1]) for each in (1, 3))
        for hour, minute in ((int(found[1]), int(found[2])), (int(found[3]), int(found[4]))):
            if minute > 59 or 60 * hour + minute > _DAY_MIN:
                raise ValueError(f"there is no {hour:02}:{minute:02}; write hours from 00 to 24 and minutes to 59")
        if until_min < from_min:
            first, second = _clock(from_min), _clock(until_min)
            raise ValueError(f'{second} is before {first}; write "{second}-{first}", or two days if it passes midnight')
        if until_min == from_min:
            raise ValueError(f'"{text}" is empty; write when it ends, or leave it out')
        return cls(from_min, until_min)


def _closed_day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f'{_shown(value)} is no date; write it like "2026-12-25"') from None


_SpanText = Annotated[
    Span,
    BeforeValidator(Span.parse),
    WithJsonSchema({"type": "string", "pattern": r"^\d\d?:\d\d-\d\d?:\d\d$", "examples": ["09:00-12:30"]}),
]
_ClosedDay = Annotated[date, BeforeValidator(_closed_day), WithJsonSchema({"type": "string", "format": "date"})]


def _apart(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """The pieces of a day in order. Raises: ValueError if two of them overlap."""
    ordered = tuple(sorted(spans, key=lambda each: each.from_min))
    for first, second in pairwise(ordered):
        if second.from_min < first.until_min:
            whole = Span(first.from_min, max(first.until_min, second.until_min))
            raise ValueError(f'"{first}" and "{second}" overlap; write "{whole}"')
    return ordered


_Spans = Annotated[tuple[_SpanText, ...], Field(strict=False), AfterValidator(_apart)]


class Hours(BaseModel):
    """The week, a list of pieces a day, and dates on which it is closed all the same. A day left out is closed.

    Raises: ValidationError for pieces that overlap, and for hours without an open day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mon: _Spans = ()
    tue: _Spans = ()
    wed: _Spans = ()
    thu: _Spans = ()
    fri: _Spans = ()
    sat: _Spans = ()
    sun: _Spans = ()
    closed: Annotated[tuple[_ClosedDay, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not any(self._week()):
            raise ValueError('it is never open; write for example mon = ["09:00-17:00"]')
        return self

    def _week(self) -> tuple[tuple[Span, ...], ...]:
        return tuple(getattr(self, name) for name in DAYS)

    def on(self, day: date) -> tuple[Span, ...]:
        """The pieces of a day, in order; empty if it is closed."""
        return () if day in self.closed else self.of_weekday(day.weekday())

    def of_weekday(self, weekday: int) -> tuple[Span, ...]:
        """The pieces of a day of the week, in order. weekday: 0 is Monday."""
        return self._week()[weekday]

    def open_at(self, at: time, day: date | None = None) -> bool:
        """Whether it is open at a time of a day; without a day: of any day of the week."""
        minute = 60 * at.hour + at.minute
        spans = chain(*self._week()) if day is None else self.on(day)
        return any(each.from_min <= minute < each.until_min for each in spans)

    def said(self, locale: Locale = ENGLISH) -> str:
        """The week in words for a caller, as the end of "We are open …"."""
        if len(set(self._week())) == 1:
            return said_spans(self.mon, locale)
        return locale.listed(
            [f"{_said_days(days, locale)} {said_spans(spans, locale)}" for days, spans in self._alike()]
        )

    def week(self, locale: Locale = ENGLISH) -> str:
        """The week in words for the model, as the end of "We are open …": every time with its part of the day."""
        return locale.listed(
            [f"{_said_days(days, locale)} {_explicit(spans, locale)}" for days, spans in self._alike()]
        )

    def _alike(self) -> list[tuple[list[int], tuple[Span, ...]]]:
        """Open days that follow one another and are open alike, with their pieces."""
        groups = groupby(enumerate(self._week()), key=lambda each: each[1])
        return [([weekday for weekday, _ in group], spans) for spans, group in groups if spans]

    def said_on(self, day: date | None, locale: Locale = ENGLISH) -> str:
        """When it is open, as a sentence about a day; about the week without one, or where all days are alike."""
        if day is None or len(set(self._week())) == 1:
            return locale.say("We are open {hours}.", hours=self.said(locale))
        return locale.say(
            "On {weekday}s we are open {hours}.",
            weekday=locale.weekday(day.weekday()),
            hours=said_spans(self.of_weekday(day.weekday()), locale),
        )

    def said_closed(self, day: date, locale: Locale = ENGLISH) -> str:
        """That it is closed on a day, as a sentence."""
        if self.of_weekday(day.weekday()):
            return locale.say("We are closed on {day}.", day=day)
        return locale.say("We are closed on {weekday}s.", weekday=locale.weekday(day.weekday()))


EVERY_DAY = (Span(9 * 60, 17 * 60),)
# Of a bot that names none.
NINE_TO_FIVE = Hours(**dict.fromkeys(DAYS, EVERY_DAY))


def said_spans(spans: tuple[Span, ...], locale: Locale = ENGLISH) -> str:
    """Pieces of a day in words: "from nine to twelve thirty and from two to five"."""
    return _from_to(spans, locale, said_minute)


def _explicit(spans: tuple[Span, ...], locale: Locale) -> str:
    return _from_to(
        spans, locale, lambda minute, there: _with_part(minute) if _in_words(there) else _timed(minute, there)
    )


def _from_to(spans: tuple[Span, ...], locale: Locale, said: Callable[[int, Locale], str]) -> str:
    parts = [(said(each.from_min, locale), said(each.until_min, locale)) for each in spans]
    return locale.listed([locale.say("from {begin} to {end}", begin=begin, end=end) for begin, end in parts])


def said_minute(minute: int, locale: Locale = ENGLISH) -> str:
    """A time of day for a caller; in English from seven in the morning to seven in the evening the hour is enough."""
    if not _in_words(locale):
        return _timed(minute, locale)
    return _on_the_clock(minute) if 7 * 60 <= minute < 19 * 60 else _with_part(minute)


def _in_words(locale: Locale) -> bool:
    """Whether times are said on the clock's face, as in English: "half past ten"."""
    return locale.catalogue == "en"


def _timed(minute: int, locale: Locale) -> str:
    return locale.clock(*divmod(minute, 60))


def _with_part(minute: int) -> str:
    """A time of day in words, with its part of the day."""
    if minute % _DAY_MIN == 0:
        return "midnight"
    if minute == 12 * 60:
        return "noon"
    hour = minute // 60
    part = "morning" if hour < 12 else "afternoon" if hour < 18 else "evening"
    return f"{_on_the_clock(minute)} in the {part}"


def _on_the_clock(minute: int) -> str:
    hour, past = divmod(minute, 60)
    this, following = (_NUMBERS[(each - 1) % 12 + 1] for each in (hour, hour + 1))
    match past:
        case 0:
            return this
        case 15:
            return f"a quarter past {this}"
        case 30:
            return f"half past {this}"
        case 45:
            return f"a quarter to {following}"
        case _:
            return f"{(hour - 1) % 12 + 1}:{past:02}"


def _said_days(days: list[int], locale: Locale) -> str:
    """Days of the week that follow one another."""
    if len(days) == 7:
        return locale.of("every day")
    names = [locale.weekday(each) for each in days]
    if len(days) < 3:
        return locale.say("on {days}", days=locale.listed(names))
    return locale.say("from {first} to {last}", first=names[0], last=names[-1])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
