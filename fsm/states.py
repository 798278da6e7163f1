"""The parts of a task's table: slots, the kinds of state with the events each can raise, and arrows.

May import: fsm.context, fsm.locales, fsm.secret, pydantic, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import JsonValue, TypeAdapter

from fsm.context import EVERYTHING, Filter
from fsm.locales import ENGLISH, LONGEST_TEXT, Locale
from fsm.secret import Secret

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Known:
    """The input of checks, rules and preconditions.

    now: the wall clock, aware, in the bot's time zone. slots: accepted values; for a check only those of earlier slots
    in the table, and a change of one of them runs the check again. facts: all other values of the run's context.
    locale: the language that is spoken with the caller.
    """

    now: datetime
    slots: Mapping[str, Any]
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    locale: Locale = ENGLISH


@dataclass(frozen=True, slots=True)
class Keypad(Generic[V]):
    """How a slot is filled with DTMF digits.

    ask: the question, naming the keys. read: parses the keys; raises ValueError for invalid ones. length: how many keys
    make an answer; None if `#` ends it.
    """

    ask: str
    read: Callable[[str, Known], V]
    length: int | None = None


def piece_of(slot: str) -> str:
    """The name of the fact about a slot that is given in pieces: what was said so far, and whether it is whole."""
    return f"piece of {slot}"


@cache
def _adapter(value_type: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(type[Any], value_type))


@cache
def _json_schema(value_type: Hashable) -> dict[str, object]:
    # Cached because every call's tools contain it: building it took a fifth of a call's set-up time.
    schema: dict[str, object] = _adapter(value_type).json_schema()
    schema.pop("title", None)
    return schema


@dataclass(frozen=True, slots=True)
class Slot(Generic[V]):
    """One value that a task needs from the caller.

    value_type: date, time, str, int, bool or an Enum; Secret for a sensitive one, which is keyed in. ask: the question
    for it. check: returns the value to keep, or raises the SlotError that the caller hears; a returned value must pass
    it again. describe: tells the model what the value is. example: added to the question after the first
    misunderstanding; keypad: asked for after the second.
    choices: a name in the bot's settings whose keys are the allowed values.
    optional: accepted when the caller offers it, never asked for. stored: filled by an Act, unknown to the model.
    pieces: its check takes parts of a value and puts them together (fsm.errors.Incomplete).
    written: what a task's file says of its type, to write it down again; empty for a slot written in Python.
    """

    value_type: type[V]
    ask: str = ""
    check: Callable[[V, Known], V] | None = None
    describe: str = ""
    example: str = ""
    keypad: Keypad[V] | None = None
    choices: str = ""
    optional: bool = False
    stored: bool = False
    pieces: bool = False
    written: Mapping[str, JsonValue] = field(default_factory=dict, compare=False)

    @property
    def sensitive(self) -> bool:
        """Whether nobody but the task's effect may know it: it is keyed in, and the model never has it."""
        return self.value_type is Secret

    @property
    def told(self) -> bool:
        """Whether the model passes it on, as the caller says it."""
        return not (self.stored or self.sensitive)

    @property
    def may_be_lost(self) -> bool:
        """Whether an accepted value can be missing later: its check refuses it then, or its process has died."""
        return self.check is not None or self.sensitive

    @property
    def asked(self) -> bool:
        """Whether the task asks the caller for it."""
        return not (self.optional or self.stored)

    @property
    def _type(self) -> TypeAdapter[Any]:
        return _adapter(cast(Hashable, self.value_type))

    def question(self, attempts: int, locale: Locale = ENGLISH) -> str:
        """The question after this many failed attempts: plain, then with an example, then by keypad.

        A sensitive one is asked for by keypad alone.
        """
        if attempts >= (1 if self.sensitive else 2) and self.keypad is not None:
            return locale.of(self.keypad.ask)
        ask = locale.of(self.ask)
        return f"{ask} {locale.of(self.example)}".strip() if attempts else ask

    def schema(self) -> dict[str, object]:
        """The JSON schema of the value, as a function's parameter."""
        schema = dict(_json_schema(cast(Hashable, self.value_type)))
        return {**schema, "description": self.describe} if self.describe else schema

    def read(self, raw: object, now: datetime | None = None) -> V:
        """The value of a piece of JSON. now: aware; a time of day may have its zone's offset, and no other.

        Raises: ValueError (pydantic's) where the type does not fit.
        """
        # Strict, and by way of JSON: else 1030 would be a time, and 20261124 a day of 1970.
        value: object = self._type.validate_json(json.dumps(raw), strict=True)
        if isinstance(value, time) and value.tzinfo is not None:
            # What "10:30Z" means here depends on the day, and the model adds a Z that nobody said: it is asked.
            if now is None or value.utcoffset() != now.utcoffset():
                raise ValueError("the local time is needed, as HH:MM without an offset")
            value = value.replace(tzinfo=None)
        return cast(V, value)

    def filled_by(self, given: object) -> V:
        """The value of what a system has given as JSON. A text may be given as a number: that of a ticket often is.

        Raises: ValueError where it does not fit, or is longer than can be said.
        """
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        value = self.read(json.dumps(given) if is_number and issubclass(self.value_type, str) else given)
        if isinstance(value, str | int) and len(str(value)) > LONGEST_TEXT:
            raise ValueError("longer than can be said")
        return value

    def write(self, value: V) -> JsonValue:
        """The value as JSON; `read` turns it back."""
        return cast(JsonValue, self._type.dump_python(value, mode="json"))

    def checked(self, value: V, known: Known) -> V:
        """The value to keep. Raises: SlotError."""
        return value if self.check is None else self.check(value, known)


@dataclass(frozen=True, slots=True)
class Collect:
    """Waits until its slots are filled; passed through if they are already.

    retries: gives up after this many unusable answers to one question, counted for each slot over the whole run. A
    silence is none: the call watches those.
    """

    events: ClassVar[tuple[str, ...]] = ("filled", "gave_up")
    slots: tuple[str, ...]
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Confirm:
    """Waits for the caller's yes or no to what is read back; a yes counts once that was heard to its end.

    template: a format string over the slots. change: asked after a plain no, in the Collect state that "no" leads to.
    retries: gives up after reading back this often without a yes or no.
    """

    events: ClassVar[tuple[str, ...]] = ("yes", "no", "gave_up")
    template: str
    change: str = "What should I change?"
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a Choose state. means: tells the model when it applies. when: a rule that takes it unasked."""

    means: str
    when: Callable[[Known], bool] | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """An out-of-band question to the model. limit_s: without an answer by then, the Choose's default is taken.

    notes: whether the model sees the run's scratchpad.
    """

    question: str
    limit_s: float = 2.0
    notes: bool = False


@dataclass(frozen=True, slots=True)
class Choose:
    """Picks one of several choices, by the first that decides: a rule, the model's reasoning, the caller.

    choices: by the event that each raises. ask: the question for the caller; "" if the caller is not asked.
    default: the event if nothing else decides; "" if the caller is asked. sees: the part of the run's context that
    rules and reasoning may use.
    """

    choices: Mapping[str, Choice]
    ask: str = ""
    reason: Reason | None = None
    default: str = ""
    sees: Filter = EVERYTHING
    retries: int = 3

    @property
    def events(self) -> tuple[str, ...]:
        return (*self.choices, "gave_up") if self.ask else tuple(self.choices)

    def decides(self, event: str) -> bool:
        """Whether a rule or reasoning can raise this event without asking the caller."""
        return event in self.choices and (self.reason is not None or self.choices[event].when is not None)


@dataclass(frozen=True, slots=True)
class Act:
    """Carries out an effect; does not wait for the caller.

    effect: a name in the table's effects. If "refused" leads to a Collect state, its slots are emptied and asked again.
    fills: stored slots that take an Ok's values of the same names.
    An effect that changes something may also raise "unclear"; with no arrow of its own, it takes those of "failed".
    """

    events: ClassVar[tuple[str, ...]] = ("ok", "refused", "failed")
    effect: str
    fills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """The run has ended. outcome: "transfer" and "hangup" are carried out by the call.

    say: a format string over the slots. Every state that waits has a derived arrow to the table's End("cancelled").
    target: for a transfer, the slot that names the target; "" for the bot's default target.
    """

    events: ClassVar[tuple[str, ...]] = ()
    outcome: str
    say: str = ""
    target: str = ""


State = Collect | Confirm | Choose | Act | End
CANCELLED = "cancelled"
# The event of an Act whose effect may have been done, and nobody knows.
UNCLEAR = "unclear"


def waits(state: State) -> bool:
    """Whether a run may stay in this state between two calls."""
    return isinstance(state, Collect | Confirm) or (isinstance(state, Choose) and bool(state.ask))


@dataclass(frozen=True, slots=True)
class Arrow:
    """One of several arrows for the same event. The highest priority is tried first; equal ones in the written order.

    when: a precondition; the last one tried must have none. then: facts that taking it stores in the context.
    """

    to: str
    when: Callable[[Known], bool] | None = None
    priority: int = 0
    then: Mapping[str, JsonValue] = field(default_factory=dict)
    derived: ClassVar[bool] = False


Arrows = str | tuple[Arrow, ...]


class DerivedEvent(StrEnum):
    """Events whose arrows follow from the kinds of a table's states and slots; no author writes them.

    Those about one slot or state have an arrow for each of them (`DerivedArrow.about`).
    """

    # The opening call: from UNOPENED to the start.
    OPENED = "opened"
    # The caller gives the task up: from every state that waits to the End("cancelled").
    CANCELLED = "cancelled"
    # A value has outlived its retention, a required one or one that was read back: from every state that waits to the
    # start.
    EXPIRED = "expired"
    # A value was changed after it was read back or decided on: to the state that collects it, or to the same state
    # again where it is not asked for. About the slot.
    CORRECTED = "corrected"
    # A value that was accepted is refused by its check now: back to the state that collects it. About the slot.
    INVALIDATED = "invalidated"
    # A read-back lacks a value: to the state that gives it. About the slot.
    UNFILLED = "unfilled"
    # A read-back rests on a look-up whose basis was corrected since: to that look-up. About the state.
    OUTDATED = "outdated"


# The state of a run before it is opened; not in its table.
UNOPENED = ""


@dataclass(frozen=True, slots=True)
class DerivedArrow(Arrow):
    """A derived arrow. about: the slot or state its event must be about; "" for any."""

    derived: ClassVar[bool] = True
    about: str = ""
