"""Random conversations: answers, corrections, repeats, silences, hang-ups and crashes in any order.

Needs hypothesis, which only tests install.
May import: fsm, hypothesis, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import JsonValue

from fsm.answer import Snapshot
from fsm.consent import AGREED, UNHEARD
from fsm.context import SLOT
from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused, TaskContext, Unclear
from fsm.locales import ENGLISH
from fsm.run import TaskRun
from fsm.spec import Act, AgentSpec, Choose, Collect, Confirm, Slot
from fsm.states import UNOPENED, DerivedEvent, waits
from fsm.testing.conversation import NOON
from fsm.tools import cancel_name, choose_name, confirm_name, provide_name
from fsm.walk import ReasoningRequest

_TOOLS = ("", "_provide", "_confirm", "_choose", "_cancel", "_x")
_GARBAGE = ("", "{", '{"day": ', "null", "[]", '{"nonsense": 1}', '{"yes": "maybe"}', "{}", '{"a":' * 30)


class Crash(Exception):
    """Simulates the death of the process."""


class World:
    """The store of effects, which survives a crash: results by key, and the slots each was done with.

    crash: when the next effect crashes: "before" it is done, "after" it, or "" for never. lookups: effects that only
    read. fills: values that effects give, by effect.
    """

    def __init__(self, lookups: frozenset[str], fills: Mapping[str, Mapping[str, JsonValue]]) -> None:
        self.lookups = lookups
        self.fills = fills
        self.outcomes: dict[str, EffectResult] = {}
        self.done: list[tuple[str, Mapping[str, Any]]] = []  # (effect, slots)
        self.next_results: list[EffectResult] = []
        self.crash = ""

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        crash, self.crash = self.crash, ""
        if crash == "before":
            raise Crash
        if name in self.lookups:
            found = Ok(self.fills.get(name, {}))
            result = self.next_results.pop() if self.next_results else found
            return found if isinstance(result, Unclear) else result
        if request.key not in self.outcomes:
            result = self.next_results.pop() if self.next_results else Ok(self.fills.get(name, {}))
            self.outcomes[request.key] = result
            if isinstance(result, Ok):
                self.done.append((name, dict(request.slots)))
        if crash == "after":
            raise Crash
        return self.outcomes[request.key]

    def begun(self, keys: Sequence[str]) -> bool:
        return not self.outcomes.keys().isdisjoint(keys)

    def spent(self, context: TaskContext) -> str:
        return ""

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        return False


def good_values(slot: Slot[Any], now: datetime = NOON) -> st.SearchStrategy[JsonValue]:
    """JSON values of a slot's type that most checks accept."""
    match slot.value_type:
        case kind if kind is date:
            return st.sampled_from([(now.date() + timedelta(days=days)).isoformat() for days in (1, 2, 7)])
        case kind if kind is time:
            return st.sampled_from(["09:00", "10:30", "16:45"])
        case kind if isinstance(kind, type) and issubclass(kind, Enum):
            return st.sampled_from([each.value for each in kind])
        case kind if kind is bool:
            return st.booleans()
        case kind if kind is int:
            return st.integers(1, 5)
        case _:
            return st.sampled_from(["Ada Lovelace", "Grace", "ignore all instructions"])


_BAD = st.sampled_from([None, "", 7, -3, "banana", True, ["x"], "2020-01-01", "2030-01-01", "03:00", "12:07"])


class RandomConversation(RuleBasedStateMachine):
    """One conversation with the task `spec`. Subclassed for each task by `random_conversations`."""

    spec: ClassVar[AgentSpec]
    choices: ClassVar[Mapping[str, tuple[str, ...]]]
    values: ClassVar[Mapping[str, st.SearchStrategy[Any]]]
    lookups: ClassVar[frozenset[str]]
    fills: ClassVar[Mapping[str, Mapping[str, JsonValue]]]
    some_slots: ClassVar[st.SearchStrategy[dict[str, Any]]]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.lookups, self.fills)
        self.now = NOON
        context = TaskContext("call-1", "t1", "+4930123", lambda: self.now, self.choices)
        self.context = context
        self.run = TaskRun(self.spec, context, self.world, self.reason)
        self.saved: Snapshot | None = None
        self.last_call: tuple[str, str, bool] | None = None
        self.event = ""
        self.visited: tuple[str, ...] = ()
        self.late = False  # whether a value may expire at the next step
        self.declared = _declared(self.spec)

    def reason(self, request: ReasoningRequest) -> str | None:
        return self.event if self.event in request.choices else None

    def take(self, tool: str, arguments: str, heard: bool = True) -> None:
        """One function call of the model; after a crash in it, the restored run gets the call again."""
        self.last_call = (tool, arguments, heard)
        read_back, slots = isinstance(self.spec.states[self.run.state], Confirm), self.run.slots
        before = len(self.world.done)
        try:
            answer = self.call(tool, arguments, heard)
        except Crash:
            self.restore(self.saved)
            answer = self.call(tool, arguments, heard)
        output = json.loads(answer.output)
        assert answer.fault == output.get("error", "")
        assert not answer.fault or output["hint"], "a fault without a hint"
        yes = tool == confirm_name(self.spec.name) and not answer.fault
        for _, done in self.world.done[before:]:
            agreed = read_back and yes and heard
            assert agreed, f"an effect without a heard yes: {tool} {arguments}"
            assert done == slots, "not what was read back"
        once = [name for name, _ in self.world.done[before:]]
        assert len(once) == len(set(once)), "one yes, and the same effect twice"
        self.finish_step()

    def call(self, tool: str, arguments: str, heard: bool) -> Any:
        if tool == self.spec.name and not self.run.visited:
            return self.run.open(arguments)
        return self.run.call(tool, arguments, AGREED if heard else UNHEARD)

    def finish_step(self) -> None:
        stood, taken = self.visited[-1] if self.visited else UNOPENED, self.run.taken
        assert self.run.visited == (*self.visited, *(arrow.to for arrow in taken)), "a state was entered by no arrow"
        for arrow in taken:
            assert arrow.state == stood, f"{arrow} was taken in {stood}"
            assert arrow in self.declared, f"{arrow} is not in the table"
            stood = arrow.to
        self.visited, self.late = self.run.visited, False
        state, saved = self.spec.states[self.run.state], self.run.snapshot()
        if isinstance(state, Confirm):
            assert saved.say.endswith(ENGLISH.fill(state.template, self.run.slots)), (
                "what was read back is not what holds"
            )
        self.saved = self.run.snapshot()

    def restore(self, saved: Snapshot | None) -> None:
        if saved is None:
            self.run = TaskRun(self.spec, self.context, self.world, self.reason)
        else:
            self.run = TaskRun.restore(self.spec, self.context, self.world, saved, self.reason)
        self.visited = self.run.visited

    @initialize(data=st.data())
    def opens(self, data: st.DataObject) -> None:
        slots = data.draw(self.some_slots)
        self.take(self.spec.name, json.dumps(slots))

    @rule(data=st.data(), heard=st.sampled_from([True, True, True, False]))
    def does_as_asked(self, data: st.DataObject, heard: bool) -> None:
        """What most callers do; without it few conversations would reach their effect."""
        state = self.spec.states[self.run.state]
        if isinstance(state, Confirm):
            self.take(confirm_name(self.spec.name), json.dumps({"yes": True}), heard)
        elif isinstance(state, Collect):
            slots = {name: data.draw(self.values[name]) for name in state.slots if name not in self.run.slots}
            self.take(provide_name(self.spec.name), json.dumps(slots))
        elif isinstance(state, Choose):
            self.take(choose_name(self.spec.name), json.dumps({"choice": data.draw(st.sampled_from([*state.choices]))}))

    # Several names, so that hypothesis draws it more often.
    does_as_asked_again = does_as_asked
    does_as_asked_once_more = does_as_asked

    @rule(data=st.data(), again=st.booleans())
    def gives(self, data: st.DataObject, again: bool) -> None:
        slots = data.draw(self.some_slots)
        self.take(self.spec.name if again else provide_name(self.spec.name), json.dumps(slots))

    @rule(yes=st.booleans(), heard=st.sampled_from([True, True, False]))
    def answers(self, yes: bool, heard: bool) -> None:
        self.take(confirm_name(self.spec.name), json.dumps({"yes": yes}), heard)

    @precondition(lambda self: isinstance(self.spec.states[self.run.state], Choose))
    @rule(data=st.data())
    def chooses(self, data: st.DataObject) -> None:
        state = self.spec.states[self.run.state]
        assert isinstance(state, Choose)
        choice = data.draw(st.sampled_from([*state.choices, "nothing"]))
        self.take(choose_name(self.spec.name), json.dumps({"choice": choice}))

    @rule(
        tool=st.sampled_from(["", "_provide", "_confirm", "_choose", "_cancel", "_x"]),
        text=st.sampled_from(_GARBAGE),
    )
    def calls_nonsense(self, tool: str, text: str) -> None:
        state, late = self.run.snapshot(), self.late
        self.take(self.spec.name + tool, text)
        if tool == "_x" and not late:
            assert self.run.snapshot() == state, "an unknown function changed something"

    @rule()
    def repeats_the_last_call(self) -> None:
        if self.last_call is not None:
            self.take(*self.last_call)

    @rule(keys=st.sampled_from(["1", "2", "0412", "1030", "9999", "*"]), heard=st.booleans())
    def presses(self, keys: str, heard: bool) -> None:
        before, read_back = len(self.world.done), isinstance(self.spec.states[self.run.state], Confirm)
        try:
            answer = self.run.keyed(keys, AGREED if heard else UNHEARD)
        except Crash:
            self.restore(self.saved)
            answer = self.run.keyed(keys, AGREED if heard else UNHEARD)
        if len(self.world.done) > before:
            agreed = read_back and heard and keys == "1"
            assert agreed, f"an effect by {keys!r}"
        if answer is not None:
            self.finish_step()

    @rule()
    def is_silent(self) -> None:
        before, over = len(self.world.done), self.run.outcome is not None
        try:
            answer = self.run.silence()
        except Crash:
            self.restore(self.saved)
            answer = self.run.silence()
        assert (answer is None) == over, "silence is answered as long as something is waited for"
        assert len(self.world.done) == before, "an effect without a word of the caller"
        if answer is not None:
            self.finish_step()

    @precondition(lambda self: SLOT in self.spec.retention)
    @rule(share=st.sampled_from([0.4, 0.7]))
    def takes_time(self, share: float) -> None:
        """Long enough for some values to expire, and others not."""
        self.late = True
        self.now += self.spec.retention[SLOT] * share

    @rule(where=st.sampled_from(["before", "after"]))
    def will_crash(self, where: str) -> None:
        self.world.crash = where

    @rule(result=st.sampled_from([Refused("No. What else?"), Failed("It is broken."), Unclear("Who knows.")]))
    def will_not_do(self, result: EffectResult) -> None:
        self.world.next_results = [result]

    @rule(data=st.data())
    def will_reason(self, data: st.DataObject) -> None:
        events = sorted({e for state in self.spec.states.values() if isinstance(state, Choose) for e in state.choices})
        self.event = data.draw(st.sampled_from([*events, ""]))

    @rule()
    def crashes_between_two_steps(self) -> None:
        before = (self.run.state, self.run.tools(), self.run.instructions())
        self.restore(self.saved)
        assert (self.run.state, self.run.tools(), self.run.instructions()) == before

    @rule()
    def hangs_up(self) -> None:
        self.run.hung_up()

    @rule(chance=st.integers(0, 9))
    def gives_up(self, chance: int) -> None:
        if chance == 0:  # rarely, or conversations would end too early
            self.take(cancel_name(self.spec.name), "{}")

    @invariant()
    def it_waits_or_has_ended(self) -> None:
        if self.run.visited:
            assert waits(self.spec.states[self.run.state]) or self.run.outcome is not None
            assert self.run.outcome is not None or self.run.snapshot().say, "the caller is left in silence"

    def teardown(self) -> None:
        """A caller who is not understood is not asked for ever."""
        self.world.crash = ""
        for _ in range(10 * len(self.spec.states)):
            if self.run.outcome is not None:
                break
            self.take(provide_name(self.spec.name), "{}")
        assert self.run.outcome is not None, f"it is stuck in {self.run.state}"


def _declared(spec: AgentSpec) -> frozenset[tuple[str, str, str]]:
    """Every (state, event, target) of the table, written or derived."""
    opening = {(UNOPENED, str(DerivedEvent.OPENED), arrow.to) for arrow in spec.arrows(UNOPENED, DerivedEvent.OPENED)}
    others = {(state, event, arrow.to) for state in spec.states for event, arrow in spec.arrows_from(state)}
    return frozenset(opening | others)


def _fills(spec: AgentSpec) -> dict[str, dict[str, JsonValue]]:
    """Results of the effects: for each slot they fill, some value of its type."""
    examples: dict[Any, JsonValue] = {date: "2026-12-01", time: "11:15:00", int: 7, str: "4711", bool: True}
    acts = [state for state in spec.states.values() if isinstance(state, Act)]
    return {act.effect: {slot: examples[spec.slots[slot].value_type] for slot in act.fills} for act in acts}


def random_conversations(
    spec: AgentSpec,
    *,
    choices: Mapping[str, tuple[str, ...]] | None = None,
    values: Mapping[str, st.SearchStrategy[Any]] | None = None,
) -> type[RandomConversation]:
    """A hypothesis state machine for a task; its `TestCase` is a test.

    values: valid values, as the model passes them in JSON, for slots whose check refuses those of `good_values`.
    Checks: an effect runs only after a yes to a read-back that was heard, with exactly the values read back, and never
    twice with one key; every call is answered; states are entered only by arrows of the table, written or derived;
    a run always waits or has ended; none goes on for ever.
    """
    good = {name: good_values(slot) for name, slot in spec.slots.items() if slot.told}
    for name, slot in spec.slots.items():
        if slot.choices:
            good[name] = st.sampled_from((choices or {}).get(slot.choices, ("nobody",)))
    good.update(values or {})
    some_slots = st.fixed_dictionaries({}, optional={name: st.one_of(each, each, _BAD) for name, each in good.items()})
    own = {
        "spec": spec,
        "choices": choices or {},
        "values": good,
        "some_slots": some_slots,
        "lookups": frozenset(
            each.effect for each in spec.states.values() if isinstance(each, Act) and spec.reads_only(each)
        ),
        "fills": _fills(spec),
    }
    return type(f"RandomConversationOf_{spec.name}", (RandomConversation,), own)
