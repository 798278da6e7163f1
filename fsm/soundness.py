"""Checks a task's table when it is built, so that no hole in it is found during a call.

Every fault names the state and the event; all that can be found at once are told at once.
May import: protocols, fsm.consent, fsm.states, fsm.table, fsm.templates, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Formatter

from fsm.consent import JUDGED_CHARS
from fsm.states import CANCELLED, UNCLEAR, Act, Arrow, Choose, Collect, Confirm, DerivedArrow, DerivedEvent, End, waits
from fsm.table import TaskTable, closure, fields
from fsm.templates import LAST4
from protocols.activities import values_named
from protocols.errors import MisuseError

# The API allows function names of 64 characters, and our longest suffix is "_provide".
_NAME = re.compile(r"[a-z][a-z0-9_]{0,55}")
_DERIVED = frozenset(DerivedEvent)
# Events of a Choose that are not its choices.
_NOT_CHOICES = _DERIVED | {"gave_up"}


@dataclass(frozen=True, slots=True)
class TableFault:
    """One hole in a table. path: the keys that lead to it, as a task's file has them. message: what, and what to do."""

    path: tuple[str, ...]
    message: str


class UnsoundTable(MisuseError):
    """A table with holes. faults: all that could be found at once."""

    def __init__(self, name: str, faults: Sequence[TableFault]) -> None:
        super().__init__(f"task {name!r}: {'; '.join(each.message for each in faults)}")
        self.faults = tuple(faults)


def check_table(spec: TaskTable) -> None:
    """Raises: UnsoundTable. The ways through a table are looked at once its parts fit together."""
    faults = [*_faulty_names(spec), *_faulty_states(spec), *_faulty_actions(spec), *_faulty_arrows(spec)]
    faults = faults or [*_faulty_ways(spec), *_rounds(spec), *_unfilled_templates(spec)]
    if faults:
        raise UnsoundTable(spec.name, list(dict.fromkeys(faults)))


def _faulty_names(spec: TaskTable) -> Iterator[TableFault]:
    if not _NAME.fullmatch(spec.name):
        yield TableFault(("task", "name"), "the name must be small letters, digits and underscores, at most 56 of them")
    if spec.start not in spec.states:
        there = ", ".join(spec.states)
        yield TableFault(("task", "start"), f"the start state {spec.start!r} is not in the table; there is {there}")
    collected = {slot for state in spec.states.values() if isinstance(state, Collect) for slot in state.slots}
    filled = {slot for state in spec.states.values() if isinstance(state, Act) for slot in state.fills}
    for name, state in spec.states.items():
        for slot in state.fills if isinstance(state, Act) else ():
            if slot not in spec.slots:
                yield TableFault(("state", name, "fills"), f"an act fills the unknown slot {slot!r}; {_there(spec)}")
    for name, each in spec.slots.items():
        path = ("slot", name)
        if name in collected and not each.asked:
            yield TableFault(
                path, f"the slot {name!r} is optional or stored, but a state collects it; leave one of both out"
            )
        if name not in collected and each.asked:
            yield TableFault(path, f"no state collects the slot {name!r}; collect it, or make it optional or stored")
        if each.stored and name not in filled:
            yield TableFault(
                path, f"the slot {name!r} is stored, but no act fills it; name it in `fills` of the act, or ask for it"
            )
        if name in filled and not each.stored:
            yield TableFault(path, f"an act fills the slot {name!r}, which is not stored; make it stored")
        if each.sensitive and (not each.asked or each.keypad is None or each.choices or each.pieces):
            yield TableFault(path, f"the slot {name!r} is sensitive: it must be asked for, whole, and have a keypad")
        if each.schema().get("type") not in ("string", "integer", "number", "boolean"):
            yield TableFault(path, f"the type of slot {name!r} is not one that a caller can say in one value")
    named = {state.effect for state in spec.states.values() if isinstance(state, Act)}
    for effect in sorted(spec.effects.keys() - named):
        yield TableFault((), f"no state acts by the effect {effect!r}")
    if any(waits(state) for state in spec.states.values()) and len(spec.cancelled_ends()) != 1:
        yield TableFault((), f'it needs exactly one End("{CANCELLED}"), a state where the caller who gives up is led')


def _there(spec: TaskTable) -> str:
    return f"there is {', '.join(spec.slots) or 'none'}"


def _faulty_states(spec: TaskTable) -> Iterator[TableFault]:
    for name, state in spec.states.items():
        path = ("state", name)
        match state:
            case Collect(slots=slots, retries=retries):
                if not slots or retries < 1:
                    yield TableFault((*path, "collect"), f"state {name!r} needs at least one slot and one retry")
                for slot in slots:
                    if slot not in spec.slots:
                        yield TableFault(
                            (*path, "collect"), f"state {name!r} collects the unknown slot {slot!r}; {_there(spec)}"
                        )
            case Choose(choices=choices, ask=ask, default=default):
                yield from _faulty_template(spec, name, "ask", ask)
                if not choices or choices.keys() & _NOT_CHOICES:
                    told = ", ".join(sorted(_NOT_CHOICES))
                    yield TableFault((*path, "choose"), f"state {name!r} needs choices, none of them called {told}")
                if default not in ("", *choices) or not (default or ask):
                    yield TableFault(
                        (*path, "default"),
                        f"state {name!r} asks nobody, and {default!r} is no choice to fall back to;"
                        f" write a question, or one of {', '.join(choices)}",
                    )
            case Act(effect=effect):
                if effect not in spec.effects:
                    yield TableFault((*path, "act"), f"state {name!r} acts by the unknown effect {effect!r}")
            case Confirm(template=template):
                yield from _faulty_template(spec, name, "confirm", template)
            case End(say=template, target=target):
                yield from _faulty_template(spec, name, "say", template)
                if target in spec.slots and spec.slots[target].sensitive:
                    yield TableFault((*path, "target"), f"state {name!r} hands over to {target!r}, which is sensitive")
                if target and target not in spec.slots:
                    yield TableFault(
                        (*path, "target"),
                        f"state {name!r} hands over to what the unknown slot {target!r} names; {_there(spec)}",
                    )


def _faulty_actions(spec: TaskTable) -> Iterator[TableFault]:
    for name, actions in spec.actions.items():
        path = ("state", name, "actions")
        if name not in spec.states:
            yield TableFault(path, f"the unknown state {name!r} has actions; there is {', '.join(spec.states)}")
        named = {each for action in actions for each in values_named(action)}
        for slot in sorted(each for each in named if each in spec.slots and spec.slots[each].sensitive):
            yield TableFault(path, f"an action of state {name!r} sends {slot!r}, which is sensitive; leave it out")
        for slot in sorted(named - spec.slots.keys()):
            yield TableFault(path, f"an action of state {name!r} sends the unknown slot {slot!r}; {_there(spec)}")


def _faulty_template(spec: TaskTable, name: str, key: str, template: str) -> Iterator[TableFault]:
    path = ("state", name, key)
    try:
        unknown = sorted(fields(template) - spec.slots.keys())
        parts = list(Formatter().parse(template))
        fixed = sum(len(text) for text, *_ in parts)
        said = [(field, form or "", conversion) for _, field, form, conversion in parts if field is not None]
    except ValueError as error:
        yield TableFault(path, f"what state {name!r} says is no format string: {error}; write {{{{ for a brace")
        return
    for field, form, conversion in said:
        slot = spec.slots.get(re.split(r"[.\[]", field)[0])
        if slot is not None and slot.sensitive and (field not in spec.slots or form != LAST4 or conversion):
            told = f"state {name!r} speaks of {{{field}}}, which is sensitive"
            yield TableFault(path, f"{told}; leave it out, or write {{{field}:{LAST4}}}")
    for each in unknown:
        yield TableFault(path, f"state {name!r} speaks of the unknown slot {each!r}; {_there(spec)}")
    if key == "confirm" and fixed > JUDGED_CHARS:
        yield TableFault(
            path,
            f"what state {name!r} reads back has {fixed} characters without its values: "
            f"a yes to more than {JUDGED_CHARS} never counts",
        )


def _faulty_arrows(spec: TaskTable) -> Iterator[TableFault]:
    for (state, event), arrows in spec.transitions.items():
        targets = [arrows] if isinstance(arrows, str) else [arrow.to for arrow in arrows]
        place = f"the arrow ({state!r}, {event!r}) -> {', '.join(map(repr, targets))}"
        path = ("state", state, "on", event)
        if state not in spec.states:
            yield TableFault(path, f"{place} leaves from an unknown state")
        elif event in _DERIVED:
            yield TableFault(path, f"{place} is for an event whose arrows are derived, and not written; leave it out")
        elif event not in _events_of(spec, state):
            raised = ", ".join(_events_of(spec, state)) or "none"
            yield TableFault(path, f"{place} is for an event that this state never raises; it raises {raised}")
        elif not arrows:
            yield TableFault(path, f"{place} leads nowhere; name a state")
        else:
            for to in sorted(set(targets) - spec.states.keys()):
                yield TableFault(path, f"{place} leads to an unknown state, {to!r}; there is {', '.join(spec.states)}")
            yield from _faulty_preconditions(path, place, spec.arrows(state, event))
    for name, kind in spec.states.items():
        for event in kind.events:
            if (name, event) not in spec.transitions:
                yield TableFault(("state", name, "on"), f"state {name!r} has no arrow for {event!r}; write one")


def _events_of(spec: TaskTable, state: str) -> tuple[str, ...]:
    """The events of a state, also of an act by an effect that is not there."""
    kind = spec.states[state]
    if isinstance(kind, Act) and kind.effect not in spec.effects:
        return (*kind.events, UNCLEAR)
    return spec.events_of(state)


def _faulty_preconditions(path: tuple[str, ...], place: str, tried: tuple[Arrow, ...]) -> Iterator[TableFault]:
    *guarded, last = tried
    if last.when is not None:
        yield TableFault(
            path,
            f"{place} may find no way: the last one to be tried has a precondition; write one without it after it",
        )
    for arrow in guarded:
        if arrow.when is None:
            yield TableFault(path, f"{place}: what is tried after {arrow.to!r} is never reached")


def straight_slots(spec: TaskTable) -> frozenset[str]:
    """The slots asked for on paths from the start without a refusal, a no or giving up."""
    onward = {
        name: {
            arrow.to for event, arrow in spec.written_from(name) if event not in ("refused", "failed", "no", "gave_up")
        }
        for name in spec.states
    }
    states = (spec.states[name] for name in closure({spec.start}, onward.__getitem__))
    return frozenset(slot for state in states if isinstance(state, Collect) for slot in state.slots)


def _faulty_ways(spec: TaskTable) -> Iterator[TableFault]:
    """Every state can be reached, and has a path to an End other than by the caller giving up."""
    # Only written arrows count: a state must be reachable, and left, without a correction.
    onward = {name: {arrow.to for _, arrow in spec.written_from(name)} for name in spec.states}
    reached = closure({spec.start, *spec.cancelled_ends()}, onward.__getitem__)
    for name in spec.states:
        if name not in reached:
            yield TableFault(("state", name), f"state {name!r} cannot be reached; lead an arrow to it, or leave it out")
        if not any(isinstance(spec.states[each], End) for each in closure({name}, onward.__getitem__)):
            yield TableFault(("state", name), f"state {name!r} has no way to an end; lead an arrow to one")


def _rounds(spec: TaskTable) -> Iterator[TableFault]:
    """No cycle that never waits for the caller: a Confirm always waits, a refusal asks for its slots again.

    Two derived arrows are taken without the caller, both from a Confirm: `unfilled` leads to where the caller is asked,
    or to the Act that fills the slot; `outdated` to a look-up, whose result is then up to date or dropped.
    """
    onward = {name: set(_passed_through(spec, name)) for name in spec.states}
    for name in spec.states:
        if name in closure(onward[name], onward.__getitem__):
            yield TableFault(
                ("state", name), f"from state {name!r} there is a way round to itself that never waits for the caller"
            )


def _passed_through(spec: TaskTable, name: str) -> Iterator[str]:
    """The states a run may enter from this one without waiting for the caller."""
    state = spec.states[name]
    if isinstance(state, Confirm):
        return
    for event, arrow in spec.written_from(name):
        if isinstance(state, Choose) and state.ask and not state.decides(event):
            continue
        if isinstance(state, Act) and event == "refused" and isinstance(spec.states[arrow.to], Collect):
            # The refusal empties its slots, so it waits, unless it gives up at once.
            yield from (after.to for after in spec.arrows(arrow.to, "gave_up"))
        else:
            yield arrow.to


def _unfilled_templates(spec: TaskTable) -> Iterator[TableFault]:
    """The slots in a state's template are filled on every path to it."""
    # A Confirm has derived arrows (`unfilled`) for missing slots, so written paths suffice. An End has none.
    by_table, by_any_way = _filled(spec, derived=False), _filled(spec, derived=True)
    nowhere = frozenset(spec.slots)  # of a state that cannot be reached, which is told already
    for name, actions in spec.actions.items():
        ended = isinstance(state := spec.states[name], End) and state.outcome == CANCELLED
        known = frozenset() if ended else by_any_way.get(name, nowhere)
        for slot in sorted({each for action in actions for each in values_named(action)} - known):
            yield TableFault(
                ("state", name, "actions"),
                f"an action of state {name!r} sends the slot {slot!r}, which is not filled on every way to it",
            )
    for name, state in spec.states.items():
        match state:
            case Confirm(template=template):
                key, lacking = "confirm", fields(template) - by_table.get(name, nowhere)
            case Choose(ask=template):
                key, lacking = "ask", fields(template) - by_any_way.get(name, nowhere)
            case End(outcome=outcome, say=template):
                key, lacking = (
                    "say",
                    fields(template) - (frozenset() if outcome == CANCELLED else by_any_way.get(name, nowhere)),
                )
            case _:
                continue
        for slot in sorted(lacking):
            yield TableFault(
                ("state", name, key),
                f"state {name!r} speaks of the slot {slot!r}, which is not filled on every way to it",
            )


def filled_at(spec: TaskTable) -> dict[str, frozenset[str]]:
    """By state, the slots that are filled there unless the caller corrects something. spec: a sound table."""
    return _filled(spec, derived=False)


def _filled(spec: TaskTable, derived: bool) -> dict[str, frozenset[str]]:
    """By state, the slots that are filled on every path to it. derived: paths by derived arrows count too."""
    filled: dict[str, frozenset[str]] = {spec.start: frozenset()}
    edge = [spec.start]
    while edge:
        name = edge.pop()
        kept = filled[name] - _may_be_lost(spec, name) if derived else filled[name]
        for event, arrow in spec.arrows_from(name) if derived else spec.written_from(name):
            after = _filled_after(spec, name, event, arrow, kept)
            known = filled.get(arrow.to)
            if known is None or not known <= after:
                filled[arrow.to] = after if known is None else known & after
                edge.append(arrow.to)
    return filled


def _may_be_lost(spec: TaskTable, name: str) -> set[str]:
    """The slots that a correction in this state may empty without leading to the state that fills them."""
    if not waits(spec.states[name]):
        return set()
    arrows = (arrow for event, arrow in spec.arrows_from(name) if event == DerivedEvent.INVALIDATED)
    led_back = {arrow.about for arrow in arrows if isinstance(arrow, DerivedArrow)}
    return {slot for slot, each in spec.slots.items() if each.may_be_lost and slot not in led_back}


def _filled_after(spec: TaskTable, name: str, event: str, arrow: Arrow, filled: frozenset[str]) -> frozenset[str]:
    match spec.states[name], event, arrow:
        case Collect(slots=slots), "filled", _:
            return filled | set(slots)
        case Act(fills=fills), "ok", _:
            return filled | set(fills)
        case Act(), "refused", _ if isinstance(again := spec.states[arrow.to], Collect):
            return filled - set(again.slots)
        case _, DerivedEvent.EXPIRED, _:
            return frozenset()
        case _, DerivedEvent.INVALIDATED, DerivedArrow(about=slot):
            # The event is about the first slot that is lost; later ones with a check may be lost too.
            order = list(spec.slots)
            return filled - {each for each in order[order.index(slot) :] if spec.slots[each].may_be_lost}
        case Confirm(template=template), _, _ if event not in (DerivedEvent.UNFILLED, DerivedEvent.OUTDATED):
            return filled | fields(template)
        case _:
            return filled
