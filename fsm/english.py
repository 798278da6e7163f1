"""The English that is needed to judge consent: days, times of day, and what is said beside them.

It parses transcripts of the bot, which may paraphrase, and of the caller: digits and number words, "half past ten",
"Thursday the 26th", "tomorrow". A wording it does not know counts as not said; the read-back is then repeated word for
word.
May import: fsm, the standard library.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta

from fsm import english_claims, english_consent
from fsm.claims import Claim, Deed
from fsm.consent import JUDGED_CHARS, Reading

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_ORDINALS = {
    **{
        word: number
        for number, word in enumerate(
            (
                "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
                "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
                "eighteenth", "nineteenth", "twentieth",
            ),
            start=1,
        )
    },
    "thirtieth": 30,
}  # fmt: skip
_NUMBERS = {**{word: number for number, word in enumerate(_UNITS)}, **_TENS}
_PARTS = {"morning": "am", "afternoon": "pm", "evening": "pm", "night": "pm", "tonight": "pm"}
# A number before one of these words may be a time ("at ten, please"); before another it counts things ("ten people").
_FREE = frozenset({
    "please", "at", "on", "in", "would", "will", "is", "was", "if", "and", "or", "then", "for", "around", "about",
    "instead", "sharp", "today", "tomorrow", "tonight", "this", "next", "thanks", "thank", "because", "suits",
    "should", "could", "can", "but", "to", "not", "from", "with", "right", "ok", "okay", "shall", "do", "that",
    "the", "as", "it", "i"
}) | frozenset(WEEKDAYS)  # fmt: skip
_AT = frozenset({"at", "around", "about", "by", "for", "to", "make", "it", "until", "till", "before", "after", "say"})

# What of a turn is searched for statements, its end: four minutes of speech.
CLAIMS_CHARS = 4 * JUDGED_CHARS
# The last ones, which are compared with what was done: who says more of them says that everything is.
MOST_CLAIMS = 8

_O_CLOCK = ("o'clock", "oclock")
_MARKS = ".,;:?!"
_SIGN = "\ue000"  # stands for a row of digits that has been read
_TOKEN = re.compile(
    r"(?P<iso>\d{4}-\d{2}-\d{2})|(?P<clock>\d{1,2}[:.]\d{2}(?!\d|[.:]\d))|(?P<number>\d+)(?P<nth>(?:st|nd|rd|th)\b)?"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)?)|(?P<mark>[.,;:?!])|(?P<row>\ue000)"
)


@dataclass(frozen=True, slots=True)
class _Token:
    """A word, a number or a punctuation mark.

    text: normalised, for comparison. number: value of digits or of a number word. ordinal: as in "26th". clock: minutes
    past midnight, of "10:30". iso: of "2026-11-26".
    """

    text: str
    number: int | None = None
    ordinal: bool = False
    clock: int | None = None
    iso: date | None = None

    @property
    def is_mark(self) -> bool:
        return self.text in _MARKS


_NOTHING = _Token(".")
# Stand for the tokens of a day or time, and of another value, that have been read.
_VALUE, _PHRASE = _Token("#"), _Token("#")


@dataclass(frozen=True, slots=True)
class _Day:
    """The named parts of a day. weeks: added to the weekday ("Thursday next week": 1); None if ambiguous."""

    exact: date | None = None
    weekday: int | None = None
    day: int | None = None
    month: int | None = None
    year: int | None = None
    weeks: int | None = 0

    def with_(self, other: _Day) -> _Day | None:
        """The parts of both; None if they contradict each other."""
        changes: dict[str, object] = {}
        for name in ("exact", "weekday", "day", "month", "year"):
            theirs, ours = getattr(other, name), getattr(self, name)
            if theirs is not None and ours is not None and theirs != ours:
                return None
            if theirs is not None:
                changes[name] = theirs
        if other.weekday is not None:
            changes["weeks"] = other.weeks
        return replace(self, **changes)  # type: ignore[arg-type]

    def meant(self, today: date) -> frozenset[date]:
        if self.exact is not None:
            return frozenset({self.exact}) if self._fits(self.exact) else frozenset()
        if self.day is None:
            return self._weekday(today)
        # The next such day. If weekday and date contradict each other, it is years away and matches no value.
        found = (day for day in self._candidates(today) if self._fits(day) and (day >= today or self.year is not None))
        if self.year is not None:
            return frozenset(found)
        return frozenset([next(found, date.min)])

    def _candidates(self, today: date) -> Iterator[date]:
        """That day of each month of the named year, or of the next eight."""
        assert self.day is not None
        years = range(today.year, today.year + 9) if self.year is None else (self.year,)
        for year in years:
            for month in range(1, 13) if self.month is None else (self.month,):
                if 1 <= self.day <= monthrange(year, month)[1]:
                    yield date(year, month, self.day)

    def _fits(self, day: date) -> bool:
        return (
            self.weekday in (None, day.weekday())
            and self.day in (None, day.day)
            and self.month in (None, day.month)
            and self.year in (None, day.year)
        )

    def _weekday(self, today: date) -> frozenset[date]:
        assert self.weekday is not None
        first = today + timedelta(days=(self.weekday - today.weekday()) % 7)
        week = timedelta(days=7)
        if self.weeks is None:  # "next Thursday"
            return frozenset({first, first + week}) - {today}
        if self.weeks:
            monday = today - timedelta(days=today.weekday())
            return frozenset({first + week, monday + week + timedelta(days=self.weekday)})
        # "Thursday" on a Thursday may be meant for today.
        return frozenset({first, first + week}) if first == today else frozenset({first})


class English:
    """A `Language`."""

    def dates(self, text: str, today: date) -> list[frozenset[date]]:
        return [found for _, _, found in _dates(_tokens(text), today)]

    def times(self, text: str, today: date) -> list[frozenset[time]]:
        tokens = _tokens(text)
        _take(tokens, _dates(tokens, today))
        return [found for _, _, found in _times(tokens)]

    def words(self, text: str) -> tuple[str, ...]:
        return tuple(token.text for token in _tokens(text) if not token.is_mark)

    def sentences(self, text: str) -> list[str]:
        return _sentences(text)

    def read(self, text: str, today: date, phrases: Sequence[str]) -> Reading:
        return _read(text, today, phrases)

    def reads_back(self, said: str, own: str, *, after_others: bool) -> bool:
        return english_consent.reads_back(said, own, after_others=after_others)

    def agrees(self, said: str, own: str) -> bool:
        return english_consent.agrees(said, own)

    def hesitates(self, said: str) -> bool:
        return english_consent.hesitates(said)

    def wordless(self, text: str) -> bool:
        spoken = " ".join(_spoken(_plain(text)))
        return len(text) <= JUDGED_CHARS and (not spoken or spoken in _IMAGINED)

    def claims(self, text: str) -> list[Claim]:
        sentences = _sentences(text, CLAIMS_CHARS)
        whole = sentences if len(text) <= CLAIMS_CHARS else sentences[1:] or sentences
        return [claim for sentence in whole for claim in english_claims.claims_in(sentence)][-MOST_CLAIMS:]

    def denial(self, deeds: frozenset[Deed]) -> str:
        return english_claims.denial(deeds)

    def parting(self, text: str) -> bool:
        spoken = _spoken(_plain(text))
        return 0 < len(text) <= JUDGED_CHARS and bool(spoken) and all(w in _YES or w in _PARTING for w in spoken)


def _sentences(text: str, most: int = JUDGED_CHARS) -> list[str]:
    return [each for each in re.split(r"(?<=[.?!])\s+", _plain(text, most)) if each]


def _plain(text: str, most: int = JUDGED_CHARS) -> str:
    """The last characters of a text in the form in which all of it is compared. most: how many."""
    text = text[-most:].replace("’", "'").lower()
    text = re.sub(r"\b([ap])\. ?m\b\.?", r"\1m", text)
    text = re.sub(r"(?<=\d)([ap])m\b", r" \1m", text)
    return re.sub(r"(?<=[a-z])[-–](?=[a-z])", " ", text)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    for match in _TOKEN.finditer(_plain(text)):
        token = _token(match)
        before = tokens[-1] if tokens else _NOTHING
        # "twenty six", "twenty sixth"
        if token.number in range(1, 10) and not match["number"] and before.text in _TENS:
            number = _TENS[before.text] + (token.number or 0)
            tokens[-1] = _Token(str(number), number, token.ordinal)
        else:
            tokens.append(token)
    # Written in digits it stays as it is: "007" is not "7", where "seven" is.
    return [
        token if token.number is None or token.text.isdigit() else replace(token, text=str(token.number))
        for token in tokens
    ]


def _token(match: re.Match[str]) -> _Token:
    text = match[0]
    if match["row"]:
        return _PHRASE
    if match["iso"]:
        try:
            return _Token(text, iso=date.fromisoformat(text))
        except ValueError:
            return _Token(text)
    if match["clock"]:
        hour, minute = map(int, re.split("[:.]", text))
        return _Token(f"{hour}:{minute:02}", clock=hour * 60 + minute if hour < 25 and minute < 60 else None)
    if match["number"]:
        return _Token(text, int(match["number"]) if len(text) < 10 else None, bool(match["nth"]))
    if text in _ORDINALS:
        return _Token(text, _ORDINALS[text], ordinal=True)
    return _Token(text, _NUMBERS.get(text))


# --- days ---


def _dates(tokens: list[_Token], today: date) -> list[tuple[int, int, frozenset[date]]]:
    """Each named day: its first token, the token after its last, and the dates that it may mean."""
    found: list[tuple[int, int, frozenset[date]]] = []
    at = 0
    while at < len(tokens):
        part, end = _day_at(tokens, at, today)
        if part is None:
            at += 1
            continue
        first, day = at, part
        while True:  # "tomorrow, Thursday the 26th" is one day
            start = _after_glue(tokens, end)
            more, more_end = _day_at(tokens, start, today, after=day)
            joined = day.with_(more) if more is not None else None
            if joined is None:
                break
            day, end = joined, more_end
        found.append((first, end, day.meant(today)))
        at = end
    return found


def _after_glue(tokens: list[_Token], at: int) -> int:
    while _get(tokens, at).text in (",", "the", "on", "of", "that", "is", "which", "that's"):
        at += 1
    return at


def _get(tokens: list[_Token], at: int) -> _Token:
    return tokens[at] if 0 <= at < len(tokens) else _NOTHING


def _texts(tokens: list[_Token], at: int, count: int) -> tuple[str, ...]:
    return tuple(_get(tokens, at + step).text for step in range(count))


def _day_at(tokens: list[_Token], at: int, today: date, after: _Day | None = None) -> tuple[_Day | None, int]:
    """Read a part of a day at a token: the part, and the token after it. after: the day's parts that precede it."""
    token = _get(tokens, at)
    if token.iso is not None:
        return _Day(exact=token.iso), at + 1
    for read in (_relative, _ahead, _weekday, _of_month):
        if (day := read(tokens, at, today)) is not None:
            return day
    if token.number is not None and 1 <= token.number <= 31 and after is not None and after.day is None:
        clear = token.ordinal or (token.number > 24 and not _counts(_get(tokens, at + 1)))
        return (_Day(day=token.number), at + 1) if clear else (None, at)
    if token.ordinal and _get(tokens, at - 1).text == "the" and not _counts(_get(tokens, at + 1)):
        return (_Day(day=token.number), at + 1) if (token.number or 0) <= 31 else (None, at)
    return None, at


def _counts(following: _Token) -> bool:
    """Whether a number before this word counts things: "the second appointment"."""
    return not following.is_mark and following.text not in _FREE and following.clock is None and not following.number


def _relative(tokens: list[_Token], at: int, today: date) -> tuple[_Day, int] | None:
    if _texts(tokens, at, 3) == ("day", "after", "tomorrow"):
        return _Day(exact=today + timedelta(days=2)), at + 3
    match _texts(tokens, at, 2):
        case ("tomorrow", "week"):
            return _Day(exact=today + timedelta(days=8)), at + 2
        case ("tomorrow", _):
            return _Day(exact=today + timedelta(days=1)), at + 1
        case ("today" | "tonight", _):
            return _Day(exact=today), at + 1
        case ("this", "morning" | "afternoon" | "evening"):
            return _Day(exact=today), at + 1  # "morning" is left for the time
        case _:
            return None


def _ahead(tokens: list[_Token], at: int, today: date) -> tuple[_Day, int] | None:
    """Read "in two days", "a week from today"."""
    start = at + (_get(tokens, at).text == "in")
    token = _get(tokens, start)
    count = 1 if token.text in ("a", "an") else token.number
    unit = {"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14}.get(_get(tokens, start + 1).text)
    if count is None or unit is None or count > 400:
        return None
    end = start + 2
    if start > at:
        return _Day(exact=today + timedelta(days=count * unit)), end
    if _get(tokens, end).text == "from" and (base := _get(tokens, end + 1).text) in ("now", "today", "tomorrow"):
        return _Day(exact=today + timedelta(days=count * unit + (base == "tomorrow"))), end + 2
    return None


def _weekday(tokens: list[_Token], at: int, today: date) -> tuple[_Day, int] | None:
    start = at + (_get(tokens, at).text in ("next", "this", "coming"))
    text = _get(tokens, start).text
    if text not in WEEKDAYS:
        return None
    weeks: int | None = None if _get(tokens, at).text == "next" else 0
    end = start + 1
    if _texts(tokens, end, 2) == ("next", "week"):
        weeks, end = 1, end + 2
    elif _get(tokens, end).text == "week":
        weeks, end = 1, end + 1
    return _Day(weekday=WEEKDAYS.index(text), weeks=weeks), end


def _of_month(tokens: list[_Token], at: int, today: date) -> tuple[_Day, int] | None:
    start = at + (_get(tokens, at).text == "the")
    token = _get(tokens, start)
    if token.number is not None and _get(tokens, at - 1).text != "at":  # "26 November", "the 26th of November"
        at_month = start + 1 + (_get(tokens, start + 1).text == "of")
        if (month := _get(tokens, at_month).text) in MONTHS:
            return _year(_Day(day=token.number, month=MONTHS.index(month) + 1), tokens, at_month + 1, today)
    if start == at and token.text in MONTHS:  # "November 26", "November the 26th"
        day = start + 1 + (_get(tokens, start + 1).text == "the")
        if (number := _get(tokens, day).number) is not None:
            return _year(_Day(day=number, month=MONTHS.index(token.text) + 1), tokens, day + 1, today)
    return None


def _year(day: _Day, tokens: list[_Token], at: int, today: date) -> tuple[_Day, int]:
    """Add the year that may follow: "2026", "twenty twenty six"."""
    at_year = at + (_get(tokens, at).text == ",")
    first, second = _get(tokens, at_year).number, _get(tokens, at_year + 1).number
    if first is not None and 1900 <= first < 2200:
        return replace(day, year=first), at_year + 1
    # Only this year and the next: "twenty thirty" is more likely 20:30 than a year.
    if first == 20 and second is not None and 2000 + second in (today.year, today.year + 1):
        return replace(day, year=2000 + second), at_year + 2
    return day, at


# --- times of day ---


def _times(tokens: list[_Token]) -> list[tuple[int, int, frozenset[time]]]:
    """Each named time: its first token, the token after its last, and the times that it may mean.

    An hour up to twelve means both halves of the day, unless one half is named.
    """
    halves = {_PARTS[tokens[at].text] for at in _parts(tokens)}
    of_the_day = halves.pop() if len(halves) == 1 else ""
    found: list[tuple[int, int, frozenset[time]]] = []
    at = 0
    hours = any(token.text in ("open", "opening", "hours") for token in tokens)
    while at < len(tokens):
        if hours and (end := _range(tokens, at)):  # opening hours are not an appointment's time
            at = end
            continue
        read = _time_at(tokens, at)
        if read is None:
            at += 1
            continue
        minutes, half, end = read
        found.append((at, end, _of_day(minutes, half or of_the_day)))
        at = end
    return found


def _parts(tokens: list[_Token]) -> list[int]:
    """Where a part of the day is named."""
    return [at for at, token in enumerate(tokens) if token.text in _PARTS and _get(tokens, at - 1).text != "good"]


def _of_day(minutes: int, half: str) -> frozenset[time]:
    """The times that may be meant. minutes: past midnight, as named. half: "am", "pm", or "" if not named."""
    hour, minute = divmod(minutes % (24 * 60), 60)
    if minutes >= 13 * 60 or hour == 0 or minutes == 24 * 60:
        return frozenset({time(hour, minute)})
    morning, evening = time(hour % 12, minute), time(hour % 12 + 12, minute)
    return frozenset({"am": {morning}, "pm": {evening}}.get(half, {morning, evening}))


def _time_at(tokens: list[_Token], at: int) -> tuple[int, str, int] | None:
    """Read a time at a token: minutes past midnight as named, "am", "pm" or "", and the token after it."""
    token = _get(tokens, at)
    if token.text in ("noon", "midday", "midnight"):
        return (0, "am", at + 1) if token.text == "midnight" else (12 * 60, "pm", at + 1)
    if (to_or_past := _to_or_past(tokens, at)) is not None:
        return to_or_past
    if token.clock is not None:
        return _half(tokens, token.clock, at + 1)
    if token.number is None or token.ordinal:
        return None
    return _hour(tokens, token.number, at) if token.number <= 24 else _written_together(tokens, token, at)


def _written_together(tokens: list[_Token], token: _Token, at: int) -> tuple[int, str, int] | None:
    """Read "at 1030"."""
    hour, minute = divmod(token.number or 0, 100)
    if len(token.text) not in (3, 4) or hour >= 24 or minute >= 60 or not _is_at(tokens, at):
        return None
    return _half(tokens, hour * 60 + minute, at + 1)


def _hour(tokens: list[_Token], hour: int, at: int) -> tuple[int, str, int] | None:
    """Read an hour, with its minutes if any follow."""
    following, units = _get(tokens, at + 1), _get(tokens, at + 2).number
    if following.text in ("noon", "midday") and hour == 12:
        return 12 * 60, "pm", at + 2
    if following.text in ("oh", "o", "0") and units is not None and 1 <= units <= 9:
        return _half(tokens, hour * 60 + units, at + 3)
    minute = following.number
    if minute is not None and 10 <= minute < 60 and not following.ordinal and hour < 24:
        return _half(tokens, hour * 60 + minute, at + 2)
    minutes, half, end = _half(tokens, hour * 60, at + 1)
    is_hour = half or following.text in _O_CLOCK or (_is_at(tokens, at) and not _counts(following))
    return (minutes, half, end) if is_hour else None


def _is_at(tokens: list[_Token], at: int) -> bool:
    """Whether a bare number at this token can be a time: "at ten", "tomorrow, ten"."""
    before = _get(tokens, at - 1 - (_get(tokens, at - 1).text == ","))
    return before.text in _AT or before is _VALUE


def _half(tokens: list[_Token], minutes: int, at: int) -> tuple[int, str, int]:
    """Add what may follow a time: "am", "pm", "in the morning", "at night", "o'clock"."""
    at += _get(tokens, at).text in _O_CLOCK
    if _get(tokens, at).text in ("am", "pm"):
        return minutes, _get(tokens, at).text, at + 1
    skipped = at
    while _get(tokens, skipped).text in ("in", "the", "at", "#", "this"):
        skipped += 1
    if (part := _PARTS.get(_get(tokens, skipped).text)) is not None:
        return minutes, part, skipped + 1
    return minutes, "", at


def _to_or_past(tokens: list[_Token], at: int) -> tuple[int, str, int] | None:
    """Read "half past ten", "quarter to eleven", "ten minutes past nine"."""
    at += _get(tokens, at).text == "a"
    token = _get(tokens, at)
    minute = {"half": 30, "quarter": 15}.get(token.text, token.number)
    if minute is None or minute >= 60 or token.ordinal:
        return None
    way = at + 1 + (_get(tokens, at + 1).text in ("minutes", "minute"))
    hour = _get(tokens, way + 1)
    if token.text == "half" and (bare := _get(tokens, at + 1).number) is not None and bare <= 12:  # "half ten"
        return _half(tokens, bare * 60 + 30, at + 2)
    face = 12 if hour.text in ("noon", "midday", "midnight") else hour.number
    if face is None or not 0 < face <= 24 or hour.ordinal:
        return None
    if _get(tokens, way).text in ("past", "after"):
        return _half(tokens, face * 60 + minute, way + 2)
    if _get(tokens, way).text in ("to", "before", "till", "of"):
        return _half(tokens, face * 60 - minute, way + 2)
    return None


def _range(tokens: list[_Token], at: int) -> int:
    """The token after "nine to five", "from 9:00 until 17:00"; 0 if no such range begins here."""

    def bare(at: int) -> int:
        token = _get(tokens, at)
        if token.clock is None and (token.number is None or token.number > 24 or token.ordinal):
            return 0
        return _half(tokens, 0, at + 1)[2]

    if (end := bare(at)) and _get(tokens, end).text in ("to", "until", "till", "and"):
        return bare(end + 1)
    return 0


# --- a text as values and other words ---


# A row of digits that is a value of its own, a telephone number or a code: shorter ones may be part of a day or a time.
_ROW = re.compile(r"[+\d][\d ]{3,}")
_DIGIT_WORDS = {**{word: str(number) for word, number in zip(_UNITS[:10], range(10), strict=True)}, "oh": "0", "o": "0"}
_TIMES_SAID = {"double": 2, "triple": 3}


def _without_rows(text: str, phrases: Sequence[str]) -> tuple[str, frozenset[str]]:
    """The text with a sign for each row of digits among the phrases, in whatever groups it is said; those found."""
    text = text.replace(_SIGN, " ")
    rows = {phrase: re.sub(r"\D", "", phrase) for phrase in phrases if _ROW.fullmatch(phrase)}
    if not rows:
        return text, frozenset()
    found: set[str] = set()

    def sign(match: re.Match[str]) -> str:
        said = _digits_of(match[0])
        named = {phrase for phrase, row in rows.items() if row == said}
        found.update(named)
        return f" {_SIGN} " if named else match[0]

    word = "|".join((*_DIGIT_WORDS, *_TIMES_SAID))
    spoken = re.sub(rf"(?:\+|\b)(?:\d+|(?:{word})\b)(?:[\s,.\-–/]+(?:\d+|(?:{word})\b)|\d+)*", sign, text.lower())
    return (spoken if found else text), frozenset(found)


def _digits_of(text: str) -> str:
    """The digits of a row as it is said: "triple five, oh one" is 55501."""
    found, times = "", 1
    for word in re.findall(r"[a-z]+|\d", text):
        if word in _TIMES_SAID:
            times = _TIMES_SAID[word]
        else:
            found, times = found + _DIGIT_WORDS.get(word, word) * times, 1
    return found


def _read(text: str, today: date, phrases: Sequence[str]) -> Reading:
    text, rows = _without_rows(text, phrases)
    phrases = [phrase for phrase in phrases if phrase not in rows]
    tokens = _expanded(text)
    worded = {phrase: tuple(token.text for token in _expanded(phrase) if not token.is_mark) for phrase in phrases}
    # A name may hold the name of a day, a day may hold the number of something: in this order.
    numbers = {phrase: words for phrase, words in worded.items() if all(word.isdigit() for word in words)}
    named = {phrase for phrase in sorted(worded, key=len, reverse=True) if phrase not in numbers
             and _take(tokens, _places(tokens, worded[phrase]), _PHRASE)}  # fmt: skip
    dates = _dates(tokens, today)
    _take(tokens, dates)
    times = _times(tokens)
    if times and len({_PARTS[tokens[at].text] for at in _parts(tokens)}) == 1:  # "tomorrow morning at ten"
        _take(tokens, [(at, at + 1, None) for at in _parts(tokens)])
    _take(tokens, times)
    named |= {
        phrase for phrase, words in numbers.items() if not words or _take(tokens, _places(tokens, words), _PHRASE)
    }
    words = " ".join(token.text for token in tokens if not token.is_mark or token.text == "?")
    rest = re.sub(r"#(?: #)+", "#", words)
    return Reading([found for *_, found in dates], [found for *_, found in times], frozenset(named) | rows, rest)


def _expanded(text: str) -> list[_Token]:
    """The tokens of a text with "it is" for "it's"."""
    plain = _plain(text)
    for short, long in (("s", "is"), ("ll", "will"), ("d", "would"), ("re", "are"), ("m", "am"), ("ve", "have")):
        plain = re.sub(rf"(?<=\w)'{short}\b", f" {long}", plain)
    return _tokens(plain)


def _places(tokens: list[_Token], words: tuple[str, ...]) -> list[tuple[int, int, None]]:
    """Where these words stand, whatever marks are between them."""
    at = [index for index, token in enumerate(tokens) if not token.is_mark]
    found = [
        (at[first], at[first + len(words) - 1] + 1, None)
        for first in range(len(at) - len(words) + 1)
        if words and all(tokens[at[first + step]].text == word for step, word in enumerate(words))
    ]
    return [each for index, each in enumerate(found) if not index or each[0] >= found[index - 1][1]]


def _take(tokens: list[_Token], spans: Sequence[tuple[int, int, object]], sign: _Token = _VALUE) -> bool:
    """Replace the tokens of values that have been read. Whether there were any."""
    for first, end, _ in spans:
        tokens[first:end] = [sign] * (end - first)
    return bool(spans)


# --- what a caller answers ---

# Phrases that speech recognisers were seen to write for noise alone.
_IMAGINED = frozenset({"thank you for watching", "thanks for watching", "you", "bye bye bye", "subtitles by"})
_YES = frozenset({
    "yes", "yeah", "yep", "yup", "yea", "yah", "yo", "aye", "sure", "ok", "okay", "okey", "right", "correct", "exactly",
    "absolutely", "definitely", "certainly", "perfect", "fine", "good", "great", "lovely", "please", "affirmative",
    "agreed", "alright", "indeed", "mhm", "mmhmm", "ja", "oui", "si"
})  # fmt: skip
_PARTING = frozenset({
    "thanks", "thank", "you", "very", "much", "so", "cheers", "bye", "goodbye", "see", "ya", "later", "soon", "have",
    "a", "nice", "day", "evening", "weekend", "and", "too", "then", "that's", "that", "is", "all", "it", "well",
    "wonderful", "brilliant", "excellent", "for", "your", "help", "kind", "of", "take", "care"
})  # fmt: skip


def _spoken(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", text)
    return english_consent.heard_words(" ".join(words)).split()
