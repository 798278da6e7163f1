"""Properties of every task, proved by walking its table.

May import: fsm, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import eq
from typing import TypeVar

from fsm.spec import Act, AgentSpec, Choose, Collect, Confirm, End
from fsm.states import waits
from fsm.table import fields

# A node of a walk: the state, and whether the caller's last yes still applies.
_Place = tuple[str, bool]
_Path = tuple[str, ...]
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Unproved:
    """A property that does not hold. state: where it ends badly. message: with the path that violates it."""

    state: str
    message: str


def prove(spec: AgentSpec) -> None:
    """Prove all properties. Raises: AssertionError, with the paths that violate one."""
    told = "; ".join(each.message for each in unproved(spec))
    assert not told, f"{spec.name}: {told}"


def unproved(spec: AgentSpec) -> Iterator[Unproved]:
    """The properties that do not hold."""
    yield from _effects_without_a_yes(spec)
    yield from _yes_to_nothing(spec)
    yield from _rounds_of_giving_up(spec)
    yield from _without_a_human(spec)
    yield from _silence_unanswered(spec)


def _effects_without_a_yes(spec: AgentSpec) -> Iterator[Unproved]:
    """Every effect that changes something follows a yes, with no state that waits in between."""

    def onward(place: _Place) -> Iterable[tuple[str, _Place]]:
        name, agreed = place
        agreed = agreed and not waits(spec.states[name])
        for event, arrow in spec.arrows_from(name):
            yield event, (arrow.to, agreed or (isinstance(spec.states[name], Confirm) and event == "yes"))

    def changes_something(place: _Place) -> bool:
        state = spec.states[place[0]]
        return isinstance(state, Act) and not spec.reads_only(state) and not place[1]

    if (path := _walk((spec.start, False), onward, changes_something)) is not None:
        yield Unproved(path[-1], f"an effect without a yes: {' '.join(path)}; read back before it what it changes")


def _yes_to_nothing(spec: AgentSpec) -> Iterator[Unproved]:
    """A read-back names a value, if the caller has given any: a yes agrees to what is read back."""
    if not any(slot.asked for slot in spec.slots.values()):
        return
    changes = any(isinstance(state, Act) and not spec.reads_only(state) for state in spec.states.values())
    for name, state in spec.states.items():
        if changes and isinstance(state, Confirm) and not fields(state.template):
            yield Unproved(name, f"the read-back in {name} names no value; name what the caller is to agree to")


def _rounds_of_giving_up(spec: AgentSpec) -> Iterator[Unproved]:
    """A run that is out of patience gives up wherever it waits: that must lead to an End, not in a cycle.

    Derived arrows cannot form such a cycle: the caller causes them, or they are taken once (a repeated look-up).
    """

    def onward(name: str, start: str) -> Iterable[tuple[str, str]]:
        state = spec.states[name]
        for event, arrow in spec.written_from(name):
            # It waits where it gives up; only on the path after that may a filled Collect be passed through.
            passed = name != start and (not waits(state) or isinstance(state, Collect))
            if event == "gave_up" or passed or (isinstance(state, Choose) and state.decides(event)):
                yield event, arrow.to

    for start in (name for name, state in spec.states.items() if waits(state)):
        path = _walk(start, partial(onward, start=start), partial(eq, start), from_start=False)
        if path is not None:
            yield Unproved(start, f"giving up leads round: {' '.join(path)}; lead gave_up to an end")


def _without_a_human(spec: AgentSpec) -> Iterator[Unproved]:
    """A transfer can be reached from every state that waits, without a correction."""

    def onward(name: str) -> Iterable[tuple[str, str]]:
        return ((event, arrow.to) for event, arrow in spec.written_from(name))

    def is_human(name: str) -> bool:
        state = spec.states[name]
        return isinstance(state, End) and state.outcome == "transfer"

    for start in (name for name, state in spec.states.items() if waits(state)):
        if _walk(start, onward, is_human) is None:
            yield Unproved(start, f"no way to a human from {start}; lead gave_up to an end with a transfer")


def _silence_unanswered(spec: AgentSpec) -> Iterator[Unproved]:
    for name, state in spec.states.items():
        if waits(state) and (name, "gave_up") not in spec.transitions:
            yield Unproved(name, f"silence leads nowhere in {name}; write an arrow for gave_up")


def _walk(
    start: P,
    onward: Callable[[P], Iterable[tuple[str, P]]],
    found: Callable[[P], bool],
    from_start: bool = True,
) -> _Path | None:
    """The shortest path to a node for which `found` is true, as words; None if there is none."""
    if from_start and found(start):
        return (_name(start),)
    edge: list[tuple[P, _Path]] = [(start, (_name(start),))]
    seen = {start}
    while edge:
        place, path = edge.pop(0)
        for event, target in onward(place):
            way = (*path, f"--{event}->", _name(target))
            if found(target):
                return way
            if target not in seen:
                seen.add(target)
                edge.append((target, way))
    return None


def _name(place: object) -> str:
    return str(place[0]) if isinstance(place, tuple) else str(place)
