"""Effects: what a task does to the world, once, and how that came out.

May import: fsm.scratchpad, pydantic, the standard library. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import JsonValue

from fsm.scratchpad import Note


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What one run knows of the call it belongs to.

    caller: the number that the caller claims, in E.164; "" for nobody. now: the wall clock, aware, in the bot's zone.
    choices: the values that slots with `choices` may take, by the name of the setting they are the keys of.
    notes: the scratchpads of the tasks before, for a task that carries them along.
    """

    conversation_id: str
    run_id: str
    caller: str
    now: Callable[[], datetime]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """One effect to carry out.

    key: the same for every attempt at this step of this run, and for no other: whoever sees it twice does it once.
    slots: the values agreed on, of the types the table declares. facts: what else the run knows, such as what its
    lookups gave back: an id is taken from there, and never from the model.
    """

    key: str
    slots: Mapping[str, Any]
    context: TaskContext
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


def effect_key(conversation_id: str, run_id: str, entered: int) -> str:
    """entered: how many states the run has entered, which is the same again for whoever repeats a step."""
    return f"{conversation_id}:{run_id}:{entered}"


@dataclass(frozen=True, slots=True)
class Ok:
    """It is done. values: what came of it, for the task's result (a booking's number)."""

    values: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be had like this, and nothing was done. say: why, in words for the caller.

    facts: by which the table's arrows tell one refusal from another. Only a look-up's: the log of effects has none.
    """

    say: str
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be carried out, and nothing was done. say: the apology, in words for the caller."""

    say: str


EffectResult = Ok | Refused | Failed
# What becomes of an effect whose caller hangs up while it is carried out.
OnHangUp = Literal["finish", "undo"]


@dataclass(frozen=True, slots=True)
class Local:
    """An effect in our own database: `do` and the record of its outcome are one transaction, so it is done once.

    do, undo: given the open connection of that transaction (SQLAlchemy's); what they raise rolls it back. The result
    of a `do` other than Ok is rolled back too. undo: takes back what an Ok did. reads_only: it looks something up; it
    may be done before anything was agreed to, and as often as it is needed.
    tally: writes down that a look-up was tried, whatever came of it, in a transaction of its own; returns how it came
    out, one of a few words that are counted and logged.
    """

    do: Callable[[EffectRequest, Any], EffectResult]
    undo: Callable[[EffectRequest, Any], None] | None = None
    on_hang_up: OnHangUp = "finish"
    reads_only: bool = False
    tally: Callable[[EffectRequest, EffectResult, Any], str] | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """An effect in somebody else's system, which no transaction of ours reaches.

    recover: how to go on when it is not known whether `do` came through. "retry": do it again, the peer tells doubles
    by the key. "human": nobody does it again; the caller is told that it is not certain. A function looks it up by the
    key: its result where it was done, None where it was not.
    """

    do: Callable[[EffectRequest], EffectResult]
    recover: Literal["retry", "human"] | Callable[[EffectRequest], EffectResult | None]
    undo: Callable[[EffectRequest], None] | None = None
    on_hang_up: OnHangUp = "finish"


DeclaredEffect = Local | Remote


class Effects(Protocol):
    """By which a run carries out the effects that its table names."""

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        """Do it once for the request's key, however often it is asked for, and give the first result again."""
        ...

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        """The caller left while it was carried out. Returns whether it was taken back, as its policy may be."""
        ...
