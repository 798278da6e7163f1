"""The practice of the appointment tasks: opening hours, slots shared by the tasks, and taken times.

May import: fsm, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection

from fsm.agents.identity import owns
from fsm.effects import EffectRequest, Refused
from fsm.errors import SlotError
from fsm.keypad import KEYPAD_DATE, KEYPAD_TIME
from fsm.names import real_name
from fsm.spec import Known, Slot
from store import appointments

RESOURCE = "practice"
OPENS = time(9)
CLOSES = time(17)
LENGTH_MIN = 15
AHEAD = timedelta(days=365)
GONE = "That appointment has been cancelled or moved in the meantime."


def starts() -> list[time]:
    """The times at which an appointment can begin."""
    opens_min, closes_min = OPENS.hour * 60 + OPENS.minute, CLOSES.hour * 60 + CLOSES.minute
    return [time(*divmod(minute, 60)) for minute in range(opens_min, closes_min, LENGTH_MIN)]


def open_day(day: date, known: Known) -> date:
    """Check that the day is not past and within AHEAD; the practice is open every day. Raises: SlotError."""
    today = known.now.date()
    if day < today:
        raise SlotError("That day has already passed. Which day would suit you?")
    if day == today and known.now.time() >= starts()[-1]:
        raise SlotError("We have nothing left today. Which other day would suit you?")
    if day > today + AHEAD:
        raise SlotError("That is too far ahead: we book up to a year in advance. Which day would suit you?")
    return day


def open_time(at: time, known: Known) -> time:
    """Check that an appointment can begin at this time, and that it is not past. Raises: SlotError."""
    if not OPENS <= at < CLOSES:
        raise SlotError("We are open from nine to five. What time would suit you?")
    if at not in starts():
        raise SlotError("Appointments begin at the full, half and quarter hours. What time would suit you?")
    if known.slots.get("day") == known.now.date() and at <= known.now.time():
        raise SlotError("It is already later than that today. What time would suit you?")
    return at


def digits(code: str, known: Known) -> str:
    """The digits of a code, without what is said or written between them."""
    told = "".join(each for each in code if each.isdecimal())
    if not told:
        raise SlotError("I did not get the code.")
    return told


DAY = Slot(
    date,
    ask="Which day would suit you?",
    check=open_day,
    describe="The day of the appointment as YYYY-MM-DD, reckoned from today's date.",
    example="You can say tomorrow, next Monday, or a date.",
    keypad=KEYPAD_DATE,
)
AT = Slot(
    time,
    ask="At what time?",
    check=open_time,
    describe="The time of day at which the appointment begins as HH:MM, on the 24-hour clock.",
    example="For example, half past ten.",
    keypad=KEYPAD_TIME,
)
# Which of the caller's appointments; asked for only if that is unclear.
WHICH = Slot(
    date,
    ask="On which day is the one that you mean?",
    describe="The day of the appointment that is booked already as YYYY-MM-DD; only if the caller says it.",
    keypad=KEYPAD_DATE,
)
WHICH_AT = Slot(
    time,
    ask="At what time is the one that you mean?",
    describe="The time of the appointment that is booked already as HH:MM; only if the caller says it.",
    keypad=KEYPAD_TIME,
)
CODE = Slot(
    str,
    check=digits,
    describe="The code of the appointment that is booked already, digits only; only if the caller says it.",
    optional=True,
)
# Filled by the look-up, for the read-back.
WAS_DAY, WAS_AT = Slot(date, stored=True), Slot(time, stored=True)
WAS = "{was_day:%A} {was_day.day} {was_day:%B} at {was_at.hour}:{was_at:%M}"
# The slots by which an existing appointment is found, then those that the look-up fills, in a table's order.
BOOKED_ALREADY: Mapping[str, Slot[Any]] = {
    "name": Slot(
        str,
        ask="Under what name is it booked?",
        check=real_name,
        describe="The caller's name, as the caller says it; leave it out until then.",
        example="You can also tell me the code that you were given for it.",
    ),
    "which": WHICH,
    "which_at": WHICH_AT,
    "code": CODE,
    "was_day": WAS_DAY,
    "was_at": WAS_AT,
}


def taken(request: EffectRequest, connection: Connection) -> Refused:
    """Refuse a time that is already booked: say so if it is the caller's own, else name the nearest free one."""
    day, at, now = request.slots["day"], request.slots["at"], request.context.now()
    wanted = datetime.combine(day, at, now.tzinfo)
    holder = appointments.at(connection, RESOURCE, wanted)
    if holder is not None and owns(request, holder, connection):
        return Refused(
            f"You have that time already: {at.hour}:{at:%M} on that day is booked for you. "
            "What other time would suit you?"
        )
    candidates = [datetime.combine(day, each, now.tzinfo) for each in starts()]
    free = appointments.free_times(connection, RESOURCE, [each for each in candidates if each > now])
    if not free:
        return Refused("I am sorry, that day is fully booked by now. Which other day and time would suit you?")
    nearest = min(free, key=lambda each: abs(each - wanted))
    return Refused(
        f"I am sorry, {at.hour}:{at:%M} is already taken. "
        f"The nearest free time is {nearest.hour}:{nearest:%M}. What time would suit you?"
    )
