"""A task as the contents of a task file: how one that was written in Python is taken over into TOML.

Checks, rules and effects stay Python and are named; what has no name, or none of the ready-made types, cannot be told.
May import: protocols, fsm, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from fsm.conditions import Condition, ConditionRule, Named
from fsm.slot_types import SLOT_TYPES, PhoneNumber, YesNo
from fsm.spec import Act, AgentSpec, Arrow, Choose, Collect, Confirm, End, Slot, State
from fsm.task_file import Checks, Parts, SlotTable, TaskHeader
from protocols.errors import MisuseError

# Of types that share one, the first in the list: a text may be a name, and is none by itself.
_TYPES: Mapping[type[Any], str] = {kind.value_type: name for name, kind in reversed(list(SLOT_TYPES.items()))}


def as_file(spec: AgentSpec) -> dict[str, Any]:
    """What a task file says of this task. Raises: MisuseError for what a file cannot say."""
    task: dict[str, Any] = {"name": spec.name, "description": spec.description, "start": spec.start}
    for name in ("ends_call", "carries_notes", "patience", "not_understood", "still_there", "yes_or_no"):
        if (value := getattr(spec, name)) != TaskHeader.model_fields[name].default:
            task[name] = value
    if spec.retention:
        task["retention"] = {category: kept.total_seconds() for category, kept in spec.retention.items()}
    return {
        "task": task,
        "slot": {name: _slot(spec, name, slot) for name, slot in spec.slots.items()},
        "state": {name: _state(spec, name, state) for name, state in spec.states.items()},
    }


def parts_of(specs: Iterable[AgentSpec]) -> Parts:
    """What files may name of these tasks: effects by their names, checks and rules as `TASK.NAME`.

    Raises: MisuseError if two tasks share an effect's name, or a check has none.
    """
    effects: dict[str, Any] = {}
    checks: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    for spec in specs:
        for name, effect in spec.effects.items():
            _add(effects, name, effect)
        for slot in spec.slots.values():
            for check in _checks(slot):
                _add(checks, _name_of(spec, check), _unnamed(check))
        for rule in _rules(spec):
            if not isinstance(rule, ConditionRule):
                _add(rules, _name_of(spec, rule), _unnamed(rule))
    return Parts(effects=effects, checks=checks, rules=rules)


def _add(known: dict[str, Any], name: str, part: object) -> None:
    if known.setdefault(name, part) != part:
        raise MisuseError(f"two tasks have different parts of the name {name!r}")


def _unnamed(part: Any) -> Any:
    return part.part if isinstance(part, Named) else part


def _checks(slot: Slot[Any]) -> tuple[Any, ...]:
    if isinstance(slot.check, Checks):  # of a file: without that of its type, which has no name
        return tuple(each for each in slot.check.checks if isinstance(each, Named))
    return () if slot.check is None else (slot.check,)


def _rules(spec: AgentSpec) -> Iterable[Callable[..., bool]]:
    for arrows in spec.transitions.values():
        if not isinstance(arrows, str):
            yield from (arrow.when for arrow in arrows if arrow.when is not None)
    for state in spec.states.values():
        if isinstance(state, Choose):
            yield from (choice.when for choice in state.choices.values() if choice.when is not None)


def _name_of(spec: AgentSpec, part: Callable[..., object]) -> str:
    if isinstance(part, Named):
        return part.name
    name = getattr(part, "__name__", "")
    if not name.isidentifier():
        raise MisuseError(f"task {spec.name!r}: a check or rule without a name of its own ({part!r})")
    return f"{spec.name}.{name}"


def _slot(spec: AgentSpec, name: str, slot: Slot[Any]) -> dict[str, Any]:
    table: dict[str, Any] = {**slot.written} or _inferred(spec, name, slot)
    for key in ("ask", "example", "optional", "stored"):
        if (value := getattr(slot, key)) != SlotTable.model_fields[key].default:
            table[key] = value
    if slot.choices:
        table["choices_from"] = slot.choices
    named = [_name_of(spec, each) for each in _checks(slot)]
    if table["type"] == "name" and not slot.written:
        named.remove(f"{spec.name}.real_name")
    if named:
        table["check"] = named[0] if len(named) == 1 else named
    if slot.keypad is not None:
        length = {} if slot.keypad.length is None else {"length": slot.keypad.length}
        table["keypad"] = {"ask": slot.keypad.ask, **length}
    return table


def _inferred(spec: AgentSpec, name: str, slot: Slot[Any]) -> dict[str, Any]:
    """What a file says of the type of a slot that is written in Python."""
    if slot.sensitive:
        return {"type": "digits", "sensitive": True} | _unless(slot.describe, "", "describe")
    table: dict[str, Any] = {"type": _type(spec, name, slot)}
    if slot.describe not in ("", SLOT_TYPES[table["type"]].describe):
        table["describe"] = slot.describe
    if issubclass(slot.value_type, Enum) and slot.value_type is not YesNo:
        table["choices"] = [each.value for each in slot.value_type]
    return table


def _type(spec: AgentSpec, name: str, slot: Slot[Any]) -> str:
    if any(getattr(each, "__name__", "") == "real_name" for each in _checks(slot)):
        return "name"
    if issubclass(slot.value_type, Enum) and slot.value_type is not YesNo:
        return "choice"
    plain = PhoneNumber if issubclass(slot.value_type, PhoneNumber) else slot.value_type
    if (kind := _TYPES.get(plain)) is None:
        raise MisuseError(f"task {spec.name!r}: no ready-made type for slot {name!r} ({slot.value_type.__name__})")
    return kind


def _state(spec: AgentSpec, name: str, state: State) -> dict[str, Any]:
    table: dict[str, Any] = {}
    match state:
        case Collect(slots=slots):
            table = {"collect": list(slots)}
        case Confirm(template=template, change=change):
            table = {"confirm": _sentence(template)} | _unless(change, Confirm("").change, "change")
        case Choose(choices=choices, ask=ask, reason=reason, default=default):
            choose = {event: {"means": each.means, **_when(spec, each.when)} for event, each in choices.items()}
            table = {"choose": choose} | _unless(_sentence(ask), "", "ask") | _unless(default, "", "default")
            if reason is not None:
                table["reason"] = {"question": reason.question, "limit_s": reason.limit_s, "notes": reason.notes}
        case Act(effect=effect, fills=fills):
            table = {"act": effect} | _unless(list(fills), [], "fills")
        case End(outcome=outcome, say=say, target=target):
            table = {"end": outcome} | _unless(_sentence(say), "", "say") | _unless(target, "", "target")
    if isinstance(state, Collect | Confirm | Choose):
        table |= _unless(state.retries, 3, "retries")
    if actions := spec.actions.get(name):
        table["actions"] = [each.model_dump(exclude_defaults=True) | {"do": each.do} for each in actions]
    on = {event: _arrows(spec, arrows) for (origin, event), arrows in spec.transitions.items() if origin == name}
    return table | _unless(on, {}, "on")


# What a file writes in place of attributes, which only code may name: {at.hour}, {size.value}.
_ATTRIBUTES: Mapping[str, str] = {"label": "", "value": "", "hour": ":%-H", "minute": ":%-M", "day": ":%-d"}


def _sentence(template: str) -> str:
    """A template as a file may have it. One of a kind that no file can have stands as it is, and is refused there."""
    return re.sub(
        r"\{(\w+)\.(\w+)\}",
        lambda found: f"{{{found[1]}{_ATTRIBUTES[found[2]]}}}" if found[2] in _ATTRIBUTES else found[0],
        template,
    )


def _unless(value: object, default: object, key: str) -> dict[str, Any]:
    return {} if value == default else {key: value}


def _arrows(spec: AgentSpec, arrows: str | tuple[Arrow, ...]) -> Any:
    if isinstance(arrows, str):
        return arrows
    return [
        {"to": each.to, **_when(spec, each.when), **_unless(each.priority, 0, "priority")}
        | _unless(dict(each.then), {}, "then")
        for each in arrows
    ]


def _when(spec: AgentSpec, rule: Callable[..., bool] | None) -> dict[str, Any]:
    match rule:
        case None:
            return {}
        case ConditionRule(condition=condition):
            return {"when": _written(condition)}
        case _:
            return {"when": _name_of(spec, rule)}


def _written(condition: Condition) -> dict[str, Any]:
    return condition.model_dump(by_alias=True, exclude_unset=True, mode="json")
