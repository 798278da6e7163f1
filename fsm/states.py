"""What a task's table is made of: slots, the kinds of state with the events each can raise, and arrows.

May import: fsm.context, pydantic, the standard library.
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

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Known:
    """What a check, a rule or an arrow may look at.

    now: the wall clock, aware, in the bot's time zone. slots: accepted values; for a check those of the slots that
    stand before it in the table, and a change of theirs has it checked again. facts: what else the run's context holds.
    """

    now: datetime
    slots: Mapping[str, Any]
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keypad(Generic[V]):
    """How a slot is filled with the telephone's keys.

    ask: the question, naming the keys. read: raises ValueError for keys that mean nothing. length: how many keys make
    an answer; None where `#` ends it.
    """

    ask: str
    read: Callable[[str, Known], V]
    length: int | None = None


@cache
def _adapter(value_type: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(type[Any], value_type))


@cache
def _json_schema(value_type: Hashable) -> dict[str, object]:
    # Every call's tools hold it: building it anew took a fifth of a call's set-up.
    schema: dict[str, object] = _adapter(value_type).json_schema()
    schema.pop("title", None)
    return schema


@dataclass(frozen=True, slots=True)
class Slot(Generic[V]):
    """One value that a task needs of the caller.

    value_type: date, time, str, int, bool or an Enum. ask: the question for it. check: returns the value to keep, or
    raises the SlotError that the caller hears; what it returned must pass it again. describe: for the model, what the
    value is. example: helps a caller who was not understood the first time; keypad: offered the second time.
    choices: a name in the house's settings whose keys are the values allowed, as only the house knows them.
    optional: taken when the caller offers it, never asked for. stored: filled by an Act, and unknown to the model.
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

    @property
    def asked(self) -> bool:
        """Whether the task needs it of the caller."""
        return not (self.optional or self.stored)

    @property
    def _type(self) -> TypeAdapter[Any]:
        return _adapter(cast(Hashable, self.value_type))

    def question(self, attempts: int) -> str:
        """The words to ask with, after so many attempts that failed: a ladder, whose last rung is a human."""
        if attempts >= 2 and self.keypad is not None:
            return self.keypad.ask
        return f"{self.ask} {self.example}".strip() if attempts else self.ask

    def schema(self) -> dict[str, object]:
        """The JSON schema of the value, as a function's parameter."""
        schema = dict(_json_schema(cast(Hashable, self.value_type)))
        return {**schema, "description": self.describe} if self.describe else schema

    def read(self, raw: object) -> V:
        """The value of a piece of JSON. Raises: ValueError (pydantic's) where the type does not fit."""
        # Strict, and by way of JSON: else 1030 would be a time, and 20261124 a day of 1970.
        value: object = self._type.validate_json(json.dumps(raw), strict=True)
        if isinstance(value, time):
            # The schema's "time" (RFC 3339) has an offset, so models add a Z that nobody said.
            value = value.replace(tzinfo=None)
        return cast(V, value)

    def write(self, value: V) -> JsonValue:
        """The value as JSON; `read` turns it back."""
        return cast(JsonValue, self._type.dump_python(value, mode="json"))

    def checked(self, value: V, known: Known) -> V:
        """The value to keep. Raises: SlotError."""
        return value if self.check is None else self.check(value, known)


@dataclass(frozen=True, slots=True)
class Collect:
    """Waits until its slots are filled; passed through where they are already.

    retries: so many answers that did not fit, or so many silences, to one question and it gives up. Counted for each
    slot over the whole run, answers and silences apart.
    """

    events: ClassVar[tuple[str, ...]] = ("filled", "gave_up")
    slots: tuple[str, ...]
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Confirm:
    """Waits for the caller's yes or no to what is read back; a yes counts once that was heard to its end.

    template: a format string over the slots. change: asked after a bare no, in the Collect state that "no" leads to.
    retries: so many times it is read back in vain, and it gives up.
    """

    events: ClassVar[tuple[str, ...]] = ("yes", "no", "gave_up")
    template: str
    change: str = "What should I change?"
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """One way out of a Choose state. means: tells the model when it is the one. when: a rule that takes it at once."""

    means: str
    when: Callable[[Known], bool] | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """A question to the model beside the conversation. limit_s: the default is taken when it has not answered by then.

    notes: the run's scratchpad is shown to it.
    """

    question: str
    limit_s: float = 2.0
    notes: bool = False


@dataclass(frozen=True, slots=True)
class Choose:
    """Picks one of several ways, by what comes first: a rule, the model's reasoning, the caller's own words.

    choices: by the event that each raises. ask: the question for the caller; "" waits for nobody. default: the event
    for when nothing has decided; "" where the caller is asked, who then decides. sees: the part of the run's context
    that rules and reasoning may look at.
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
        """Whether this event can come of a rule or of reasoning, without the caller having been asked."""
        return event in self.choices and (self.reason is not None or self.choices[event].when is not None)


@dataclass(frozen=True, slots=True)
class Act:
    """Carries out an effect and waits for nobody.

    effect: a name in the table's effects. Where "refused" leads to a Collect state, its slots are asked for anew.
    fills: slots that an Ok's values of the same names fill; only the store does, never the model.
    An effect that changes something may also come out "unclear"; where no arrow is written for that, it takes those of
    "failed".
    """

    events: ClassVar[tuple[str, ...]] = ("ok", "refused", "failed")
    effect: str
    fills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """The run is over. outcome: "transfer" and "hangup" are the call's to carry out.

    say: a format string over the slots. Every state that waits has a derived arrow to the table's End("cancelled").
    target: for a transfer, the slot that names whereto; "" for the bot's own colleague.
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
    """Whether a run may stand in this state between two calls."""
    return isinstance(state, Collect | Confirm) or (isinstance(state, Choose) and bool(state.ask))


@dataclass(frozen=True, slots=True)
class Arrow:
    """One of several arrows for the same event. The highest priority is tried first; equal ones as they stand.

    when: a precondition; the last to be tried must have none. then: facts that taking it puts into the context.
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
    # A value has outlived its retention: from every state that waits to the start.
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


# Where a run is before it is opened: no state of its table.
UNOPENED = ""


@dataclass(frozen=True, slots=True)
class DerivedArrow(Arrow):
    """An arrow that its table derives. about: the slot or the state that its event must be about; "" for any."""

    derived: ClassVar[bool] = True
    about: str = ""
