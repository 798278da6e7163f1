"""Tasks in TOML: what may stand in a task's file, and the `AgentSpec` that it becomes.

A file has either `[flow]`, from which the states follow (collect, read back, act, say), or its states and arrows one by
one; docs/task-files.md has both. The table is the same as one written in Python, and is checked and proved alike.
May import: protocols, fsm, pydantic, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from fsm.conditions import Condition, ConditionRule, Named, Rule, plain
from fsm.effects import DeclaredEffect
from fsm.keypad import read_secret
from fsm.secret import LEAST_FOR_LAST4, Secret
from fsm.slot_types import (
    MOST_DIGITS,
    SLOT_TYPES,
    Check,
    Digits,
    PhoneNumber,
    SlotOptions,
    SlotType,
    choices_of,
    phone_of,
    secret_digits,
    unclear_choices,
)
from fsm.soundness import UnsoundTable
from fsm.spec import Act, AgentSpec, Arrow, Choice, Choose, Collect, Confirm, End, Keypad, Known, Reason, Slot, State
from fsm.states import CANCELLED, Arrows
from fsm.templates import LAST4, parts_of
from fsm.testing.proofs import unproved
from protocols.activities import TaskAction
from protocols.errors import TielineError

TO_HUMAN = "I will put you through to a colleague."
GIVEN_UP = "All right. Is there anything else I can do for you?"
# The ready-made check of card numbers.
LUHN = "luhn"
# No call is as long, and no date of the far future overflows.
LONGEST_KEPT_S = 24 * 3600.0
# A task on the telephone has a dozen; the proof of a table takes the square of its states, and a model's function
# lists all choices.
MOST_STATES, MOST_SLOTS, MOST_CHOICES = 100, 100, 500
# The states that follow from [flow].
COLLECT, READ_BACK, EXECUTE, DONE, FAILED, HANDED_OVER, GONE, AGAIN = (
    "Collect", "Confirm", "Execute", "Done", "Failed", "HandedOver", "Cancelled", "CollectAgain"
)  # fmt: skip
# The keys that each of them follows from.
_IN_FLOW: Mapping[str, tuple[str, ...]] = {
    COLLECT: ("flow", "collect"), READ_BACK: ("flow", "confirm"), EXECUTE: ("effect", "tool"), DONE: ("flow", "done"),
    FAILED: ("flow", "failed"), HANDED_OVER: ("flow", "gave_up"), GONE: ("flow", "cancelled"),
    AGAIN: ("flow", "refused_asks"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TaskFault:
    """One fault. path: the keys that lead to it in the file, as far as they are there. message: what to write.

    form: pydantic's, of a fault in the form of the file.
    """

    path: tuple[str | int, ...]
    message: str
    form: ErrorDetails | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.message}" if self.path else self.message


class TaskFileError(TielineError):
    """A task's file is wrong."""

    def __init__(self, faults: list[TaskFault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a file may name, by the name that it uses.

    effects: tools and effects written in Python. checks: as in Slot. rules: conditions written in Python.
    region: of slots that name none.
    """

    effects: Mapping[str, DeclaredEffect] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    region: str = ""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TaskHeader(_Model):
    """`[task]`: as in AgentSpec. retention: seconds by category."""

    name: str = Field(
        description="The name, also of the function that opens it: small letters, digits and underscores."
    )
    description: str = Field(min_length=1, description="Tells the model when to call it, and what to pass.")
    start: str = Field(default="", description="The state it begins in; the first, if left out.")
    ends_call: bool = Field(
        default=False,
        description="Whether it ends the caller's talk with the bot, so that the caller must have spoken first.",
    )
    carries_notes: bool = Field(
        default=False, description="Whether it begins with the notes of the call's earlier tasks."
    )
    patience: int = Field(default=40, ge=1, description="After how many states it gives up where it waits.")
    retention: dict[Literal["slot", "fact", "result"], Annotated[float, Field(gt=0, le=LONGEST_KEPT_S)]] = Field(
        default={},
        description="For how many seconds values are kept, by category; after that they are asked for again.",
    )
    not_understood: str = Field(
        default="Sorry, I did not get that.", description="Said before the question to a caller who was not understood."
    )
    still_there: str = Field(
        default="Are you still there?", description="Said before the question to a caller who was silent."
    )
    yes_or_no: str = Field(
        default="Please answer with yes or no.",
        description="Said before a read-back after a yes to it did not count twice.",
    )


class KeypadTable(_Model):
    """`keypad = { ask = "...", length = 4 }`. length: left out, the hash key ends it."""

    ask: str = Field(min_length=1, description="The question, which names the keys.")
    length: int | None = Field(
        default=None, ge=1, le=MOST_DIGITS, description="How many keys make an answer; left out, the hash key ends it."
    )


class SlotTable(_Model):
    """`[slot.NAME]`. check: names of checks, run in order after the type's own."""

    type: str = Field(description="What kind of value it is.", json_schema_extra={"enum": list(SLOT_TYPES)})
    ask: str = Field(default="", description="The question for it.")
    describe: str = Field(default="", description="Tells the model what the value is.")
    example: str = Field(default="", description="Added to the question when the caller was not understood.")
    check: str | list[str] = Field(default=[], description="The name of a check, or of several in order.")
    choices: list[str] | dict[str, str] | None = Field(
        default=None,
        max_length=MOST_CHOICES,
        description='The values of a choice: a list, or value = "words for the caller".',
    )
    choices_from: str = Field(
        default="", description="A setting of the bot whose names are the values, like transfer_targets."
    )
    sensitive: bool = Field(
        default=False,
        description="Digits that nobody may know but the tool: keyed in, not heard, not recorded, dots elsewhere.",
    )
    keypad: bool | KeypadTable = Field(default=False, description="Whether it can be keyed in.")
    optional: bool = Field(default=False, description="Taken when the caller offers it, never asked for.")
    stored: bool = Field(default=False, description="Filled by a tool, and not by the caller.")
    read_back: bool = Field(
        default=True,
        description="Whether the caller has to hear it before a tool that changes something sends it.",
    )
    lowest: float | None = Field(default=None, description="The lowest number or amount.")
    highest: float | None = Field(default=None, description="The highest number or amount.")
    length: int | None = Field(
        default=None, ge=1, le=MOST_DIGITS, description="How many digits, or characters of a code, it has."
    )
    region: str = Field(
        default="",
        pattern="^([A-Z]{2})?$",
        description="The country of national numbers and of postcodes; the bot's, if left out.",
    )
    currency: str = Field(default="", description="Said after an amount; a code like EUR by its name.")

    @property
    def checks(self) -> list[str]:
        """The names of its checks, in order."""
        return [self.check] if isinstance(self.check, str) else self.check


class ArrowTable(_Model):
    """One of several arrows for an event. when: a condition, or the name of a rule."""

    to: str = Field(description="The state it leads to.")
    when: Condition | str | None = Field(
        default=None, description="A condition, or the name of a rule; the last arrow has none."
    )
    priority: int = Field(default=0, description="The highest is tried first.")
    then: dict[str, JsonValue] = Field(default={}, description="Values to remember when it is taken.")


class ChoiceTable(_Model):
    means: str = Field(min_length=1, description="Tells the model when it applies.")
    when: Condition | str | None = Field(default=None, description="A condition that takes it unasked.")


class ReasonTable(_Model):
    question: str = Field(min_length=1, description="What the model is asked beside the conversation.")
    limit_s: float = Field(default=2.0, gt=0, le=10, description="Without an answer by then the default is taken.")
    notes: bool = Field(default=False, description="Whether the model sees the task's notes.")


class StateTable(_Model):
    """`[state.NAME]`: exactly one of collect, confirm, choose, act and end says which kind it is.

    on: the arrows by event; a state's name, or several arrows that are tried in order.
    """

    collect: list[str] | None = Field(default=None, description="Waits for these slots.")
    confirm: str | None = Field(default=None, description="Reads this back, and waits for a yes.")
    choose: dict[str, ChoiceTable] | None = Field(
        default=None, max_length=MOST_STATES, description="Picks one of these, by the event that each raises."
    )
    act: str | None = Field(default=None, description="Carries out this tool.")
    end: str | None = Field(
        default=None, description="Ends the task with this outcome; transfer and hangup are carried out."
    )
    change: str | None = Field(default=None, description="Asked after a no.")
    retries: int | None = Field(default=None, ge=1, description="After how many unusable answers it gives up.")
    ask: str | None = Field(default=None, description="The question that lets the caller choose.")
    default: str | None = Field(default=None, description="The choice if nothing else decides.")
    reason: ReasonTable | None = Field(default=None, description="Lets the model decide beside the conversation.")
    fills: list[str] | None = Field(default=None, description="The stored slots that the tool fills.")
    say: str | None = Field(default=None, description="What the caller hears.")
    target: str | None = Field(default=None, description="The slot that names whom to transfer to.")
    actions: list[TaskAction] = Field(
        default=[],
        description="What VoiceAI Connect is asked for, and the model shown, whenever the task comes here, in order.",
    )
    on: dict[str, str | list[ArrowTable]] = Field(
        default={}, description="The state that each event leads to, or several arrows."
    )


_KINDS: Mapping[str, frozenset[str]] = {
    "collect": frozenset({"retries"}),
    "confirm": frozenset({"change", "retries"}),
    "choose": frozenset({"ask", "default", "reason", "retries"}),
    "act": frozenset({"fills"}),
    "end": frozenset({"say", "target"}),
}


class EndTable(_Model):
    """`done = { say = "..." }`. transfer: the call is handed over; target: the slot that names to whom."""

    say: str = Field(default="", description="What the caller hears.")
    transfer: bool = Field(default=False, description="Whether a human takes over.")
    hangup: bool = Field(default=False, description="Whether the bot hangs up.")
    outcome: str = Field(default="", description="How it has ended, for the record.")
    target: str = Field(default="", description="The slot that names whom to transfer to.")
    actions: list[TaskAction] = Field(
        default=[], description="What VoiceAI Connect is asked for, and the model shown, then, in order."
    )


class FlowTable(_Model):
    """`[flow]`: collect, read back, act, say.

    confirm: the read-back; needed where the effect changes something. refused_asks: the slots that are asked again
    after a refusal; by default all that are collected.
    """

    collect: list[str] = Field(default=[], description="The slots to ask for, in this order.")
    confirm: str = Field(default="", description="The read-back: what the caller agrees to.")
    change: str = Field(default="What should I change?", description="Asked after a no.")
    done: EndTable = Field(description="The end.")
    failed: EndTable = Field(default=EndTable(say=TO_HUMAN, transfer=True), description="The end where the tool fails.")
    gave_up: EndTable = Field(
        default=EndTable(say=TO_HUMAN, transfer=True), description="The end where the caller is not understood."
    )
    cancelled: EndTable = Field(default=EndTable(say=GIVEN_UP), description="The end where the caller gives it up.")
    refused_asks: list[str] | None = Field(
        default=None, description="The slots that are asked again after a refusal by the tool; all, if left out."
    )
    retries: int = Field(default=3, ge=1, description="After how many unusable answers to one question it gives up.")
    actions: list[TaskAction] = Field(
        default=[],
        description="What VoiceAI Connect is asked for, and the model shown, at its beginning, also anew after a no.",
    )


class EffectTable(_Model):
    """`[effect]` of a flow: the tool, or the effect written in Python, that it carries out."""

    tool: str = Field(description="The tool, by its name in bot.toml.")


class TaskFile(_Model):
    """A whole file."""

    task: TaskHeader
    slot: dict[str, SlotTable] = Field(default={}, max_length=MOST_SLOTS, description="The values that it needs.")
    flow: FlowTable | None = Field(default=None, description="Its course: collect, read back, act, say.")
    effect: EffectTable | None = Field(default=None, description="What it does.")
    state: dict[str, StateTable] = Field(
        default={}, max_length=MOST_STATES, description="Its states one by one, in place of a flow."
    )


def compile_task(data: Mapping[str, object], parts: Parts | None = None) -> AgentSpec:
    """The task that a parsed TOML file declares. parts: what it may name. Raises: TaskFileError with all faults."""
    try:
        parsed = TaskFile.model_validate(_with_texts(data))
    except ValidationError as error:
        raise TaskFileError(_of_pydantic(error)) from None
    return _Compiler(parsed, parts or Parts()).spec()


def _with_texts(value: object) -> Any:
    """TOML's days and times as the texts by which conditions know them (fsm.conditions.plain)."""
    match value:
        case dict():
            return {key: _with_texts(each) for key, each in value.items()}
        case list():
            return [_with_texts(each) for each in value]
        case _:
            return plain(value)


def _of_pydantic(error: ValidationError) -> list[TaskFault]:
    found = [(_without_tags(each["loc"]), each) for each in error.errors(include_url=False)]
    faults = [
        TaskFault(path, _told(each), each)
        for path, each in found
        # Of the alternatives for one value, those that are not of its type at all are not meant.
        if not (each["type"].endswith("_type") and any(other[: len(path)] == path != other for other, _ in found))
    ]
    return list(dict.fromkeys(faults))


def _told(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such key here"
    return error["msg"].removeprefix("Value error, ")


def _without_tags(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The keys of the file in a path of pydantic's, which names the one of several alternatives too."""
    return tuple(
        part
        for at, part in enumerate(loc)
        if isinstance(part, int) or not (part in _ALTERNATIVES or "[" in part or _is_action(loc[:at]))
    )


def _is_action(path: tuple[str | int, ...]) -> bool:
    """Whether a path leads to an action: after it pydantic has the name of what it does."""
    return path[-2:-1] == ("actions",) and isinstance(path[-1], int)


_ALTERNATIVES = frozenset({"str", "bool", "KeypadTable", "Condition"})


class _Compiler:
    """Compiles one file; collects the faults on the way."""

    def __init__(self, parsed: TaskFile, parts: Parts) -> None:
        self._file = parsed
        self._parts = parts
        self._faults: list[TaskFault] = []

    def spec(self) -> AgentSpec:
        file, task = self._file, self._file.task
        self._check_plain()
        slots = {name: self._slot(name, table) for name, table in file.slot.items()}
        if file.flow is not None:
            if file.state:
                self._fault(("state",), "a file with [flow] has no states of its own: write one or the other")
            start, states, transitions = self._flow(file.flow, slots)
        else:
            if file.effect is not None:
                self._fault(("effect",), "belongs to [flow]; a state names its effect by `act`")
            if not file.state:
                self._fault((), "needs [flow], or its states as [state.NAME]")
            start, states, transitions = self._states(file.state)
        actions = self._actions(start)
        start = task.start or start
        effects = self._effects(states)
        self._stop_if_faulty()
        try:
            spec = AgentSpec(
                name=task.name,
                description=task.description,
                start=start,
                slots=slots,
                states=states,
                transitions=transitions,
                effects=effects,
                actions=actions,
                ends_call=task.ends_call,
                carries_notes=task.carries_notes,
                patience=task.patience,
                retention={category: timedelta(seconds=kept_s) for category, kept_s in task.retention.items()},
                not_understood=task.not_understood,
                still_there=task.still_there,
                yes_or_no=task.yes_or_no,
            )
        except UnsoundTable as error:
            raise TaskFileError([TaskFault(self._written(each.path), each.message) for each in error.faults]) from None
        for each in unproved(spec):
            self._fault(self._written(("state", each.state)), each.message)
        self._stop_if_faulty()
        return spec

    def _written(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The keys of this file that say what a table has under these ones."""
        if self._file.flow is not None and path[:1] == ("state",):
            return _IN_FLOW.get(path[1], ("flow",))
        return path

    def _fault(self, path: tuple[str | int, ...], message: str) -> None:
        self._faults.append(TaskFault(path, message))

    def _unknown(self, path: tuple[str | int, ...], kind: str, name: str, known: Iterable[str]) -> None:
        """A fault: there is no part of this name. kind: what it would be. known: those that there are."""
        self._fault(path, f"there is no {kind} {name!r}; there is: {', '.join(sorted(known)) or 'none'}")

    def _stop_if_faulty(self) -> None:
        if self._faults:
            raise TaskFileError(self._faults)

    def _actions(self, start: str) -> dict[str, tuple[TaskAction, ...]]:
        """The actions, by the state that they belong to."""
        file, flow = self._file, self._file.flow
        if flow is None:
            found = {name: table.actions for name, table in file.state.items()}
        else:
            ends = {DONE: flow.done, FAILED: flow.failed, HANDED_OVER: flow.gave_up, GONE: flow.cancelled}
            found = {name: table.actions for name, table in ends.items()}
            found[start] = [*flow.actions, *found.get(start, ())]
        return {name: tuple(actions) for name, actions in found.items() if actions}

    # --- slots ---

    def _slot(self, name: str, table: SlotTable) -> Slot[Any]:
        path = ("slot", name)
        if (kind := SLOT_TYPES.get(table.type)) is None:
            self._fault((*path, "type"), f"there is no type {table.type!r}: use one of {', '.join(SLOT_TYPES)}")
            return Slot(str)
        for option in ("choices", "lowest", "highest", "length", "currency"):
            if getattr(table, option) not in (None, "") and option not in kind.takes:
                self._fault((*path, option), f"does not apply to the type {table.type!r}")
        if table.lowest is not None and table.highest is not None and table.highest < table.lowest:
            self._fault((*path, "highest"), f"is below lowest; write {table.lowest:g} or more")
        options = self._options(table)
        value_type = kind.value_type
        if "choices" in kind.takes:
            if not options.choices:
                self._fault((*path, "choices"), "name at least one choice")
                return Slot(str)
            for message in unclear_choices(options.choices):
                self._fault((*path, "choices"), message)
            value_type = choices_of(name, *options.choices.items())
        elif table.choices_from:
            value_type = str
        elif table.sensitive:
            value_type = Secret
        elif value_type is PhoneNumber:
            value_type = phone_of(options.region)
        if table.sensitive and (value_type is not Secret or kind.value_type is not Digits):
            self._fault((*path, "sensitive"), f"does not apply to the type {table.type!r}; use digits")
            return Slot(str, ask=table.ask)
        if not (table.ask or table.optional or table.stored):
            self._fault((*path, "ask"), "write the question for it, or `optional = true`, or `stored = true`")
        return Slot(
            value_type,
            ask=table.ask,
            check=self._check(name, table, kind, options),
            describe=table.describe or ("" if table.stored or table.sensitive else self._described(kind, options)),
            example=table.example,
            keypad=self._keypad(name, table, kind, options),
            choices=table.choices_from,
            optional=table.optional,
            stored=table.stored,
            pieces=kind.pieces and not (table.stored or table.sensitive),
            written=self._written_type(table, kind, options),
        )

    @staticmethod
    def _written_type(table: SlotTable, kind: SlotType, options: SlotOptions) -> dict[str, JsonValue]:
        """The keys of a slot that say what its type is; `fsm.task_export` has the others from the slot itself."""
        region = {"region": options.region} if options.region and "region" in kind.takes else {}
        keys = ("type", "describe", "choices", "lowest", "highest", "length", "currency", "read_back", "sensitive")
        given = {key: getattr(table, key) for key in keys if key in table.model_fields_set}
        return given | region

    def _options(self, table: SlotTable) -> SlotOptions:
        choices = table.choices
        named = choices if isinstance(choices, dict) else {each: each for each in choices or ()}
        return SlotOptions(
            choices=named or None,
            lowest=table.lowest,
            highest=table.highest,
            length=table.length,
            region=table.region or self._parts.region,
        )

    @staticmethod
    def _described(kind: SlotType, options: SlotOptions) -> str:
        if options.choices and any(value != label for value, label in options.choices.items()):
            return "; ".join(f"{value}: {label}" for value, label in options.choices.items())
        return kind.describe

    def _check(self, name: str, table: SlotTable, kind: SlotType, options: SlotOptions) -> Check | None:
        own = [] if kind.check is None or table.stored or table.choices_from else [kind.check(name, options)]
        if table.sensitive:
            own = [secret_digits(options)]
        for each in table.checks:
            if (check := self._parts.checks.get(each)) is None:
                self._unknown(("slot", name, "check"), "check", each, self._parts.checks)
            else:
                own.append(Named(each, check))
        return Checks(tuple(own)) if own else None

    def _keypad(self, name: str, table: SlotTable, kind: SlotType, options: SlotOptions) -> Keypad[Any] | None:
        if not (table.keypad or table.sensitive):
            return None
        if kind.keypad is None:
            self._fault(("slot", name, "keypad"), f"the type {table.type!r} cannot be keyed in")
            return None
        keypad = kind.keypad(name, options)
        if table.sensitive:
            keypad = replace(keypad, read=read_secret)
        if isinstance(table.keypad, KeypadTable):
            return replace(keypad, ask=table.keypad.ask, length=table.keypad.length)
        return keypad

    # --- sentences ---

    def _sentence(self, template: str, *path: str | int) -> str:
        """A template with every slot as it is said: `{at}` becomes "10:30"."""
        made: list[str] = []
        try:
            for part in parts_of(template):
                made.append(part.text.replace("{", "{{").replace("}", "}}"))
                if part.name is not None:
                    made.append(self._value(part.name, part.form, path))
        except ValueError as error:
            self._fault(path, str(error))
            return ""
        return "".join(made)

    def _value(self, name: str, form: str, path: tuple[str | int, ...]) -> str:
        if name not in self._file.slot:
            return f"{{{name}}}"  # told with the table
        if self._file.slot[name].sensitive:
            self._check_last4(name, form, path)
            return f"{{{name}:{form}}}"
        if not form:
            return self._said(name)
        kind = self._kind(name)
        if kind is not None and not re.fullmatch(kind.forms, form):
            type_ = self._file.slot[name].type
            self._fault(path, f"{{{name}:{form}}}: the type {type_!r} has no such form; write {{{name}}}")
        return f"{{{name}:{form}}}"

    def _check_last4(self, name: str, form: str, path: tuple[str | int, ...]) -> None:
        """The last four digits may be said of what has so many that they do not give it away."""
        table, said = self._file.slot[name], f"{{{name}:{LAST4}}}"
        if form != LAST4:
            self._fault(path, f"{{{name}}} is sensitive, and is never said; leave it out, or write {said}")
        elif (table.length or 0) < LEAST_FOR_LAST4 and LUHN not in table.checks:
            least = f'only of {LEAST_FOR_LAST4} digits or more; write length or check = "{LUHN}"'
            self._fault(path, f"{said}: {least}")

    def _check_plain(self) -> None:
        """Texts that are said as they stand."""
        for path, text in _plain_texts(self._file):
            if "{" in text or "}" in text:
                self._fault(path, "is said as it stands, and names no values; leave the braces out")

    def _kind(self, name: str) -> SlotType | None:
        """The type that a slot's values have in sentences; None if there is none, which is told with the slot."""
        table = self._file.slot[name]
        return SLOT_TYPES.get("text" if table.choices_from else table.type)

    def _said(self, name: str) -> str:
        table, kind = self._file.slot[name], self._kind(name)
        if re.fullmatch("[A-Z]{3}", table.currency):
            return f"{{{name}:{table.currency}}}"
        said = (kind.ear if kind else "{{{}}}").format(name)
        return f"{said} {table.currency}" if table.currency else said

    # --- states, one by one ---

    def _states(self, tables: Mapping[str, StateTable]) -> tuple[str, dict[str, State], dict[tuple[str, str], Arrows]]:
        states: dict[str, State] = {}
        transitions: dict[tuple[str, str], Arrows] = {}
        for name, table in tables.items():
            if (state := self._state(name, table)) is not None:
                states[name] = state
            for event, arrows in table.on.items():
                transitions[name, event] = self._arrows(arrows, "state", name, "on", event)
        return next(iter(tables), ""), states, transitions

    def _state(self, name: str, table: StateTable) -> State | None:
        path = ("state", name)
        kinds = [kind for kind in _KINDS if getattr(table, kind) is not None]
        if len(kinds) != 1:
            self._fault(path, f"write exactly one of {', '.join(_KINDS)}")
            return None
        for key in table.model_fields_set - {kinds[0], "on", "actions"} - _KINDS[kinds[0]]:
            self._fault((*path, key), f"does not apply to a state that has `{kinds[0]}`")
        retries = table.retries or 3
        if table.collect is not None:
            return Collect(tuple(table.collect), retries)
        if table.confirm is not None:
            template = self._sentence(table.confirm, *path, "confirm")
            return Confirm(template, table.change or Confirm("").change, retries)
        if table.choose is not None:
            reason = table.reason
            return Choose(
                {
                    event: Choice(each.means, self._rule(each.when, *path, "choose", event, "when"))
                    for event, each in table.choose.items()
                },
                ask=self._sentence(table.ask or "", *path, "ask"),
                reason=Reason(reason.question, reason.limit_s, reason.notes) if reason else None,
                default=table.default or "",
                retries=retries,
            )
        if table.act is not None:
            return Act(table.act, tuple(table.fills or ()))
        return End(table.end or "", self._sentence(table.say or "", *path, "say"), table.target or "")

    def _arrows(self, arrows: str | list[ArrowTable], *path: str | int) -> Arrows:
        if isinstance(arrows, str):
            return arrows
        return tuple(
            Arrow(each.to, self._rule(each.when, *path, at, "when"), each.priority, each.then)
            for at, each in enumerate(arrows)
        )

    def _rule(self, when: Condition | str | None, *path: str | int) -> Rule | None:
        if when is None:
            return None
        if isinstance(when, Condition):
            for slot in sorted(when.names() - self._file.slot.keys()):
                self._fault(path, f"there is no slot {slot!r}")
            return ConditionRule(when)
        if (rule := self._parts.rules.get(when)) is None:
            self._unknown(path, "rule", when, self._parts.rules)
            return None
        return Named(when, rule)

    def _effects(self, states: Mapping[str, State]) -> dict[str, DeclaredEffect]:
        effects: dict[str, DeclaredEffect] = {}
        for name, state in states.items():
            if not isinstance(state, Act) or state.effect in effects:
                continue
            if (declared := self._parts.effects.get(state.effect)) is None:
                path = ("effect", "tool") if self._file.flow is not None else ("state", name, "act")
                self._unknown(path, "tool", state.effect, self._parts.effects)
            else:
                effects[state.effect] = declared
        return effects

    # --- a flow ---

    def _flow(
        self, flow: FlowTable, slots: Mapping[str, Slot[Any]]
    ) -> tuple[str, dict[str, State], dict[tuple[str, str], Arrows]]:
        states: dict[str, State] = {}
        way: dict[tuple[str, str], Arrows] = {}
        effect = self._file.effect
        steps = [
            *((COLLECT,) if flow.collect else ()),
            *((READ_BACK,) if flow.confirm else ()),
            *((EXECUTE,) if effect is not None else ()),
            DONE,
        ]
        after = dict(pairwise(steps))
        if flow.collect:
            states[COLLECT] = Collect(tuple(flow.collect), flow.retries)
            way |= {(COLLECT, "filled"): after[COLLECT], (COLLECT, "gave_up"): HANDED_OVER}
        if flow.confirm:
            states[READ_BACK] = Confirm(self._sentence(flow.confirm, "flow", "confirm"), flow.change, flow.retries)
            no = COLLECT if flow.collect else GONE
            way |= {(READ_BACK, "yes"): after[READ_BACK], (READ_BACK, "no"): no, (READ_BACK, "gave_up"): HANDED_OVER}
        if effect is not None:
            states[EXECUTE] = Act(effect.tool, tuple(name for name, slot in slots.items() if slot.stored))
            again = self._refused(flow, states, way)
            way |= {(EXECUTE, "ok"): DONE, (EXECUTE, "refused"): again, (EXECUTE, "failed"): FAILED}
            states[FAILED] = self._end(flow.failed, "failed")
        states[DONE] = self._end(flow.done, "done")
        if flow.collect or flow.confirm:
            states[HANDED_OVER] = self._end(flow.gave_up, "gave_up", "transfer")
            states[GONE] = self._end(flow.cancelled, "cancelled", CANCELLED)
        return steps[0], states, way

    def _refused(self, flow: FlowTable, states: dict[str, State], way: dict[tuple[str, str], Arrows]) -> str:
        """Where a refusal leads: to the slots that are asked again, or to the failure if nothing was asked."""
        if not flow.collect:
            return FAILED
        if flow.refused_asks is None or set(flow.refused_asks) == set(flow.collect):
            return COLLECT
        for name in flow.refused_asks:
            if name not in flow.collect:
                self._fault(("flow", "refused_asks"), f"{name!r} is not collected")
        states[AGAIN] = Collect(tuple(flow.refused_asks), flow.retries)
        way |= {(AGAIN, "filled"): READ_BACK if flow.confirm else EXECUTE, (AGAIN, "gave_up"): HANDED_OVER}
        return AGAIN

    def _end(self, table: EndTable, name: str, outcome: str = "") -> End:
        if table.transfer and table.hangup:
            self._fault(("flow", name), "either `transfer` or `hangup`")
        told = "transfer" if table.transfer else "hangup" if table.hangup else table.outcome or outcome or name
        if outcome and told != outcome and outcome == CANCELLED:
            self._fault(("flow", name), "ends as `cancelled`, and cannot have another outcome")
        return End(told, self._sentence(table.say, "flow", name, "say"), table.target)


def _plain_texts(file: TaskFile) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts that are said as they stand, with the keys that lead to them."""
    for key in ("not_understood", "still_there", "yes_or_no"):
        yield ("task", key), getattr(file.task, key)
    for name, slot in file.slot.items():
        yield ("slot", name, "ask"), slot.ask
        yield ("slot", name, "example"), slot.example
        if isinstance(slot.keypad, KeypadTable):
            yield ("slot", name, "keypad", "ask"), slot.keypad.ask
        if isinstance(slot.choices, dict):
            yield from ((("slot", name, "choices", value), words) for value, words in slot.choices.items())
        elif slot.choices is not None:
            yield from ((("slot", name, "choices"), words) for words in slot.choices)
    if file.flow is not None:
        yield ("flow", "change"), file.flow.change
    for name, state in file.state.items():
        yield ("state", name, "change"), state.change or ""


@dataclass(frozen=True, slots=True)
class Checks:
    """Several checks as one: each gets the value that the one before has returned."""

    checks: tuple[Check, ...]

    def __call__(self, value: Any, known: Known) -> Any:
        for check in self.checks:
            value = check(value, known)
        return value
