"""What an FsmAgent is told: FsmAgentMessage."""

from __future__ import annotations

from dataclasses import dataclass

from fsm.consent import AGREED, Agreement


@dataclass(frozen=True, slots=True)
class Invoke:
    """The model called a function of this task. step_id: the function call's id. arguments: JSON text as it was sent.

    agreement: how the caller's latest turn answers what the task reads back when this step is taken. spoke: the caller
    has spoken since the last call, so this call may come from an answer.
    """

    step_id: str
    tool: str
    arguments: str
    agreement: Agreement = AGREED
    spoke: bool = True


@dataclass(frozen=True, slots=True)
class KeysPressed:
    """The caller has answered this task by the telephone's keys. agreement: as for Invoke."""

    step_id: str
    keys: str
    agreement: Agreement = AGREED


@dataclass(frozen=True, slots=True)
class CallerSilent:
    """The caller was asked by this task, and has said nothing for a while."""

    step_id: str


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The call is over, in the middle of a step of this task. Answered with TaskSettled."""


FsmAgentMessage = Invoke | KeysPressed | CallerSilent | CallerLeft
