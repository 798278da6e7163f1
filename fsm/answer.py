"""A run's answer to a function call of the model, and its snapshot between two calls.

May import: protocols, fsm, pydantic, the standard library. Rules from: docs/architecture.md 4.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from fsm.consent import Readback
from fsm.context import ContextItem
from fsm.scratchpad import Note
from fsm.tools import ToolSpec
from protocols.activities import TaskAction

Fault = Literal[
    "bad_json",
    "too_long",
    "unknown_property",
    "bad_value",
    "wrong_state",
    "unknown_tool",
    "task_ended",
    "unheard",
    "misstated",
    "wordless",
    "not_a_yes",
]


class Output(BaseModel):
    """The function's output as the model reads it; fields that are None are left out.

    task: the run's id. needs: slots still missing, the one being asked for first. say: the sentence for the caller.
    slots: the values so far. result: the outcome, once the run has ended; values: what its effects returned.
    error, hint: what was wrong with the call, and how to correct it; only its valid values were taken.
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

    output: JSON text of an Output. outcome: the End's, once the run has ended. say: the output's sentence, "" if none.
    fault: "" for a valid call. word_for_word: the sentence must be spoken verbatim, because the model said another one
    in its place, or it was not heard. told: the part of `say` that
    gives the reason, without the state's own words.
    """

    output: str
    outcome: str | None
    say: str = ""
    fault: Fault | Literal[""] = ""
    word_for_word: bool = False
    told: str = ""


class Snapshot(BaseModel):
    """A run between two calls; a restored run answers exactly as this one would have.

    visited: every state entered, in order. items: its context. no_match, no_input: how many answers did not fit and how
    many silences there were, by slot or state; no_match also counts refused yeses to a read-back (Memory.refused_yes).
    asked: the slot being asked for, "" if none. say: the last sentence. language: the tag of the one it speaks.
    As in the journal's rows, new fields have defaults, and those of a later release are ignored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    agent: str
    visited: tuple[str, ...]
    items: tuple[ContextItem, ...]
    notes: tuple[Note, ...]
    no_match: dict[str, int]
    no_input: dict[str, int]
    asked: str
    say: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A run's state between two steps, for the supervisor of its call.

    tools, instructions: what the model may call, and is told. waits: for the caller. keys: how many DTMF digits make an
    answer now, 0 if `#` ends it, None if keys are not taken. readback: what a yes would agree to; None if nothing is
    read back. transfer_to: for the outcome "transfer", the target's name; "" for the default target.
    actions: what VAIC is to be asked for, and the model shown, because of the last step, by keys that a repeated step
    has again. images: that its effects have kept, by name.
    sensitive: the caller is asked for what nobody may hear, and keys it in.
    """

    snapshot: Snapshot
    tools: tuple[ToolSpec, ...] = ()
    instructions: str = ""
    waits: bool = False
    keys: int | None = None
    readback: Readback | None = None
    transfer_to: str = ""
    actions: Mapping[str, TaskAction] = field(default_factory=dict)
    images: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    sensitive: bool = False
