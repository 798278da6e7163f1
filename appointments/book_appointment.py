"""Books an appointment: asks for day, time, name and a yes, then inserts one row.

May import: appointments, fsm, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from appointments import bookings
from appointments.practice import Practice
from fsm.effects import EffectRequest, EffectResult, Local, Ok
from fsm.names import real_name
from fsm.registry import TaskFactory
from fsm.spec import Act, AgentSpec, Collect, Confirm, End, Slot


def book(practice: Practice, request: EffectRequest, connection: Connection) -> EffectResult:
    """Insert the appointment, or refuse with the nearest free time."""
    slots, context = request.slots, request.context
    booked = bookings.book(
        connection,
        resource=practice.resource,
        starts_at=datetime.combine(slots["day"], slots["at"], context.now().tzinfo),
        duration_min=practice.length_min,
        caller=context.caller,
        conversation_id=context.conversation_id,
        effect_key=request.key,
        name=slots["name"],
    )
    return (
        practice.taken(request, connection) if booked is None else Ok({"appointment": booked.id, "code": booked.code})
    )


WHEN = "{day} at {at}"
NAME = Slot(
    str,
    ask="Under what name shall I book it?",
    check=real_name,
    describe="The caller's name, as the caller says it; leave it out until then.",
)


def book_appointment(practice: Practice) -> AgentSpec:
    """The task for a practice."""
    return AgentSpec(
        name="book_appointment",
        description=(
            "The caller wants to book an appointment. Call this at once, even if neither day nor time is known yet, "
            "with what the caller has said of day, time and name."
        ),
        start="CollectDate",
        slots={"day": practice.day_slot(), "at": practice.time_slot(), "name": NAME, "code": Slot(str, stored=True)},
        states={
            "CollectDate": Collect(slots=("day",)),
            "CollectTime": Collect(slots=("at",)),
            "CollectName": Collect(slots=("name",)),
            "Confirm": Confirm(f"{WHEN} for {{name}}. Shall I book it?"),
            "Execute": Act(effect="appointments.book", fills=("code",)),
            "Booked": End(
                "booked",
                say=f"Your appointment on {WHEN} is booked. Its code is {{code:spelled}}. "
                "Is there anything else I can do for you?",
            ),
            "HandedOver": End("transfer", say="I will put you through to a colleague."),
            "Cancelled": End("cancelled", say="All right, I will not book anything. Is there anything else?"),
        },
        transitions={
            ("CollectDate", "filled"): "CollectTime",
            ("CollectDate", "gave_up"): "HandedOver",
            ("CollectTime", "filled"): "CollectName",
            ("CollectTime", "gave_up"): "HandedOver",
            ("CollectName", "filled"): "Confirm",
            ("CollectName", "gave_up"): "HandedOver",
            ("Confirm", "yes"): "Execute",
            ("Confirm", "no"): "CollectDate",
            ("Confirm", "gave_up"): "HandedOver",
            ("Execute", "ok"): "Booked",
            ("Execute", "refused"): "CollectTime",  # another caller booked the time in the meantime
            ("Execute", "failed"): "HandedOver",
        },
        # A caller who says yes and hangs up still wants the appointment.
        effects=practice.effects({"appointments.book": Local(partial(book, practice), on_hang_up="finish")}),
    )


BOOKING = TaskFactory("book_appointment", Practice, book_appointment)
# As it is by default.
BOOK_APPOINTMENT = book_appointment(Practice())
