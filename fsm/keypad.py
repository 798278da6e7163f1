"""Dates and times entered as DTMF digits.

May import: fsm, the standard library.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date, time

from fsm.secret import Secret
from fsm.states import Keypad, Known


def read_time(keys: str, known: Known) -> time:
    """HHMM on the 24-hour clock. Raises: ValueError."""
    return time(*_two_numbers(keys))


def read_date(keys: str, known: Known) -> date:
    """DDMM: the next such date, today included. Raises: ValueError."""
    (day, month), today = _two_numbers(keys), known.now.date()
    # The next 29 February may be eight years away.
    for year in range(today.year, today.year + 9):
        with suppress(ValueError):
            if (found := date(year, month, day)) >= today:
                return found
    raise ValueError(f"{keys!r} is no date")


def _two_numbers(keys: str) -> tuple[int, int]:
    if len(keys) != 4 or not keys.isdigit():
        raise ValueError(f"{keys!r} are not four digits")
    return int(keys[:2]), int(keys[2:])


def read_secret(keys: str, known: Known) -> Secret:
    """Digits that nobody may see. Raises: ValueError."""
    if not keys.isdecimal():
        raise ValueError("no digits")
    return Secret(keys)


KEYPAD_TIME = Keypad("Please key in the time with four digits, for example 1 0 3 0 for half past ten.", read_time, 4)
KEYPAD_DATE = Keypad("Please key in the date with four digits, for example 2 4 1 2 for 24 December.", read_date, 4)
