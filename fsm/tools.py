"""The functions (tools) of a task for the speech model: one that opens it, and those of its current state.

Their descriptions tell the model when to call them, and with what.
May import: fsm.states, the standard library. Rules from: docs/architecture.md 4.5, docs/specs/openai-realtime.md 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsm.states import Choose, Slot


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """The declaration of a function. parameters: a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, object]


_ANEW = "true if the caller wants to key it in once more; it is not known to you, so never pass it itself"


def provide_name(task: str) -> str:
    return f"{task}_provide"


def confirm_name(task: str) -> str:
    return f"{task}_confirm"


def cancel_name(task: str) -> str:
    return f"{task}_cancel"


def choose_name(task: str) -> str:
    return f"{task}_choose"


def opening_tool(
    task: str, description: str, slots: Mapping[str, Slot[Any]], choices: Mapping[str, tuple[str, ...]]
) -> ToolSpec:
    """Opens the task, with the values the caller has already said."""
    return ToolSpec(task, description, _object(_told(slots, choices)))


def provide_tool(task: str, slots: Mapping[str, Slot[Any]], choices: Mapping[str, tuple[str, ...]]) -> ToolSpec:
    """Gives or corrects values, in any order."""
    given = [name for name, slot in slots.items() if slot.told]
    description = (
        f"The caller gives or corrects a value for {_spoken(task)}: {', '.join(given)}. "
        "Call this as soon as the caller names one or several of them. "
        "Pass only what the caller has just said, and leave out everything else; never guess a value."
    )
    keyed = {name: {"type": "boolean", "description": _ANEW} for name, slot in slots.items() if slot.sensitive}
    return ToolSpec(provide_name(task), description, _object({**_told(slots, choices), **keyed}))


def confirm_tool(task: str) -> ToolSpec:
    """Answers a read-back with yes or no."""
    description = (
        f"The caller answers yes or no to what was read back for {_spoken(task)}. "
        "Call this only after the caller has answered, never on your own. "
        f"If the caller names another value instead, call {provide_name(task)}."
    )
    yes = {"type": "boolean", "description": "true if the caller agrees to what was read back, false if not"}
    return ToolSpec(confirm_name(task), description, _object({"yes": yes}, required=["yes"]))


def choose_tool(task: str, state: Choose) -> ToolSpec:
    """Takes one of the choices the caller was offered."""
    ways = "; ".join(f"{event}: {choice.means}" for event, choice in state.choices.items())
    description = f"The caller chooses how to go on with {_spoken(task)}. Call this only after the caller has answered."
    choice = {"type": "string", "enum": list(state.choices), "description": ways}
    return ToolSpec(choose_name(task), description, _object({"choice": choice}, required=["choice"]))


def cancel_tool(task: str) -> ToolSpec:
    """Cancels the task."""
    description = (
        f"The caller no longer wants to go on with {_spoken(task)} and gives it up. "
        "Do not call this for a question about something else, or to change a value."
    )
    return ToolSpec(cancel_name(task), description, _object({}))


def _spoken(task: str) -> str:
    return f'the task "{task.replace("_", " ")}"'


def _told(slots: Mapping[str, Slot[Any]], choices: Mapping[str, tuple[str, ...]]) -> Mapping[str, object]:
    """The schemas of the slots whose values the model passes on."""
    properties = {name: slot.schema() for name, slot in slots.items() if slot.told}
    for name, slot in slots.items():
        if slot.choices:
            properties[name]["enum"] = list(choices.get(slot.choices, ()))
    return properties


def _object(properties: Mapping[str, object], required: list[str] | None = None) -> dict[str, object]:
    schema: dict[str, object] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": required} if required else schema
