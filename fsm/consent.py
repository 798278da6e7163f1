"""Whether words say what is to be done, and whether a caller's words agree to it.

Pure: a language reads the words (fsm/english.py), the rules here compare what it has read with the values of a
read-back. May import: pydantic's types, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from enum import Enum
from string import Formatter
from typing import Any, Protocol, TypeVar

from pydantic import JsonValue

V = TypeVar("V")


class Reply(Enum):
    """What a caller's words are, as the answer to a read-back."""

    WORDLESS = "no words: a cough, a hum, nothing"
    NO = "a no, or a correction"
    QUESTION = "a question"
    UNDECIDED = "neither yes nor no: wait, perhaps, thank you"
    YES = "words that agree"


class Language(Protocol):
    """What has to be known of a language to judge words in it."""

    def dates(self, text: str, today: date) -> list[frozenset[date]]:
        """Every day that is named, in order, as the days that may be meant."""
        ...

    def times(self, text: str, today: date) -> list[frozenset[time]]:
        """Every time of day that is named, in order, as the times that may be meant."""
        ...

    def words(self, text: str) -> tuple[str, ...]:
        """The words, so that equal ones compare equal however they are written: numbers in digits, small letters."""
        ...

    def sentences(self, text: str) -> list[str]: ...

    def reply(self, text: str, question: str = "") -> Reply:
        """What words answer to a question; to "Shall I book it?", "book it" is a yes."""
        ...

    def parting(self, text: str) -> bool:
        """Whether the words are nothing but thanks, assent and goodbye: they wish for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Readback:
    """A step at which a task reads back, and the values that it reads back.

    reading: tells this read-back from every other one of its run. sentence: of the task's formatter. slots: all values
    that a yes agrees to, as JSON.
    dates, times, phrases: what the words must name, in the order in which the task's sentence names it; phrases as the
    task's own formatter writes them. today: what "tomorrow" is counted from.
    """

    reading: tuple[int, ...]
    slots: Mapping[str, JsonValue]
    sentence: str = ""
    dates: tuple[date, ...] = ()
    times: tuple[time, ...] = ()
    phrases: tuple[str, ...] = ()
    today: date = field(default=date.min, compare=False)


class Verdict(Enum):
    """Whether a yes counts, and if not, why."""

    AGREED = "agreed"
    UNHEARD = "unheard"  # the read-back was not heard to its end before the caller answered
    MISSTATED = "misstated"  # what was spoken is not what would be done
    WORDLESS = "wordless"  # the caller said nothing that could be a yes
    NOT_A_YES = "not_a_yes"  # the caller's words are a no, a question, undecided, or name another value


@dataclass(frozen=True, slots=True)
class Agreement:
    """A yes as the call has judged it. readback: the one that it answers; None for whichever the run stands at."""

    verdict: Verdict
    readback: Readback | None = None


AGREED = Agreement(Verdict.AGREED)
UNHEARD = Agreement(Verdict.UNHEARD)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words of the bot. heard: to their end."""

    text: str
    heard: bool


def readback_of(
    template: str, values: Mapping[str, Any], reading: tuple[int, ...], slots: Mapping[str, JsonValue], today: date
) -> Readback:
    """What the words of a read-back must name. template: its format string over the values."""
    dates: dict[str, date] = {}
    times: dict[str, time] = {}
    phrases: list[str] = []
    formatter = Formatter()
    for _, name, spec, _ in formatter.parse(template):
        if name is None:
            continue
        piece, slot = formatter.get_field(name, (), values)
        match values[str(slot)]:
            case date() as day:
                dates[str(slot)] = day
            case time() as at:
                times[str(slot)] = at
            case _:
                phrases.append(formatter.format_field(piece, spec or ""))
    sentence = template.format_map(values)
    return Readback(reading, dict(slots), sentence, tuple(dates.values()), tuple(times.values()), tuple(phrases), today)


def states(readback: Readback, spoken: Iterable[Spoken], language: Language) -> bool:
    """Whether the words name every value, and after that nothing else in its place.

    The last sentences decide: what was said before them may have been about something else.
    """
    said = [(sentence, each.heard) for each in spoken for sentence in language.sentences(each.text)]
    for first in reversed(range(len(said))):
        heard = [sentence for sentence, to_its_end in said[first:] if to_its_end]
        if _names_all(readback, heard, language):
            return not any(names_another(readback, sentence, language) for sentence, _ in said[first:])
    return False


def names_another(readback: Readback, text: str, language: Language) -> bool:
    """Whether words name a day or a time that is none of the read-back's."""
    dates = language.dates(text, readback.today) if readback.dates else []
    times = language.times(text, readback.today) if readback.times else []
    return any(one.isdisjoint(readback.dates) for one in dates) or any(one.isdisjoint(readback.times) for one in times)


def _names_all(readback: Readback, sentences: Sequence[str], language: Language) -> bool:
    dates = [one for sentence in sentences for one in language.dates(sentence, readback.today)]
    times = [one for sentence in sentences for one in language.times(sentence, readback.today)]
    words = language.words(" ".join(sentences))
    return (
        _in_order(readback.dates, dates)
        and _in_order(readback.times, times)
        and all(_holds(words, language.words(phrase)) for phrase in readback.phrases)
    )


def _in_order(values: Sequence[V], named: Iterable[frozenset[V]]) -> bool:
    """Else an appointment moved from one day to another would be read back as moved from the other to the one."""
    rest = iter(named)
    return all(any(value in one for one in rest) for value in values)


def _holds(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    return any(words[at : at + len(phrase)] == phrase for at in range(len(words) - len(phrase) + 1))
