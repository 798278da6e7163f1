"""Messages to a call's model session: ModelSocketMessage."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

import pykka

from actors.messages.model_config import ModelSessionConfig
from actors.transport.dialler import DialFailed, Dialled
from actors.transport.websocket import WireClosed, WireQuiet, WireText
from fsm.spec import ToolSpec
from fsm.walk import ReasoningRequest
from protocols.ledger import ItemHeard
from protocols.realtime.objects import NewItem


@final
@dataclass(slots=True)
class CallerAudio:
    """The next piece of the caller's audio, in the model's format; never empty. Not frozen, as WireText is not."""

    payload: str


@dataclass(frozen=True, slots=True)
class Heard:
    """How much the caller heard of each interrupted item."""

    items: tuple[ItemHeard, ...]


@dataclass(frozen=True, slots=True)
class Speak:
    """Request a response without a turn of the caller's. instructions: replace the session's for this response."""

    instructions: str


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The caller's turn does not end: commit the audio so far, and go on as if the caller had stopped."""


@dataclass(frozen=True, slots=True)
class KeyStoppedBot:
    """The caller pressed a key while the bot spoke an item: the rest of that item must not be heard."""

    item_id: str


@dataclass(frozen=True, slots=True)
class CallerTyped:
    """Input of the caller other than audio (keys pressed), as text. answer: request a response to it."""

    text: str
    answer: bool = True


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    """The answer to a function call of the model. output: JSON text.

    instructions: replace the session's for the response that speaks about it, which then calls nothing; "" for none.
    """

    call_id: str
    output: str
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class ShowImageItem:
    """A task shows the model an image, or tells it of one in words. item: of the conversation."""

    item: NewItem = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The session's instructions and tools have changed."""

    instructions: str
    tools: tuple[ToolSpec, ...]


@dataclass(frozen=True, slots=True)
class OutOfBandRequest:
    """A task's question to the model, outside the conversation.

    reply: takes the event chosen, or None; the task may have stopped waiting.
    """

    request: ReasoningRequest
    reply: pykka.Future[Any]


class ModelDeadline(Enum):
    """A time limit of a model session."""

    SETUP = "setup"  # session.updated
    COMMIT = "commit"  # input_audio_buffer.committed, after speech_stopped
    RESPONSE = "response"  # the scheduler's next_due_ms


@dataclass(frozen=True, slots=True)
class ModelTick:
    """A time limit of the model session has run out."""

    deadline: ModelDeadline


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Have the session on standby take over the call. config: for the call's state now."""

    config: ModelSessionConfig


@dataclass(frozen=True, slots=True)
class Retire:
    """Another session stands by: end when neither side speaks and no answer is owed."""


ModelSocketMessage = (
    Dialled
    | DialFailed
    | WireText
    | WireQuiet
    | WireClosed
    | CallerAudio
    | Heard
    | Speak
    | EndTurn
    | CallerTyped
    | KeyStoppedBot
    | FunctionOutput
    | ShowImageItem
    | SessionChanged
    | OutOfBandRequest
    | TakeOver
    | Retire
    | ModelTick
)
