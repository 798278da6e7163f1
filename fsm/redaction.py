"""What is left out of words before they are stored: numbers of cards, IBANs, e-mail addresses, telephone numbers.

Digits count however they are said: "4111", "four one", "double one", "vier eins", "einundvierzig". Names are left out
as far as they are given: there is no recogniser of names here.
Pure. May import: fsm, phonenumbers, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

from phonenumbers import NumberParseException, is_valid_number, ndd_prefix_for_region, parse

from fsm.checks import passes_luhn
from fsm.spelling import HUMS_OF_NUMBERS, is_ten, repeats, said_digits

Kind = Literal["cards", "ibans", "emails", "phones"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What stands in their place; "digits" are of something that is not known.
MARKS: Mapping[Kind | Literal["digits"], str] = {
    "cards": "[card]", "ibans": "[IBAN]", "emails": "[e-mail]", "phones": "[phone]", "digits": "[digits]"
}  # fmt: skip

NAME_MARK = "[name]"
# A name that the look-up before the call finds.
_LOOKED_UP = re.compile(r"\{before\.(\w+)\}")
# A part of a name that is looked for alone: of an initial, or "de", too much would be left out.
_LEAST_OF_NAME = 3

# Minutes of speech; it bounds what the loop spends on one text, of which the rest is looked at less closely.
LONGEST = 4000
# Fewer digits at the end of a turn are the beginning of nothing.
_LEAST_OPEN, _LEAST_OF_OPEN_IBAN = 4, 8
# The usual length first: behind a number its date of expiry may follow.
_CARD_LENGTHS = (16, 15, 14, 13, 19, 18, 17)
_CARD_BEGINS = "23456"
# Nobody says more of them in a row for anything that may be kept.
_MOST_DIGITS = 60
_LEAST_OF_PHONE = 8
# Beginnings and ends of a row of digits that are tried as a telephone number.
_MOST_TRIES = 200
_MOST_OF_PHONE = 15
_TOKEN = re.compile(r"\d+|[^\W\d_]+|\+")
# Between digits that belong together: nothing else, or what is said there.
_BETWEEN = re.compile(r"[\s\-–.,/()]*")
_FILLERS = frozenset({"and", "und", "then", "dann", "uh", "äh", "ähm", "hm", "space", "dash", "slash"})
# Of a card's number, which its check digit proves, also: other signs, hums, and what two people say to each other
# while one of them reads it out.
_BETWEEN_OF_CARD = re.compile(r"[\s\u200b\-–—.,;:/|_()…?!*'’]*")
_FILLERS_OF_CARD = _FILLERS | HUMS_OF_NUMBERS | {
    "hyphen", "minus", "strich", "bindestrich", "leerzeichen", "yes", "yeah", "ja", "okay",
    "ok", "right", "genau", "also", "so", "next", "weiter", "please", "bitte", "again", "nochmal",
}  # fmt: skip
# Between its parts: "the first half is …, go on"; "und die zweite ist …".
_BETWEEN_PARTS = _FILLERS_OF_CARD | {
    "go", "on", "goes", "with", "it", "is", "that", "s", "the", "rest", "are", "first", "second", "half", "part", "now",
    "thanks", "got", "die", "der", "das", "ist", "sind", "es", "geht", "mit", "erste", "zweite", "hälfte", "teil",
    "jetzt", "danke",
}  # fmt: skip
_DATE = re.compile(r"\d{1,2}[./-]\s?\d{1,2}[./-]\s?(?:\d{2}|\d{4})|\d{4}-\d\d-\d\d")
_IBAN_LENGTHS: Mapping[str, int] = {
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18,
    "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
    "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24, "TR": 26,
}  # fmt: skip
_IBAN_HEAD = 4  # country and check digits
_LONG_ROW = re.compile(r"\d(?:[\s-]?\d){7,}")
_WRITTEN_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_JOIN = r"(?:dot|punkt|point|dash|hyphen|minus|bindestrich|underscore|unterstrich|plus)"
_AT = re.compile(r" (?:at|ät|klammeraffe) ", re.IGNORECASE)
_SPOKEN_MAIL = re.compile(
    rf"\b(?:\w ){{0,20}}\w{{1,40}}(?: {_JOIN} \w{{1,40}}){{0,5}}"
    r" (?:at|ät|klammeraffe) (?!the )"
    rf"\w{{1,40}}(?: (?:dash|hyphen|minus|bindestrich) \w{{1,40}}){{0,3}}(?: (?:dot|punkt|point) \w{{2,10}}){{1,3}}\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Said:
    """A token. digits: those that it stands for, "" for none."""

    start: int
    end: int
    digits: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a text that is left out of it."""

    start: int
    end: int
    kind: Kind | Literal["digits"]


@dataclass(frozen=True, slots=True)
class OpenNumber:
    """A number with which a text ends, and which may go on in the next. digits: how many it has so far.

    may_begin: it is the beginning of something that is left out, for all that is known. since: where that would begin,
    with the letters of an IBAN.
    """

    start: int
    end: int
    digits: int
    may_begin: bool
    since: int


@dataclass(frozen=True, slots=True)
class Redaction:
    """Puts a mark in the place of each. kinds: what is looked for. region: ISO 3166, of national telephone numbers.

    names: what else is, with each of its parts; "{before.NAME}" stands for what a look-up finds.
    """

    kinds: frozenset[Kind] = frozenset()
    region: str = ""
    names: tuple[str, ...] = ()

    def knowing(self, found: Mapping[str, object]) -> Redaction:
        """The same, with the names that the look-up before the call has found. found: by their names there."""
        told = (looked_up_name(each) for each in self.names)
        return replace(self, names=self.names + tuple(str(found[name]) for name in told if name in found))

    def __call__(self, text: str) -> str:
        """The text as it may be stored."""
        return self.marked(text, self.found(text[:LONGEST]))

    def marked(self, text: str, found: Iterable[Found], before: int = 0) -> str:
        """The text with marks in it. found: what is left out. before: so many characters before the text count too."""
        text, rest, made, at = text[:LONGEST], text[LONGEST:], [], 0
        for each in sorted(found, key=lambda one: one.start):
            if each.end > before:
                made += [text[at : max(0, each.start - before)], MARKS[each.kind]]
                at = each.end - before
        without, named = "".join((*made, text[at:], self._roughly(rest))), _names(self.names)
        return without if named is None else named.sub(NAME_MARK, without)

    def _roughly(self, text: str) -> str:
        """Of what is longer than anybody says in one turn: any row of digits, as it is written."""
        text = _WRITTEN_MAIL.sub(MARKS["emails"], text) if "emails" in self.kinds else text
        return _LONG_ROW.sub(MARKS["digits"], text) if self.kinds - {"emails"} else text

    def found(self, text: str) -> list[Found]:
        """What would be left out; no two of them overlap."""
        found: list[Found] = []
        if "emails" in self.kinds:
            spoken = _SPOKEN_MAIL.finditer(text) if _AT.search(text) else ()
            matches = (*_WRITTEN_MAIL.finditer(text), *spoken)
            _add(found, (Found(each.start(), each.end(), "emails") for each in matches))
        said = list(_said(text)) if self.kinds else []
        if not any(each.digits for each in said):
            return found
        if "ibans" in self.kinds:
            _add(found, _ibans(said))
        if "cards" in self.kinds:
            for run in _runs(text, said, _BETWEEN_OF_CARD, _BETWEEN_PARTS):
                _add(found, _whole(run, "cards") or _cards(run))
        if "phones" in self.kinds:
            for run in _runs(text, said, _BETWEEN, _FILLERS):
                _add(found, _whole(run, "phones") or _phones(text, run, self.region))
        return found

    def open_number(self, text: str) -> OpenNumber | None:
        """The number with which a text ends, however little of it there is."""
        # One more digit, of which only a row of digits at the end becomes longer.
        longer = f"{text} 0"
        said = list(_said(longer))
        *_, (*run, _) = _runs(longer, said, _BETWEEN_OF_CARD, _BETWEEN_PARTS)
        iban = _open_iban(said[:-1]) if "ibans" in self.kinds else None
        digits = "".join(each.digits for each in run)
        if not digits or (iban is not None and iban.may_begin):
            return iban
        start, enough = run[0].start, _LEAST_OPEN <= len(digits) <= _MOST_DIGITS
        since = start if iban is None else min(start, iban.start)
        return OpenNumber(start, run[-1].end, len(digits), enough and self._may_begin(run), since)

    def _may_begin(self, run: Sequence[_Said]) -> bool:
        """Whether a card's number or one of a telephone may begin so."""
        first = run[0].digits[:1]
        if "phones" in self.kinds and (first in ("", "0") or not _trunk(self.region).startswith("0")):
            return True
        return "cards" in self.kinds and first != "" and first in _CARD_BEGINS


def digits_at_start(text: str) -> int:
    """Up to where a text begins with digits, hums before them passed over; 0 if it does not."""
    longer = f"0 {text}"
    first = next(_runs(longer, list(_said(longer)), _BETWEEN_OF_CARD, _BETWEEN_PARTS))
    return first[-1].end - len("0 ") if len(first) > 1 else 0


def looked_up_name(name: str) -> str:
    """Of "{before.NAME}" the NAME; "" for a name that is written out."""
    found = _LOOKED_UP.fullmatch(name)
    return "" if found is None else found[1]


@lru_cache(256)  # for each turn of a call the same
def _names(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """Finds each, in any case, and its parts as names are written; None if there is none."""
    parts: list[str] = []
    for name in names:
        if not looked_up_name(name):
            words = re.findall(r"[^\W\d_]+", name)
            parts += ["(?i:" + r"[\W_]+".join(map(re.escape, words)) + ")"] if len(words) > 1 else []
            parts += [re.escape(f"{word[0].upper()}{word[1:]}") for word in words if len(word) >= _LEAST_OF_NAME]
    return re.compile(rf"(?<!\w)(?:{'|'.join(dict.fromkeys(parts))})(?:'s|’s|s)?(?!\w)") if parts else None


# Where a bot says nothing of it.
BY_DEFAULT = Redaction(frozenset({"cards", "ibans"}))


def _add(found: list[Found], more: Iterator[Found] | Sequence[Found]) -> None:
    for each in more:
        if all(each.end <= other.start or other.end <= each.start for other in found):
            found.append(each)


def _said(text: str) -> Iterator[_Said]:
    """The tokens. Of "double five" and "forty one" the two words are one."""
    matches = list(_TOKEN.finditer(text))
    at = 0
    while at < len(matches):
        first = matches[at]
        word, end = first[0], first.end()
        digits = _digits(word)
        after = matches[at + 1] if at + 1 < len(matches) else None
        times, ten = repeats(word), is_ten(word)
        if (times or ten) and after is not None and after.start() - end <= 1:
            second = _digits(after[0])
            if times and len(second) == 1:
                digits, end, at = second * times, after.end(), at + 1
            elif ten and len(second) == 1 and second != "0" and not after[0].isdecimal():
                digits, end, at = digits[0] + second, after.end(), at + 1
        yield _Said(first.start(), end, digits, word)
        at += 1


def _digits(word: str) -> str:
    """Those of a token, in any script, as ASCII's; "" for none."""
    return "".join(str(int(each)) for each in word) if word.isdecimal() else said_digits(word)


def _runs(
    text: str, said: Sequence[_Said], between: re.Pattern[str], fillers: Collection[str]
) -> Iterator[list[_Said]]:
    """Tokens of digits in a row, with the plus before them. between, fillers: what may stand among them."""
    run: list[_Said] = []
    end = 0
    for each in said:
        near = bool(run) and between.fullmatch(text, end, each.start) is not None
        is_plus = each.text.lower() in ("+", "plus")
        if each.digits and (near or not run):
            run.append(each)
        elif near and each.text.lower() in fillers:
            pass
        else:
            if any(one.digits for one in run):
                yield run
            run = [each] if each.digits or is_plus else []
        end = each.end
    if any(one.digits for one in run):
        yield run


def _whole(run: Sequence[_Said], kind: Kind) -> list[Found]:
    """A run that is longer than anything that may be kept; [] else."""
    if sum(len(each.digits) for each in run) <= _MOST_DIGITS:
        return []
    return [Found(run[0].start, run[-1].end, kind)]


def _windows(run: Sequence[_Said], lengths: Collection[int]) -> Iterator[tuple[str, int, int]]:
    """Neighbours in a run that have so many digits together: those, the first, and the last of them."""
    for first in range(len(run)):
        digits = ""
        for last in range(first, len(run)):
            digits += run[last].digits
            if len(digits) > max(lengths):
                break
            if len(digits) in lengths:
                yield digits, first, last


def _cards(run: Sequence[_Said]) -> Iterator[Found]:
    windows = list(_windows(run, _CARD_LENGTHS))
    for length in _CARD_LENGTHS:
        for digits, first, last in windows:
            if len(digits) == length and digits[0] in _CARD_BEGINS and passes_luhn(digits):
                yield Found(run[first].start, run[last].end, "cards")


def _trunk(region: str) -> str:
    """What is dialled before a national number."""
    return ndd_prefix_for_region(region, True) or "" if region else "00"


def _phones(text: str, run: Sequence[_Said], region: str) -> Iterator[Found]:
    trunk = _trunk(region)
    windows = sorted(_windows(run, range(_LEAST_OF_PHONE, _MOST_OF_PHONE + 3)), key=lambda one: -len(one[0]))
    tried = 0
    for digits, first, last in windows:
        international = run[first].text.lower() in ("+", "plus")
        whole = first == 0 and last == len(run) - 1
        if not (international or (digits.startswith(("00", "0")) if trunk.startswith("0") else whole)):
            continue
        start, end = run[first].start, run[last].end
        if _DATE.fullmatch(text[start:end].strip()):
            continue
        tried += 1
        if tried > _MOST_TRIES:  # nobody says that: each try takes 30 µs of the loop's time
            yield Found(run[0].start, run[-1].end, "phones")
            return
        written = f"+{digits}" if international else f"+{digits[2:]}" if digits.startswith("00") else digits
        try:
            if is_valid_number(parse(written, region or None)):
                yield Found(start, end, "phones")
        except NumberParseException:
            continue


def _ibans(said: Sequence[_Said]) -> Iterator[Found]:
    for first in range(len(said)):
        written, end = _as_iban(said, first)
        if written and len(written) == _IBAN_LENGTHS.get(written[:2]) and _checks_97(written):
            yield Found(said[first].start, said[end - 1].end, "ibans")


def _open_iban(said: Sequence[_Said]) -> OpenNumber | None:
    """The beginning of an IBAN with which a text ends."""
    for first in range(len(said)):
        written, end = _as_iban(said, first)
        if written and end == len(said) and len(written) < _IBAN_LENGTHS.get(written[:2], _IBAN_HEAD):
            digits = sum(each.isdecimal() for each in written)
            start, enough = said[first].start, len(written) >= _LEAST_OF_OPEN_IBAN
            return OpenNumber(start, said[-1].end, digits, enough, start)
    return None


def _as_iban(said: Sequence[_Said], first: int) -> tuple[str, int]:
    """What would be an IBAN from a token on, as far as there is one, and after which token it ends; else ""."""
    written = ""
    until = min(first + 40, len(said))
    for last in range(first, until):
        each = said[last]
        if len(written) >= _IBAN_HEAD and not each.digits and each.text.lower() in _FILLERS_OF_CARD:
            continue
        letters = len(each.text) <= 4 or each.text.isupper()  # no word, but "MTLCAST" in Malta
        written += each.digits or (each.text.upper() if letters else "?")
        country = written[:2]
        if "?" in written or (len(written) >= 2 and country not in _IBAN_LENGTHS):
            break
        if len(written) >= _IBAN_HEAD and not written[2:_IBAN_HEAD].isdecimal():
            break
        if len(written) >= _IBAN_LENGTHS.get(country, _IBAN_HEAD):
            return (written, last + 1) if len(written) == _IBAN_LENGTHS.get(country) else ("", 0)
    else:
        return written, until
    return "", 0


def _checks_97(iban: str) -> bool:
    """The check of ISO 7064 that every IBAN has."""
    turned = iban[4:] + iban[:4]
    return turned.isascii() and turned.isalnum() and int("".join(str(int(each, 36)) for each in turned)) % 97 == 1
