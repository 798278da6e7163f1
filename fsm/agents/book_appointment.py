"""Booking an appointment: a day, a time, a yes, and one row in the appointment book.

May import: fsm, store, SQLAlchemy, loguru, the standard library.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from loguru import logger
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from fsm.effects import EffectRequest, EffectResult, Failed, Local, Ok, Refused
from fsm.errors import SlotError
from fsm.spec import Act, AgentSpec, Collect, Confirm, End, Known, Slot
from store.appointments import AppointmentBook, Booked

RESOURCE = "practice"
OPENS, CLOSES = time(9), time(17)
LENGTH_MIN = 15
AHEAD = timedelta(days=365)


def open_day(day: date, known: Known) -> date:
    """A day to come; we are open on all of them."""
    today = known.now.date()
    if day < today:
        raise SlotError("That day has already passed. Which day would suit you?")
    if day == today and known.now.time() >= _starts()[-1]:
        raise SlotError("We have nothing left today. Which other day would suit you?")
    if day > today + AHEAD:
        raise SlotError("That is too far ahead: we book up to a year in advance. Which day would suit you?")
    return day


def open_time(at: time, known: Known) -> time:
    """A time at which an appointment can begin, and today one that is still to come."""
    if not OPENS <= at < CLOSES:
        raise SlotError("We are open from nine to five. What time would suit you?")
    if at not in _starts():
        raise SlotError("Appointments begin at the full, half and quarter hours. What time would suit you?")
    if known.slots.get("day") == known.now.date() and at <= known.now.time():
        raise SlotError("It is already later than that today. What time would suit you?")
    return at


def book(request: EffectRequest, engine: Engine) -> EffectResult:
    """Write the appointment down, or say what else could be had."""
    day, at = request.slots["day"], request.slots["at"]
    zone, context = request.context.now().tzinfo, request.context
    appointments = AppointmentBook(engine)
    try:
        booked = appointments.book(
            RESOURCE,
            datetime.combine(day, at, zone),
            LENGTH_MIN,
            context.caller,
            context.conversation_id,
            request.key,
        )
        if isinstance(booked, Booked):
            return Ok({"appointment": booked.appointment.id})
        candidates = [datetime.combine(day, each, zone) for each in _starts()]
        now = context.now()
        free = appointments.free_times(RESOURCE, [each for each in candidates if each > now])
    except OperationalError:
        logger.bind(conversation=context.conversation_id).exception("no appointment book")
        return Failed("I am sorry, I cannot get at our appointment book at the moment.")
    if not free:
        return Refused("I am sorry, that day is fully booked by now. Which other day and time would suit you?")
    wanted = datetime.combine(day, at, zone)
    nearest = min(free, key=lambda each: abs(each - wanted))
    return Refused(
        f"I am sorry, {at.hour}:{at:%M} is already taken. "
        f"The nearest free time is {nearest.hour}:{nearest:%M}. What time would suit you?"
    )


def _starts() -> list[time]:
    """The times at which an appointment can begin."""
    opens_min, closes_min = OPENS.hour * 60 + OPENS.minute, CLOSES.hour * 60 + CLOSES.minute
    return [time(*divmod(minute, 60)) for minute in range(opens_min, closes_min, LENGTH_MIN)]


# Written for the ear: no leading zeros.
WHEN = "{day:%A} {day.day} {day:%B} at {at.hour}:{at:%M}"

BOOK_APPOINTMENT = AgentSpec(
    name="book_appointment",
    description=(
        "The caller wants to book an appointment. Call this at once, even if neither day nor time is known yet, "
        "with those of them that the caller has said."
    ),
    start="CollectDate",
    slots={
        "day": Slot(
            date,
            ask="Which day would suit you?",
            check=open_day,
            describe="The day of the appointment as YYYY-MM-DD, reckoned from today's date.",
        ),
        "at": Slot(
            time,
            ask="At what time?",
            check=open_time,
            describe="The time of day at which the appointment begins as HH:MM, on the 24-hour clock.",
        ),
    },
    states={
        "CollectDate": Collect(slots=("day",)),
        "CollectTime": Collect(slots=("at",)),
        "Confirm": Confirm(f"{WHEN}. Shall I book it?"),
        "Execute": Act(effect="appointments.book"),
        "Booked": End("booked", say=f"Your appointment on {WHEN} is booked. Is there anything else I can do for you?"),
        "HandedOver": End("transfer", say="I will put you through to a colleague."),
        "Cancelled": End("cancelled", say="All right, I will not book anything. Is there anything else?"),
    },
    transitions={
        ("CollectDate", "filled"): "CollectTime",
        ("CollectDate", "gave_up"): "HandedOver",
        ("CollectTime", "filled"): "Confirm",
        ("CollectTime", "gave_up"): "HandedOver",
        ("Confirm", "yes"): "Execute",
        ("Confirm", "no"): "CollectDate",
        ("Confirm", "gave_up"): "HandedOver",
        ("Execute", "ok"): "Booked",
        ("Execute", "refused"): "CollectTime",  # the time went to someone else while the caller was thinking
        ("Execute", "failed"): "HandedOver",
    },
    effects={"appointments.book": Local(book)},
)
