"""The tasks that stand in files of a bot's folder, with the tools and checks that they may name.

May import: actors, fsm, gateway.bots, http_tools, protocols, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, time
from typing import Any

from fsm.checks import WithinHours, luhn, not_past
from fsm.conditions import ConditionRule
from fsm.hours import Hours
from fsm.locales import ForTheEar
from fsm.soundness import filled_at
from fsm.spec import Act, AgentSpec, Confirm
from fsm.states import waits
from fsm.table import closure
from fsm.table import fields as named_in
from fsm.task_export import parts_of
from fsm.task_file import LUHN, Parts, TaskFile, TaskFileError, compile_task
from fsm.templates import DECIMALS, EAR, OF_DAYS, OF_TIMES
from gateway.bots.faults import BotFault, Source, message_of
from gateway.bots.tools import BotTool
from http_tools.declaration import ToolTable, left_out
from http_tools.tool import IN_BODY
from protocols.errors import MisuseError

WITHIN_HOURS, NOT_PAST = "within_hours", "not_past"
_UNKNOWN_SLOT = re.compile(r"speaks of the unknown slot '(\w+)'")
# What every tool's request may name besides values of the task.
OF_CALL = ("caller", "key", "conversation")


class TaskFiles:
    """Compiles the tasks in files of one bot.

    bot: its bot.toml. used: the tasks in Python that it uses, which other registered ones of the same name give way to.
    hours: None if it has none. faults: gets what is wrong. before: the names of what is known of a call
    from its beginning, and whether each has a default.
    """

    def __init__(
        self,
        bot: Source,
        tools: Mapping[str, BotTool],
        used: Iterable[AgentSpec],
        registered: Mapping[str, AgentSpec],
        hours: Hours | None,
        region: str,
        faults: list[BotFault],
        before: Mapping[str, bool],
    ) -> None:
        own = {spec.name: spec for spec in used}
        python = [_parts(spec) for spec in ({**registered, **own}).values()]
        checks = {name: check for each in python for name, check in each.checks.items()}
        if hours is not None:
            checks[WITHIN_HOURS] = WithinHours(hours)
        self._parts = Parts(
            effects={
                **{name: effect for each in python for name, effect in each.effects.items()},
                **{name: effect for spec in own.values() for name, effect in spec.effects.items()},
                **{name: tool.effect for name, tool in tools.items()},
            },
            checks={**checks, NOT_PAST: not_past, LUHN: luhn},
            rules={name: rule for each in python for name, rule in each.rules.items()},
            region=region,
        )
        self._bot = bot
        self._tools = tools
        self._hours = hours
        self._faults = faults
        self._before = before
        self._named: set[str] = set()  # the tools that a file names, also one that is wrong
        self._compiled: list[AgentSpec] = []

    def compiled(self, source: Source) -> AgentSpec | None:
        """The task of a file; None if it is wrong."""
        self._named.update(_effects_named(source.data))
        try:
            spec = compile_task(source.data, self._parts)
        except TaskFileError as error:
            for each in error.faults:
                no_hours = self._hours is None and f"check {WITHIN_HOURS!r}" in each.message
                told = each.message if each.form is None else message_of(each.form, each.path, TaskFile)
                told = "needs [hours] in bot.toml; write them there" if no_hours else told
                self._faults.append(source.fault(each.path, told + self._undeclared(source, told)))
            return None
        self._faults += [
            *_misused_checks(spec, source),
            *self._unfilled(spec, source),
            *self._not_read_back(spec, source),
        ]
        self._compiled.append(spec)
        return spec

    def _undeclared(self, source: Source, fault: str) -> str:
        """What to write where a sentence names no slot, but a value that a tool of the task keeps."""
        slot = _UNKNOWN_SLOT.search(fault)
        for name in _effects_named(source.data) if slot is not None else ():
            tool = self._tools.get(name)
            if tool is not None and tool.table is not None and slot is not None and slot[1] in tool.table.ok.keep:
                return f"; [tool.{name}] keeps it: to say it, write [slot.{slot[1]}] with its type and stored = true"
        return ""

    def check_tools(self, used: Collection[str]) -> None:
        """Once all files are compiled: each tool must be used, and get its values. used: before or after calls."""
        for name, tool in self._tools.items():
            users = [spec for spec in self._compiled if name in spec.effects]
            if name not in self._named and name not in used:
                message = f'no task uses it; name it in a task\'s file, like [effect] tool = "{name}", or leave it out'
                self._faults.append(self._bot.fault(tool.path, message))
            elif tool.table is not None and users:
                self._faults += self._unknown_values(name, tool, tool.table, users)
                self._faults += self._misformed(tool, tool.table, users)
                self._faults += self._given_away(tool, tool.table, users)

    def _unknown_values(self, name: str, tool: BotTool, table: ToolTable, users: list[AgentSpec]) -> Iterator[BotFault]:
        known = {spec.name: self._known(spec, name) for spec in users}
        unsure = {spec.name: _unsure(spec, name) for spec in users}
        for path, template, each in table.named():
            may_lack = left_out(path, template)
            if each in self._before and (self._before[each] or may_lack):
                continue
            task = next((task for task, names in unsure.items() if each in names), None)
            if task is not None and not may_lack:
                message = (
                    f"{{{each}}} may be missing where the task {task} uses this; have it collected or found before,"
                    f' or put "{{{each}}}" alone into body or query, where it is left out then'
                )
                yield self._bot.fault((*tool.path, *path), message)
            lacking = [task for task, names in known.items() if names is not None and each not in names]
            if not lacking or (may_lack and len(lacking) < len(users)):
                continue
            there = ", ".join(f"{{{one}}}" for one in sorted(known[lacking[0]] or ()))
            message = f"{{{each}}} is no value of the task {lacking[0]}; there are {there}"
            yield self._bot.fault((*tool.path, *path), message)

    def _given_away(self, tool: BotTool, table: ToolTable, users: list[AgentSpec]) -> Iterator[BotFault]:
        """Sensitive values where they would be written down: addresses are, by every machine on the way."""
        secret = {name for spec in users for name, slot in spec.slots.items() if slot.sensitive}
        for path, _, name in table.named():
            if name in secret and path[0] not in IN_BODY:
                message = f"{{{name}}} is sensitive, and may stand in the body only"
                yield self._bot.fault((*tool.path, *path), message)

    def _misformed(self, tool: BotTool, table: ToolTable, users: list[AgentSpec]) -> Iterator[BotFault]:
        """Values in a form that those of their type do not have: the request could not be made."""
        for path, name, form in table.formed():
            types = [str] if name in OF_CALL else [spec.slots[name].value_type for spec in users if name in spec.slots]
            if any(not has_form(each, form) for each in types):
                message = f"{{{name}:{form}}}: what is sent has no such form; write {{{name}}}"
                yield self._bot.fault((*tool.path, *path), message)

    def _known(self, spec: AgentSpec, effect: str) -> set[str] | None:
        """The names of the values that a task may have where it carries out an effect; None if they cannot be told."""
        names = {*OF_CALL, *spec.slots}
        arrows = [arrow for origin in spec.states for _, arrow in spec.written_from(origin)]
        names |= {fact for arrow in arrows for fact in arrow.then}
        acts = {state: act for state, act in spec.states.items() if isinstance(act, Act)}
        here = {state for state, act in acts.items() if act.effect == effect}
        for state, act in acts.items():
            if not here & after_ok(spec, state):
                continue
            earlier = self._tools.get(act.effect)
            if earlier is None or earlier.table is None:
                return None  # a task in Python has its own values
            names |= earlier.table.ok.keep.keys()
        return names

    def _unfilled(self, spec: AgentSpec, source: Source) -> Iterator[BotFault]:
        """Slots that a tool is to fill and does not."""
        for act in spec.states.values():
            tool = self._tools.get(act.effect) if isinstance(act, Act) else None
            if not isinstance(act, Act) or tool is None or tool.table is None:
                continue
            for name in act.fills:
                if name not in tool.table.ok.keep:
                    message = f"nothing fills it; write keep = {{ {name} = … }} in ok of [tool.{act.effect}]"
                    yield source.fault(("slot", name), message)
        if any(name in spec.effects for name in self._tools):
            for name in OF_CALL:
                if name in spec.slots:
                    yield source.fault(("slot", name), f"{{{name}}} is the call's own for tools; give it another name")

    def _not_read_back(self, spec: AgentSpec, source: Source) -> Iterator[BotFault]:
        """Values of the caller's that a tool sends, and that the yes before it does not agree to."""
        for effect in spec.effects:
            tool = self._tools.get(effect)
            if tool is None or tool.table is None or tool.table.reads_only:
                continue
            given = {name for name, slot in spec.slots.items() if slot.told and slot.written.get("read_back", True)}
            for name, state in _agreed_by(spec, effect):
                key = ("flow", "confirm") if "flow" in source.data else ("state", name, "confirm")
                for slot in sorted(given & _sent(tool.table) - named_in(state.template)):
                    asked = "" if spec.slots[slot].asked else "ask for it and "
                    message = (
                        f"does not name {{{slot}}}, which {effect} sends: the caller agrees to what is read back; "
                        f"{asked}name it, or write read_back = false in [slot.{slot}]"
                    )
                    yield source.fault(key, message)


def has_form(value_type: type[Any], form: str) -> bool:
    """Whether a value of this type can be sent in a form of its own."""
    if issubclass(value_type, date | time):
        return form != EAR and re.fullmatch(OF_DAYS if issubclass(value_type, date) else OF_TIMES, form) is not None
    if issubclass(value_type, int | float):
        return re.fullmatch(DECIMALS, form) is not None
    return form == EAR and issubclass(value_type, ForTheEar)


def _sent(table: ToolTable) -> set[str]:
    """The names of the values that a tool sends where it changes something. A look-up of what came of it does not."""
    return {name for path, _, name in table.named() if path[0] not in ("lookup", "auth")}


def _agreed_by(spec: AgentSpec, effect: str) -> Iterator[tuple[str, Confirm]]:
    """The read-backs after whose yes an effect is carried out, without another state that waits in between."""

    def onward(state: str) -> list[str]:
        return [] if waits(spec.states[state]) else [arrow.to for _, arrow in spec.written_from(state)]

    for name, state in spec.states.items():
        if not isinstance(state, Confirm):
            continue
        agreed = {arrow.to for event, arrow in spec.written_from(name) if event == "yes"}
        if any(isinstance(act := spec.states[at], Act) and act.effect == effect for at in closure(agreed, onward)):
            yield name, state


def _unsure(spec: AgentSpec, effect: str) -> set[str]:
    """The slots that a task may lack where it carries out an effect, unless a condition asks whether it has them."""
    filled = filled_at(spec)
    here = [name for name, state in spec.states.items() if isinstance(state, Act) and state.effect == effect]
    unsure = {slot for name in here for slot in spec.slots.keys() - filled[name]}
    return unsure - set(_asked_about(spec))


def _asked_about(spec: AgentSpec) -> Iterator[str]:
    for origin in spec.states:
        for _, arrow in spec.written_from(origin):
            match arrow.when:
                case None:
                    pass
                case ConditionRule(condition=condition):
                    yield from condition.names()
                case _:
                    yield from spec.slots  # a rule in Python may ask about any


def _parts(spec: AgentSpec) -> Parts:
    try:
        return parts_of([spec])
    except MisuseError:  # a check without a name: it cannot be named, and the rest can
        return Parts(effects=spec.effects)


def _effects_named(task: Mapping[str, Any]) -> Iterator[str]:
    """The effects that a task's file names, whatever else is wrong with it."""
    effect, states = task.get("effect"), task.get("state")
    if isinstance(effect, dict) and isinstance(effect.get("tool"), str):
        yield effect["tool"]
    for state in states.values() if isinstance(states, dict) else ():
        if isinstance(state, dict) and isinstance(state.get("act"), str):
            yield state["act"]


def _misused_checks(spec: AgentSpec, source: Source) -> Iterator[BotFault]:
    """Ready-made checks on slots that are neither days nor times."""
    slots = source.data.get("slot", {})
    for name, slot in spec.slots.items():
        given = slots.get(name, {}).get("check", [])
        for check in {WITHIN_HOURS, NOT_PAST} & {*([given] if isinstance(given, str) else given)}:
            if slot.value_type not in (date, time):
                yield source.fault(("slot", name, "check"), f'{check} is for the types "date" and "time"; leave it out')


def after_ok(spec: AgentSpec, act: str) -> set[str]:
    """The states that may come after an effect was done."""
    done = {arrow.to for event, arrow in spec.written_from(act) if event == "ok"}
    return closure(done, lambda state: [arrow.to for _, arrow in spec.arrows_from(state)])
