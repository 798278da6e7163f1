"""Cancelling a booked appointment, found by the caller's number and name.

May import: fsm, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from datetime import date, time

from sqlalchemy import Connection

from fsm.agents.practice import NAME, find
from fsm.effects import EffectRequest, EffectResult, Local, Ok, Refused
from fsm.spec import Act, AgentSpec, Collect, Confirm, End, Slot
from store import appointments


def cancel(request: EffectRequest, connection: Connection) -> EffectResult:
    """Take the appointment that was found out of the book."""
    if appointments.remove(connection, int(str(request.facts["appointment"]))):
        return Ok()
    return Refused("That appointment has been cancelled already.")


WAS = "{was_day:%A} {was_day.day} {was_day:%B} at {was_at.hour}:{was_at:%M}"

CANCEL_APPOINTMENT = AgentSpec(
    name="cancel_appointment",
    description="The caller wants to cancel an appointment that is booked already. Call this at once.",
    start="CollectName",
    slots={
        "name": NAME,
        "which": Slot(
            date,
            ask="On which day is the appointment that you want to cancel?",
            describe="The day of the booked appointment as YYYY-MM-DD; only if the caller says it.",
        ),
        "was_day": Slot(date, stored=True),
        "was_at": Slot(time, stored=True),
    },
    states={
        "CollectName": Collect(slots=("name",)),
        "Find": Act(effect="appointments.find_to_cancel", fills=("was_day", "was_at")),
        "Confirm": Confirm(f"Your appointment on {WAS}. Shall I cancel it?"),
        "CollectDay": Collect(slots=("which",)),
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
        ("Find", "refused"): "HandedOver",
        ("Find", "failed"): "HandedOver",
        ("Confirm", "yes"): "Execute",
        ("Confirm", "no"): "CollectDay",
        ("Confirm", "gave_up"): "HandedOver",
        ("CollectDay", "filled"): "Find",
        ("CollectDay", "gave_up"): "HandedOver",
        ("Execute", "ok"): "Removed",
        ("Execute", "refused"): "NotThere",
        ("Execute", "failed"): "HandedOver",
    },
    effects={"appointments.find_to_cancel": Local(find, reads_only=True), "appointments.cancel": Local(cancel)},
)
