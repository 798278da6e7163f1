"""What the actor system itself tells an actor: the end of a child, a restart that is due, a time limit that ran out.

May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ChildDied:
    """A child has ended. generation: which start of that child it was. reason: None for a normal end."""

    child: str
    generation: int
    reason: BaseException | None
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Deadline(Generic[K]):
    """A time limit of this actor has run out. key: which. start: which start of it; see NamedTimers.expire."""

    key: K
    start: int


@dataclass(frozen=True, slots=True)
class RestartDue:
    """The delay before a child's restart is over."""

    child: str


@dataclass(frozen=True, slots=True)
class ShutdownTimeout:
    """A child that was told to stop has had its time."""

    child: str
    generation: int
