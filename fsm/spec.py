"""A task as one table: its slots, its states, and an arrow for every event a state can raise.

The table is checked when it is built, so a module with an incomplete task does not import.
May import: protocols, fsm, the standard library. Rules from: docs/architecture.md 4.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fsm import tools
from fsm.errors import SlotError
from fsm.soundness import check_table
from fsm.states import Act, Arrow, Choice, Choose, Collect, Confirm, End, Keypad, Known, Reason, Slot, State
from fsm.table import TaskTable
from fsm.tools import ToolSpec

__all__ = [
    "Act",
    "AgentSpec",
    "Arrow",
    "Choice",
    "Choose",
    "Collect",
    "Confirm",
    "End",
    "Keypad",
    "Known",
    "Reason",
    "Slot",
    "SlotError",
    "State",
    "ToolSpec",
]

Choices = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, weakref_slot=True)
class AgentSpec(TaskTable):
    """One kind of task.

    name: also that of the function that opens it. description: tells the model when to call that function.
    start: the state it begins in. slots, states, effects: by name.
    transitions: (state, event) to a state, or to several arrows with preconditions: one for every event of every state.
    Arrows that follow from the kinds of states and slots are derived, not written: cancelling (to the table's one
    End("cancelled")), corrections, repeated look-ups (fsm.states.DerivedEvent).
    actions: by state, what the call asks VAIC to do whenever a run enters it (protocols.activities), such as to pause
    its recording, and the images that it shows the model. `{slot}` in their texts is that slot's value, as JSON.
    retention: how long the context keeps items of a category (slot, fact, result); others are kept to the task's end.
    ends_call: opening it ends the caller's talk with the bot, so the caller must have spoken first.
    carries_notes: it starts with the scratchpads of the call's earlier tasks.
    patience: the number of states entered after which a run gives up where it waits.
    not_understood, still_there: said before the question to a caller who was not understood, or was silent.
    yes_or_no: said before a read-back after a yes to it did not count twice.
    Raises: MisuseError for an unsound table, naming state and event.
    """

    description: str
    ends_call: bool = False
    carries_notes: bool = False
    patience: int = 40
    not_understood: str = "Sorry, I did not get that."
    still_there: str = "Are you still there?"
    yes_or_no: str = "Please answer with yes or no."

    def __post_init__(self) -> None:
        check_table(self)

    def choices(self) -> frozenset[str]:
        """The settings whose keys its slots may take as values."""
        return frozenset(slot.choices for slot in self.slots.values() if slot.choices)

    def opening_tool(self, choices: Choices | None = None) -> ToolSpec:
        """The function that opens this task. choices: as in TaskContext."""
        return tools.opening_tool(self.name, self.description, self.slots, choices or {})

    def tools_in(self, state: str, choices: Choices | None = None) -> tuple[ToolSpec, ...]:
        """The functions the model may call while a run waits in this state; none if the state does not wait."""
        provide = (tools.provide_tool(self.name, self.slots, choices or {}),) if self.slots else ()
        match self.states[state]:
            case Collect():
                return *provide, tools.cancel_tool(self.name)
            case Confirm():
                return tools.confirm_tool(self.name), *provide, tools.cancel_tool(self.name)
            case Choose(ask=ask) as choose if ask:
                return tools.choose_tool(self.name, choose), *provide, tools.cancel_tool(self.name)
            case _:
                return ()
