"""The languages that bots speak: sentences, dates and times for the ear, and who reads what is said in each.

A sentence stands in English where it is said. fsm/sentences/en.toml gives each one its key, and the file of another
language has under that key what is said instead. A text that is in no file is said as it stands: it is of a bot's
author, and in the bot's language already. A package that adds tasks may bring a folder `sentences` of its own.
May import: protocols, fsm.any_language, fsm.consent, fsm.english, fsm.german, fsm.reading, fsm.templates, babel, the
standard library.
"""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from string import Formatter
from typing import Any

import babel
from babel.dates import format_date, get_day_names
from babel.lists import format_list
from babel.numbers import format_currency, get_decimal_symbol

from fsm.any_language import AnyLanguage
from fsm.consent import Language, Spoken, readback_of, reply, states
from fsm.english import English
from fsm.german import German
from fsm.reading import WordReader
from fsm.templates import SPELLED
from protocols.errors import MisuseError

# The entry points of packages that add tasks (fsm/registry.py).
TASKS_GROUP = "tieline.agents"
_FOLDER, _SUFFIX = "sentences", ".toml"
# Who reads what is said, by language. Where there is none English reads, which takes nothing else for a yes: tasks with
# a read-back are then refused (gateway/bots/compile.py).
READERS: Mapping[str, Callable[[], WordReader]] = {"en": English, "de": German}
# Keys of sentences that read back what a yes agrees to begin so.
READ_BACK = "confirm_"
_SOME_DAY = date(2026, 1, 1)
CURRENCY_CODE = 3  # letters, of ISO 4217
# More than any address, name or sentence that is dictated on the telephone, or that a caller would listen to.
LONGEST_TEXT = 500
# What no voice says: control characters, and those that turn the direction of what a person reads.
_UNSAYABLE = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " "),
    **dict.fromkeys((0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))),
}


def _tables(package: str, language: str) -> Mapping[str, Mapping[str, str]]:
    """A package's file of a language; empty if it has none."""
    try:
        file = files(package) / _FOLDER / f"{language}{_SUFFIX}"
    except (Exception, SystemExit):  # noqa: BLE001 - the package's code: told when its tasks are loaded
        return {}
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}


@cache
def forms_of(language: str) -> Mapping[str, str]:
    """How a language's file says days, times and signs."""
    return _tables("fsm", language)["forms"]


class ForTheEar(ABC):
    """A value that is not said as it is written, in a sentence as `{value:ear}`."""

    __slots__ = ()

    @abstractmethod
    def ear(self, locale: Locale) -> str: ...


@dataclass(frozen=True, slots=True)
class Locale:
    """One language as a bot speaks it. tag: BCP 47, as "de-DE". reader: reads days, times and a yes in it.

    catalogue: the language of its sentences, which is English where there are none in its own. sentences: those of the
    bot's own and of the catalogue, by the English one. forms: how days, times and signs are said.
    """

    tag: str = "en-GB"
    reader: Language = field(default_factory=English, compare=False, repr=False)
    catalogue: str = "en"
    sentences: Mapping[str, str] = field(default_factory=dict, repr=False)
    forms: Mapping[str, str] = field(default_factory=lambda: forms_of("en"), repr=False)

    @property
    def language(self) -> str:
        """The language without its region: "de"."""
        return language_of(self.tag)

    @property
    def translates(self) -> bool:
        """Whether there are no sentences in this language, so that the model has to translate the English ones."""
        return self.catalogue != self.language

    @property
    def is_read(self) -> bool:
        """Whether a yes in this language is understood."""
        return self.language in READERS

    def of(self, text: str) -> str:
        """A sentence, or the template of one, in this language; one that is not of ours as it stands."""
        return self.sentences.get(text, text)

    def say(self, text: str, **values: object) -> str:
        """A sentence in this language with its values."""
        return self.fill(text, values)

    def fill(self, text: str, values: Mapping[str, Any]) -> str:
        """The same, with values by name. Raises: KeyError for one that is not there."""
        return self.formatter.vformat(self.of(text), (), values)

    @property
    def formatter(self) -> Formatter:
        """Puts values into templates, as they are said in this language."""
        return _Formatter(self)

    def with_own(self, sentences: Mapping[str, str]) -> Locale:
        """With a bot's own sentences. sentences: by key."""
        english = sentences_in("en")
        return replace(self, sentences={**self.sentences, **{english[key]: own for key, own in sentences.items()}})

    def prepare(self) -> None:
        """Read the data of days and names, and have the reader make its own: a tenth of a second of no call."""
        values = {"day": _SOME_DAY, "at": time(10, 30)}
        readback = readback_of("{day}, {at}?", values, (), {}, self.formatter)
        states(readback, [Spoken(readback.sentence, heard=True, today=_SOME_DAY)], self.reader)
        reply(readback, self.of("yes"), _SOME_DAY, self.reader)

    # --- values ---

    def day(self, day: date) -> str:
        """A day of the year: "Thursday 26 November"."""
        return format_date(day, self.forms["day"], locale=_cldr(self._said_in))

    def day_of_year(self, day: date) -> str:
        """A day with its year."""
        return format_date(day, self.forms["day_of_year"], locale=_cldr(self._said_in))

    def weekday(self, weekday: int) -> str:
        """The name of a day of the week. weekday: 0 is Monday."""
        return str(get_day_names("wide", locale=_cldr(self._said_in))[weekday])

    def time(self, at: time) -> str:
        """A time of day: "10:30"."""
        return self.clock(at.hour, at.minute)

    def clock(self, hour: int, minute: int) -> str:
        """The same of its numbers; the end of a day is 24:00."""
        return (self.forms["time"] if minute else self.forms["full_hour"]).format(hour=hour, minute=minute)

    def listed(self, parts: Sequence[str]) -> str:
        """ "one, two and three"."""
        return format_list(list(parts), locale=_cldr(self._said_in))

    def number(self, value: float, form: str) -> str:
        """A number with a decimal point as it is said here. form: Python's format, as ".2f"; "g" without exponents."""
        form = ".15g" if form == "g" else form
        return f"{value:{form}}".replace(".", get_decimal_symbol(_cldr(self._said_in)))

    def money(self, value: float, currency: str) -> str:
        """An amount with its currency's name. currency: ISO 4217."""
        return format_currency(value, currency, locale=_cldr(self._said_in), format_type="name").replace("\xa0", " ")

    @property
    def _said_in(self) -> str:
        """The tag of the language in which values are said: that of the sentences around them."""
        return "en-GB" if self.translates or self.language == "en" else self.tag


class _Formatter(Formatter):
    def __init__(self, locale: Locale) -> None:
        self._locale = locale

    def format_field(self, value: Any, format_spec: str) -> str:
        said = self._said(value, format_spec)
        return said if said.isprintable() else said.translate(_UNSAYABLE)

    def _said(self, value: Any, format_spec: str) -> str:
        locale = self._locale
        match value:
            case date() if format_spec in ("", "ear") and not isinstance(value, datetime):
                return locale.day(value)
            case time() if format_spec in ("", "ear"):
                return locale.time(value)
            case date() if not locale.translates and locale.language != "en":
                return str(super().format_field(value, _named(value, format_spec, locale)))
            case str() if format_spec == SPELLED:
                return " ".join(value)
            case ForTheEar() if format_spec == "ear":
                return value.ear(locale)
            case StrEnum() if not format_spec:
                return locale.of(str(value))
            case float() if len(format_spec) == CURRENCY_CODE and format_spec.isupper():
                return locale.money(value, format_spec)
            case float() if format_spec:
                return locale.number(value, format_spec)
            case _:
                return str(super().format_field(value, format_spec))


def _named(day: date, form: str, locale: Locale) -> str:
    """A form of strftime with the names of the day and month put in, which Python knows in English only."""
    names = {"%A": "EEEE", "%a": "EEE", "%B": "MMMM", "%b": "MMM"}
    for sign, pattern in names.items():
        if sign in form:
            form = form.replace(sign, format_date(day, pattern, locale=_cldr(locale.tag)))
    return form


def language_of(tag: str) -> str:
    """The language of a BCP 47 tag, without its region."""
    return tag.partition("-")[0]


@cache
def languages_with_sentences() -> frozenset[str]:
    """The languages that have a file of sentences."""
    folder = files("fsm") / _FOLDER
    return frozenset(each.name.removesuffix(_SUFFIX) for each in folder.iterdir() if each.name.endswith(_SUFFIX))


@cache
def sentences_in(language: str) -> Mapping[str, str]:
    """The sentences of a language by key: ours, and those of the packages that add tasks."""
    return sentences_of(entry_points(group=TASKS_GROUP), language)


def sentences_of(tasks: Iterable[EntryPoint], language: str) -> dict[str, str]:
    """Our sentences in a language, and those of some packages. Raises: MisuseError if two have one key."""
    found = dict(_tables("fsm", language)["sentences"])
    for package in sorted({point.module.partition(".")[0] for point in tasks} - {"fsm"}):
        theirs = _tables(package, language).get("sentences", {})
        if twice := found.keys() & theirs.keys():
            raise MisuseError(f"the package {package} has sentences of keys that are taken: {', '.join(sorted(twice))}")
        found |= theirs
    return found


@cache
def locale_of(tag: str) -> Locale:
    """The locale of a BCP 47 tag."""
    language = language_of(tag)
    catalogue = language if language in languages_with_sentences() else "en"
    sentences: dict[str, str] = {}
    if catalogue != "en":
        english, here = sentences_in("en"), sentences_in(catalogue)
        sentences = {english[key]: text for key, text in here.items() if key in english}
    return Locale(tag, READERS.get(language, English)(), catalogue, sentences, forms_of(catalogue))


def spoken_together(locales: Sequence[Locale]) -> tuple[Locale, ...]:
    """The locales of a bot that speaks its caller's language: in each, a yes of any of them is understood."""
    readers = {each.language: READERS[each.language]() for each in locales if each.is_read}

    def beside(locale: Locale) -> Language:
        others = [reader for language, reader in readers.items() if language != locale.language]
        return AnyLanguage(READERS.get(locale.language, English)(), others) if others else locale.reader

    return tuple(replace(each, reader=beside(each)) for each in locales)


@cache
def _cldr(tag: str) -> babel.Locale:
    """The nearest locale that CLDR has."""
    try:
        return babel.Locale.parse(tag, sep="-")
    except (ValueError, babel.UnknownLocaleError):
        return babel.Locale.parse(language_of(tag))


def language_name(tag: str) -> str:
    """A language in English, for the model: "German (de-DE)"; the tag where CLDR does not know it."""
    try:
        name = babel.Locale.parse(language_of(tag)).get_language_name("en")
    except (ValueError, babel.UnknownLocaleError):
        name = None
    return f"{name} ({tag})" if name else tag


ENGLISH = locale_of("en-GB")
