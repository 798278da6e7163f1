"""Total transition tables, in the style of h11: the form of every state machine of Tieline.

A machine is three enums (states, events, actions) and two mappings:

    TRANSITIONS: Mapping[tuple[State, Event], tuple[State, Action]]    what happens
    NEVER: Mapping[tuple[State, Event], str]                           what cannot happen, each with its reason

`Table` joins them, and refuses at import a pair that is missing or stands in both, a state that cannot be reached,
an event that never happens. An event is named by what happened; a fact that decides makes two events of one
("answered in time", "answered late"), so that a table has no guards. An action is an enum member, or a tuple of them
where several things are done in order; the machine's owner carries it out:

    self._phase, action = CALL.step(self._phase, event)
    match action: ... case _: assert_never(action)

What remains as a field beside the state is data (an id, a time, what was requested), never a second state: two fields
that are asked together "and not" are a state that has no name yet. Two things that change independently of each other
are two tables.

May import: protocols.errors, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from protocols.errors import MisuseError

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)
A = TypeVar("A")
N = TypeVar("N", bound=Enum)
V = TypeVar("V")


class Transition(NamedTuple, Generic[S, E, A]):
    """One row of a table: `event` in `state` leads to `target` and asks for `action`."""

    state: S
    event: E
    target: S
    action: A


@dataclass(frozen=True, eq=False)
class Table(Generic[S, E, A]):
    """A sound state machine. It holds no state: its owner keeps the current state and calls `step`.

    name: what the machine is, for errors and the caption of its picture. start: its first state.
    transitions, never: together every pair of a state and an event, each in exactly one of them. never: the reason.
    Iterating gives the transitions, in the order they were written.
    Raises: MisuseError naming everything that is wrong.
    """

    name: str
    start: S
    transitions: Mapping[tuple[S, E], tuple[S, A]]
    never: Mapping[tuple[S, E], str]

    def __post_init__(self) -> None:
        # Copies: a mapping that is changed later would no longer be what was checked.
        object.__setattr__(self, "transitions", MappingProxyType(dict(self.transitions)))
        object.__setattr__(self, "never", MappingProxyType(dict(self.never)))
        if not self.transitions:
            raise MisuseError(f"table {self.name!r} has no transition")
        if faults := list(self._faults()):
            raise MisuseError("\n  ".join([f"table {self.name!r} is not sound:", *faults]))

    def __iter__(self) -> Iterator[Transition[S, E, A]]:
        for (state, event), (target, action) in self.transitions.items():
            yield Transition(state, event, target, action)

    @property
    def states(self) -> tuple[S, ...]:
        """Every state, in the order of its enum."""
        return tuple(type(self.start))

    @property
    def events(self) -> tuple[E, ...]:
        """Every event, in the order of its enum."""
        _, event = next(iter(self.transitions))
        return tuple(type(event))

    @property
    def pairs(self) -> tuple[tuple[S, E], ...]:
        """Every pair of a state and an event: what the test of a machine walks."""
        return tuple(product(self.states, self.events))

    def step(self, state: S, event: E) -> tuple[S, A]:
        """The state after an event, and what is to be done. Raises: MisuseError for a pair that cannot happen."""
        try:
            return self.transitions[state, event]
        except KeyError:
            raise MisuseError(
                f"table {self.name!r}: {event.name} in {state.name} cannot happen: {self.never[state, event]}"
            ) from None

    def _faults(self) -> Iterator[str]:
        for state, event in self.pairs:
            row, reason = self.transitions.get((state, event)), self.never.get((state, event))
            pair = f"{event.name} in {state.name}"
            if row is None and reason is None:
                yield f"{pair}: neither a transition nor a reason why it never happens"
            elif row is not None and reason is not None:
                yield f"{pair}: both a transition and a reason why it never happens"
            elif reason is not None and not reason.strip():
                yield f"{pair}: never, without a reason"
        happen = {event for _, event in self.transitions}
        yield from (f"{event.name}: happens in no state" for event in self.events if event not in happen)
        reached = self._reached()
        yield from (f"{state.name}: cannot be reached" for state in self.states if state not in reached)

    def _reached(self) -> set[S]:
        reached, edge = {self.start}, {self.start}
        while edge:
            edge = {row.target for row in self if row.state in edge} - reached
            reached |= edge
        return reached


def rows(*parts: Mapping[tuple[S, E], V]) -> dict[tuple[S, E], V]:
    """Parts of a table, joined. Raises: MisuseError for a pair that stands in two of them: a dict would hide one."""
    joined: dict[tuple[S, E], V] = {}
    for part in parts:
        for (state, event), row in part.items():
            if (state, event) in joined:
                raise MisuseError(f"{event.name} in {state.name} is written twice")
            joined[state, event] = row
    return joined


def go(states: S | Iterable[S], events: E | Iterable[E], target: S, action: A) -> dict[tuple[S, E], tuple[S, A]]:
    """Rows for several states, or events, that lead to one state by one action. An enum's class means all of it."""
    return dict.fromkeys(product(_several(states), _several(events)), (target, action))


def stay(states: S | Iterable[S], events: E | Iterable[E], action: A) -> dict[tuple[S, E], tuple[S, A]]:
    """Rows for several states, or events, that change no state."""
    return {(state, event): (state, action) for state, event in product(_several(states), _several(events))}


def never(states: S | Iterable[S], events: E | Iterable[E], reason: str) -> dict[tuple[S, E], str]:
    """Pairs that cannot happen, for one reason."""
    return dict.fromkeys(product(_several(states), _several(events)), reason)


def _several(members: N | Iterable[N]) -> tuple[N, ...]:
    if isinstance(members, Enum):  # one of strings is iterable itself
        return (members,)
    if isinstance(members, set | frozenset):
        # Its order differs from process to process, and a picture is drawn in the order of the rows.
        return tuple(sorted(members, key=_place))
    return tuple(members)


def _place(member: Enum) -> int:
    return list(type(member)).index(member)
