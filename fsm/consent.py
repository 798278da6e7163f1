"""What a read-back must state, whether the bot's words stated it, and what a caller's reply can be.

Pure: a `Language` parses the words (fsm/english.py); the rules here compare the result with the read-back's values.
May import: pydantic's types, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from enum import Enum
from string import Formatter
from typing import Any, Protocol, TypeVar

from pydantic import JsonValue

from fsm.claims import Claim, Deed

V = TypeVar("V")


class Reply(Enum):
    """What a caller's words mean as the answer to a read-back."""

    WORDLESS = "no words: a cough, a hum, nothing"
    NO = "a no, or a correction"
    QUESTION = "a question"
    UNDECIDED = "neither yes nor no: wait, perhaps, thank you"
    YES = "words that agree"


class Language(Protocol):
    """What the rules need to know of a language."""

    def dates(self, text: str, today: date) -> list[frozenset[date]]:
        """Each day named in the text, in order: the set of dates that it may mean, counted from today."""
        ...

    def times(self, text: str, today: date) -> list[frozenset[time]]:
        """Each time of day named in the text, in order: the set of times that it may mean."""
        ...

    def words(self, text: str) -> tuple[str, ...]:
        """The words in a form in which equal words compare equal: lower case, numbers as digits."""
        ...

    def sentences(self, text: str) -> list[str]: ...

    def reply(self, text: str, question: str = "") -> Reply:
        """Classify the answer to a question; to "Shall I book it?", "book it" is a yes."""
        ...

    def asks_consent(self, question: str, offered: str) -> bool | None:
        """Whether a yes to the bot's question agrees to what a read-back offers. None: only if it names the values.

        To "Would you like another time?", it does not. offered: the task's own sentence.
        """
        ...

    def denies(self, sentence: str) -> bool:
        """Whether a sentence of the bot says that something cannot be had: "is taken", "we are closed then"."""
        ...

    def names_other(self, text: str, names: Sequence[str]) -> bool:
        """Whether the caller's words say that it is for somebody else than these: "for my wife", "under Miller"."""
        ...

    def claims(self, text: str) -> list[Claim]:
        """The statements in the text that something has been done."""
        ...

    def denial(self, deeds: frozenset[Deed]) -> str:
        """The sentence that takes such statements back; it must state none itself."""
        ...

    def parting(self, text: str) -> bool:
        """Whether the words are only thanks, assent or goodbye, and ask for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Readback:
    """The read-back of one step: what a yes to it agrees to, and what the bot must say before that yes counts.

    reading: identifies this read-back among all of its run. slots: all values that a yes agrees to, as JSON.
    sentence: the sentence to say, as formatted by the task. dates, times, phrases: what the bot's words must name, in
    the sentence's order; phrases as formatted by the task. today: the day from which "tomorrow" is counted.
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
    UNHEARD = "unheard"  # the caller answered before the read-back was heard to its end
    MISSTATED = "misstated"  # the bot's words do not name the values that would be used
    WORDLESS = "wordless"  # the caller's turn has no words
    NOT_A_YES = "not_a_yes"  # the caller's words are a no, a question or undecided, or name another value


@dataclass(frozen=True, slots=True)
class Agreement:
    """The verdict on a yes. readback: the one that it answers; None for the run's current one."""

    verdict: Verdict
    readback: Readback | None = None


AGREED = Agreement(Verdict.AGREED)
UNHEARD = Agreement(Verdict.UNHEARD)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words of the bot. heard: the caller heard them to the end."""

    text: str
    heard: bool


def readback_of(
    template: str, values: Mapping[str, Any], reading: tuple[int, ...], slots: Mapping[str, JsonValue], today: date
) -> Readback:
    """Make a read-back. template: its format string over the values, from which follows what the words must name."""
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
    """Whether the words name every value, and do not name another day or time after that.

    Only the last sentences count that name every value: what was said before may have been about something else.
    """
    said = [(sentence, each.heard) for each in spoken for sentence in language.sentences(each.text)]
    for first in reversed(range(len(said))):
        heard = [sentence for sentence, to_its_end in said[first:] if to_its_end]
        if _names_all(readback, heard, language):
            return _stand(readback, [sentence for sentence, _ in said[first:]], language)
    return False


def _stand(readback: Readback, sentences: Sequence[str], language: Language) -> bool:
    """Whether nothing in the sentences takes the read-back away again, and the last question asks for consent to it."""
    if any(names_another(readback, sentence, language) or language.denies(sentence) for sentence in sentences):
        return False
    questions = [sentence for sentence in sentences if sentence.endswith("?")]
    if not questions:
        return True
    asks = language.asks_consent(questions[-1], readback.sentence)
    return _names_some(readback, questions[-1], language) if asks is None else asks


def _names_some(readback: Readback, sentence: str, language: Language) -> bool:
    words = language.words(sentence)
    return bool(
        (readback.dates and language.dates(sentence, readback.today))
        or (readback.times and language.times(sentence, readback.today))
        or any(_holds(words, language.words(phrase)) for phrase in readback.phrases)
    )


def names_another(readback: Readback, text: str, language: Language) -> bool:
    """Whether the words name a day or a time that the read-back does not have."""
    dates = language.dates(text, readback.today) if readback.dates else []
    times = language.times(text, readback.today) if readback.times else []
    return any(one.isdisjoint(readback.dates) for one in dates) or any(one.isdisjoint(readback.times) for one in times)


def answers_another(readback: Readback, text: str, language: Language) -> bool:
    """Whether the caller's words name a day, a time or a person that is not the read-back's."""
    other = bool(readback.phrases) and language.names_other(text, readback.phrases)
    return other or names_another(readback, text, language)


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
    """Whether all values are named, in this order: "from Monday to Tuesday" must not match "from Tuesday to Monday"."""
    rest = iter(named)
    return all(any(value in one for one in rest) for value in values)


def _holds(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    return any(words[at : at + len(phrase)] == phrase for at in range(len(words) - len(phrase) + 1))
