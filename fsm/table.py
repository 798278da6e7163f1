"""A task's table: its states, the arrows its author wrote, and those derived from its states and slots.

Everything that can happen to a run is an arrow here: `arrows_from` gives all of a state, and a run takes no others.
Whether a table is sound is checked by fsm.soundness.
May import: protocols, fsm.effects, fsm.states, pydantic, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from itertools import takewhile
from string import Formatter
from typing import Any

from pydantic import JsonValue

from fsm.context import SLOT
from fsm.effects import DeclaredEffect
from fsm.states import (
    CANCELLED,
    UNCLEAR,
    UNOPENED,
    Act,
    Arrow,
    Arrows,
    Collect,
    Confirm,
    DerivedArrow,
    DerivedEvent,
    End,
    Slot,
    State,
    waits,
)
from protocols.activities import TaskAction

_DERIVED = frozenset(DerivedEvent)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TaskTable:
    """The part of an AgentSpec that defines the transitions; AgentSpec describes the fields."""

    name: str
    start: str
    slots: Mapping[str, Slot[Any]]
    states: Mapping[str, State]
    transitions: Mapping[tuple[str, str], Arrows]
    effects: Mapping[str, DeclaredEffect] = field(default_factory=dict)
    retention: Mapping[str, timedelta] = field(default_factory=dict)
    actions: Mapping[str, tuple[TaskAction, ...]] = field(default_factory=dict)
    # Made once: the checks of a table and its proofs ask for the same arrows hundreds of times, a run at each event.
    _derived_of: dict[str, Mapping[str, tuple[DerivedArrow, ...]]] = field(init=False, repr=False, default_factory=dict)
    _written_of: dict[str, tuple[tuple[str, Arrow], ...]] = field(init=False, repr=False, default_factory=dict)

    # --- the arrows ---

    def arrows(self, state: str, event: str) -> tuple[Arrow, ...]:
        """The arrows for an event, in the order they are tried.

        The last written one has no precondition; derived ones come one for each slot or state the event can be about.
        state: UNOPENED for the opening. Raises: KeyError if the state never raises the event.
        """
        if event in _DERIVED or ((state, event) not in self.transitions and self._may_be_unclear(state, event)):
            return self._derived(state)[event]
        arrows = self.transitions[state, event]
        if isinstance(arrows, str):
            return (Arrow(arrows),)
        return tuple(sorted(arrows, key=lambda arrow: -arrow.priority))

    def arrows_from(self, state: str) -> Iterator[tuple[str, Arrow]]:
        """Every (event, arrow) that leads out of a state, whatever its precondition; derived ones last."""
        yield from self.written_from(state)
        yield from ((event, arrow) for event, arrows in self._derived(state).items() for arrow in arrows)

    def written_from(self, state: str) -> tuple[tuple[str, Arrow], ...]:
        """The (event, arrow) pairs that the author wrote."""
        if (known := self._written_of.get(state)) is None:
            written = (event for event in self.events_of(state) if (state, event) in self.transitions)
            known = tuple((event, arrow) for event in written for arrow in self.arrows(state, event))
            self._written_of[state] = known
        return known

    def events_of(self, state: str) -> tuple[str, ...]:
        """The events that a state may raise, besides the derived ones."""
        kind = self.states[state]
        return (*kind.events, UNCLEAR) if self._may_be_unclear(state, UNCLEAR) else kind.events

    def _may_be_unclear(self, state: str, event: str) -> bool:
        kind = self.states.get(state)
        return event == UNCLEAR and isinstance(kind, Act) and not self.reads_only(kind)

    def _derived(self, state: str) -> Mapping[str, tuple[DerivedArrow, ...]]:
        if (known := self._derived_of.get(state)) is None:
            known = self._derived_of[state] = self._derive(state)
        return known

    def _derive(self, state: str) -> dict[str, tuple[DerivedArrow, ...]]:
        if state == UNOPENED:
            return {DerivedEvent.OPENED: (DerivedArrow(self.start),)}
        if self._may_be_unclear(state, UNCLEAR) and (state, UNCLEAR) not in self.transitions:
            failed = self.arrows(state, "failed")
            return {UNCLEAR: tuple(DerivedArrow(each.to, each.when, each.priority, each.then) for each in failed)}
        if not waits(self.states[state]):
            return {}
        read_back = isinstance(self.states[state], Confirm)
        lasts = SLOT not in self.retention or all(slot.optional and not read_back for slot in self.slots.values())
        derived: dict[str, tuple[DerivedArrow, ...]] = {
            DerivedEvent.CANCELLED: (DerivedArrow(self.cancelled),),
            DerivedEvent.EXPIRED: () if lasts else (DerivedArrow(self.start),),
            DerivedEvent.CORRECTED: tuple(self._corrected(state)),
            DerivedEvent.INVALIDATED: tuple(self._invalidated(state)),
            DerivedEvent.UNFILLED: tuple(self._unfilled(state)),
            DerivedEvent.OUTDATED: tuple(self._outdated(state)),
        }
        return {event: arrows for event, arrows in derived.items() if arrows}

    def _corrected(self, state: str) -> Iterator[DerivedArrow]:
        if isinstance(self.states[state], Collect):
            return  # a Collect keeps waiting for the slots it still lacks
        for name, slot in self.slots.items():
            # Only its own check can change a stored value.
            if slot.asked or slot.optional or slot.check is not None:
                yield DerivedArrow(self.home_of(name) if slot.asked else state, about=name)

    def _invalidated(self, state: str) -> Iterator[DerivedArrow]:
        # A Collect is not left for a later state, which will ask for its value in turn anyway.
        before = self._before(state) if isinstance(self.states[state], Collect) else self.states.keys()
        for name, slot in self.slots.items():
            if slot.asked and slot.may_be_lost and self.home_of(name) in before:
                yield DerivedArrow(self.home_of(name), about=name)

    def _unfilled(self, state: str) -> Iterator[DerivedArrow]:
        kind = self.states[state]
        spoken = fields(kind.template) if isinstance(kind, Confirm) else ()
        for name, slot in self.slots.items():
            if name in spoken:
                yield DerivedArrow(self.home_of(name) if slot.asked else self._filled_by(name), about=name)

    def _outdated(self, state: str) -> Iterator[DerivedArrow]:
        if isinstance(self.states[state], Confirm):
            for name, act in self.states.items():
                if isinstance(act, Act) and self.looks_up(act) and self.basis(act):
                    yield DerivedArrow(name, about=name)

    # --- look-ups in the table ---

    def after_deeds(self) -> frozenset[str]:
        """The states that are reached only by way of an effect that has changed something.

        Where a table has no such effect, those reached only by way of a yes: somebody else does what was agreed to.
        """
        acts = any(isinstance(kind, Act) and not self.reads_only(kind) for kind in self.states.values())

        def does(state: str, event: str) -> bool:
            kind = self.states[state]
            if isinstance(kind, Act):
                return event == "ok" and not self.reads_only(kind)
            return event == "yes" and not acts and isinstance(kind, Confirm)

        def onward(state: str) -> Iterator[str]:
            return (arrow.to for event, arrow in self.arrows_from(state) if not does(state, event))

        return frozenset(self.states.keys() - closure({self.start}, onward))

    def _before(self, state: str) -> set[str]:
        """The states that can be reached from the start without passing this one."""

        def onward(name: str) -> Iterator[str]:
            return (arrow.to for _, arrow in self.written_from(name) if arrow.to != state)

        return closure({self.start} - {state}, onward)

    @property
    def cancelled(self) -> str:
        """The End for a caller who cancels."""
        return self.cancelled_ends()[0]

    def cancelled_ends(self) -> list[str]:
        """All End("cancelled") states; a sound table with a state that waits has exactly one."""
        return [name for name, state in self.states.items() if isinstance(state, End) and state.outcome == CANCELLED]

    def home_of(self, slot: str) -> str:
        """The state that collects a slot; the first, if several do."""
        return next(name for name, state in self.states.items() if isinstance(state, Collect) and slot in state.slots)

    def _filled_by(self, slot: str) -> str:
        """The state that fills a stored slot again: its look-up, or the start if an effect filled it."""
        acts = ((name, state) for name, state in self.states.items() if isinstance(state, Act) and slot in state.fills)
        return next((name for name, act in acts if self.looks_up(act)), self.start)

    def looks_up(self, act: Act) -> bool:
        """Whether it is a look-up: reads only, so that it may run before a yes and repeatedly, and fills slots."""
        return self.reads_only(act) and bool(act.fills)

    def reads_only(self, act: Act) -> bool:
        """Whether its effect changes nothing."""
        return self.effects[act.effect].reads_only

    def basis(self, act: Act) -> tuple[str, ...]:
        """The input of a look-up: the slots that precede those it fills."""
        return tuple(takewhile(lambda slot: slot not in act.fills, self.slots))

    def misfit(self, act: Act, values: Mapping[str, JsonValue]) -> str | None:
        """The first slot that cannot have the value that an effect has given for it; None if all can."""
        for name in act.fills:
            try:
                if name in values:
                    self.slots[name].filled_by(values[name])
            except ValueError:
                return name
        return None


def closure(start: Iterable[str], onward: Callable[[str], Iterable[str]]) -> set[str]:
    """The states that can be reached from these ones, and these. onward: those that are next to one."""
    reached, edge = set(start), set(start)
    while edge:
        edge = {target for name in edge for target in onward(name)} - reached
        reached |= edge
    return reached


@lru_cache(maxsize=4096)
def fields(template: str) -> frozenset[str]:
    """The field names in a format string. Raises: ValueError if it is malformed."""
    return frozenset(re.split(r"[.\[]", name)[0] for _, name, _, _ in Formatter().parse(template) if name is not None)
