"""What a read-back must state, whether the bot's words stated it, and what a caller's reply can be.

Pure: a `Language` parses the words (fsm/reading.py); the rules here compare the result with the read-back's values.
May import: pydantic's types, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from enum import Enum
from itertools import groupby
from operator import itemgetter
from string import Formatter
from typing import Any, Protocol, TypeVar

from pydantic import JsonValue

from fsm.claims import Claim, Deed, Statement

V = TypeVar("V")

# A read-back has fewer; words of the bot before its last ones are not looked at.
MOST_SENTENCES = 12
# What of a turn's words is judged, its end: a minute of speech. A read-back and its answer have a tenth of it, and the
# event loop parses any such text in a few ms; a turn may have 64 KB.
JUDGED_CHARS = 1000
# The longest answer that may be a yes, half a minute of speech: with all values repeated it has a third of that.
ANSWER_CHARS = JUDGED_CHARS // 2
# What is parsed in search of one read-back, which may have begun with any of the last sentences.
PARSED_CHARS = 2 * JUDGED_CHARS


class Reply(Enum):
    """What a caller's words mean as the answer to a read-back."""

    WORDLESS = "no words: a cough, a hum, nothing"
    YES = "a yes and nothing else"
    NO = "a no and nothing else"
    UNDECIDED = "no decision, and nothing that asks for an answer"
    OTHER = "anything else: a no with more words, a question, a correction, a yes with more words in it"


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the values it names and its other words.

    dates, times: each named day and time in order, as the set that it may mean. phrases: those of the wanted ones that
    it holds. rest: its words in order, with one sign for each value; only the language reads it.
    """

    dates: Sequence[frozenset[date]]
    times: Sequence[frozenset[time]]
    phrases: frozenset[str]
    rest: str


class Language(Hashable, Protocol):
    """What a bot and its caller may speak: one language, or one of several (fsm/any_language.py).

    Of a longer text only the last JUDGED_CHARS are looked at, of a text with claims a few times as many.
    """

    def readers(self) -> Sequence[LanguageReader]:
        """Each language by itself, first the one that the bot speaks: its sentences are in that."""
        ...

    def dates(self, text: str, today: date) -> list[frozenset[date]]:
        """Each day named in the text, in order: the set of dates that it may mean, counted from today."""
        ...

    def times(self, text: str, today: date) -> list[frozenset[time]]:
        """Each time of day named in the text, in order: the set of times that it may mean."""
        ...

    def wordless(self, text: str) -> bool:
        """Whether a transcript has no words: only hums and noise."""
        ...

    def claims(self, text: str) -> list[Claim]:
        """The statements in the text that something has been done."""
        ...

    def statements(self, text: str) -> list[Statement]:
        """The statements in the text that something it names has been done, whatever that is."""
        ...

    def denial(self, deeds: frozenset[Deed]) -> str:
        """The sentence that takes such statements back; it must state none itself. deeds: none for those of a task."""
        ...

    def parting(self, text: str) -> bool:
        """Whether the words are only thanks, assent or goodbye, and ask for nothing."""
        ...


class LanguageReader(Language, Protocol):
    """What the rules need to know of one language."""

    def words(self, text: str) -> tuple[str, ...]:
        """The words in a form in which equal words compare equal: lower case, numbers as digits."""
        ...

    def sentences(self, text: str) -> list[str]: ...

    def read(self, text: str, today: date, phrases: Sequence[str]) -> Reading:
        """Take a text apart; the phrases first, each as a whole: a name may hold the name of a day."""
        ...

    def reads_back(self, said: str, own: str, *, after_others: bool) -> bool:
        """Whether the bot's words ask for a yes to what the task's own sentence offers, and hold nothing else.

        said, own: the rests of their readings. after_others: they follow words that are no read-back.
        """
        ...

    def agrees(self, said: str, own: str | None) -> bool:
        """Whether the caller's words are a yes to that sentence, and nothing else.

        said, own: as above; None where the sentence is in another language, so that what it offers is not known.
        """
        ...

    def declines(self, said: str) -> bool:
        """Whether any of the caller's words, as above, is a no, whatever else is said."""
        ...

    def refuses(self, said: str) -> bool:
        """Whether the caller's words, as above, are a no and nothing else."""
        ...

    def hesitates(self, said: str) -> bool:
        """Whether the caller's words, as above, decide nothing and ask for nothing: "I am not sure"."""
        ...


@dataclass(frozen=True, slots=True)
class Readback:
    """The read-back of one step: what a yes to it agrees to, and what the bot must say before that yes counts.

    reading: identifies this read-back among all of its run. slots: all values that a yes agrees to, as JSON.
    sentence: the sentence to say, as formatted by the task. dates, times, phrases: what the bot's words must name, in
    the sentence's order; phrases as formatted by the task.
    """

    reading: tuple[int, ...]
    slots: Mapping[str, JsonValue]
    sentence: str = ""
    dates: tuple[date, ...] = ()
    times: tuple[time, ...] = ()
    phrases: tuple[str, ...] = ()


class Verdict(Enum):
    """Whether a yes counts, and if not, why."""

    AGREED = "agreed"
    UNHEARD = "unheard"  # the caller answered before the read-back was heard to its end
    MISSTATED = "misstated"  # the bot's words do not name the values that would be used
    WORDLESS = "wordless"  # the caller's turn has no words
    A_NO = "a_no"  # the caller's words are a no and nothing else
    NOT_A_YES = "not_a_yes"  # the caller's words are something else than a plain yes


@dataclass(frozen=True, slots=True)
class Agreement:
    """The verdict on a yes. readback: the one that it answers; None for the run's current one."""

    verdict: Verdict
    readback: Readback | None = None


AGREED = Agreement(Verdict.AGREED)
UNHEARD = Agreement(Verdict.UNHEARD)


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words of the bot. heard: the caller heard them to the end. today: the day on which they were said."""

    text: str
    heard: bool
    today: date


def readback_of(
    template: str,
    values: Mapping[str, Any],
    reading: tuple[int, ...],
    slots: Mapping[str, JsonValue],
    formatter: Formatter | None = None,
) -> Readback:
    """Make a read-back. template: its format string over the values, from which follows what the words must name.

    formatter: puts them in as they are said.
    """
    dates: dict[str, date] = {}
    times: dict[str, time] = {}
    phrases: list[str] = []
    formatter = formatter or Formatter()
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
    sentence = formatter.vformat(template, (), values)
    return Readback(reading, dict(slots), sentence, tuple(dates.values()), tuple(times.values()), tuple(phrases))


def states(readback: Readback, spoken: Iterable[Spoken], language: Language) -> bool:
    """Whether the bot's words end in a read-back: what the caller has heard of them, and all of them.

    Only in the language that the bot speaks. A sentence of more than JUDGED_CHARS is none that a caller could agree to.
    """
    said, reader = list(spoken), language.readers()[0]
    if len(readback.sentence) > JUDGED_CHARS:
        return False
    if said and _contradicts_itself(readback, said[-1].today, reader):
        return False
    heard = [each for each in said if each.heard]
    return _end_in_readback(readback, heard, reader) and (
        len(heard) == len(said) or _end_in_readback(readback, said, reader)
    )


def _contradicts_itself(readback: Readback, today: date, reader: LanguageReader) -> bool:
    """Whether a phrase beside the days and times names both once more: "John Smith on Friday at eleven" is no name."""
    phrases = readback.phrases if readback.dates or readback.times else ()
    return any(reader.dates(phrase, today) and reader.times(phrase, today) for phrase in phrases)


def _end_in_readback(readback: Readback, said: Sequence[Spoken], reader: LanguageReader) -> bool:
    """Whether the last sentences are the task's own, or name exactly its values and say nothing else."""
    sentences = _last_sentences(said, reader)
    own, parsed = reader.words(readback.sentence), 0
    for first in reversed(range(max(0, len(sentences) - MOST_SENTENCES), len(sentences))):
        last = sentences[first:]
        parsed += sum(len(sentence) for _, sentence in last)
        if parsed > PARSED_CHARS:
            return False
        if reader.words(" ".join(sentence for _, sentence in last)) == own:
            return True
        readings = [
            reader.read(" ".join(sentence for _, sentence in part), item.today, readback.phrases)
            for item, part in groupby(last, key=itemgetter(0))
        ]
        if not _names_exactly(readback, readings):
            continue
        offered = reader.read(readback.sentence, last[0][0].today, readback.phrases).rest
        rest = " ".join(each.rest for each in readings)
        after_others = first > 0 and sentences[first - 1][0] is last[0][0]
        if reader.reads_back(rest, offered, after_others=after_others):
            return True
    return False


def _last_sentences(said: Sequence[Spoken], reader: LanguageReader) -> list[tuple[Spoken, str]]:
    """The last sentences, each with what it is of: one more than a read-back may have, if there are so many."""
    found: list[tuple[Spoken, str]] = []
    for each in reversed(said):
        found = [*((each, sentence) for sentence in reader.sentences(each.text)), *found]
        if len(found) > MOST_SENTENCES:
            break
    return found


def _names_exactly(readback: Readback, readings: Sequence[Reading]) -> bool:
    dates = [one for each in readings for one in each.dates]
    times = [one for each in readings for one in each.times]
    phrases = frozenset().union(*(each.phrases for each in readings))
    return (
        phrases.issuperset(readback.phrases)
        and all(len(one) == 1 for one in dates)
        and _in_order(readback.dates, dates)
        and _in_order(readback.times, times)
    )


def _in_order(values: Sequence[V], named: Sequence[frozenset[V]]) -> bool:
    """Whether these values are named and no others: "from Monday to Tuesday" is not "from Tuesday to Monday"."""
    if len(set(values)) == 1:  # one value may be named several times
        return bool(named) and all(values[0] in one for one in named)
    return len(named) == len(values) and all(value in one for value, one in zip(values, named, strict=True))


def reply(readback: Readback, text: str, today: date, language: Language) -> Reply:
    """Classify the caller's answer to a read-back. today: the day on which it was given."""
    if len(text) > ANSWER_CHARS:
        return Reply.OTHER
    if language.wordless(text):
        return Reply.WORDLESS
    replies = [_reply(readback, text, today, each, at == 0) for at, each in enumerate(language.readers())]
    if any(one is Reply.YES for one, _ in replies) and not any(no for one, no in replies if one is not Reply.YES):
        return Reply.YES
    return next((each for each in (Reply.UNDECIDED, Reply.NO) if any(one is each for one, _ in replies)), Reply.OTHER)


def _reply(readback: Readback, text: str, today: date, reader: LanguageReader, is_own: bool) -> tuple[Reply, bool]:
    """The answer as one language reads it, and whether it reads a no. is_own: the sentence is in this language."""
    said = reader.read(text, today, readback.phrases)
    own = reader.read(readback.sentence, today, readback.phrases).rest if is_own else None
    known = (
        all(len(one) == 1 for one in said.dates)
        and _are_among(readback.dates, said.dates)
        and _are_among(readback.times, said.times)
    )
    if known and reader.agrees(said.rest, own):
        return Reply.YES, False
    if reader.refuses(said.rest):
        return Reply.NO, True
    return Reply.UNDECIDED if reader.hesitates(said.rest) else Reply.OTHER, reader.declines(said.rest)


def _are_among(values: Sequence[V], named: Sequence[frozenset[V]]) -> bool:
    """Whether no other values are named, and the last is the last: of a move, Thursday alone may be what is to stay."""
    return not named or (not any(one.isdisjoint(values) for one in named) and bool(values) and values[-1] in named[-1])
