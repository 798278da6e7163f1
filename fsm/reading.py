"""What reading a text has in common in all languages: values first, then the words that are left.

A language adds its words and its grammar (fsm/english.py, fsm/german.py): what one word of a day or a time is, and the
vocabulary of consent and of claims. A wording that it does not know counts as not said; the read-back is then repeated
word for word.
May import: fsm, the standard library.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from typing import ClassVar

from fsm.claims import Claim, Deed, Statement
from fsm.consent import JUDGED_CHARS, Reading
from fsm.days import Day
from fsm.tokens import PHRASE, Token, get, is_at, places, take

# What of a turn is searched for statements, its end: four minutes of speech.
CLAIMS_CHARS = 4 * JUDGED_CHARS
# The last ones, which are compared with what was done: who says more of them says that everything is.
MOST_CLAIMS = 8

# A row of digits that is a value of its own, a telephone number or a code: shorter ones may be part of a day or a time.
_ROW = re.compile(r"[+\d][\d ]{3,}")
# Stands in a text for a row of digits that has been read; tokens() makes PHRASE of it.
ROW_SIGN = "\ue000"
# Not behind a title: "for Mr. Smith".
_SENTENCES = re.compile(r"(?<=[.?!])(?<!\b[md]r\.)(?<!\bms\.)(?<!\bmrs\.)(?<!\bhr\.)\s+")


class WordReader(ABC):
    """One language, a `Language` and the reader of it.

    glue: words between the parts of one day ("Thursday the 26th"). opening: words of opening hours. before_times: words
    that make a time of a bare number behind them ("at ten"). until: words between two times ("nine to five").
    digit_words: of a row of digits, with their digits; times_said: "double" and its like. imagined: phrases that
    recognisers were seen to write for noise alone. assent, parting_words: words of which nothing but a yes, thanks or a
    goodbye consists. staying: finds that the caller waits. noes: those of a bare no. common: words that tell this
    language from others. noting: participles that may be said of what was only heard. asks_back: finds that a sentence
    asks whether the one before it is right.
    """

    glue: ClassVar[frozenset[str]]
    opening: ClassVar[frozenset[str]]
    before_times: ClassVar[frozenset[str]]
    until: ClassVar[frozenset[str]]
    digit_words: ClassVar[Mapping[str, str]]
    times_said: ClassVar[Mapping[str, int]]
    imagined: ClassVar[frozenset[str]]
    assent: ClassVar[frozenset[str]]
    parting_words: ClassVar[frozenset[str]]
    staying: ClassVar[re.Pattern[str]]
    noes: ClassVar[frozenset[str]]
    common: ClassVar[frozenset[str]]
    noting: ClassVar[frozenset[str]]
    asks_back: ClassVar[re.Pattern[str]]

    # --- what a language adds ---

    @abstractmethod
    def plain(self, text: str, most: int = JUDGED_CHARS) -> str:
        """The last characters of a text in the form in which all of it is compared. most: how many."""

    @abstractmethod
    def expanded(self, text: str) -> str:
        """A plain text with whole words for shortened ones: "it is" for "it's"."""

    @abstractmethod
    def tokens(self, text: str) -> list[Token]: ...

    @abstractmethod
    def day_at(self, tokens: list[Token], at: int, today: date, after: Day | None) -> tuple[Day | None, int]:
        """Read a part of a day at a token: the part, and the token after it. after: the day's parts that precede it."""

    @abstractmethod
    def named_time(self, tokens: list[Token], at: int) -> tuple[int, str, int] | None:
        """Read a time that is no hour with its minutes, as time_at does: "noon", "half past ten"."""

    @abstractmethod
    def hour_at(self, tokens: list[Token], at: int, hour: int) -> tuple[int, str, int] | None:
        """Read an hour, up to 24, and the minutes that may follow it, as time_at does."""

    @abstractmethod
    def with_part(self, tokens: list[Token], minutes: int, at: int) -> tuple[int, str, int]:
        """Add to a time, as time_at has it, what may follow at this token: "o'clock", "in the morning"."""

    @abstractmethod
    def parts(self, tokens: list[Token]) -> list[tuple[int, str]]:
        """Where a part of the day is named, and which: "am", "pm", or one of the language's own."""

    @abstractmethod
    def heard_words(self, text: str) -> str:
        """The words without hums and noise."""

    @abstractmethod
    def claims_in(self, sentence: str) -> Iterator[Claim]:
        """The statements in one sentence that something has been done."""

    @abstractmethod
    def statements_in(self, sentence: str) -> Iterator[Statement]:
        """The statements in one plain sentence that something it names has been done."""

    @abstractmethod
    def denial(self, deeds: frozenset[Deed]) -> str: ...

    @abstractmethod
    def reads_back(self, said: str, own: str, *, after_others: bool) -> bool: ...

    @abstractmethod
    def agrees(self, said: str, own: str | None) -> bool: ...

    @abstractmethod
    def declines(self, said: str) -> bool: ...

    @abstractmethod
    def hesitates(self, said: str) -> bool: ...

    # --- what all have in common ---

    def readers(self) -> Sequence[WordReader]:
        return (self,)

    def dates(self, text: str, today: date) -> list[frozenset[date]]:
        return [found for _, _, found in self._dates(self.tokens(text), today)]

    def times(self, text: str, today: date) -> list[frozenset[time]]:
        tokens = self.tokens(text)
        take(tokens, self._dates(tokens, today))
        return [found for _, _, found in self._times(tokens)]

    def words(self, text: str) -> tuple[str, ...]:
        return tuple(token.text for token in self.tokens(text) if not token.is_mark)

    def sentences(self, text: str, most: int = JUDGED_CHARS) -> list[str]:
        return [each for each in _SENTENCES.split(self.plain(text, most)) if each]

    def wordless(self, text: str) -> bool:
        spoken = " ".join(self._spoken(text))
        return len(text) <= JUDGED_CHARS and (not spoken or spoken in self.imagined)

    def parting(self, text: str) -> bool:
        spoken = " ".join(self._spoken(text))
        left = self.staying.sub(" ", spoken).split()
        known = all(word in self.assent or word in self.parting_words for word in left)
        return 0 < len(text) <= JUDGED_CHARS and bool(spoken) and known

    def refuses(self, said: str) -> bool:
        words = self.heard_words(said).split()
        return bool(words) and all(word in self.noes for word in words)

    def claims(self, text: str) -> list[Claim]:
        return [claim for sentence in self._whole(text) for claim in self.claims_in(sentence)][-MOST_CLAIMS:]

    def statements(self, text: str) -> list[Statement]:
        sentences = self._whole(text)
        return [
            each
            for sentence, following in zip(sentences, [*sentences, ""][1:], strict=True)
            for each in self.statements_in(sentence)
            # "I have noted your callback for ten. Is that right?" reads back what was understood.
            if each.participle not in self.noting or self.asks_back.search(following) is None
        ][-MOST_CLAIMS:]

    def _whole(self, text: str) -> list[str]:
        """The sentences in which statements are looked for, without one that was cut."""
        sentences = self.sentences(text, CLAIMS_CHARS)
        return sentences if len(text) <= CLAIMS_CHARS else sentences[1:] or sentences

    def read(self, text: str, today: date, phrases: Sequence[str]) -> Reading:
        text, rows = self._without_rows(text, phrases)
        phrases = [phrase for phrase in phrases if phrase not in rows]
        tokens = self._expanded_tokens(text)
        worded = {
            phrase: tuple(token.text for token in self._expanded_tokens(phrase) if not token.is_mark)
            for phrase in phrases
        }
        # A name may hold the name of a day, a day may hold the number of something: in this order.
        numbers = {phrase: words for phrase, words in worded.items() if all(word.isdigit() for word in words)}
        named = {phrase for phrase in sorted(worded, key=len, reverse=True) if phrase not in numbers
                 and take(tokens, places(tokens, worded[phrase]), PHRASE)}  # fmt: skip
        dates = self._dates(tokens, today)
        take(tokens, dates)
        times = self._times(tokens)
        parts = self.parts(tokens)
        if times and len({part for _, part in parts}) == 1:  # "tomorrow morning at ten"
            take(tokens, [(at, at + 1, None) for at, _ in parts])
        take(tokens, times)
        named |= {
            phrase for phrase, words in numbers.items() if not words or take(tokens, places(tokens, words), PHRASE)
        }
        words = " ".join(token.text for token in tokens if not token.is_mark or token.text == "?")
        rest = re.sub(r"#(?: #)+", "#", words)
        return Reading([found for *_, found in dates], [found for *_, found in times], frozenset(named) | rows, rest)

    def of_day(self, minutes: int, part: str) -> frozenset[time]:
        """The times that may be meant. minutes: past midnight, as named. part: "am", "pm", or "" if not named."""
        hour, minute = divmod(minutes % (24 * 60), 60)
        if minutes >= 13 * 60 or hour == 0:
            return frozenset({time(hour, minute)})
        morning, evening = time(hour % 12, minute), time(hour % 12 + 12, minute)
        return frozenset({"am": {morning}, "pm": {evening}}.get(part, {morning, evening}))

    def _dates(self, tokens: list[Token], today: date) -> list[tuple[int, int, frozenset[date]]]:
        """Each named day: its first token, the token after its last, and the dates that it may mean."""
        found: list[tuple[int, int, frozenset[date]]] = []
        at = 0
        while at < len(tokens):
            part, end = self.day_at(tokens, at, today, None)
            if part is None:
                at += 1
                continue
            first, day = at, part
            while True:  # "tomorrow, Thursday the 26th" is one day
                more, more_end = self.day_at(tokens, self._after_glue(tokens, end), today, day)
                joined = day.with_(more) if more is not None else None
                if joined is None:
                    break
                day, end = joined, more_end
            found.append((first, end, day.meant(today)))
            at = end
        return found

    def _after_glue(self, tokens: list[Token], at: int) -> int:
        while (text := get(tokens, at).text) == "," or text in self.glue:
            at += 1
        return at

    def _times(self, tokens: list[Token]) -> list[tuple[int, int, frozenset[time]]]:
        """Each named time: its first token, the token after its last, and the times that it may mean.

        An hour up to twelve means both halves of the day, unless one half is named.
        """
        named = {part for _, part in self.parts(tokens)}
        of_the_day = named.pop() if len(named) == 1 else ""
        found: list[tuple[int, int, frozenset[time]]] = []
        at = 0
        hours = any(token.text in self.opening for token in tokens)
        while at < len(tokens):
            if hours and (end := self.range_end(tokens, at)):  # opening hours are no time that is meant
                at = end
                continue
            read = self.time_at(tokens, at)
            if read is None:
                at += 1
                continue
            minutes, part, end = read
            found.append((at, end, self.of_day(minutes, part or of_the_day)))
            at = end
        return found

    def time_at(self, tokens: list[Token], at: int) -> tuple[int, str, int] | None:
        """Read a time at a token: minutes past midnight as named, the part of the day or "", the token after it."""
        token = get(tokens, at)
        if (named := self.named_time(tokens, at)) is not None:
            return named
        if token.clock is not None:
            return self.with_part(tokens, token.clock, at + 1)
        if token.number is None or token.ordinal:
            return None
        if token.number <= 24:
            return self.hour_at(tokens, at, token.number)
        return self._written_together(tokens, at, token.number)

    def _written_together(self, tokens: list[Token], at: int, number: int) -> tuple[int, str, int] | None:
        """Read "at 1030"."""
        token = get(tokens, at)
        hour, minute = divmod(number, 100)
        if len(token.text) not in (3, 4) or hour >= 24 or minute >= 60 or not is_at(tokens, at, self.before_times):
            return None
        return self.with_part(tokens, hour * 60 + minute, at + 1)

    def range_end(self, tokens: list[Token], at: int) -> int:
        """The token after "nine to five", "from 9:00 until 17:00"; 0 if no such range begins here."""
        end = self._bare_time_end(tokens, at)
        return self._bare_time_end(tokens, end + 1) if end and get(tokens, end).text in self.until else 0

    def _bare_time_end(self, tokens: list[Token], at: int) -> int:
        """The token after a time, with or without a word that makes one of its number; 0 if none begins here."""
        token = get(tokens, at)
        if token.clock is None and (token.number is None or token.number > 24 or token.ordinal):
            return 0
        return self.with_part(tokens, 0, at + 1)[2]

    def _without_rows(self, text: str, phrases: Sequence[str]) -> tuple[str, frozenset[str]]:
        """The text with a sign for each row of digits among the phrases, in whatever groups it is said; those found."""
        text = text.replace(ROW_SIGN, " ")
        rows = {phrase: re.sub(r"\D", "", phrase) for phrase in phrases if _ROW.fullmatch(phrase)}
        if not rows:
            return text, frozenset()
        found: set[str] = set()

        def sign(match: re.Match[str]) -> str:
            said = self._digits_of(match[0])
            named = {phrase for phrase, row in rows.items() if row == said}
            found.update(named)
            return f" {ROW_SIGN} " if named else match[0]

        word = "|".join((*self.digit_words, *self.times_said))
        spoken = re.sub(rf"(?:\+|\b)(?:\d+|(?:{word})\b)(?:[\s,.\-–/]+(?:\d+|(?:{word})\b)|\d+)*", sign, text.lower())
        return (spoken if found else text), frozenset(found)

    def _digits_of(self, text: str) -> str:
        """The digits of a row as it is said: "triple five, oh one" is 55501."""
        found, times = "", 1
        for word in re.findall(r"[^\W\d_]+|\d", text):
            if word in self.times_said:
                times = self.times_said[word]
            else:
                found, times = found + self.digit_words.get(word, word) * times, 1
        return found

    def _expanded_tokens(self, text: str) -> list[Token]:
        return self.tokens(self.expanded(self.plain(text)))

    def _spoken(self, text: str) -> list[str]:
        words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", self.plain(text))
        return self.heard_words(" ".join(words)).split()


def year_at(tokens: Sequence[Token], at: int, today: date) -> tuple[int | None, int]:
    """Read a year, "2026" or "twenty twenty six", and the token after it; None if there is none."""
    first, second = get(tokens, at).number, get(tokens, at + 1).number
    if first is not None and 1900 <= first < 2200:
        return first, at + 1
    # Only this year and the next: "twenty thirty" is more likely 20:30 than a year.
    if first == 20 and second is not None and 2000 + second in (today.year, today.year + 1):
        return 2000 + second, at + 2
    return None, at
