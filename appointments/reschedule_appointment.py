"""Moves a booked appointment, found by two facts that are its own, to another day and time.

May import: appointments, fsm, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from appointments import bookings
from appointments.identity import asked_anew, find, still_theirs, tally
from appointments.practice import BOOKED_ALREADY, GONE, WAS, Practice
from fsm.effects import EffectRequest, EffectResult, Failed, Local, Ok
from fsm.registry import TaskFactory
from fsm.spec import Act, AgentSpec, Collect, Confirm, End


def reschedule(practice: Practice, request: EffectRequest, connection: Connection) -> EffectResult:
    """Move the appointment that was found, or refuse with the nearest free time."""
    mine = still_theirs(practice.resource, request, connection)
    if mine is None:
        return Failed(GONE)
    starts_at = datetime.combine(request.slots["day"], request.slots["at"], request.context.now().tzinfo)
    return Ok() if bookings.move(connection, mine.id, starts_at) else practice.taken(request, connection)


WHEN = "{day} at {at}"


def reschedule_appointment(practice: Practice) -> AgentSpec:
    """The task for a practice."""
    return AgentSpec(
        name="reschedule_appointment",
        description=(
            "The caller wants to move or reschedule an appointment that is booked already to another day or time. "
            "Call this at once, with what the caller has said of it."
        ),
        start="CollectName",
        slots={
            **BOOKED_ALREADY,
            "day": practice.day_slot("The new day of the appointment as YYYY-MM-DD, reckoned from today's date."),
            "at": practice.time_slot(),
        },
        states={
            "CollectName": Collect(slots=("name",)),
            "Find": Act(effect="appointments.find_to_move", fills=("was_day", "was_at")),
            "CollectWhich": Collect(slots=("which",)),
            "CollectWhichTime": Collect(slots=("which_at",)),
            "CollectDate": Collect(slots=("day",)),
            "CollectTime": Collect(slots=("at",)),
            "Confirm": Confirm(f"I move your appointment from {WAS} to {WHEN}. Is that right?"),
            "Execute": Act(effect="appointments.move"),
            "Moved": End("moved", say=f"Your appointment is now on {WHEN}. Is there anything else?"),
            "HandedOver": End("transfer", say="I will put you through to a colleague."),
            "Cancelled": End("cancelled", say="All right, your appointment stays as it is. Is there anything else?"),
        },
        transitions={
            ("CollectName", "filled"): "Find",
            ("CollectName", "gave_up"): "HandedOver",
            ("Find", "ok"): "CollectDate",
            ("Find", "refused"): asked_anew(name="CollectName", day="CollectWhich", at="CollectWhichTime"),
            ("Find", "failed"): "HandedOver",
            ("CollectWhich", "filled"): "Find",
            ("CollectWhich", "gave_up"): "HandedOver",
            ("CollectWhichTime", "filled"): "Find",
            ("CollectWhichTime", "gave_up"): "HandedOver",
            ("CollectDate", "filled"): "CollectTime",
            ("CollectDate", "gave_up"): "HandedOver",
            ("CollectTime", "filled"): "Confirm",
            ("CollectTime", "gave_up"): "HandedOver",
            ("Confirm", "yes"): "Execute",
            ("Confirm", "no"): "CollectDate",
            ("Confirm", "gave_up"): "HandedOver",
            ("Execute", "ok"): "Moved",
            ("Execute", "refused"): "CollectTime",
            ("Execute", "failed"): "HandedOver",
        },
        effects=practice.effects(
            {
                "appointments.find_to_move": Local(
                    partial(find, practice.resource), reads_only=True, tally=partial(tally, practice.resource)
                ),
                "appointments.move": Local(partial(reschedule, practice)),
            }
        ),
    )


MOVE = TaskFactory("reschedule_appointment", Practice, reschedule_appointment)
# As it is by default.
RESCHEDULE_APPOINTMENT = reschedule_appointment(Practice())
