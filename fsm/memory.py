"""The state of one run from one function call to the next.

Pure state. May import: protocols.errors, fsm, pydantic, the standard library.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any, Self

from fsm.answer import Snapshot
from fsm.context import EVERYTHING, FACT, RESULT, SLOT, Context, Filter, Source
from fsm.effects import TaskContext
from fsm.locales import Locale
from fsm.scratchpad import MOST_NOTES, Note, NoteKind
from fsm.secret import Secret
from fsm.soundness import straight_slots
from fsm.spec import AgentSpec, Choose, Confirm, End, Known, State
from fsm.states import piece_of
from fsm.table import fields
from protocols.errors import MisuseError

HEARD = 0.8  # confidence of a value as the model heard it, before it was read back
CERTAIN = 1.0  # confidence of a value that does not depend on hearing


class Memory:
    """A run's working state. slots: accepted values, typed; each is also an item of `context`."""

    def __init__(self, spec: AgentSpec, task: TaskContext) -> None:
        self._spec = spec
        self._task = task
        self._straight = straight_slots(spec)
        self._visited: list[str] = []
        self.slots: dict[str, Any] = {}
        self.context = Context(spec.retention)
        self.notes: list[Note] = list(task.notes)
        self.no_match: Counter[str] = Counter()
        self.no_input: Counter[str] = Counter()
        self.asked = ""
        self.say = ""

    @classmethod
    def restore(cls, spec: AgentSpec, task: TaskContext, snapshot: Snapshot) -> Self:
        """The state a snapshot holds. Raises: MisuseError if the snapshot does not fit this table.

        It fits if the run could have come this way through this table, and what is said there can be said.
        """
        if snapshot.agent != spec.name or not _is_way(spec, snapshot.visited):
            raise MisuseError(f"task {spec.name!r}: a snapshot of {snapshot.agent!r} does not fit its table")
        memory = cls(spec, task)
        memory._visited, memory.notes = list(snapshot.visited), list(snapshot.notes)
        memory.no_match, memory.no_input = Counter(snapshot.no_match), Counter(snapshot.no_input)
        memory.asked, memory.say = snapshot.asked, snapshot.say
        memory.context = Context(spec.retention, snapshot.items)
        try:
            slots = memory.context.values(SLOT)
            memory.slots = {name: spec.slots[name].read(value) for name, value in slots.items()}
        except (KeyError, ValueError):
            raise MisuseError(f"task {spec.name!r}: the slots of a snapshot do not fit its table") from None
        if not _spoken_of(spec.states[memory.state]) <= memory.slots.keys() or not {memory.asked} <= {"", *spec.slots}:
            raise MisuseError(f"task {spec.name!r}: what its table says there is not known")
        return memory

    def snapshot(self) -> Snapshot:
        return Snapshot(
            agent=self._spec.name,
            visited=self.visited,
            items=tuple(self.context.items()),
            notes=tuple(self.notes),
            no_match=dict(self.no_match),
            no_input=dict(self.no_input),
            asked=self.asked,
            say=self.say,
            language=self.locale.tag,
        )

    @property
    def state(self) -> str:
        """The current state; before the opening, the start state."""
        return self._visited[-1] if self._visited else self._spec.start

    @property
    def locale(self) -> Locale:
        """The language that is spoken with the caller."""
        return self._task.locale

    @property
    def visited(self) -> tuple[str, ...]:
        return tuple(self._visited)

    def enter(self, state: str) -> None:
        """Enter a state. Only Walk calls this, when it takes an arrow."""
        self._visited.append(state)

    def known(self, seen: Filter = EVERYTHING, *, of_call: bool = True) -> Known:
        """The input of rules, preconditions and reasoning, as far as it passes a filter.

        of_call: with what is known of the call from its beginning.
        """
        items = list(self.context.items(seen))
        shown = {item.name for item in items if item.category == SLOT}
        slots = {name: value for name, value in self.slots.items() if name in shown}
        facts = {
            **(self._task.before if of_call else {}),
            **{item.name: item.value for item in items if item.category != SLOT},
        }
        return Known(self._task.now(), slots, facts, self._task.locale)

    def keep(self, slot: str, value: Any, *, source: Source, confidence: float) -> None:
        """Accept a slot's value."""
        written = self._spec.slots[slot].write(value)
        if self.slots.get(slot) != value:
            self.note("hypothesis" if confidence < CERTAIN else "fact", f"{slot} = {written}")
        self.slots[slot] = value
        self.context.put(SLOT, slot, written, source=source, confidence=confidence, now=self._task.now())

    def forget(self, slot: str) -> None:
        self.slots.pop(slot, None)
        self.context.drop(SLOT, slot)
        self.context.drop(FACT, piece_of(slot))

    def learn(self, category: str, name: str, value: Any, source: Source = "store") -> None:
        """Store a fact or the result of an effect."""
        self.context.put(category, name, value, source=source, confidence=CERTAIN, now=self._task.now())

    def expire(self) -> list[str]:
        """Drop values that have outlived their retention; returns their slots."""
        self.context.expire(self._task.now())
        alive = self.context.values(SLOT)
        lost = [name for name in self.slots if name not in alive]
        for name in lost:
            self.forget(name)
        return lost

    def lost_secrets(self) -> list[str]:
        """The slots whose values were known to a process that has died, and are needed yet."""
        lost = [name for name, value in self.slots.items() if isinstance(value, Secret) and value.lost]
        return [] if lost and self.state in self._spec.after_deeds() else lost

    def confirmed(self) -> None:
        """The caller confirmed what was read back."""
        self.context.trust(SLOT)
        self.note("conclusion", ", ".join(f"{name} = {value}" for name, value in self.context.values(SLOT).items()))

    @property
    def refused_yes(self) -> int:
        """How often a yes to the read-back that the run stands at did not count."""
        return self.no_match[self._this_reading]

    def yes_refused(self) -> int:
        """Count one more; returns how many there are now."""
        self.no_match[self._this_reading] += 1
        return self.refused_yes

    @property
    def _this_reading(self) -> str:
        return f"{self.state} {len(self._visited)}"

    def note(self, kind: NoteKind, text: str) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes.append(Note(kind=kind, text=text, at=self._task.now(), state=self.state))

    def results(self) -> dict[str, Any]:
        """The values that effects returned."""
        return self.context.values(RESULT)

    def missing(self) -> list[str]:
        """The slots that have no value yet, in the table's order."""
        return [name for name, slot in self._spec.slots.items() if name not in self.slots and slot.asked]

    def needed(self) -> list[str]:
        """The missing slots that will be asked for unless something is refused; the one being asked for first."""
        needed = [name for name in self.missing() if name == self.asked or name in self._straight]
        return sorted(needed, key=lambda name: name != self.asked)


def _is_way(spec: AgentSpec, visited: tuple[str, ...]) -> bool:
    """Whether each of the states leads to the next one, from the start."""
    if not set(visited) <= spec.states.keys() or visited[:1] not in ((), (spec.start,)):
        return False
    return all(any(arrow.to == there for _, arrow in spec.arrows_from(here)) for here, there in pairwise(visited))


def _spoken_of(state: State) -> frozenset[str]:
    """The slots whose values are said in a state."""
    match state:
        case Confirm(template=template) | Choose(ask=template) | End(say=template):
            return fields(template)
        case _:
            return frozenset()
