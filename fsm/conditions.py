"""Conditions in task files: which of several arrows is taken, which choice holds, by the values that a run knows.

Also what files name that is written in Python.

Pure. May import: fsm, pydantic, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import Enum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from fsm.states import Known

Rule = Callable[[Known], bool]
TESTS = ("is", "is_not", "in", "known", "below", "above")


class Condition(BaseModel):
    """`{ slot = "size", is = "large" }`, `{ fact = "ask", in = ["name"] }`, `{ all = [...] }`, `{ any = [...] }`.

    slot, fact: whose value is tested. is_not, below and above hold only for a value that is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    slot: str = ""
    fact: str = ""
    is_: JsonValue = Field(default=None, alias="is")
    is_not: JsonValue = None
    in_: tuple[JsonValue, ...] | None = Field(default=None, alias="in", strict=False)
    known: bool | None = None
    below: JsonValue = None
    above: JsonValue = None
    all_: tuple[Condition, ...] | None = Field(default=None, alias="all", strict=False)
    any_: tuple[Condition, ...] | None = Field(default=None, alias="any", strict=False)

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        given = {type(self).model_fields[each].alias or each for each in self.model_fields_set}
        if given & {"all", "any"}:
            if len(given) != 1:
                raise ValueError("`all` and `any` stand alone")
        elif bool(self.slot) == bool(self.fact) or len(given & set(TESTS)) != 1:
            raise ValueError(f"needs `slot` or `fact`, and one of {', '.join(TESTS)}")
        return self

    def names(self) -> set[str]:
        """The slots it tests."""
        inner = set().union(*(each.names() for each in (*(self.all_ or ()), *(self.any_ or ()))))
        return inner | ({self.slot} if self.slot else set())


@dataclass(frozen=True, slots=True)
class ConditionRule:
    """A condition as a rule; equal conditions are equal rules."""

    condition: Condition

    def __call__(self, known: Known) -> bool:
        return _holds(self.condition, known)


@dataclass(frozen=True, slots=True)
class Named:
    """A check or rule written in Python, under the name by which a task's file names it."""

    name: str
    part: Callable[..., Any]

    def __call__(self, *given: Any) -> Any:
        return self.part(*given)


def _holds(condition: Condition, known: Known) -> bool:
    if condition.all_ is not None:
        return all(_holds(each, known) for each in condition.all_)
    if condition.any_ is not None:
        return any(_holds(each, known) for each in condition.any_)
    values: Mapping[str, Any] = known.slots if condition.slot else known.facts
    value = plain(values.get(condition.slot or condition.fact))
    if condition.known is not None:
        return (value is not None) is condition.known
    if value is None:
        return False
    if condition.in_ is not None:
        return value in condition.in_
    if condition.is_not is not None:
        return bool(value != condition.is_not)
    if condition.below is not None or condition.above is not None:
        return _beyond(value, condition)
    return bool(value == condition.is_)


def _beyond(value: Any, condition: Condition) -> bool:
    try:
        if condition.below is not None:
            return bool(value < condition.below)
        return bool(value > condition.above)
    except TypeError:
        return False  # a word is neither below nor above a number


def plain(value: object) -> Any:
    """A slot's value as it is written in a file: a day as "2026-11-24", a time as "10:30", a choice by its value."""
    match value:
        case Enum():
            return value.value
        case time():
            return value.strftime("%H:%M")
        case date():
            return value.isoformat()
        case _:
            return value
