"""Ready-made checks of slots, which task files name.

May import: fsm, the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from fsm.errors import SlotError
from fsm.hours import Hours
from fsm.secret import LEAST_FOR_LAST4, Secret
from fsm.states import Known

MOST_OF_CARD = 19


@dataclass(frozen=True, slots=True)
class WithinHours:
    """A check for slots: a day on which it is open, or a time at which it is.

    A time is judged for the day that the caller has given, without one for the week.
    Raises: SlotError.
    """

    hours: Hours

    def __call__(self, value: Any, known: Known) -> Any:
        locale = known.locale
        if isinstance(value, date):
            if not self.hours.on(value):
                raise SlotError(
                    f"{self.hours.said_closed(value, locale)} {locale.of('Which other day would suit you?')}"
                )
            return value
        day = _day(known)
        if day is not None and not self.hours.on(day):
            question = locale.of("What time would suit you on another day?")
            raise SlotError(f"{self.hours.said_closed(day, locale)} {question}")
        if not self.hours.open_at(value, day):
            raise SlotError(f"{self.hours.said_on(day, locale)} {locale.of('What time would suit you?')}")
        return value


def not_past(value: Any, known: Known) -> Any:
    """A day from today on, or a time of it that is still to come. Raises: SlotError."""
    today = known.now.date()
    if isinstance(value, date):
        if value < today:
            raise SlotError("That day has already passed. Which day would suit you?")
    elif _day(known) == today and value <= known.now.time():
        raise SlotError("It is already later than that today. What time would suit you?")
    return value


def luhn(value: Any, known: Known) -> Any:
    """The number of a payment card: 12 to 19 digits with the check digit of ISO/IEC 7812. Raises: SlotError."""
    digits = value.reveal() if isinstance(value, Secret) else str(value)
    if not (digits.isdecimal() and LEAST_FOR_LAST4 <= len(digits) <= MOST_OF_CARD and passes_luhn(digits)):
        raise SlotError("That is not the number of a card as I have it.")
    return value


def passes_luhn(digits: str) -> bool:
    """Whether the last of these digits is the check digit of the others. digits: decimal."""
    doubled = (int(each) * 2 if at % 2 else int(each) for at, each in enumerate(reversed(digits)))
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def _day(known: Known) -> date | None:
    """The day that a time belongs to: the last one that was given before it."""
    days = [each for each in known.slots.values() if isinstance(each, date) and not isinstance(each, datetime)]
    return days[-1] if days else None
