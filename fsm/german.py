"""The German that is needed to judge consent: days, times of day, and what is said beside them.

As fsm/english.py: "halb elf", "Viertel vor zehn", "Donnerstag, den 26.", "morgen früh". Transcripts write umlauts in
either way, so all is compared in letters without them ("fuer"). What only a part of the country understands counts as
not said: "Viertel elf", "in acht Tagen".
May import: fsm, the standard library.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time, timedelta
from types import MappingProxyType

from fsm import german_claims, german_consent
from fsm.claims import Claim, Deed, Statement
from fsm.consent import JUDGED_CHARS
from fsm.days import Day
from fsm.german_numbers import cardinal, folded, ordinal, written_below_100
from fsm.reading import WordReader, year_at
from fsm.tokens import NOTHING, PHRASE, Token, clock_token, counts, day_token, get, is_at, texts

_DAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
_WEEKDAYS = {**{name: number for number, name in enumerate(_DAYS)}, "sonnabend": 5}
_MONTH_NAMES = (
    "januar", "februar", "maerz", "april", "mai", "juni",
    "juli", "august", "september", "oktober", "november", "dezember",
)  # fmt: skip
_MONTHS = {
    **{name: number for number, name in enumerate(_MONTH_NAMES, start=1)},
    # Austria's names, and what is said on the telephone, where Juni and Juli are near to each other.
    "jaenner": 1, "feber": 2, "marz": 3, "juno": 6, "julei": 7,
    "jan": 1, "feb": 2, "mrz": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sept": 9, "sep": 9, "okt": 10, "nov": 11,
    "dez": 12,
}  # fmt: skip
_PARTS = {
    "morgens": "am", "frueh": "am", "vormittag": "am", "vormittags": "am", "mittag": "noon", "mittags": "noon",
    "nachmittag": "pm", "nachmittags": "pm", "abend": "evening", "abends": "evening", "nacht": "night",
    "nachts": "night",
}  # fmt: skip
_GREETING = frozenset({"guten", "gute", "schoenen", "schoene"})
_TOO = frozenset({"zu", "so", "sehr"})
# "morgen" after one of these is the morning, and tomorrow after anything else.
_MORNING_AFTER = frozenset({"am", "jeden", "diesen", "heute", "gestern", "morgen", "uebermorgen"})
# A number before one of these words may be a time ("um zehn, bitte"); before another it counts things ("zehn Leute").
_FREE = frozenset({
    "bitte", "um", "am", "im", "in", "an", "auf", "fuer", "ist", "war", "waere", "wuerde", "wird", "passt", "geht",
    "ginge", "und", "oder", "dann", "ja", "nein", "nee", "nicht", "wenn", "soll", "sollte", "kann", "koennte", "aber",
    "von", "vom", "bis", "zum", "zu", "nach", "mit", "danke", "gern", "gerne", "genau", "richtig", "stimmt", "ok",
    "okay", "heute", "morgen", "uebermorgen", "uhr", "also", "ich", "es", "das", "der", "die", "den", "er", "sie",
    "wir", "mir", "uns", "habe", "haben", "hat", "moechte", "als", "weil", "statt", "lieber", "doch", "noch", "frei",
    "moeglich", "ab", "ein", "einen", "eine", "gebucht", "eingetragen", "abgesagt", "reserviert", "vorgemerkt",
    "storniert", "verlegt", "verschoben", "umgebucht", "buchen", "buche", "reservieren", "eintragen", "vereinbaren",
    "ausmachen", "festmachen", "vormerken", "absagen", "stornieren", "loeschen", "streichen", "verlegen", "verschieben",
    "umbuchen", "aendern", "legen", "kommen", "herr", "herrn", "frau", "name", "unter", "bei", "so", "jetzt",
    "einverstanden", "korrekt", "viertel", "halb", "#"
}) | _WEEKDAYS.keys() | _PARTS.keys() | _MONTHS.keys()  # fmt: skip
_AT = frozenset({
    "um", "gegen", "ab", "bis", "vor", "nach", "auf", "von", "ca", "circa", "zirka", "so", "etwa", "ungefaehr", "wir",
    "lieber", "doch"
})  # fmt: skip
_ON = frozenset({"am", "den", "dem", "der", "zum", "vom"})
_ONE = frozenset({"ein", "eine", "einer", "einem", "einen", "1"})
_NEXT = re.compile("naechste[nrms]?")
_COMING = re.compile("(?:kommende|diese)[nrms]?")
# A weekday after one of these is not the next one.
_NO_COMING = re.compile(r"(?:uebernaechste|letzte|vorige|vergangene|jede)[nrms]?")
_PAST = re.compile(r"(?:letzte|vorige|vergangene)[nrms]?")
_WEEKS = {"diese": 0, "dieser": 0, "naechste": 1, "naechster": 1, "naechsten": 1, "kommende": 1, "kommender": 1,
          "kommenden": 1, "uebernaechste": 2, "uebernaechster": 2, "uebernaechsten": 2}  # fmt: skip
_DAYS_AHEAD = {"tag": 1, "tage": 1, "tagen": 1, "woche": 7, "wochen": 7}
_AMBIGUOUS_DAYS = 8  # "in acht Tagen" is in a week

_TOKEN = re.compile(
    r"(?P<iso>\d{4}-\d{2}-\d{2})"
    r"|(?P<dotted>(?P<of>0?[1-9]|[12]\d|3[01])\. ?(?P<month>0?[1-9]|1[0-2])\."
    r"(?: ?(?P<year>\d{4}|\d{2})(?![\d:.]))?)(?!\d)"
    r"|(?P<clock>\d{1,2}[:.]\d{2}(?!\d|[.:]\d))|(?P<number>\d+)(?P<nth>\.(?!\d))?"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)?)|(?P<mark>[.,;:?!])|(?P<row>\ue000)"
)
_DAY_WITH_PART = re.compile(
    rf"\b({'|'.join(_WEEKDAYS)})(frueh|morgen|vormittag|mittag|nachmittag|abend|nacht)\b"
)  # fmt: skip
_BREAK = re.compile(r"(?<=[.?!])\s+")
_ORDINAL_END = re.compile(r"(?<![\d:.,])\d{1,2}\.$")
_SHORTENED = {
    "gehts": "geht es", "passts": "passt es", "wars": "war es", "waers": "waere es", "hab": "habe", "is": "ist",
    "isses": "ist es", "nich": "nicht", "ned": "nicht", "net": "nicht", "fur": "fuer", "ubermorgen": "uebermorgen",
    "nachsten": "naechsten", "nachste": "naechste", "mochte": "moechte", "waer": "waere", "nehm": "nehme",
}  # fmt: skip
_SHORT = re.compile(rf"\b({'|'.join(_SHORTENED)})\b")


# --- tokens ---


def _plain(text: str, most: int) -> str:
    text = folded(text[-most:]).replace("’", "'")
    text = re.sub(r"(?<=[a-z])[-–](?=[a-z])", " ", text)
    return _DAY_WITH_PART.sub(lambda match: f"{match[1]} {'morgens' if match[2] == 'morgen' else match[2]}", text)


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        tokens += _of(match, tokens[-1] if tokens else NOTHING, text)
    return tokens


def _of(match: re.Match[str], before: Token, text: str) -> list[Token]:
    """The tokens of one piece: a date with dots is three numbers, as it is said."""
    piece, of_clock = match[0], text.startswith(" uhr", match.end())
    if match["row"]:
        return [PHRASE]
    if match["iso"]:
        return [day_token(piece)]
    if match["dotted"]:
        return _dotted(match, before)
    if match["clock"]:
        return _clock(piece, before, of_clock)
    if match["number"]:
        number = int(match["number"]) if len(match["number"]) < 10 else None
        # "um 10." ends a sentence, "den 26." does not.
        nth = bool(match["nth"]) and before.text not in _AT and before.text != "uhr"
        follows_number = before.number is not None and not before.ordinal
        return [Token(match["number"], number, nth and not follows_number)]
    return [_word(piece, of_clock)]


def _dotted(match: re.Match[str], before: Token) -> list[Token]:
    day, month, year = match["of"], match["month"], match["year"]
    if before.text in _AT and year is None and len(month) == 2:  # "um 10.11."
        return [clock_token(int(day), int(month))]
    said = [Token(str(int(each)), int(each), ordinal=True) for each in (day, month)]
    if year is None:
        return said
    number = int(year) if len(year) == 4 else 2000 + int(year)
    return [*said, Token(str(number), number)]


def _clock(piece: str, before: Token, of_clock: bool) -> list[Token]:
    """ "10:30", "10.30 Uhr"; with a dot and nothing that says what it is, it may be a day as well.

    of_clock: "Uhr" follows.
    """
    hour, minute = map(int, re.split("[:.]", piece))
    if ":" in piece or of_clock or before.text in _AT:
        return [clock_token(hour, minute)]
    if before.text in _ON and 1 <= hour <= 31 and 1 <= minute <= 12:
        return [Token(str(each), each, ordinal=True) for each in (hour, minute)]
    return [Token(piece)]


def _word(word: str, of_clock: bool) -> Token:
    if word == "ein" and not of_clock:
        return Token(word)  # an article
    if (number := cardinal(word)) is not None:
        return Token(str(number), number)
    if (number := ordinal(word)) is not None:
        return Token(str(number), number, ordinal=True)
    return Token(word)


# --- days ---


def _day_at(tokens: list[Token], at: int, today: date, after: Day | None) -> tuple[Day | None, int]:
    token = get(tokens, at)
    if token.is_mark:
        return None, at
    if token.iso is not None:
        return Day(exact=token.iso), at + 1
    for read in (_relative, _ahead, _in_week, _weekday, _of_month):
        if (day := read(tokens, at, today)) is not None:
            return day
    number = token.number or 0
    if not token.ordinal or not 1 <= number <= 31 or counts(get(tokens, at + 1), _FREE):
        return None, at
    of_the_day = after is not None and after.day is None
    return (Day(day=number), at + 1) if of_the_day or get(tokens, at - 1).text in _ON else (None, at)


def _relative(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    text, before = get(tokens, at).text, get(tokens, at - 1).text
    days = {"heute": 0, "morgen": 1, "uebermorgen": 2}.get(text)
    if days is None:
        return None
    if text == "morgen" and (before in _MORNING_AFTER or before in _GREETING or before in _WEEKDAYS):
        return None
    more, end = _weeks_on(tokens, at + 1)
    return Day(exact=today + timedelta(days=days + 7 * more)), end


def _weeks_on(tokens: list[Token], at: int) -> tuple[int, int]:
    """Read "in einer Woche", "in zwei Wochen" after a day: how many weeks later, 0 if it is not said."""
    count = _count(get(tokens, at + 1))
    if get(tokens, at).text == "in" and count is not None and get(tokens, at + 2).text in ("woche", "wochen"):
        return count, at + 3
    return 0, at


def _count(token: Token) -> int | None:
    """ "einer", "zwei", up to the weeks of a year."""
    if token.text in _ONE:
        return 1
    return token.number if token.number is not None and token.number <= 400 and not token.ordinal else None


def _ahead(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    """Read "in zwei Tagen", "in einer Woche"."""
    if get(tokens, at).text != "in":
        return None
    count, unit = _count(get(tokens, at + 1)), _DAYS_AHEAD.get(get(tokens, at + 2).text)
    if count is None or unit is None or (unit == 1 and count == _AMBIGUOUS_DAYS):
        return None
    return Day(exact=today + timedelta(days=count * unit)), at + 3


def _in_week(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    """Read "nächste Woche Donnerstag", "Donnerstag nächster Woche": in that week of the calendar."""
    first = get(tokens, at).text
    if first in _WEEKDAYS:
        article = get(tokens, at + 1).text == "der"
        weeks, week = texts(tokens, at + 1 + article, 2)
        day, end = first, at + 3 + article
    else:
        weeks, week = texts(tokens, at, 2)
        if week != "woche":
            return None
        skipped = at + 2
        while get(tokens, skipped).text in ("am", ","):
            skipped += 1
        day, end = get(tokens, skipped).text, skipped + 1
    if week != "woche" or weeks not in _WEEKS or day not in _WEEKDAYS:
        return None
    monday = today - timedelta(days=today.weekday())
    return Day(exact=monday + timedelta(days=7 * _WEEKS[weeks] + _WEEKDAYS[day]), weekday=_WEEKDAYS[day]), end


def _weekday(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    text = get(tokens, at).text
    is_next = _NEXT.fullmatch(text) is not None
    start = at + (is_next or _COMING.fullmatch(text) is not None)
    day = get(tokens, start).text
    if day not in _WEEKDAYS or _NO_COMING.fullmatch(get(tokens, at - 1).text) or _is_past(tokens, start):
        return None
    weeks, end = _weeks_on(tokens, start + 1)
    return Day(weekday=_WEEKDAYS[day], weeks=None if is_next else weeks), end


def _is_past(tokens: list[Token], at: int) -> bool:
    """Whether a weekday is one of the week before: "letzte Woche (am) Freitag", "Freitag (der) letzter Woche"."""
    before = at - (get(tokens, at - 1).text == "am")
    after = at + 1 + (get(tokens, at + 1).text == "der")
    return any(
        _PAST.fullmatch(get(tokens, one).text) is not None and get(tokens, one + 1).text == "woche"
        for one in (before - 2, after)
    )


def _of_month(tokens: list[Token], at: int, today: date) -> tuple[Day, int] | None:
    start = at + (get(tokens, at).text in ("der", "den", "dem"))
    day, following = get(tokens, start), get(tokens, start + 1)
    if day.number is None or (get(tokens, start - 1).text in (*_AT, "uhr") and not day.ordinal):
        return None
    if (month := _MONTHS.get(following.text)) is not None:
        # A short name ends in a dot.
        dot = get(tokens, start + 2).text == "." and following.text not in _MONTH_NAMES
        return _year(Day(day=day.number, month=month), tokens, start + 2 + dot, today)
    # "am sechsundzwanzigsten elften", "26.11."
    if day.ordinal and following.ordinal and 1 <= (following.number or 0) <= 12:
        return _year(Day(day=day.number, month=following.number), tokens, start + 2, today)
    return None


def _year(day: Day, tokens: list[Token], at: int, today: date) -> tuple[Day, int]:
    """Add the year that may follow: "2026", "zwanzig sechsundzwanzig"."""
    year, end = year_at(tokens, at, today)
    return (day, at) if year is None else (replace(day, year=year), end)


# --- times of day ---


def _hour(tokens: list[Token], hour: int, at: int) -> tuple[int, str, int] | None:
    """Read an hour, with its minutes if any follow."""
    if get(tokens, at - 1).text in ("viertel", "halb", "dreiviertel"):
        return None  # of which only a part has been understood
    named = get(tokens, at + 1).text == "uhr"
    after = at + 1 + named
    minute, units = get(tokens, after), get(tokens, after + 1).number
    if minute.text == "0" and units is not None and 1 <= units <= 9:  # "zehn null fünf"
        return _part(tokens, hour * 60 + units, after + 2)
    is_minute = not minute.ordinal and hour < 24 and not counts(get(tokens, after + 1), _FREE)
    if is_minute and minute.number is not None and (0 if named else 10) <= minute.number < 60:
        return _part(tokens, hour * 60 + minute.number, after + 1)
    minutes, part, end = _part(tokens, hour * 60, after)
    is_hour = named or part or (is_at(tokens, at, _AT) and not counts(minute, _FREE))
    return (minutes, part, end) if is_hour else None


def _part(tokens: list[Token], minutes: int, at: int) -> tuple[int, str, int]:
    """Add what may follow a time: "Uhr", "morgens", "am Vormittag", "in der Nacht"."""
    at += get(tokens, at).text == "uhr"
    skipped = at
    while get(tokens, skipped).text in ("am", "in", "der", "#"):
        skipped += 1
    text = get(tokens, skipped).text
    part = "am" if text == "morgen" else _PARTS.get(text)  # what is left of "morgen" when days have been read
    return (minutes, part, skipped + 1) if part else (minutes, "", at)


def _to_or_past(tokens: list[Token], at: int) -> tuple[int, str, int] | None:
    """Read "halb elf", "Viertel nach neun", "zehn Minuten vor zehn", "fünf vor halb elf", "drei viertel elf"."""
    token = get(tokens, at)
    if token.text == "halb":
        return _before(tokens, at + 1, 30)
    if token.text == "dreiviertel":
        return _before(tokens, at + 1, 15)
    if token.number == 3 and get(tokens, at + 1).text == "viertel" and get(tokens, at + 2).number is not None:
        return _before(tokens, at + 2, 15)
    minute = 15 if token.text == "viertel" else token.number
    if minute is None or minute >= 60 or token.ordinal:
        return None
    way = at + 1 + (get(tokens, at + 1).text in ("minuten", "minute"))
    sign = {"nach": 1, "vor": -1}.get(get(tokens, way).text)
    if sign is None:
        return None
    if get(tokens, way + 1).text == "halb":
        return _before(tokens, way + 2, 30 - sign * minute) if minute <= 15 else None
    hour = get(tokens, way + 1)
    if hour.number is None or not 0 < hour.number <= 24 or hour.ordinal:
        return None
    face = 13 if hour.number == 1 and sign < 0 else hour.number
    return _part(tokens, face * 60 + sign * minute, way + 2)


def _before(tokens: list[Token], at: int, minutes: int) -> tuple[int, str, int] | None:
    """So many minutes before the hour at this token, on the face of a clock."""
    hour = get(tokens, at)
    if hour.number is None or hour.ordinal or not 1 <= hour.number <= 12:
        return None
    return _part(tokens, (13 if hour.number == 1 else hour.number) * 60 - minutes, at + 1)


# --- what a caller answers ---

# Phrases that speech recognisers were seen to write for noise alone.
_IMAGINED = frozenset({
    "untertitel der amara org community", "untertitelung aufgrund der amara org community",
    "untertitel im auftrag des zdf fuer funk 2017", "untertitelung des zdf 2020", "untertitel von",
    "vielen dank fuers zuschauen", "danke fuers zuschauen", "vielen dank fuer ihre aufmerksamkeit",
    "bis zum naechsten mal", "copyright wdr 2021", "swr 2021",
})  # fmt: skip
_YES = frozenset({
    "ja", "jawohl", "jap", "jep", "jo", "jau", "jup", "genau", "exakt", "richtig", "korrekt", "stimmt", "passt",
    "gerne", "gern", "klar", "ok", "okay", "okey", "einverstanden", "gut", "prima", "super", "perfekt", "wunderbar",
    "toll", "klasse", "bestens", "ausgezeichnet", "natuerlich", "selbstverstaendlich", "bitte", "mhm", "in", "ordnung"
})  # fmt: skip
_PARTING = frozenset({
    "danke", "dank", "vielen", "besten", "herzlichen", "schoenen", "schoen", "sehr", "tschuess", "tschuss", "ciao",
    "servus", "ade", "auf", "wiederhoeren", "wiedersehen", "wiederschauen", "bis", "dann", "bald", "spaeter", "morgen",
    "tag", "abend", "wochenende", "schoenes", "noch", "einen", "ein", "ihnen", "auch", "ebenso", "gleichfalls", "das",
    "war", "war's", "wars", "waer's", "es", "alles", "alle", "und", "so", "fuer", "ihre", "hilfe", "nett", "lieb",
    "freundlich", "von", "gute", "guten", "nacht", "mach's", "machen", "sie", "machen's", "waere"
})  # fmt: skip
# Words of which few languages but German have any.
_COMMON = frozenset({
    "der", "die", "das", "ist", "um", "am", "fuer", "ihr", "ihren", "sie", "ich", "es", "und", "ja", "nein", "bitte",
    "soll", "den", "dem", "auf", "uhr", "habe", "haben", "wurde", "gebucht", "mit", "termin", "nicht", "wir", "morgen"
})  # fmt: skip
_DIGIT_WORDS = MappingProxyType({
    **{word: str(number) for number in range(100) for word in written_below_100(number)},
    "zwo": "2",
})  # fmt: skip


class German(WordReader):
    """German as callers and models say it."""

    glue = frozenset({"der", "den", "dem", "am", "das", "ist", "also"})
    opening = frozenset({"geoeffnet", "offen", "oeffnungszeiten", "sprechzeiten", "sprechstunde"})
    before_times = _AT
    until = frozenset({"bis", "und"})
    digit_words = _DIGIT_WORDS
    times_said = MappingProxyType({"doppel": 2, "doppelt": 2, "zweimal": 2, "dreimal": 3})
    imagined = _IMAGINED
    assent = _YES
    parting_words = _PARTING
    staying = re.compile(
        r"\b(?:ich|wir) (?:(?:warten?|kann warten|koennen warten)(?: (?:gerne?|solange?|hier))*"
        r"|bleiben? (?:gerne? )?(?:dran|in der leitung|am apparat))\b"
    )
    noes = frozenset({"nein", "nee", "ne", "noe"})
    common = _COMMON
    noting = frozenset({"notiert", "aufgenommen", "aufgeschrieben", "vermerkt", "vorgemerkt", "eingetragen"})
    asks_back = re.compile(
        r"^(?:und )?(?:stimmt|ist|passt) (?:das|es|alles)(?: so)?(?: alles)?(?: (?:richtig|korrekt|in ordnung))?"
        r"(?: so)? ?\?"
        r"|^(?:richtig|korrekt|stimmt's|passt das)\b.*\?"
    )

    def plain(self, text: str, most: int = JUDGED_CHARS) -> str:
        return _plain(text, most)

    def expanded(self, text: str) -> str:
        text = re.sub(r"(?<=\w)'s\b", " es", text).replace("'", "")
        return _SHORT.sub(lambda match: _SHORTENED[match[0]], text)

    def sentences(self, text: str, most: int = JUDGED_CHARS) -> list[str]:
        """The dot of "26. November" ends none: what follows is a month, or goes on in small letters."""
        text, begin, found = unicodedata.normalize("NFC", text[-most:]), 0, list[str]()
        for stop in _BREAK.finditer(text):
            following = text[stop.end() : stop.end() + 12]
            is_month = (
                following[:1].islower()
                or folded(following.split(maxsplit=1)[0].strip(".,") if following.strip() else "") in _MONTHS
            )
            if is_month and _ORDINAL_END.search(text, max(0, stop.start() - 4), stop.start()):
                continue
            found.append(text[begin : stop.start()])
            begin = stop.end()
        return [plain for each in (*found, text[begin:]) if (plain := self.plain(each, most))]

    def tokens(self, text: str) -> list[Token]:
        return _tokens(_plain(text, JUDGED_CHARS))

    def day_at(self, tokens: list[Token], at: int, today: date, after: Day | None) -> tuple[Day | None, int]:
        return _day_at(tokens, at, today, after)

    def named_time(self, tokens: list[Token], at: int) -> tuple[int, str, int] | None:
        return (0, "am", at + 1) if get(tokens, at).text == "mitternacht" else _to_or_past(tokens, at)

    def hour_at(self, tokens: list[Token], at: int, hour: int) -> tuple[int, str, int] | None:
        return _hour(tokens, hour, at)

    def with_part(self, tokens: list[Token], minutes: int, at: int) -> tuple[int, str, int]:
        return _part(tokens, minutes, at)

    def parts(self, tokens: list[Token]) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for at, token in enumerate(tokens):
            before = get(tokens, at - 1).text
            part = "am" if token.text == "morgen" else _PARTS.get(token.text)
            if part and before not in _GREETING and not (token.text == "frueh" and before in _TOO):
                found.append((at, part))
        return found

    def of_day(self, minutes: int, part: str) -> frozenset[time]:
        hour = minutes // 60
        match part:
            case "noon":
                part = "am" if hour == 11 else "pm" if hour in (12, 1, 2) else ""
            case "evening" | "night" if hour == 12:
                return super().of_day(minutes - 12 * 60, "am")
            case "evening":
                part = "pm"
            case "night":
                part = "pm" if hour >= 9 else "am"
            case _:
                pass
        return super().of_day(minutes, part)

    def heard_words(self, text: str) -> str:
        return german_consent.heard_words(text)

    def claims_in(self, sentence: str) -> Iterator[Claim]:
        return german_claims.claims_in(sentence)

    def statements_in(self, sentence: str) -> Iterator[Statement]:
        return german_claims.statements_in(sentence)

    def denial(self, deeds: frozenset[Deed]) -> str:
        return german_claims.denial(deeds)

    def reads_back(self, said: str, own: str, *, after_others: bool) -> bool:
        return german_consent.reads_back(said, own, after_others=after_others)

    def agrees(self, said: str, own: str | None) -> bool:
        return german_consent.agrees(said, own)

    def declines(self, said: str) -> bool:
        return german_consent.declines(said)

    def hesitates(self, said: str) -> bool:
        return german_consent.hesitates(said)
