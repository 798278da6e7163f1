"""What a run answers to a function call of the model, and how it is saved between two of them.

May import: pydantic, the standard library. Rules from: design 4.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

Fault = Literal["bad_json", "too_long", "unknown_property", "bad_value", "wrong_state", "unknown_tool", "task_ended"]


class Output(BaseModel):
    """The function's output as the model reads it; what is None is left out.

    task: the run's id. needs: slots still missing, first the one that is being asked for. say: the sentence for the
    caller. slots: the values so far. result: the outcome, at the end, and values: what the effects gave back.
    error, hint: what was wrong with the call, and how to make it good; then nothing has changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    state: str
    needs: tuple[str, ...] = ()
    say: str | None = None
    slots: dict[str, JsonValue]
    result: str | None = None
    values: dict[str, JsonValue] | None = None
    error: Fault | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one function call.

    output: JSON text of an Output. outcome: the End's, once the run has ended. fault: "" for a call that was in order.
    """

    output: str
    outcome: str | None
    fault: Fault | Literal[""] = ""


class Snapshot(BaseModel):
    """A run between two calls; whoever restores it gives the answers this one would have given.

    visited: every state entered, in order. attempts: those that failed, by state. asked: the slot being asked for, ""
    if none. say: the sentence the caller was last given. values: what the effects gave back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str
    visited: tuple[str, ...]
    slots: dict[str, JsonValue]
    attempts: dict[str, int]
    asked: str
    say: str
    values: dict[str, JsonValue]
