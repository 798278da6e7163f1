"""Dates and times by the telephone's keys.

May import: fsm, the standard library.
"""

from __future__ import annotations

from datetime import date, time

from fsm.spec import Keypad, Known


def read_time(keys: str, known: Known) -> time:
    """HHMM on the 24-hour clock. Raises: ValueError."""
    if len(keys) != 4:
        raise ValueError(keys)
    return time(int(keys[:2]), int(keys[2:]))


def read_date(keys: str, known: Known) -> date:
    """DDMM: the next such day from today on. Raises: ValueError."""
    if len(keys) != 4:
        raise ValueError(keys)
    today, day, month = known.now.date(), int(keys[:2]), int(keys[2:])
    # Of a 29 February, only one in eight years is sure to be there.
    for year in range(today.year, today.year + 8):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    raise ValueError(keys)


KEYPAD_TIME = Keypad("Please key in the time with four digits, for example 1 0 3 0 for half past ten.", read_time, 4)
KEYPAD_DATE = Keypad("Please key in the date with four digits, for example 2 4 1 2 for 24 December.", read_date, 4)
