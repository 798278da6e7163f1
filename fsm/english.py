"""The English that is needed to judge consent: days, times of day, and what is said beside them.

It parses transcripts of the bot, which may paraphrase, and of the caller: digits and number words, "half past ten",
"Thursday the 26th", "tomorrow". A wording it does not know counts as not said; the read-back is then repeated word for
word.
May import: fsm, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType

from fsm import english_claims, english_consent
from fsm.claims import Claim, Deed, Statement
from fsm.consent import JUDGED_CHARS
from fsm.days import Day
from fsm.reading import WordReader, year_at
from fsm.tokens import NOTHING, PHRASE, Token, clock_token, counts, day_token, get, is_at, texts

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
_DIGIT_WORDS = MappingProxyType({
    **{word: str(number) for number, word in enumerate(_UNITS[:10])}, "oh": "0", "o": "0"
})  # fmt: skip
# A weekday after one of these is not the next one.
_NOT_TO_COME = frozenset({"last", "past", "previous", "every", "each"})
_PARTS = {"morning": "am", "afternoon": "pm", "evening": "pm", "night": "pm", "tonight": "pm"}
# A number before one of these words may be a time ("at ten, please"); before another it counts things ("ten people").
_FREE = frozenset({
    "please", "at", "on", "in", "would", "will", "is", "was", "if", "and", "or", "then", "for", "around", "about",
    "instead", "sharp", "today", "tomorrow", "tonight", "this", "next", "thanks", "thank", "because", "suits",
    "should", "could", "can", "but", "to", "not", "from", "with", "right", "ok", "okay", "shall", "do", "that",
    "the", "as", "it", "i", "now", "under", "booked", "cancelled", "canceled", "moved", "reserved", "correct", "so",
    "works", "which", "mr", "mrs", "ms", "be", "you", "we", "yes", "no"
}) | frozenset(WEEKDAYS)  # fmt: skip
_AT = frozenset({"at", "around", "about", "by", "for", "to", "make", "it", "until", "till", "before", "after", "say"})

_O_CLOCK = ("o'clock", "oclock")
_TOKEN = re.compile(
    r"(?P<iso>\d{4}-\d{2}-\d{2})|(?P<clock>\d{1,2}[:.]\d{2}(?!\d|[.:]\d))|(?P<number>\d+)(?P<nth>(?:st|nd|rd|th)\b)?"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)?)|(?P<mark>[.,;:?!])|(?P<row>\ue000)"
)


def _plain(text: str, most: int) -> str:
    text = text[-most:].replace("’", "'").lower()
    text = re.sub(r"\b([ap])\. ?m\b\.?", r"\1m", text)
    text = re.sub(r"(?<=\d)([ap])m\b", r" \1m", text)
    return re.sub(r"(?<=[a-z])[-–](?=[a-z])", " ", text)


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(_plain(text, JUDGED_CHARS)):
        token = _token(match)
        before = tokens[-1] if tokens else NOTHING
        # "twenty six", "twenty sixth"
        if token.number in range(1, 10) and not match["number"] and before.text in _TENS:
            number = _TENS[before.text] + (token.number or 0)
            tokens[-1] = Token(str(number), number, token.ordinal)
        else:
            tokens.append(token)
    # Written in digits it stays as it is: "007" is not "7", where "seven" is.
    return [
        token if token.number is None or token.text.isdigit() else replace(token, text=str(token.number))
        for token in tokens
    ]


def _token(match: re.Match[str]) -> Token:
    text = match[0]
    if match["row"]:
        return PHRASE
    if match["iso"]:
        return day_token(text)
    if match["clock"]:
        hour, minute = map(int, re.split("[:.]", text))
        return clock_token(hour, minute)
    if match["number"]:
        return Token(text, int(match["number"]) if len(text) < 10 else None, bool(match["nth"]))
    if text in _ORDINALS:
        return Token(text, _ORDINALS[text], ordinal=True)
    return Token(text, _NUMBERS.get(text))


# --- days ---


def _day_at(tokens: list[Token], at: int, today: date, after: Day | None) -> tuple[Day | None, int]:
    token = get(tokens, at)
    if token.iso is not None:
        return Day(exact=token.iso), at + 1
    for read in (_relative, _ahead, _weekday, _of_month):
        if (day := read(tokens, at, today)) is not None:
            return day
    if token.number is not None and 1 <= token.number <= 31 and after is not None and after.day is None:
        clear = token.ordinal or (token.number > 24 and not counts(get(tokens, at + 1), _FREE))
        return (Day(day=token.number), at + 1) if clear else (None, at)
    if token.ordinal and get(tokens, at - 1).text == "the" and not counts(get(tokens, at + 1), _FREE):
        return (Day(day=token.number), at + 1) if (token.number or 0) <= 31 else (None, at)
    return None, at


def _relative(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    if texts(tokens, at, 3) == ("day", "after", "tomorrow"):
        return Day(exact=today + timedelta(days=2)), at + 3
    match texts(tokens, at, 2):
        case ("tomorrow", "week"):
            return Day(exact=today + timedelta(days=8)), at + 2
        case ("tomorrow", _):
            return Day(exact=today + timedelta(days=1)), at + 1
        case ("today" | "tonight", _):
            return Day(exact=today), at + 1
        case ("this", "morning" | "afternoon" | "evening"):
            return Day(exact=today), at + 1  # "morning" is left for the time
        case _:
            return None


def _ahead(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    """Read "in two days", "a week from today"."""
    start = at + (get(tokens, at).text == "in")
    token = get(tokens, start)
    count = 1 if token.text in ("a", "an") else token.number
    unit = {"day": 1, "days": 1, "week": 7, "weeks": 7, "fortnight": 14}.get(get(tokens, start + 1).text)
    if count is None or unit is None or count > 400:
        return None
    end = start + 2
    if start > at:
        return Day(exact=today + timedelta(days=count * unit)), end
    if get(tokens, end).text == "from" and (base := get(tokens, end + 1).text) in ("now", "today", "tomorrow"):
        return Day(exact=today + timedelta(days=count * unit + (base == "tomorrow"))), end + 2
    return None


def _weekday(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    start = at + (get(tokens, at).text in ("next", "this", "coming"))
    text = get(tokens, start).text
    if text not in WEEKDAYS or _is_none_to_come(tokens, start):
        return None
    weeks: int | None = None if get(tokens, at).text == "next" else 0
    end = start + 1
    if texts(tokens, end, 2) == ("next", "week"):
        weeks, end = 1, end + 2
    elif get(tokens, end).text == "week":
        weeks, end = 1, end + 1
    return Day(weekday=WEEKDAYS.index(text), weeks=weeks), end


def _is_none_to_come(tokens: list[Token], at: int) -> bool:
    """Whether a weekday is none to come: "last Friday", "last week on Friday", "Friday of last week"."""
    before = at - (get(tokens, at - 1).text == "on")
    after = at + 1 + (get(tokens, at + 1).text == "of")
    return (
        get(tokens, at - 1).text in _NOT_TO_COME
        or (get(tokens, before - 2).text in _NOT_TO_COME and get(tokens, before - 1).text == "week")
        or (get(tokens, after).text in _NOT_TO_COME and get(tokens, after + 1).text == "week")
    )


def _of_month(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    start = at + (get(tokens, at).text == "the")
    token = get(tokens, start)
    if token.number is not None and get(tokens, at - 1).text != "at":  # "26 November", "the 26th of November"
        at_month = start + 1 + (get(tokens, start + 1).text == "of")
        if (month := get(tokens, at_month).text) in MONTHS:
            return _year(Day(day=token.number, month=MONTHS.index(month) + 1), tokens, at_month + 1, today)
    if start == at and token.text in MONTHS:  # "November 26", "November the 26th"
        day = start + 1 + (get(tokens, start + 1).text == "the")
        if (number := get(tokens, day).number) is not None:
            return _year(Day(day=number, month=MONTHS.index(token.text) + 1), tokens, day + 1, today)
    return None


def _year(day: Day, tokens: list[Token], at: int, today: date) -> tuple[Day, int]:
    """Add the year that may follow: "2026", "twenty twenty six"."""
    year, end = year_at(tokens, at + (get(tokens, at).text == ","), today)
    return (day, at) if year is None else (replace(day, year=year), end)


# --- times of day ---


def _hour(tokens: list[Token], hour: int, at: int) -> tuple[int, str, int] | None:
    """Read an hour, with its minutes if any follow."""
    following, units = get(tokens, at + 1), get(tokens, at + 2).number
    if following.text in ("noon", "midday") and hour == 12:
        return 12 * 60, "pm", at + 2
    if following.text in ("oh", "o", "0") and units is not None and 1 <= units <= 9:
        return _half(tokens, hour * 60 + units, at + 3)
    minute = following.number
    if minute is not None and 10 <= minute < 60 and not following.ordinal and hour < 24:
        return _half(tokens, hour * 60 + minute, at + 2)
    minutes, half, end = _half(tokens, hour * 60, at + 1)
    is_hour = half or following.text in _O_CLOCK or (is_at(tokens, at, _AT) and not counts(following, _FREE))
    return (minutes, half, end) if is_hour else None


def _half(tokens: list[Token], minutes: int, at: int) -> tuple[int, str, int]:
    """Add what may follow a time: "am", "pm", "in the morning", "at night", "o'clock"."""
    at += get(tokens, at).text in _O_CLOCK
    if get(tokens, at).text in ("am", "pm"):
        return minutes, get(tokens, at).text, at + 1
    skipped = at
    while get(tokens, skipped).text in ("in", "the", "at", "#", "this"):
        skipped += 1
    if (part := _PARTS.get(get(tokens, skipped).text)) is not None:
        return minutes, part, skipped + 1
    return minutes, "", at


def _to_or_past(tokens: list[Token], at: int) -> tuple[int, str, int] | None:
    """Read "half past ten", "quarter to eleven", "ten minutes past nine"."""
    at += get(tokens, at).text == "a"
    token = get(tokens, at)
    minute = {"half": 30, "quarter": 15}.get(token.text, token.number)
    if minute is None or minute >= 60 or token.ordinal:
        return None
    way = at + 1 + (get(tokens, at + 1).text in ("minutes", "minute"))
    hour = get(tokens, way + 1)
    if token.text == "half" and (bare := get(tokens, at + 1).number) is not None and bare <= 12:  # "half ten"
        return _half(tokens, bare * 60 + 30, at + 2)
    face = 12 if hour.text in ("noon", "midday", "midnight") else hour.number
    if face is None or not 0 < face <= 24 or hour.ordinal:
        return None
    if get(tokens, way).text in ("past", "after"):
        return _half(tokens, face * 60 + minute, way + 2)
    if get(tokens, way).text in ("to", "before", "till", "of"):
        return _half(tokens, (13 if face == 1 else face) * 60 - minute, way + 2)
    return None


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
    "wonderful", "brilliant", "excellent", "for", "your", "help", "kind", "of", "take", "care",
    "lot", "afternoon", "sounds", "would", "be"
})  # fmt: skip
# Words of which no language but English has its own.
_COMMON = frozenset({
    "the", "is", "at", "for", "your", "you", "my", "i", "it", "and", "yes", "please", "shall", "of", "to", "that",
    "have", "has", "been", "booked", "tomorrow", "with", "right", "appointment", "would", "are", "this", "no"
})  # fmt: skip


class English(WordReader):
    """English as callers and models say it."""

    glue = frozenset({"the", "on", "of", "that", "is", "which", "that's"})
    opening = frozenset({"open", "opening", "hours"})
    before_times = _AT
    until = frozenset({"to", "until", "till", "and"})
    digit_words = _DIGIT_WORDS
    times_said = MappingProxyType({"double": 2, "triple": 3})
    imagined = _IMAGINED
    assent = _YES
    parting_words = _PARTING
    staying = re.compile(
        r"\b(?:i'll|i will|i can|i'm happy to|i am happy to|i'm|i am|we'll|we will|we can)"
        r" (?:(?:just|happily|gladly) )?(?:wait|waiting|hold|holding|stay on)(?: (?:on|here|on the line|the line))?\b"
        r"|\b(?:same to you|talk to you (?:later|soon)|have a good one|i appreciate (?:it|that|your help))\b"
    )
    noes = frozenset({"no", "nope", "nah"})
    common = _COMMON
    noting = frozenset({"noted", "recorded", "entered", "written", "taken", "put"})
    asks_back = re.compile(
        r"^(?:and )?(?:(?:is|was) (?:that|this|it|everything) (?:all )?|all )?(?:right|correct|okay|ok)\b.*\?"
        r"|^did i get"
    )

    def plain(self, text: str, most: int = JUDGED_CHARS) -> str:
        return _plain(text, most)

    def expanded(self, text: str) -> str:
        for short, long in (("s", "is"), ("ll", "will"), ("d", "would"), ("re", "are"), ("m", "am"), ("ve", "have")):
            text = re.sub(rf"(?<=\w)'{short}\b", f" {long}", text)
        return text

    def tokens(self, text: str) -> list[Token]:
        return _tokens(text)

    def day_at(self, tokens: list[Token], at: int, today: date, after: Day | None) -> tuple[Day | None, int]:
        return _day_at(tokens, at, today, after)

    def named_time(self, tokens: list[Token], at: int) -> tuple[int, str, int] | None:
        match get(tokens, at).text:
            case "noon" | "midday":
                return 12 * 60, "pm", at + 1
            case "midnight":
                return 0, "am", at + 1
            case _:
                return _to_or_past(tokens, at)

    def hour_at(self, tokens: list[Token], at: int, hour: int) -> tuple[int, str, int] | None:
        return _hour(tokens, hour, at)

    def with_part(self, tokens: list[Token], minutes: int, at: int) -> tuple[int, str, int]:
        return _half(tokens, minutes, at)

    def parts(self, tokens: list[Token]) -> list[tuple[int, str]]:
        named = ((at, _PARTS[token.text]) for at, token in enumerate(tokens) if token.text in _PARTS)
        return [(at, part) for at, part in named if get(tokens, at - 1).text != "good"]

    def heard_words(self, text: str) -> str:
        return english_consent.heard_words(text)

    def claims_in(self, sentence: str) -> Iterator[Claim]:
        return english_claims.claims_in(sentence)

    def statements_in(self, sentence: str) -> Iterator[Statement]:
        return english_claims.statements_in(sentence)

    def denial(self, deeds: frozenset[Deed]) -> str:
        return english_claims.denial(deeds)

    def reads_back(self, said: str, own: str, *, after_others: bool) -> bool:
        return english_consent.reads_back(said, own, after_others=after_others)

    def agrees(self, said: str, own: str | None) -> bool:
        return english_consent.agrees(said, own)

    def declines(self, said: str) -> bool:
        return english_consent.declines(said)

    def hesitates(self, said: str) -> bool:
        return english_consent.hesitates(said)
