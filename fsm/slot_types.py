"""Ready-made types of slots: what a caller says of a date, a number or an address, read, checked, and said back.

Each takes its value as the model hands it over, in digits or in the caller's words, and keeps it in one form.
May import: protocols, fsm, pydantic, phonenumbers, email-validator, schwifty, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar

from email_validator import EmailNotValidError, validate_email
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    country_code_for_region,
    format_number,
    is_possible_number,
    is_valid_number,
    ndd_prefix_for_region,
    parse,
)
from pydantic_core import CoreSchema, core_schema

from fsm import spelling
from fsm.errors import Incomplete, SlotError
from fsm.german_numbers import folded
from fsm.keypad import KEYPAD_DATE, KEYPAD_TIME
from fsm.locales import ENGLISH, LONGEST_TEXT, ForTheEar, Locale
from fsm.names import real_name
from fsm.secret import Secret
from fsm.states import Keypad, Known, piece_of
from fsm.templates import OF_AMOUNTS, OF_DAYS, OF_GROUPS, OF_TEXTS, OF_TIMES

Check = Callable[[Any, Known], Any]
MOST_DIGITS = 40
# Of a national number, in most countries.
USUAL_DIGITS = 9
DOES_NOT_FIT = "That does not fit together. Please say it once more from the beginning."
# Nobody says a larger one.
MOST_AMOUNT = 1e15


class Spelled(str, ForTheEar):
    """Text that is read out in groups. `{value}` gives it as it stands, `{value:ear}` for the ear."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )

    def ear(self, locale: Locale = ENGLISH) -> str:
        return str(self)

    def __format__(self, spec: str) -> str:
        return self.ear() if spec == "ear" else str.__format__(self, spec)


class Digits(Spelled):
    """A row of digits; three at a time for the ear."""

    __slots__ = ()

    def ear(self, locale: Locale = ENGLISH) -> str:
        return _grouped(str(self), 3)


class PhoneNumber(Spelled):
    """A number in E.164; for the ear as it is dialled from `home`, two or three digits at a time.

    home: ISO 3166; "" for nowhere, from where every number has its country's code.
    """

    __slots__ = ()
    home: ClassVar[str] = ""

    def ear(self, locale: Locale = ENGLISH) -> str:
        try:
            number = parse(str(self), self.home or None)
        except NumberParseException:  # what a tool keeps may be any text
            return _grouped(str(self), 3)
        at_home = number.country_code == country_code_for_region(self.home)
        written = format_number(number, PhoneNumberFormat.NATIONAL if at_home else PhoneNumberFormat.INTERNATIONAL)
        parts = re.findall(r"\d+", written)
        said = " ".join(_grouped(part, 3) if len(part) > 4 else part for part in parts)
        return said if at_home else f"{locale.forms['plus']} {said}"


@cache
def phone_of(region: str) -> type[PhoneNumber]:
    """The type of numbers that are said as they are dialled from a country."""
    return type(f"PhoneNumber{region}", (PhoneNumber,), {"__module__": __name__, "__slots__": (), "home": region})


class Iban(Spelled):
    """An IBAN; four characters at a time for the ear."""

    __slots__ = ()

    def ear(self, locale: Locale = ENGLISH) -> str:
        return _grouped(str(self), 4)


class Code(Spelled):
    """Letters and digits; one at a time for the ear."""

    __slots__ = ()

    def ear(self, locale: Locale = ENGLISH) -> str:
        return " ".join(self)


class Email(Spelled):
    """An e-mail address; its signs as words for the ear, and its digits one by one."""

    __slots__ = ()

    def ear(self, locale: Locale = ENGLISH) -> str:
        signs = {each: f" {locale.forms[name]} " for each, name in _SIGNS.items()}
        # Digits one by one: "max 2 3" is not "max zwei drei", written in letters.
        parts = (f" {each} " if each.isdecimal() else signs.get(each, each) for each in self)
        return " ".join("".join(parts).split())


_SIGNS = {"@": "at_sign", ".": "dot", "-": "dash", "_": "underscore", "+": "plus"}


class _Chosen(StrEnum):
    """Values that are also taken by the words for them, whatever their case, umlauts and articles."""

    @classmethod
    def _missing_(cls, value: object) -> _Chosen | None:
        said = _compared(value)
        return next((each for each in cls if said and said in each.words()), None)

    def words(self) -> frozenset[str]:
        """What stands for this value, as _compared has it."""
        return frozenset({_compared(self.value), _compared(getattr(self, "label", ""))})


class YesNo(_Chosen):
    YES = "yes"
    NO = "no"

    def words(self) -> frozenset[str]:
        return _YES if self is YesNo.YES else _NO


_YES = frozenset({"yes", "yeah", "yep", "ja", "jawohl", "jo", "genau", "stimmt", "richtig", "correct", "true"})
_NO = frozenset({"no", "nope", "nein", "nee", "noe", "false"})
_ARTICLE = re.compile(r"^(?:an?|the|ein|eine[nmrs]?|der|die|das|den|dem) (?=.)")


def _compared(said: object) -> str:
    return _ARTICLE.sub("", " ".join(re.findall(r"\w+", folded(str(said)))))


def _grouped(text: str, size: int) -> str:
    """In groups of `size`; no last one of a single character."""
    groups = [text[at : at + size] for at in range(0, len(text), size)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2][: size - 1], groups[-2][size - 1 :] + groups[-1]]
    return " ".join(groups)


@dataclass(frozen=True, slots=True)
class SlotOptions:
    """What the author of a slot may say of its type.

    choices: the allowed values with the words for the caller. lowest, highest: of a number or amount. length: of
    digits or a code, exactly. region: ISO 3166, of national telephone numbers and postcodes.
    """

    choices: Mapping[str, str] | None = None
    lowest: float | None = None
    highest: float | None = None
    length: int | None = None
    region: str = ""


@dataclass(frozen=True, slots=True)
class SlotType:
    """One ready-made type.

    value_type: as in Slot. describe: tells the model what to pass. takes: the options that apply. check: makes the
    slot's check from its name and options. keypad: makes its keypad. ear: the format spec or expression by which a
    sentence says the value, with `{}` for the slot's name. pieces: as in Slot. forms: a regular expression of the
    formats that a file may write after its name.
    """

    value_type: type[Any]
    describe: str
    takes: frozenset[str] = frozenset()
    check: Callable[[str, SlotOptions], Check] | None = None
    keypad: Callable[[str, SlotOptions], Keypad[Any]] | None = None
    ear: str = "{{{}}}"
    pieces: bool = False
    forms: str = "(?!)"


# --- digits, telephone numbers, IBANs: said in pieces ---


def _pieces(
    name: str,
    read: Callable[[str], str | None],
    complete: Callable[[str], Any],
    too_long: Callable[[str], bool],
    group: int = 3,
) -> Check:
    """A check that puts together what is said in pieces.

    read: a piece in characters; None if it is none. complete: the whole value; None if it is not whole. group: how many
    characters are said together.
    """

    def check(value: str, known: Known) -> Any:
        piece = read(str(value))
        if not piece:
            raise SlotError("I did not get that.")
        before = known.facts.get(piece_of(name))
        joined, is_whole = (f"{before['said']}{piece}", before["whole"]) if isinstance(before, dict) else (piece, True)
        # After a part the rest is expected; after a whole value another one, or all of it from the beginning.
        anew = is_whole or (isinstance(before, dict) and piece.startswith(str(before["said"])))
        for text in (piece, joined) if anew else (joined, piece):
            if (whole := complete(text)) is not None:
                return whole
        if too_long(joined):
            raise Incomplete(DOES_NOT_FIT, "")
        raise Incomplete(known.locale.say("{piece}, yes. Please go on.", piece=_grouped(piece, group)), joined)

    return check


def secret_digits(options: SlotOptions) -> Check:
    """A check of digits that are keyed in and not known to anybody."""

    def check(value: Secret, known: Known) -> Secret:
        digits = value.reveal()
        if len(digits) != options.length if options.length else not 0 < len(digits) <= MOST_DIGITS:
            raise SlotError("That is not the right number of digits.")
        return value

    return check


def _digits(name: str, options: SlotOptions) -> Check:
    length = options.length

    def complete(text: str) -> Digits | None:
        fits = text.isdecimal() and (len(text) == length if length else len(text) <= MOST_DIGITS)
        return Digits(text) if fits else None

    return _pieces(name, spelling.digits, complete, lambda text: len(text) > (length or MOST_DIGITS))


def _code(name: str, options: SlotOptions) -> Check:
    length = options.length

    def complete(text: str) -> Code | None:
        return Code(text) if (len(text) == length if length else len(text) <= MOST_DIGITS) else None

    return _pieces(name, spelling.code, complete, lambda text: len(text) > (length or MOST_DIGITS), group=4)


def _phone(name: str, options: SlotOptions) -> Check:
    # Where national numbers begin with 0, one without it lacks its area code, or its beginning.
    trunk = "0" if ndd_prefix_for_region(options.region, True) == "0" else ""

    def complete(text: str) -> PhoneNumber | None:
        try:
            number = parse(text, options.region or None)
        except NumberParseException:
            return None
        international = text.startswith("+")
        if not international and not text.startswith(trunk):
            return None
        # A beginning is possible too, "+49 30": of a number that is in no plan it is whole at its usual length.
        known = is_valid_number(number) or (
            international and is_possible_number(number) and len(str(number.national_number)) >= USUAL_DIGITS
        )
        return phone_of(options.region)(format_number(number, PhoneNumberFormat.E164)) if known else None

    def read(text: str) -> str | None:
        said = spelling.digits(text)
        # Without a country of the bot's, only the international form says which number it is.
        return f"+{said[2:]}" if said and said.startswith("00") and not options.region else said

    return _pieces(name, read, complete, lambda text: len(text) > 16)


def _iban(name: str, options: SlotOptions) -> Check:
    def complete(text: str) -> Iban | None:
        # Imported here: its tables of banks take a sixth of a second, and few bots ask for one.
        from schwifty import IBAN  # noqa: PLC0415
        from schwifty.exceptions import SchwiftyException  # noqa: PLC0415

        try:
            return Iban(str(IBAN(text)))
        except SchwiftyException:
            pass
        try:
            is_whole = len(text) >= IBAN(text, allow_invalid=True).spec.iban_length
        except SchwiftyException:  # of no country's, or not yet
            return None
        if is_whole:
            raise Incomplete(DOES_NOT_FIT, "")
        return None

    return _pieces(name, spelling.characters, complete, lambda text: len(text) > 34, group=4)


# --- the others ---


def _text(name: str, options: SlotOptions) -> Check:
    def check(value: str, known: Known) -> str:
        text = " ".join(value.split())
        if not any(each.isalnum() for each in text):
            raise SlotError("I did not get that.")
        if len(text) > LONGEST_TEXT:
            raise SlotError("That is too long. Please say it in a sentence or two.")
        return text

    return check


def _email(name: str, options: SlotOptions) -> Check:
    def check(value: str, known: Known) -> Email:
        try:
            found = validate_email(spelling.address(value), check_deliverability=False)
        except EmailNotValidError:
            raise SlotError("That is no e-mail address as I have it. Please spell it.") from None
        return Email(found.normalized)

    return check


def _number(name: str, options: SlotOptions) -> Check:
    def check(value: Any, known: Known) -> Any:
        return _within(value, options, known.locale)

    return check


def _amount(name: str, options: SlotOptions) -> Check:
    def check(value: float, known: Known) -> float:
        return round(float(_within(value, options, known.locale)), 2)

    return check


def _within(value: Any, options: SlotOptions, locale: Locale) -> Any:
    if not -MOST_AMOUNT < value < MOST_AMOUNT:  # nor is what is not a number
        raise SlotError("I did not get that.")
    if options.lowest is not None and value < options.lowest:
        raise SlotError(locale.say("It must be at least {lowest:g}.", lowest=options.lowest))
    if options.highest is not None and value > options.highest:
        raise SlotError(locale.say("It must be at most {highest:g}.", highest=options.highest))
    return value


# Of the countries whose form is known; elsewhere letters and digits as they are said.
_POSTCODES: Mapping[str, str] = {
    "DE": r"\d{5}", "AT": r"\d{4}", "CH": r"\d{4}", "FR": r"\d{5}", "US": r"\d{5}(?:\d{4})?", "NL": r"\d{4}[A-Z]{2}",
    "GB": r"[A-Z]{1,2}\d[A-Z\d]?\d[A-Z]{2}", "IT": r"\d{5}", "ES": r"\d{5}", "BE": r"\d{4}", "PL": r"\d{5}",
}  # fmt: skip


_COUNTRY_LETTERS: Mapping[str, str] = {"DE": "D", "AT": "A", "CH": "CH"}


def _postcode(name: str, options: SlotOptions) -> Check:
    form = re.compile(_POSTCODES.get(options.region, r"[A-Z\d]{3,10}"))

    def check(value: str, known: Known) -> Spelled:
        said = spelling.characters(value)
        if said and (lead := _COUNTRY_LETTERS.get(options.region)):
            said = said.removeprefix(lead)  # "D-10119"
        if said is None or form.fullmatch(said) is None:
            raise SlotError("That is no postcode as I have it.")
        return Spelled(f"{said[:-3]} {said[-3:]}" if options.region == "GB" else said)

    return check


def _digit_keys(name: str, options: SlotOptions) -> Keypad[Any]:
    def read(keys: str, known: Known) -> str:
        if not keys.isdecimal():
            raise ValueError("no digits")
        return keys

    ask = "Please key in the digits." if options.length else "Please key in the digits, and then the hash key."
    return Keypad(ask, read, options.length)


def _number_keys(name: str, options: SlotOptions) -> Keypad[Any]:
    return Keypad("Please key in the number, and then the hash key.", lambda keys, known: int(keys))


_IN_PIECES = "pass exactly what the caller has just said of it, also if it is only a part"
SLOT_TYPES: Mapping[str, SlotType] = {
    "date": SlotType(
        date,
        "A day as YYYY-MM-DD, reckoned from today's date.",
        keypad=lambda name, options: KEYPAD_DATE,
        forms=OF_DAYS,
    ),
    "time": SlotType(
        time,
        "A time of day as HH:MM, on the 24-hour clock.",
        keypad=lambda name, options: KEYPAD_TIME,
        forms=OF_TIMES,
    ),
    "text": SlotType(str, "In the caller's own words.", check=_text, forms=OF_TEXTS),
    "name": SlotType(
        str,
        "The caller's name, as the caller says it; leave it out until then.",
        check=lambda name, options: real_name,
        forms=OF_TEXTS,
    ),
    "digits": SlotType(
        Digits, f"Digits: {_IN_PIECES}.", frozenset({"length"}), _digits, _digit_keys, "{{{}:ear}}", True, OF_GROUPS
    ),
    "phone": SlotType(
        PhoneNumber, f"A telephone number: {_IN_PIECES}.", frozenset({"region"}), _phone, _digit_keys,
        "{{{}:ear}}", True, OF_GROUPS,
    ),
    "code": SlotType(
        Code, f"Letters and digits: {_IN_PIECES}.", frozenset({"length"}), _code, ear="{{{}:ear}}", pieces=True,
        forms=OF_GROUPS,
    ),
    "iban": SlotType(Iban, f"An IBAN: {_IN_PIECES}.", check=_iban, ear="{{{}:ear}}", pieces=True, forms=OF_GROUPS),
    "email": SlotType(
        Email, "An e-mail address, as the caller says it.", check=_email, ear="{{{}:ear}}", forms=OF_GROUPS
    ),
    "choice": SlotType(StrEnum, "", frozenset({"choices"}), ear="{{{}.label}}"),
    "yes_no": SlotType(YesNo, "yes or no."),
    "number": SlotType(
        int, "A whole number.", frozenset({"lowest", "highest"}), _number, _number_keys
    ),
    "amount": SlotType(
        float, "An amount of money as a number.", frozenset({"lowest", "highest", "currency"}), _amount,
        ear="{{{}:.2f}}", forms=OF_AMOUNTS,
    ),
    "postcode": SlotType(
        Spelled, "A postcode, as the caller says it.", frozenset({"region"}), _postcode, forms=OF_GROUPS
    ),
}  # fmt: skip


def unclear_choices(choices: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a slot's choices: those without words, and those that the same words stand for."""
    taken: dict[str, str] = {}
    for value, label in choices.items():
        if not (value.strip() and label.strip()):
            yield "has a choice without words; write what is said for it"
        for words in sorted({_compared(value), _compared(label)} - {""}):
            if (other := taken.setdefault(words, value)) != value:
                yield f'"{other}" and "{value}" are both said as "{words}"; write other words for one of them'


@cache
def choices_of(name: str, *choices: tuple[str, str]) -> type[StrEnum]:
    """An enumeration of a slot's values, each with the words for the caller, its `label`.

    The same one for the same choices: types are kept for ever (fsm/states.py), and bots are loaded again.
    """
    members = {f"V{at}": value for at, (value, _) in enumerate(choices)}
    make: Any = _Chosen  # its name is known only now
    made: type[StrEnum] = make(name, members)
    for each, (_, label) in zip(made, choices, strict=True):
        each.label = label  # type: ignore[attr-defined]
    return made
