"""What a run answers to a function call of the model, and how it is saved between two of them.

May import: fsm, pydantic, the standard library. Rules from: docs/architecture.md 4.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from fsm.consent import Readback
from fsm.context import ContextItem
from fsm.scratchpad import Note
from fsm.tools import ToolSpec

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
    """The function's output as the model reads it; what is None is left out.

    task: the run's id. needs: slots still missing, first the one that is being asked for. say: the sentence for the
    caller. slots: the values so far. result: the outcome, at the end, and values: what the effects gave back.
    error, hint: what was wrong with the call, and how to make it good; of what it gave, only good values were taken.
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
    fault: "" for a call that was in order. word_for_word: the sentence must be spoken as it stands, for another one was
    taken for it, or not heard. told: the part of `say` that gives the reason, without the state's own words.
    """

    output: str
    outcome: str | None
    say: str = ""
    fault: Fault | Literal[""] = ""
    word_for_word: bool = False
    told: str = ""


class Snapshot(BaseModel):
    """A run between two calls; whoever restores it gives the answers this one would have given.

    visited: every state entered, in order. items: what it knows. no_match, no_input: answers that did not fit, and
    silences, by slot or state; no_match also counts the yeses to a read-back that did not count (Memory.refused_yes).
    asked: the slot being asked for, "" if none. say: the sentence last given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str
    visited: tuple[str, ...]
    items: tuple[ContextItem, ...]
    notes: tuple[Note, ...]
    no_match: dict[str, int]
    no_input: dict[str, int]
    asked: str
    say: str


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Where a run stands between two calls, for the call it belongs to.

    tools, instructions: what the model may call, and is told. waits: for the caller. keys: how many of the telephone's
    keys make an answer now, 0 where `#` ends it, None where none do. readback: what a yes would agree to; None where
    nothing is read back. transfer_to: for the outcome "transfer", the name of whereto; "" for the default.
    """

    snapshot: Snapshot
    tools: tuple[ToolSpec, ...] = ()
    instructions: str = ""
    waits: bool = False
    keys: int | None = None
    readback: Readback | None = None
    transfer_to: str = ""
