"""Reads the arguments of the model's function calls: only declared parameters of the declared types.

May import: protocols, pydantic, fsm, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from fsm.answer import Fault
from fsm.states import Slot
from protocols.errors import TielineError
from protocols.text import well_formed_json

# Far more than any real call needs: a few slots of a few words each.
LONGEST_CHARS = 10_000


class CallFault(TielineError):
    """An invalid function call. hint: tells the model how to correct it. good: its valid values."""

    def __init__(self, fault: Fault, hint: str, good: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{fault}: {hint}")
        self.fault = fault
        self.hint = hint
        self.good = dict(good or {})


def read_slots(
    arguments: object, slots: Mapping[str, Slot[Any]], choices: Mapping[str, tuple[str, ...]], now: datetime
) -> dict[str, Any]:
    """The values given for slots. choices, now: as in a TaskContext.

    Raises: CallFault for the first fault found, with all values that are valid.
    """
    given = read_object(arguments)
    faults: list[CallFault] = []
    try:
        _only(given, tuple(slots))
    except CallFault as fault:
        faults.append(fault)
    values: dict[str, Any] = {}
    for name, raw in given.items():
        # Models pass empty values for parameters they have nothing for.
        if name not in slots or raw is None or raw == "":
            continue
        try:
            values[name] = _read_slot(name, slots[name], raw, choices, now)
        except CallFault as fault:
            faults.append(fault)
    if faults:
        raise CallFault(faults[0].fault, faults[0].hint, values)
    return values


def _read_slot(
    name: str, slot: Slot[Any], raw: object, choices: Mapping[str, tuple[str, ...]], now: datetime
) -> object:
    try:
        value = slot.read(raw, now)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
        raise CallFault("bad_value", f"{name!r} is not as declared: {why}. {slot.describe}".strip()) from None
    except ValueError as error:
        raise CallFault("bad_value", f"{name!r} is not as declared: {error}. {slot.describe}".strip()) from None
    if slot.choices and value not in (allowed := choices.get(slot.choices, ())):
        raise CallFault("bad_value", f"{name!r} must be one of: {', '.join(allowed)}.")
    return value


def keyed_anew(arguments: object, keyed: Collection[str]) -> tuple[object, frozenset[str]]:
    """The arguments without those of sensitive slots, and those of them that the caller wants to key in again.

    keyed: the sensitive slots. The model does not know their values: what it passes for one is not read.
    """
    if not keyed:
        return arguments, frozenset()
    given = read_object(arguments)
    anew = frozenset(name for name in keyed if given.get(name) is True)
    return json.dumps({name: value for name, value in given.items() if name not in keyed}), anew


def read_yes(arguments: object) -> bool:
    """The answer in a `confirm`. Raises: CallFault."""
    given = read_object(arguments)
    _only(given, ("yes",))
    yes = given.get("yes")
    if not isinstance(yes, bool):
        raise CallFault("bad_value", "'yes' must be given, as true or false.")
    return yes


def read_choice(arguments: object, events: tuple[str, ...]) -> str:
    """The event chosen in a `choose`. Raises: CallFault."""
    given = read_object(arguments)
    _only(given, ("choice",))
    choice = given.get("choice")
    if not isinstance(choice, str) or choice not in events:
        raise CallFault("bad_value", f"'choice' must be one of: {', '.join(events)}.")
    return choice


def read_object(arguments: object) -> dict[str, object]:
    """The JSON object in a function call's arguments; an empty text counts as {}. Raises: CallFault."""
    if not isinstance(arguments, str):
        raise CallFault("bad_json", "The arguments must be a JSON object.")
    if len(arguments) > LONGEST_CHARS:
        raise CallFault("too_long", "The arguments are too long. Pass only the values the caller has just said.")
    try:
        given = from_json(well_formed_json(arguments), allow_inf_nan=False) if arguments.strip() else {}
    except ValueError:
        raise CallFault("bad_json", "The arguments are not valid JSON. Send the whole call again.") from None
    if not isinstance(given, dict):
        raise CallFault("bad_json", "The arguments must be a JSON object.")
    return given


def _only(given: Mapping[str, object], declared: tuple[str, ...]) -> None:
    for name in given:
        if name not in declared:
            allowed = ", ".join(declared) or "none"
            raise CallFault("unknown_property", f"There is no parameter {name[:40]!r} here; there is: {allowed}.")
