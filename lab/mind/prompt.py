"""The input and output of `think`: data only.

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
    """An utterance of the caller, as recognised or typed."""

    text: str


@dataclass(frozen=True, slots=True)
class AssistantSaid:
    """An utterance of the model, as far as it was heard."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A function call of the model. arguments: JSON text."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallOutput:
    """The output of a function call. output: any text; a JSON object from the product's tasks."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class SystemNote:
    """A system message in the conversation."""

    text: str


@dataclass(frozen=True, slots=True)
class ImageSeen:
    """An image that a client has put into the conversation. text: what stands beside it. kind: as image/png."""

    text: str
    kind: str
    width: int
    height: int


PromptItem = UserSaid | AssistantSaid | Called | CallOutput | SystemNote | ImageSeen


@dataclass(frozen=True, slots=True)
class Prompt:
    """The input of one response.

    response_instructions: those of this response alone, or None. tools: those available to this response.
    tool_choice: "auto", "none", "required", or the name of the function that must be called.
    items: the conversation, oldest first. now: local time of the caller, used when the instructions name no day.
    """

    instructions: str
    response_instructions: str | None
    tools: tuple[Tool, ...]
    tool_choice: str
    items: tuple[PromptItem, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function call to make. arguments: JSON text of an object; its values fit the tool's schema."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model does next: speak, call functions, or both (never neither)."""

    text: str = ""
    calls: tuple[FunctionCall, ...] = ()
