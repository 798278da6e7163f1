"""Checks a task's table when it is built, so that no hole in it is found during a call.

Every check raises MisuseError, naming the task, the state and the event.
May import: protocols.errors, fsm.consent, fsm.states, fsm.table, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import NoReturn

from fsm.consent import JUDGED_CHARS
from fsm.states import CANCELLED, Act, Arrow, Choose, Collect, Confirm, DerivedArrow, DerivedEvent, End, waits
from fsm.table import TaskTable, fields
from protocols.errors import MisuseError

# The API allows function names of 64 characters, and our longest suffix is "_provide".
_NAME = re.compile(r"[a-z][a-z0-9_]{0,55}")
# Events of a Choose that are not its choices.
_NOT_CHOICES = frozenset({"gave_up", *DerivedEvent})


def check_table(spec: TaskTable) -> None:
    """Raises: MisuseError for the first fault found."""
    _check_names(spec)
    for state in spec.states:
        _check_state(spec, state)
    _check_arrows(spec)
    _check_ways(spec)
    _check_rounds(spec)
    _check_templates(spec)


def _refuse(spec: TaskTable, what: str) -> NoReturn:
    raise MisuseError(f"task {spec.name!r}: {what}")


def _check_names(spec: TaskTable) -> None:
    if not _NAME.fullmatch(spec.name):
        _refuse(spec, "the name must be small letters, digits and underscores, at most 56 of them")
    if spec.start not in spec.states:
        _refuse(spec, f"the start state {spec.start!r} is not in the table")
    filled = {slot for state in spec.states.values() if isinstance(state, Act) for slot in state.fills}
    for name in filled - spec.slots.keys():
        _refuse(spec, f"an act fills the unknown slot {name!r}")
    collected = {slot for state in spec.states.values() if isinstance(state, Collect) for slot in state.slots}
    for name, slot in spec.slots.items():
        if name in collected and not slot.asked:
            _refuse(spec, f"the slot {name!r} is optional or stored, but a state collects it")
        if name not in collected and slot.asked:
            _refuse(spec, f"no state collects the slot {name!r}")
        if slot.stored != (name in filled):
            _refuse(spec, f"the slot {name!r} is to be stored, and so filled by an act, or neither")
        if slot.schema().get("type") not in ("string", "integer", "number", "boolean"):
            _refuse(spec, f"the type of slot {name!r} is not one that a caller can say in one value")
    named = {state.effect for state in spec.states.values() if isinstance(state, Act)}
    for effect in spec.effects.keys() - named:
        _refuse(spec, f"no state acts by the effect {effect!r}")
    if any(waits(state) for state in spec.states.values()) and len(spec.cancelled_ends()) != 1:
        _refuse(spec, f'it needs exactly one End("{CANCELLED}"), where the caller who gives up is led')


def _check_state(spec: TaskTable, name: str) -> None:
    match spec.states[name]:
        case Collect(slots=slots, retries=retries):
            if not slots or retries < 1:
                _refuse(spec, f"state {name!r} needs at least one slot and one retry")
            for slot in slots:
                if slot not in spec.slots:
                    _refuse(spec, f"state {name!r} collects the unknown slot {slot!r}")
        case Choose(choices=choices, ask=ask, default=default):
            if not choices or choices.keys() & _NOT_CHOICES:
                _refuse(spec, f"state {name!r} needs choices, none of them called {', '.join(sorted(_NOT_CHOICES))}")
            if default not in ("", *choices) or not (default or ask):
                _refuse(spec, f"state {name!r} asks nobody, and {default!r} is no choice to fall back to")
        case Act(effect=effect):
            if effect not in spec.effects:
                _refuse(spec, f"state {name!r} acts by the unknown effect {effect!r}")
        case Confirm(template=template):
            _check_template(spec, name, template)
            _check_length(spec, name, template)
        case End(say=template, target=target):
            _check_template(spec, name, template)
            if target and target not in spec.slots:
                _refuse(spec, f"state {name!r} hands over to what the unknown slot {target!r} names")


def _check_template(spec: TaskTable, name: str, template: str) -> None:
    try:
        unknown = fields(template) - spec.slots.keys()
    except ValueError as error:
        _refuse(spec, f"what state {name!r} says is no format string: {error}")
    if unknown:
        _refuse(spec, f"state {name!r} speaks of the unknown slot {min(unknown)!r}")


def _check_length(spec: TaskTable, name: str, template: str) -> None:
    fixed = sum(len(text) for text, *_ in Formatter().parse(template))
    if fixed > JUDGED_CHARS:
        _refuse(
            spec,
            f"what state {name!r} reads back has {fixed} characters without its values: "
            f"a yes to more than {JUDGED_CHARS} never counts",
        )


def _check_arrows(spec: TaskTable) -> None:
    for (state, event), arrows in spec.transitions.items():
        targets = [arrows] if isinstance(arrows, str) else [arrow.to for arrow in arrows]
        place = f"the arrow ({state!r}, {event!r}) -> {', '.join(map(repr, targets))}"
        if state not in spec.states:
            _refuse(spec, f"{place} leaves from an unknown state")
        if event in list(DerivedEvent):
            _refuse(spec, f"{place} is for an event whose arrows are derived, and not written")
        if event not in spec.events_of(state):
            _refuse(spec, f"{place} is for an event that this state never raises")
        if not arrows:
            _refuse(spec, f"{place} leads nowhere")
        tried = spec.arrows(state, event)
        if not spec.states.keys() >= set(targets):
            _refuse(spec, f"{place} leads to an unknown state")
        _check_preconditions(spec, place, tried)
    for name, kind in spec.states.items():
        for event in kind.events:
            if (name, event) not in spec.transitions:
                _refuse(spec, f"state {name!r} has no arrow for {event!r}")


def _check_preconditions(spec: TaskTable, place: str, tried: tuple[Arrow, ...]) -> None:
    *guarded, last = tried
    if last.when is not None:
        _refuse(spec, f"{place} may find no way: the last one to be tried has a precondition")
    for arrow in guarded:
        if arrow.when is None:
            _refuse(spec, f"{place}: what is tried after {arrow.to!r} is never reached")


def straight_slots(spec: TaskTable) -> frozenset[str]:
    """The slots asked for on paths from the start without a refusal, a no or giving up."""
    onward = {
        name: {
            arrow.to for event, arrow in spec.written_from(name) if event not in ("refused", "failed", "no", "gave_up")
        }
        for name in spec.states
    }
    states = (spec.states[name] for name in _closure({spec.start}, onward))
    return frozenset(slot for state in states if isinstance(state, Collect) for slot in state.slots)


def _check_ways(spec: TaskTable) -> None:
    """Every state can be reached, and has a path to an End other than by the caller giving up."""
    # Only written arrows count: a state must be reachable, and left, without a correction.
    onward = {name: {arrow.to for _, arrow in spec.written_from(name)} for name in spec.states}
    reached = _closure({spec.start, *spec.cancelled_ends()}, onward)
    for name in spec.states:
        if name not in reached:
            _refuse(spec, f"state {name!r} cannot be reached")
        if not any(isinstance(spec.states[each], End) for each in _closure({name}, onward)):
            _refuse(spec, f"state {name!r} has no way to an end")


def _closure(start: set[str], onward: Mapping[str, set[str]]) -> set[str]:
    reached, edge = set(start), set(start)
    while edge:
        edge = {target for name in edge for target in onward[name]} - reached
        reached |= edge
    return reached


def _check_rounds(spec: TaskTable) -> None:
    """No cycle that never waits for the caller: a Confirm always waits, a refusal asks for its slots again.

    Two derived arrows are taken without the caller, both from a Confirm: `unfilled` leads to where the caller is asked,
    or to the Act that fills the slot; `outdated` to a look-up, whose result is then up to date or dropped.
    """
    onward = {name: set(_passed_through(spec, name)) for name in spec.states}
    for name in spec.states:
        if name in _closure(onward[name], onward):
            _refuse(spec, f"from state {name!r} there is a way round to itself that never waits for the caller")


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


def _check_templates(spec: TaskTable) -> None:
    """The slots in a state's template are filled on every path to it."""
    # A Confirm has derived arrows (`unfilled`) for missing slots, so written paths suffice. An End has none.
    by_table, by_any_way = _filled(spec, derived=False), _filled(spec, derived=True)
    for name, state in spec.states.items():
        match state:
            case Confirm(template=template):
                lacking = fields(template) - by_table[name]
            case End(outcome=outcome, say=template):
                lacking = fields(template) - (frozenset() if outcome == CANCELLED else by_any_way[name])
            case _:
                continue
        for slot in sorted(lacking):
            _refuse(spec, f"state {name!r} speaks of the slot {slot!r}, which is not filled on every way to it")


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
    return {slot for slot, each in spec.slots.items() if each.check is not None and slot not in led_back}


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
            return filled - {each for each in order[order.index(slot) :] if spec.slots[each].check is not None}
        case Confirm(template=template), _, _ if event not in (DerivedEvent.UNFILLED, DerivedEvent.OUTDATED):
            return filled | fields(template)
        case _:
            return filled
