"""Cancels a booked appointment, found by two facts that are its own.

May import: appointments, fsm, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from appointments import bookings
from appointments.identity import asked_anew, find, still_theirs, tally
from appointments.practice import BOOKED_ALREADY, GONE, WAS, Practice
from fsm.effects import EffectRequest, EffectResult, Local, Ok, Refused
from fsm.registry import TaskFactory
from fsm.spec import Act, AgentSpec, Collect, Confirm, End


def cancel(practice: Practice, request: EffectRequest, connection: Connection) -> EffectResult:
    """Delete the appointment that was found."""
    mine = still_theirs(practice.resource, request, connection)
    return Ok() if mine is not None and bookings.remove(connection, mine.id) else Refused(GONE)


def cancel_appointment(practice: Practice) -> AgentSpec:
    """The task for a practice."""
    return AgentSpec(
        name="cancel_appointment",
        description="The caller wants to cancel an appointment that is booked already. Call this at once.",
        start="CollectName",
        slots=BOOKED_ALREADY,
        states={
            "CollectName": Collect(slots=("name",)),
            "Find": Act(effect="appointments.find_to_cancel", fills=("was_day", "was_at")),
            "Confirm": Confirm(f"Your appointment on {WAS}. Shall I cancel it?"),
            "CollectDay": Collect(slots=("which",)),
            "CollectTime": Collect(slots=("which_at",)),
            "Execute": Act(effect="appointments.cancel"),
            "Removed": End("removed", say=f"Your appointment on {WAS} is cancelled. Is there anything else?"),
            "NotThere": End("not_found", say="Is there anything else I can do for you?"),
            "HandedOver": End("transfer", say="I will put you through to a colleague."),
            "Cancelled": End("cancelled", say="All right, your appointment stays as it is. Is there anything else?"),
        },
        transitions={
            ("CollectName", "filled"): "Find",
            ("CollectName", "gave_up"): "HandedOver",
            ("Find", "ok"): "Confirm",
            ("Find", "refused"): asked_anew(name="CollectName", day="CollectDay", at="CollectTime"),
            ("Find", "failed"): "HandedOver",
            ("Confirm", "yes"): "Execute",
            ("Confirm", "no"): "Cancelled",
            ("Confirm", "gave_up"): "HandedOver",
            ("CollectDay", "filled"): "Find",
            ("CollectDay", "gave_up"): "HandedOver",
            ("CollectTime", "filled"): "Find",
            ("CollectTime", "gave_up"): "HandedOver",
            ("Execute", "ok"): "Removed",
            ("Execute", "refused"): "NotThere",
            ("Execute", "failed"): "HandedOver",
        },
        effects=practice.effects(
            {
                "appointments.find_to_cancel": Local(
                    partial(find, practice.resource), reads_only=True, tally=partial(tally, practice.resource)
                ),
                "appointments.cancel": Local(partial(cancel, practice)),
            }
        ),
    )


CANCELLATION = TaskFactory("cancel_appointment", Practice, cancel_appointment)
# As it is by default.
CANCEL_APPOINTMENT = cancel_appointment(Practice())
