"""The practice of the appointment tasks: opening hours, slots shared by the tasks, and finding appointments.

May import: fsm, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from difflib import SequenceMatcher

from sqlalchemy import Connection

from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused
from fsm.errors import SlotError
from fsm.keypad import KEYPAD_DATE, KEYPAD_TIME
from fsm.spec import Known, Slot
from store import appointments
from store.appointments import Appointment

RESOURCE = "practice"
OPENS, CLOSES = time(9), time(17)
LENGTH_MIN = 15
AHEAD = timedelta(days=365)
# Least similarity of two names (difflib's ratio). Low, because speech recognition varies the spelling; the caller's
# number must match as well.
ALIKE = 0.7
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
# Asked for only if the caller has several appointments.
WHICH = Slot(
    date,
    ask="On which day is the one that you mean?",
    describe="The day of the appointment that is booked already as YYYY-MM-DD; only if the caller says it.",
    keypad=KEYPAD_DATE,
)
# Filled by the look-up, for the read-back.
WAS_DAY, WAS_AT = Slot(date, stored=True), Slot(time, stored=True)
WAS = "{was_day:%A} {was_day.day} {was_day:%B} at {was_at.hour}:{was_at:%M}"
NAME = Slot(str, ask="Under what name is it booked?", describe="The caller's name, as the caller says it.")


def taken(request: EffectRequest, connection: Connection) -> Refused:
    """Refuse a time that is already booked, and name the nearest free one."""
    day, at, now = request.slots["day"], request.slots["at"], request.context.now()
    candidates = [datetime.combine(day, each, now.tzinfo) for each in starts()]
    free = appointments.free_times(connection, RESOURCE, [each for each in candidates if each > now])
    if not free:
        return Refused("I am sorry, that day is fully booked by now. Which other day and time would suit you?")
    wanted = datetime.combine(day, at, now.tzinfo)
    nearest = min(free, key=lambda each: abs(each - wanted))
    return Refused(
        f"I am sorry, {at.hour}:{at:%M} is already taken. "
        f"The nearest free time is {nearest.hour}:{nearest:%M}. What time would suit you?"
    )


def find(request: EffectRequest, connection: Connection) -> EffectResult:
    """Find the caller's appointment by number and name; if there are several, by the day `which`."""
    now, which = request.context.now(), request.slots.get("which")
    mine = [each for each in _upcoming(request, connection) if _alike(each.name, request.slots["name"])]
    if not mine:
        return Failed("I cannot find an appointment under that name for your number.")
    days = {each.id: each.starts_at.astimezone(now.tzinfo) for each in mine}
    meant = [each for each, local in days.items() if local.date() == which] or list(days)
    if len(meant) > 1 and all(days[each].date() == which for each in meant):
        return Failed("You have more than one appointment on that day.")
    if len(meant) > 1:
        *told, last = [f"{local:%A} {local.day} {local:%B} at {local.hour}:{local:%M}" for local in days.values()][:3]
        return Refused(f"Your next appointments are on {', '.join(told)} and {last}.")
    local = days[meant[0]]
    return Ok({"was_day": local.date().isoformat(), "was_at": f"{local:%H:%M:%S}", "appointment": meant[0]})


def found(request: EffectRequest, connection: Connection) -> Appointment | None:
    """The appointment that was found and read back; None if it was changed or cancelled since."""
    slots, context = request.slots, request.context
    mine = appointments.held(connection, int(str(request.facts["appointment"])))
    was = datetime.combine(slots["was_day"], slots["was_at"], context.now().tzinfo)
    stands = mine is not None and (mine.caller, mine.starts_at) == (context.caller, was)
    return mine if stands else None


def _upcoming(request: EffectRequest, connection: Connection) -> list[Appointment]:
    caller = request.context.caller
    # All withheld numbers are equal (""), so they identify nobody.
    return appointments.upcoming(connection, caller, request.context.now()) if caller else []


def _alike(stored: str, said: str) -> bool:
    return not stored or SequenceMatcher(None, _letters(stored), _letters(said)).ratio() >= ALIKE


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
