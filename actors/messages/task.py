"""What an FsmAgent is told: FsmAgentMessage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invoke:
    """The model called a function of this task. step_id: the function call's id. arguments: JSON text as it was sent.

    heard: the caller spoke after hearing the task's last sentence to its end. spoke: the caller has spoken since the
    last call, so this one may carry an answer.
    """

    step_id: str
    tool: str
    arguments: str
    heard: bool = True
    spoke: bool = True


@dataclass(frozen=True, slots=True)
class KeysPressed:
    """The caller has answered this task with the telephone's keys. heard: as for Invoke."""

    step_id: str
    keys: str
    heard: bool = True


@dataclass(frozen=True, slots=True)
class CallerSilent:
    """The caller was asked by this task, and has said nothing for a while."""

    step_id: str


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The call is over, in the middle of a step of this task. Answered with TaskSettled."""


FsmAgentMessage = Invoke | KeysPressed | CallerSilent | CallerLeft
