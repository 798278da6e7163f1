"""Effects: what a task does to the world, once, and how that came out.

May import: pydantic, the standard library. Rules from: specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What one run knows of the call it belongs to.

    caller: the caller's number as VAIC gave it, "" if withheld. now: the wall clock, aware, in the bot's time zone.
    """

    conversation_id: str
    run_id: str
    caller: str
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """One effect to carry out.

    key: the same for every attempt at this step of this run, and for no other: whoever sees it twice does it once.
    slots: the values agreed on, of the types the table declares.
    """

    key: str
    slots: Mapping[str, Any]
    context: TaskContext


@dataclass(frozen=True, slots=True)
class Ok:
    """It is done. values: what came of it, for the task's result (a booking's number)."""

    values: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be had like this, and nothing was done. say: why, in words for the caller."""

    say: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be carried out, and nothing was done. say: the apology, in words for the caller."""

    say: str


EffectResult = Ok | Refused | Failed
Effect = Callable[[EffectRequest], EffectResult]
# As a task's file declares it. The second argument is what the house keeps its data in: the database engine.
StoredEffect = Callable[[EffectRequest, Any], EffectResult]
