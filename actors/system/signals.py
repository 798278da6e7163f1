"""The actor system's own messages: a child ended, a restart is due, a time limit ran out.

May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ChildDied:
    """A child has ended. generation: of its ParentLink. reason: None for a normal end."""

    child: str
    generation: int
    reason: BaseException | None


@dataclass(frozen=True, slots=True)
class Deadline(Generic[K]):
    """A time limit of this actor has run out. key: which. start: counts the timers' starts; see NamedTimers.expire."""

    key: K
    start: int


@dataclass(frozen=True, slots=True)
class RestartDue:
    """The delay before a child's restart is over."""

    child: str


@dataclass(frozen=True, slots=True)
class ShutdownTimeout:
    """A child that was told to stop has not ended within its policy's `shutdown_s`."""

    child: str
    generation: int
