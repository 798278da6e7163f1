"""The caller of a `session.initiate` as an E.164 number, if the number is not withheld.

A caller's number identifies but does not authenticate: anybody with a telephone system can send any number.
Pure. May import: phonenumbers, the standard library.
Rules from: docs/specs/vaic-streaming.md 5.2, RFC 3323 4.1.1.3, RFC 3966.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    is_possible_number,
    is_valid_number,
    parse,
)

NOBODY = ""
# Telephone systems that can only send digits spell "anonymous" and the like on the telephone's keys.
WITHHELD_WORDS = ("anonymous", "blocked", "private", "restricted", "unavailable", "unknown")
_KEYS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
WITHHELD_DIGITS = frozenset(word.translate(_KEYS) for word in WITHHELD_WORDS)
# RFC 3323: the host of a withheld caller, whatever the user part is.
ANONYMOUS_HOST = "anonymous.invalid"
# RFC 3966's separators, the spaces people write, and the plus of an international number.
_NUMBER = re.compile(r"\+?[\d\s().\-/\u00a0]+")


def e164(caller: str, region: str = "") -> str:
    """The number, like "+4930123456"; "" if it is withheld (a word, in any language) or not a telephone number.

    caller: a number in any usual form, or a tel: or sip: URI. region: ISO 3166 code of the country whose national form
    and international prefix are accepted; "" accepts only international numbers, with + or 00.
    """
    written = _subscriber(caller)
    if _NUMBER.fullmatch(written) is None:
        return NOBODY
    international = written.startswith("+")
    if not region and written.startswith("00"):
        written, international = f"+{written[2:]}", True
    if "".join(filter(str.isdecimal, written)) in WITHHELD_DIGITS:
        return NOBODY
    try:
        number = parse(written, region or None)
    except NumberParseException:
        return NOBODY
    # A short national one may be an extension or a placeholder such as 0000000000, which many callers share.
    known = is_possible_number(number) if international else is_valid_number(number)
    return format_number(number, PhoneNumberFormat.E164) if known and number.national_number else NOBODY


def is_withheld(caller: str) -> bool:
    """Whether there is no number, or what a telephone system sends in the place of one: many callers share it.

    A name at a host ("sip:alice@pbx.example.com") is somebody's; without one it is a word, in any language.
    """
    written = _subscriber(caller)
    digits = "".join(filter(str.isdecimal, written))
    if not digits:
        return not written or "@" not in caller or written.casefold() in WITHHELD_WORDS
    return digits in WITHHELD_DIGITS or set(digits) == {"0"}


def digits_of(address: str) -> str:
    """The digits of a number as they are written, after a + if there is one: also of what is no number of E.164.

    address: as `caller` of `e164`; an extension is one too.
    """
    written = _subscriber(address)
    digits = "".join(each for each in written if each in "0123456789")
    return f"+{digits}" if written.startswith("+") else digits


def _subscriber(caller: str) -> str:
    """The part of an address that may be a number; "" if its host says that the caller is withheld."""
    address = caller.strip()
    if (bracketed := re.search(r"<([^<>]*)>", address)) is not None:
        address = bracketed[1].strip()
    scheme, colon, rest = address.partition(":")
    if colon and scheme.lower() in ("tel", "sip", "sips"):
        address = rest
    user, _, host = address.partition("@")
    if host.partition(";")[0].partition(":")[0].strip().lower() == ANONYMOUS_HOST:
        return NOBODY
    # Parameters belong to the user part as well: sip:+4930123;npdi@host.
    user, *parameters = user.split(";")
    context = next((each[14:] for each in parameters if each.lower().startswith("phone-context=+")), "")
    number = unquote(user).partition(":")[0].strip()
    return number if number.startswith("+") or not context else f"{context}{number}"
