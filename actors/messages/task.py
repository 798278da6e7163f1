"""Messages to an FsmAgent: FsmAgentMessage."""

from __future__ import annotations

from dataclasses import dataclass, field

from fsm.consent import AGREED, Agreement


@dataclass(frozen=True, slots=True)
class Invoke:
    """The model called a function of this task. step_id: the function call's id. arguments: JSON text as it was sent.

    agreement: how the caller's latest turn answers the read-back at which the task stands. spoke: the caller has spoken
    since the last call, so this call may stem from an answer.
    """

    step_id: str
    tool: str
    arguments: str
    agreement: Agreement = AGREED
    spoke: bool = True


@dataclass(frozen=True, slots=True)
class KeysPressed:
    """The caller has answered this task by DTMF keys. agreement: as for Invoke."""

    step_id: str
    keys: str = field(repr=False)
    agreement: Agreement = AGREED


@dataclass(frozen=True, slots=True)
class CallerSilent:
    """The caller has not answered this task's question for a while."""

    step_id: str


@dataclass(frozen=True, slots=True)
class ImageUnseen:
    """An image of this task could not be shown to the model. image: its name. Answered with TaskNoted."""

    image: str


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The call has ended in the middle of a step of this task. Answered with TaskSettled."""


FsmAgentMessage = Invoke | KeysPressed | CallerSilent | ImageUnseen | CallerLeft
