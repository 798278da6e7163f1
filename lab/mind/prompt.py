"""What the mind is given and what it gives back: data only.

May import: the standard library. Shapes follow the OpenAI Realtime API's session, items and responses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the session declares. parameters: a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class UserSaid:
    """What the caller said, as recognised or typed."""

    text: str


@dataclass(frozen=True, slots=True)
class AssistantSaid:
    """What the model said, as far as it was heard."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A function call of the model. arguments: JSON text."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallOutput:
    """What a function call came to. output: any text, for the tasks of the product a JSON object."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class SystemNote:
    """A system message put into the conversation."""

    text: str


Item = UserSaid | AssistantSaid | Called | CallOutput | SystemNote


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything one response is made from.

    response_instructions: those of this response alone, or None. tools: those in force for this response.
    tool_choice: "auto", "none", "required", or the name of the function that must be called.
    items: the conversation, oldest first. now: local time of the caller, used when the instructions name no day.
    """

    instructions: str
    response_instructions: str | None
    tools: tuple[Tool, ...]
    tool_choice: str
    items: tuple[Item, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function call to make. arguments: JSON text of an object that fits the tool's schema, as far as it goes."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model does next: speak, call, or both (never neither)."""

    text: str = ""
    calls: tuple[FunctionCall, ...] = ()
