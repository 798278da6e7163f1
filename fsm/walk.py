"""Walks a task's table: takes arrows and carries out effects until a state waits or the run has ended.

Only `Walk._follow` changes a run's state, and only by an arrow of its table.
Pure but for the effects and the reasoning it is handed.
May import: protocols, fsm, the standard library. Rules from: docs/architecture.md 4.5, docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, assert_never

from pydantic import JsonValue

from fsm.context import CHOICE, FACT, RESULT, SLOT
from fsm.effects import EffectRequest, Effects, Failed, Ok, Refused, TaskContext, Unclear, effect_key
from fsm.memory import CERTAIN, Memory
from fsm.scratchpad import Note
from fsm.secret import without_secrets
from fsm.spec import Act, AgentSpec, Arrow, Choose, Collect, Confirm, Known
from fsm.states import UNCLEAR, UNOPENED, DerivedArrow, DerivedEvent, piece_of
from fsm.table import fields
from protocols.activities import Config, TaskAction, filled, values_named
from protocols.errors import MisuseError

NOT_UNDERSTOOD = "I am sorry, I could not make sense of what our system has answered."
LOOKUP = "lookup"  # context category: the input values of a state's last look-up, by the state's name


@dataclass(frozen=True, slots=True)
class ReasoningRequest:
    """An out-of-band question to the model.

    choices: event to meaning; the answer is one of the events. known, notes: the facts it may use.
    """

    question: str
    choices: Mapping[str, str]
    known: Known
    notes: tuple[Note, ...]
    limit_s: float


# Returns the event chosen; None if the time limit passed or the answer was none of them.
Reasoner = Callable[[ReasoningRequest], str | None]


def no_reasoning(request: ReasoningRequest) -> str | None:
    """For a run without a model: the table's defaults decide."""
    return None


class Taken(NamedTuple):
    """An arrow that was taken. state: its origin; UNOPENED for the opening."""

    state: str
    event: str
    to: str


# An event, and the slot or state that it is about, "" for none.
_Event = tuple[str, str]


@dataclass(slots=True)
class Step:
    """The results of one step, besides the states entered.

    told: what the caller must hear before the next question. asked: the slot that this is about, "" if none.
    failed: the step did not advance the task; silent: because the caller said nothing; counts: as an attempt of the
    caller. piece: a part of a value was taken, so no attempt has failed. word_for_word: its sentence must be spoken
    verbatim. acted: the effects done. taken: the arrows, in order. actions: what VAIC is to be asked for, and the
    model shown, by keys that a repeated step has again. images: that effects have kept, by name.
    """

    told: str = ""
    asked: str = ""
    failed: bool = False
    silent: bool = False
    counts: bool = True
    piece: bool = False
    word_for_word: bool = False
    acted: list[tuple[str, EffectRequest]] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    actions: dict[str, TaskAction] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)


class Walk:
    """One run's path through its table. step: of the call being handled."""

    def __init__(
        self, spec: AgentSpec, task: TaskContext, effects: Effects, reasoning: Reasoner, memory: Memory
    ) -> None:
        self._spec = spec
        self._task = task
        self._effects = effects
        self._reasoning = reasoning
        self._memory = memory
        self.step = Step()

    def go(self, event: str, about: str = "") -> None:
        """Take the arrow for an event, and go on until a state waits or ends. Every cycle has a state that waits.

        about: the slot or state that a derived event is about. Raises: MisuseError if the table has no such arrow.
        """
        happened: _Event | None = (event, about)
        while happened is not None:
            happened = self._follow(*happened)

    def _follow(self, event: str, about: str) -> _Event | None:
        """Take one arrow. Returns the event that the new state raises at once, None if it waits or ends."""
        origin = UNOPENED if event == DerivedEvent.OPENED else self._memory.state
        arrow = self._arrow(origin, event, about)
        for name, value in arrow.then.items():
            self._memory.learn(FACT, name, value)
        here, there = self._spec.states.get(origin), self._spec.states[arrow.to]
        denied = isinstance(here, Confirm) and event == "no" and isinstance(there, Collect)
        if denied and isinstance(there, Collect):
            # All its slots are filled, but not as the caller wants: the Collect must wait.
            self._memory.context.forget(CHOICE)
            for slot in there.slots:  # what is said now begins anew
                self._memory.context.drop(FACT, piece_of(slot))
            self.step.failed = True
        elif isinstance(here, Act) and event == "refused" and isinstance(there, Collect):
            for slot in there.slots:
                self._memory.forget(slot)
        self._memory.enter(arrow.to)
        self.step.taken.append(Taken(origin, event, arrow.to))
        if arrow.to != origin:
            self._take_back(origin)
        self._ask_for_actions(arrow.to)
        return None if denied else self._entered(arrow.to)

    def _take_back(self, name: str) -> None:
        """What VAIC is to be asked for because a state was left."""
        for number, action in enumerate(self._spec.actions.get(name, ())):
            if isinstance(action, Config) and action.leaving:
                key = f"{self._task.run_id}:{len(self._memory.visited)}:left {number}"
                self.step.actions[key] = Config(params=action.leaving)

    def _ask_for_actions(self, name: str) -> None:
        """The actions of a state that was entered, with the values of slots."""
        for number, action in enumerate(self._spec.actions.get(name, ())):
            key = f"{self._task.run_id}:{len(self._memory.visited)}:{number}"
            slots = self._memory.slots
            try:
                values = {each: self._spec.slots[each].write(slots[each]) for each in values_named(action)}
                self.step.actions[key] = filled(action, values)
            except (KeyError, ValueError):  # the error may hold what the caller has said
                self._memory.note("fact", f"{action.do}: not with these values")

    def _arrow(self, origin: str, event: str, about: str) -> Arrow:
        """The first arrow for an event whose precondition holds."""
        try:
            arrows = self._spec.arrows(origin, event)
        except KeyError:
            arrows = ()
        tried = [arrow for arrow in arrows if not isinstance(arrow, DerivedArrow) or arrow.about == about]
        known = self._memory.known()
        taken = next((arrow for arrow in tried if arrow.when is None or arrow.when(known)), None)
        if taken is None:
            raise MisuseError(f"task {self._spec.name!r}: no arrow for ({origin!r}, {event!r}) about {about!r}")
        if len(tried) > 1:
            self._memory.note("decision", f"{event}: to {taken.to}")
        return taken

    def _entered(self, name: str) -> _Event | None:
        match self._spec.states[name]:
            case Collect() if not self.missing_here():
                return "filled", ""
            case Confirm() if (outdated := self._outdated()) is not None:
                return DerivedEvent.OUTDATED, outdated
            case Confirm() as confirm if unfilled := fields(confirm.template) - self._memory.slots.keys():
                # A correction emptied a slot that the path to here did not fill again.
                return DerivedEvent.UNFILLED, next(slot for slot in self._spec.slots if slot in unfilled)
            case Choose() as choose:
                chosen = self._chosen(name, choose)
                return None if chosen is None else (chosen, "")
            case Act() as act:
                return self._act(act), ""
            case _:
                return None

    def spent(self) -> str:
        """Why the effect that a yes to a new read-back leads to is not allowed, for the caller; "" if it is."""
        state = self._memory.state
        if not self.step.taken or not isinstance(self._spec.states[state], Confirm):
            return ""
        if any((each.state, each.event) == (state, "gave_up") for each in self.step.taken):
            return ""  # giving up leads back here: the yes is refused
        agreed = (self._spec.states[arrow.to] for arrow in self._spec.arrows(state, "yes"))
        acts = any(isinstance(each, Act) and not self._spec.reads_only(each) for each in agreed)
        return self._task.locale.of(self._effects.spent(self._task)) if acts else ""

    def missing_here(self) -> list[str]:
        """The slots that the current state still waits for."""
        state = self._spec.states[self._memory.state]
        return [name for name in state.slots if name not in self._memory.slots] if isinstance(state, Collect) else []

    def _chosen(self, name: str, choose: Choose) -> str | None:
        """The event that a rule, an earlier choice, reasoning or the default decides; None to ask the caller."""
        known = self._memory.known(choose.sees)
        for event, choice in choose.choices.items():
            if choice.when is not None and choice.when(known):
                self._memory.note("decision", f"{event}, by rule")
                return event
        # The caller's choice holds through corrections of other values, until a no.
        if (said := self._memory.context.values(CHOICE).get(name)) in choose.choices:
            return str(said)
        if (reason := choose.reason) is not None:
            notes = tuple(self._memory.notes) if reason.notes else ()
            meanings = {event: choice.means for event, choice in choose.choices.items()}
            shown = self._without_secrets(self._memory.known(choose.sees, of_call=False))
            answer = self._reasoning(ReasoningRequest(reason.question, meanings, shown, notes, reason.limit_s))
            if answer in choose.choices:
                self._memory.note("decision", f"{answer}, by reasoning")
                return answer
        if choose.default:
            self._memory.note("decision", f"{choose.default}, by default")
        return choose.default or None

    def _act(self, act: Act) -> str:
        """Carry out the effect. Returns the event of its result."""
        effect, state, locale = act.effect, self._memory.state, self._task.locale
        key = effect_key(self._task.conversation_id, self._task.run_id, len(self._memory.visited))
        told = self._memory.context.values(FACT)  # by refusals, and by the table's arrows
        facts = {**self._task.before, **told, **self._memory.results()}
        request = EffectRequest(key, dict(self._memory.slots), self._task, facts)
        result = without_secrets(self._effects.carry_out(effect, request), request)
        self._memory.note("fact", f"{effect}: {type(result).__name__.lower()}")
        # Drop the earlier look-up: otherwise a read-back would repeat it for ever.
        self._memory.context.drop(LOOKUP, state)
        match result:
            case Ok():
                self.step.acted.append((effect, request))
                self.step.images.update(result.images)
                if (slot := self._spec.misfit(act, result.values)) is not None:
                    self._memory.note("fact", f"{slot}: a value that it cannot have")
                    self.step.told = locale.of(NOT_UNDERSTOOD)
                    return "failed" if self._spec.reads_only(act) else UNCLEAR
                self._learn(result.values, act.fills)
                if self._spec.looks_up(act):
                    self._memory.learn(LOOKUP, state, self._basis(act))
                return "ok"
            case Refused():
                self.step.told, self.step.failed = locale.of(result.say), True
                for name, value in result.facts.items():
                    self._memory.learn(FACT, name, value)
                return "refused"
            case Failed():
                self.step.told = locale.of(result.say)
                return "failed"
            case Unclear():
                self.step.told = locale.of(result.say)
                return UNCLEAR
            case _:
                assert_never(result)

    def _outdated(self) -> str | None:
        """A state whose look-up used values that the caller has corrected since."""
        looked_up = self._memory.context.values(LOOKUP)
        acts = ((name, self._spec.states[name]) for name in looked_up)
        return next((name for name, act in acts if isinstance(act, Act) and self._basis(act) != looked_up[name]), None)

    def _basis(self, act: Act) -> JsonValue:
        """The input values of a look-up."""
        known = {item.name: item for item in self._memory.context.items() if item.category == SLOT}
        slots = self._spec.slots
        return {
            # Of a secret, by when it was given: it has no value here.
            name: known[name].at.isoformat() if slots[name].sensitive else known[name].value
            for name in self._spec.basis(act)
            if name in known
        }

    def _without_secrets(self, known: Known) -> Known:
        """What the model may be asked about."""
        return replace(
            known, slots={name: it for name, it in known.slots.items() if not self._spec.slots[name].sensitive}
        )

    def _learn(self, values: Mapping[str, JsonValue], fills: tuple[str, ...]) -> None:
        if lacking := set(fills) - values.keys():
            raise MisuseError(f"task {self._spec.name!r}: an effect was to fill {', '.join(sorted(lacking))}")
        for name, value in values.items():
            if name in fills:
                self._memory.keep(name, self._spec.slots[name].filled_by(value), source="store", confidence=CERTAIN)
            else:
                self._memory.learn(RESULT, name, value)
