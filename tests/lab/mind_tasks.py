"""Tasks to try the mind on: those of a practice, and one that asks its caller to choose a way."""

from __future__ import annotations

from datetime import date, time
from typing import Any

from fsm.effects import EffectRequest, EffectResult, Local, Ok
from fsm.spec import Act, AgentSpec, Choice, Choose, Collect, Confirm, End, Slot


def done(request: EffectRequest, store: object) -> EffectResult:
    return Ok()


NAME = Slot(str, ask="Your name, please?", describe="The caller's first and last name.")
DAY = Slot(date, ask="Which day would suit you?", describe="The day as YYYY-MM-DD.")
AT = Slot(time, ask="At what time?", describe="The time of day as HH:MM, on the 24-hour clock.")


def task(name: str, description: str, slots: dict[str, Slot[Any]], confirm: str, result: str) -> AgentSpec:
    """Collects its slots, reads them back, and does it."""
    return AgentSpec(
        name=name,
        description=description,
        start="Collect",
        slots=slots,
        states={
            "Collect": Collect(slots=tuple(slots)),
            "Confirm": Confirm(confirm),
            "Execute": Act(effect=name),
            "Done": End(result, say="It is done. Anything else?"),
            "HandedOver": End("transfer", say="I will put you through."),
            "Cancelled": End("cancelled", say="All right, nothing is changed."),
        },
        transitions={
            ("Collect", "filled"): "Confirm",
            ("Collect", "gave_up"): "HandedOver",
            ("Confirm", "yes"): "Execute",
            ("Confirm", "no"): "Collect",
            ("Confirm", "gave_up"): "HandedOver",
            ("Execute", "ok"): "Done",
            ("Execute", "refused"): "Collect",
            ("Execute", "failed"): "HandedOver",
        },
        effects={name: Local(done)},
    )


BOOK = task(
    "book_appointment",
    "The caller wants to book an appointment.",
    {"day": DAY, "at": AT},
    "{day:%A} at {at:%H:%M}. Shall I book it?",
    "booked",
)
MOVE = task(
    "reschedule_appointment",
    "The caller wants to move an appointment that is booked already.",
    {"name": NAME, "day": DAY, "at": AT},
    "{name}, {day:%A} at {at:%H:%M}. Shall I move it?",
    "moved",
)
CANCEL = task(
    "cancel_appointment",
    "The caller wants to cancel an appointment that is booked already.",
    {"name": NAME},
    "The appointment of {name}. Shall I cancel it?",
    "cancelled_it",
)
HUMAN = AgentSpec(
    name="hand_over",
    description="The caller wants to speak to a human being.",
    start="Whom",
    slots={"to": Slot(str, ask="Reception or billing?", choices="targets", describe="Whom the caller wants.")},
    states={
        "Whom": Collect(slots=("to",)),
        "Through": End("transfer", say="I will put you through.", target="to"),
        "Cancelled": End("cancelled", say="All right. Anything else?"),
    },
    transitions={("Whom", "filled"): "Through", ("Whom", "gave_up"): "Through"},
)
PARCEL = AgentSpec(
    name="track_parcel",
    description="The caller asks where a parcel is.",
    start="How",
    slots={"number": Slot(str, ask="What is the parcel number?", describe="The parcel number, digits only.")},
    states={
        "How": Choose(
            {
                "number_known": Choice("the caller has the number of the parcel at hand"),
                "no_number": Choice("the caller does not know the number or has lost it"),
                "later": Choice("the caller wants to call back another time"),
            },
            ask="Do you have the parcel number at hand?",
        ),
        "Which": Collect(slots=("number",)),
        "Confirm": Confirm("Number {number}, is that right?"),
        "Execute": Act(effect="parcels.find"),
        "Found": End("found", say="It is on its way."),
        "Later": End("later", say="Call us any time."),
        "HandedOver": End("transfer", say="I will put you through."),
        "Cancelled": End("cancelled", say="All right."),
    },
    transitions={
        ("How", "number_known"): "Which",
        ("How", "no_number"): "HandedOver",
        ("How", "later"): "Later",
        ("How", "gave_up"): "HandedOver",
        ("Which", "filled"): "Confirm",
        ("Which", "gave_up"): "HandedOver",
        ("Confirm", "yes"): "Execute",
        ("Confirm", "no"): "Which",
        ("Confirm", "gave_up"): "HandedOver",
        ("Execute", "ok"): "Found",
        ("Execute", "refused"): "Which",
        ("Execute", "failed"): "HandedOver",
    },
    effects={"parcels.find": Local(done)},
)
END = AgentSpec(
    name="end_call",
    description="The caller says goodbye or has nothing more to ask: ends the call.",
    start="HungUp",
    slots={},
    states={"HungUp": End("hangup", say="Goodbye.")},
    transitions={},
)
PRACTICE = (BOOK, MOVE, CANCEL, HUMAN, END)
TARGETS = {"targets": ("reception", "billing")}
