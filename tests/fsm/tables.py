"""Tables for tests, with ways to change one part of them, and fake effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from fsm.effects import EffectRequest, EffectResult, Local, Ok, TaskContext
from fsm.errors import SlotError
from fsm.run import TaskRun
from fsm.spec import Act, AgentSpec, Arrow, Choice, Choose, Collect, Confirm, End, Keypad, Known, Reason, Slot

NOW = datetime(2026, 11, 23, 14, 5, tzinfo=ZoneInfo("Europe/Berlin"))  # a Monday


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


def not_too_many(count: int, known: Known) -> int:
    """A check that looks at another slot: there are only few large ones."""
    limit = 2 if known.slots.get("size") is Size.LARGE else 9
    if count > limit:
        raise SlotError(f"I can give you at most {limit}.")
    return count


def eat(request: EffectRequest, store: object) -> EffectResult:
    return Ok()


PARTS: dict[str, Any] = {
    "name": "order_pizza",
    "description": "The caller wants pizza.",
    "start": "What",
    "slots": {
        "size": Slot(Size, ask="Small or large?", describe="The size of the pizza."),
        "count": Slot(int, ask="How many?", check=not_too_many),
        "note": Slot(str, ask="Any wishes?"),
        "crisp": Slot(bool, ask="Crisp?"),
    },
    "states": {
        "What": Collect(slots=("size", "count")),
        "Details": Collect(slots=("note", "crisp"), retries=2),
        "Confirm": Confirm("{count} {size.value}, {note}. Right?"),
        "Bake": Act(effect="pizza.bake"),
        "Baked": End("baked", say="It is in the oven."),
        "Human": End("transfer", say="I will put you through."),
        "Cancelled": End("cancelled", say="No pizza then."),
    },
    "transitions": {
        ("What", "filled"): "Details",
        ("What", "gave_up"): "Human",
        ("Details", "filled"): "Confirm",
        ("Details", "gave_up"): "Human",
        ("Confirm", "yes"): "Bake",
        ("Confirm", "no"): "What",
        ("Confirm", "gave_up"): "Human",
        ("Bake", "ok"): "Baked",
        ("Bake", "refused"): "Details",
        ("Bake", "failed"): "Human",
    },
    "effects": {"pizza.bake": Local(eat)},
    "actions": {},
}


def table(**changes: Any) -> AgentSpec:
    """The table with some parts changed; in a mapping only the given entries. None removes an entry."""
    parts = dict(PARTS)
    for name, change in changes.items():
        if isinstance(parts[name], Mapping):
            parts[name] = {key: value for key, value in {**parts[name], **change}.items() if value is not None}
        else:
            parts[name] = change
    return AgentSpec(**parts)


# The slots of its whole order.
WHOLE = {"size": "small", "count": 3, "note": "no olives", "crisp": True}


class Oven:
    """A scripted effect that records its requests."""

    def __init__(self, *results: EffectResult) -> None:
        self.results = list(results)
        self.requests: list[EffectRequest] = []

    def __call__(self, request: EffectRequest) -> EffectResult:
        self.requests.append(request)
        return self.results.pop(0) if self.results else Ok({"ticket": 7})


def context(run_id: str = "t1", now: datetime = NOW) -> TaskContext:
    return TaskContext("c-1", run_id, "+4930123", lambda: now)


@dataclass(frozen=True)
class Kitchen:
    """Carries out every effect with one function, without deduplication."""

    effect: Callable[[EffectRequest], EffectResult]
    takes_back: bool = False

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        return self.effect(request)

    def begun(self, keys: Sequence[str]) -> bool:
        return False

    def spent(self, context: TaskContext) -> str:
        return ""

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        return self.takes_back


def pizza(oven: Callable[[EffectRequest], EffectResult] | None = None, spec: AgentSpec | None = None) -> TaskRun:
    return TaskRun(spec or table(), context(), Kitchen(oven or Oven()))


def known_letter(letter: str, known: Known) -> str:
    if letter not in ("x", "y"):
        raise SlotError("There is no such letter.")
    return letter


# A look-up, what it finds, and what is asked for only where there are several; all of it is kept for a while only.
LOCKER = AgentSpec(
    name="open_locker",
    description="The caller wants a locker opened.",
    start="Letter",
    slots={
        "letter": Slot(str, ask="Which letter?", check=known_letter),
        "row": Slot(int, ask="Which row?"),
        "locker": Slot(int, stored=True),
        "pin": Slot(int, ask="Which pin?"),
        "tip": Slot(str, optional=True),
    },
    states={
        "Letter": Collect(slots=("letter",)),
        "Find": Act(effect="locker.find", fills=("locker",)),
        "Row": Collect(slots=("row",)),
        "Pin": Collect(slots=("pin",)),
        "Confirm": Confirm("{locker} with {pin}?"),
        "Open": Act(effect="locker.open"),
        "Opened": End("opened", say="{locker} is open."),
        "Human": End("transfer", say="I will put you through."),
        "Cancelled": End("cancelled", say="It stays shut."),
    },
    transitions={
        ("Letter", "filled"): "Find",
        ("Letter", "gave_up"): "Human",
        ("Find", "ok"): "Pin",
        ("Find", "refused"): "Row",
        ("Find", "failed"): "Human",
        ("Row", "filled"): "Find",
        ("Row", "gave_up"): "Human",
        ("Pin", "filled"): "Confirm",
        ("Pin", "gave_up"): "Human",
        ("Confirm", "yes"): "Open",
        ("Confirm", "no"): (Arrow("Letter", then={"denied": True}),),
        ("Confirm", "gave_up"): "Human",
        ("Open", "ok"): "Opened",
        ("Open", "refused"): "Pin",
        ("Open", "failed"): "Human",
    },
    effects={"locker.find": Local(eat, reads_only=True), "locker.open": Local(eat)},
    retention={"slot": timedelta(minutes=10)},
)


def wants_much(known: Known) -> bool:
    return bool(known.slots.get("hours", 0) > 8)


# Every kind of state and of arrow: a rule, reasoning, the caller's own choice, preconditions, a keypad, a fact that
# is forgotten.
TRIAGE = AgentSpec(
    name="triage",
    description="The caller has a machine that is broken.",
    start="Ask",
    slots={
        "hours": Slot(
            int,
            ask="For how many hours?",
            example="For example: two hours.",
            keypad=Keypad("Please key in the hours, and then the hash key.", lambda keys, known: int(keys)),
        ),
        "name": Slot(str, ask="Your name?", optional=True),
    },
    states={
        "Ask": Collect(slots=("hours",)),
        "Weigh": Choose(
            choices={
                "urgent": Choice("people are waiting", when=wants_much),
                "normal": Choice("it can wait until tomorrow"),
            },
            reason=Reason("How urgent is it?", notes=True),
            default="normal",
        ),
        "Pick": Choose(choices={"visit": Choice("somebody comes"), "post": Choice("it is sent")}, ask="Visit or post?"),
        "Confirm": Confirm("{hours} hours. Right?"),
        "Order": Act(effect="triage.order"),
        "Ordered": End("ordered", say="It is on its way."),
        "Rushed": End("rushed", say="Somebody is on the way."),
        "Human": End("transfer", say="I will put you through."),
        "Cancelled": End("cancelled"),
    },
    transitions={
        ("Ask", "filled"): "Weigh",
        ("Ask", "gave_up"): "Human",
        ("Weigh", "urgent"): "Human",
        ("Weigh", "normal"): "Pick",
        ("Pick", "visit"): "Confirm",
        ("Pick", "post"): (Arrow("Confirm"), Arrow("Human", when=wants_much, priority=1, then={"too_heavy": True})),
        ("Pick", "gave_up"): "Human",
        ("Confirm", "yes"): "Order",
        ("Confirm", "no"): "Ask",
        ("Confirm", "gave_up"): "Human",
        ("Order", "ok"): (Arrow("Rushed", when=lambda known: known.slots["hours"] == 8), Arrow("Ordered")),
        ("Order", "refused"): "Ask",
        ("Order", "failed"): "Human",
    },
    effects={"triage.order": Local(eat)},
    retention={"slot": timedelta(minutes=10)},
)


def positive(value: int, known: Known) -> int:
    if value < 1:
        raise SlotError("That is too few.")
    return value


# No read-back stands between what is collected and the end that speaks of it.
PAIR_PICKED: dict[str, Any] = {
    "name": "pair",
    "description": "Two numbers, and what to do with them.",
    "start": "First",
    "slots": {
        "first": Slot(int, ask="First?", check=positive),
        "second": Slot(int, ask="Second?", check=positive),
    },
    "states": {
        "First": Collect(slots=("first",)),
        "Second": Collect(slots=("second",)),
        "Pick": Choose(choices={"sum": Choice("both")}, ask="Which?"),
        "Done": End("done", say="{first} and {second}."),
        "Human": End("transfer"),
        "Cancelled": End("cancelled"),
    },
    "transitions": {
        ("First", "filled"): "Second",
        ("First", "gave_up"): "Human",
        ("Second", "filled"): "Pick",
        ("Second", "gave_up"): "Human",
        ("Pick", "sum"): "Done",
        ("Pick", "gave_up"): "Human",
    },
}


def pair() -> AgentSpec:
    """Two numbers, each with a check; declared in the other order than they are asked for."""
    return AgentSpec(
        name="pair",
        description="Two numbers.",
        start="First",
        slots={"second": Slot(int, ask="Second?", check=positive), "first": Slot(int, ask="First?", check=positive)},
        states={
            "First": Collect(slots=("first",)),
            "Second": Collect(slots=("second",)),
            "Confirm": Confirm("{first} and {second}?"),
            "Done": End("done"),
            "Cancelled": End("cancelled"),
        },
        transitions={
            ("First", "filled"): "Second",
            ("First", "gave_up"): "Done",
            ("Second", "filled"): "Confirm",
            ("Second", "gave_up"): "Done",
            ("Confirm", "yes"): "Done",
            ("Confirm", "no"): "First",
            ("Confirm", "gave_up"): "Done",
        },
    )
