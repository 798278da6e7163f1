"""What a task's table is made of: slots, and the kinds of state with the events each can raise.

May import: pydantic, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import JsonValue, TypeAdapter

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Known:
    """What a check may look at besides its value.

    now: the wall clock, aware, in the bot's time zone. slots: the accepted values of the slots that stand before this
    one in the table; a change of theirs has this one checked again.
    """

    now: datetime
    slots: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Slot(Generic[V]):
    """One value that a task needs of the caller.

    value_type: date, time, str, int, bool or an Enum. ask: the question for it. check: returns the value to keep, or
    raises the SlotError that the caller hears; what it returned must pass it again. describe: for the model, what the
    value is.
    """

    value_type: type[V]
    ask: str
    check: Callable[[V, Known], V] | None = None
    describe: str = ""

    def schema(self) -> dict[str, object]:
        """The JSON schema of the value, as a function's parameter."""
        schema: dict[str, object] = TypeAdapter(self.value_type).json_schema()
        schema.pop("title", None)
        return {**schema, "description": self.describe} if self.describe else schema

    def read(self, raw: object) -> V:
        """The value of a piece of JSON. Raises: ValueError (pydantic's) where the type does not fit."""
        # Strict, and by way of JSON: else 1030 would be a time, and 20261124 a day of 1970.
        value: object = TypeAdapter(self.value_type).validate_json(json.dumps(raw), strict=True)
        if isinstance(value, time):
            # The schema's "time" (RFC 3339) has an offset, so models add a Z that nobody said.
            value = value.replace(tzinfo=None)
        return cast(V, value)

    def write(self, value: V) -> JsonValue:
        """The value as JSON; `read` turns it back."""
        return cast(JsonValue, TypeAdapter(self.value_type).dump_python(value, mode="json"))

    def checked(self, value: V, known: Known) -> V:
        """The value to keep. Raises: SlotError."""
        return value if self.check is None else self.check(value, known)


@dataclass(frozen=True, slots=True)
class Collect:
    """Waits until its slots are filled; passed through where they are already.

    retries: after so many attempts that brought the task no further it gives up. Counted over the whole run.
    """

    events: ClassVar[tuple[str, ...]] = ("filled", "gave_up")
    slots: tuple[str, ...]
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Confirm:
    """Waits for the caller's yes or no to what is read back.

    template: a format string over the slots. change: asked after a bare no, in the Collect state that "no" leads to.
    """

    events: ClassVar[tuple[str, ...]] = ("yes", "no")
    template: str
    change: str = "What should I change?"


@dataclass(frozen=True, slots=True)
class Act:
    """Carries out an effect and waits for nobody.

    effect: a name in the table's effects. Where "refused" leads to a Collect state, its slots are asked for anew.
    """

    events: ClassVar[tuple[str, ...]] = ("ok", "refused", "failed")
    effect: str


@dataclass(frozen=True, slots=True)
class End:
    """The run is over. outcome: "transfer" and "hangup" are the call's to carry out.

    say: a format string over the slots. `cancel` leads to the table's End("cancelled"), from every state that waits.
    """

    events: ClassVar[tuple[str, ...]] = ()
    outcome: str
    say: str = ""


State = Collect | Confirm | Act | End
CANCELLED = "cancelled"
