"""What a call's model's side is told: ModelSocketMessage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import pykka

from actors.messages.model_config import ModelSessionConfig
from actors.transport.dialler import DialFailed, Dialled
from actors.transport.websocket import WireClosed, WireQuiet, WireText
from fsm.spec import ToolSpec
from fsm.walk import ReasoningRequest
from protocols.ledger import ItemHeard


@dataclass(slots=True)
class CallerAudio:
    """The next piece of the caller's audio, in the model's format. Not frozen, as WireText is not."""

    payload: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What reached the caller's ear of each item that was cut."""

    items: tuple[ItemHeard, ...]


@dataclass(frozen=True, slots=True)
class Speak:
    """Have the model say something by itself. instructions: replace the session's for this response.

    step_id: the task's step whose sentence that is, "" if of none.
    """

    instructions: str
    step_id: str = ""


@dataclass(frozen=True, slots=True)
class CallerTyped:
    """Words that reached us as no audio (keys pressed). answer: the model is to answer them by itself."""

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
class SessionChanged:
    """What the model is told and may call from now on."""

    instructions: str
    tools: tuple[ToolSpec, ...]


@dataclass(frozen=True, slots=True)
class OutOfBandRequest:
    """A task asks the model beside the conversation. reply: takes the event chosen, or None; who waits may be gone."""

    request: ReasoningRequest
    reply: pykka.Future[Any]


class ModelDeadline(Enum):
    """What a model session has itself reminded of."""

    SETUP = "setup"  # it is to be configured by now
    RESPONSE = "response"  # the scheduler asked to be looked at


@dataclass(frozen=True, slots=True)
class ModelTick:
    """A deadline of the model session's own is due."""

    deadline: ModelDeadline


@dataclass(frozen=True, slots=True)
class TakeOver:
    """To a session on standby: the call is yours from now on. config: the call as it stands now."""

    config: ModelSessionConfig


@dataclass(frozen=True, slots=True)
class Retire:
    """Another session stands by: end at the next moment at which nobody speaks and nothing is owed."""


ModelSocketMessage = (
    Dialled
    | DialFailed
    | WireText
    | WireQuiet
    | WireClosed
    | CallerAudio
    | Heard
    | Speak
    | CallerTyped
    | FunctionOutput
    | SessionChanged
    | OutOfBandRequest
    | TakeOver
    | Retire
    | ModelTick
)
