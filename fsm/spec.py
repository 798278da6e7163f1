"""A task as one table: its slots, its states, and an arrow for every event a state can raise.

The table is checked when it is built, so a task with a hole in it does not import.
May import: protocols, fsm, the standard library. Rules from: design 4.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fsm import tools
from fsm.effects import StoredEffect
from fsm.states import Act, Collect, Confirm, End, Known, Slot, State
from fsm.table import cancelled_ends, check_table
from fsm.tools import ToolSpec

__all__ = ["Act", "AgentSpec", "Collect", "Confirm", "End", "Known", "Slot", "State", "ToolSpec"]


@dataclass(frozen=True, slots=True, eq=False)
class AgentSpec:
    """One kind of task.

    name: also that of the function that opens it. description: tells the model when to call that.
    transitions: (state, event) to state. effects: what the Act states name.
    `cancel` needs no arrows: from every state that waits it leads to the table's one End("cancelled").
    Raises: MisuseError for a table that is not sound, naming state and event.
    """

    name: str
    description: str
    start: str
    slots: Mapping[str, Slot[Any]]
    states: Mapping[str, State]
    transitions: Mapping[tuple[str, str], str]
    effects: Mapping[str, StoredEffect] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_table(self)

    @property
    def cancelled(self) -> str:
        """The state that `cancel` leads to."""
        return cancelled_ends(self)[0]

    def home_of(self, slot: str) -> str:
        """The state that collects a slot; the first, if several do."""
        return next(name for name, state in self.states.items() if isinstance(state, Collect) and slot in state.slots)

    def opening_tool(self) -> ToolSpec:
        """What the model calls to begin this task."""
        return tools.opening_tool(self.name, self.description, self.slots)

    def tools_in(self, state: str) -> tuple[ToolSpec, ...]:
        """What the model may call while a run waits in this state; nothing where none waits."""
        match self.states[state]:
            case Collect():
                return tools.provide_tool(self.name, self.slots), tools.cancel_tool(self.name)
            case Confirm():
                confirm, provide = tools.confirm_tool(self.name), tools.provide_tool(self.name, self.slots)
                return confirm, provide, tools.cancel_tool(self.name)
            case Act() | End():
                return ()
