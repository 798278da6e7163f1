"""A scene: what the caller and the model do, and what must be true in the end.

May import: tests.adversary, the standard library.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from tests.adversary.model import Answer

if TYPE_CHECKING:
    from tests.adversary.stage import Stage

# Nobody may be left without a sound for longer.
SILENCE_S = 20.0


class Kind(Enum):
    """What goes wrong; the sections of the requirements that the scenes stand for."""

    CONSENT = "consent"
    ARGUMENTS = "arguments"
    STALE = "stale facts"
    SILENCE = "silences"
    IDENTITY = "identity"
    CLAIMS = "what is said to be done"
    EFFECTS = "effects"
    KEYS = "keys and clock"
    MODEL = "the model's failures"


class Fault(Exception):
    """What the scene saw that must not be."""


class End(Enum):
    """How the call stands when the scene's script is over."""

    TALKING = ""
    HUNG_UP = "bot-disconnected"
    TRANSFERRED = "transferred"


Times = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What must be true when the script is over; what is None is not judged.

    stored: the appointments there are then, as "2026-11-26 10:00", in order. either: the lawful ones, where there are
    several. names: of whom the appointments are, in that order. end: how the call stands.
    heard: patterns without case, each found in what the caller heard; unheard: in nothing of it.
    silence_s: nobody may be unheard for longer; None where silence is not what the scene is about.
    requests: so many responses may be asked for at the most.
    """

    stored: Times | None = ()
    either: tuple[Times, ...] | None = None
    names: tuple[str, ...] | None = None
    end: End | tuple[End, ...] | None = None
    heard: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()
    silence_s: float | None = SILENCE_S
    requests: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """An appointment that is stored before the scene. at: "2026-11-26 10:30" in UTC."""

    at: str
    name: str = "John Smith"
    caller: str = "+4930555010"


class Wrong(Enum):
    """How an effect misbehaves."""

    RAISES = "raises, nothing was done"
    FAILS = "says that it failed"
    SLOW = "takes several seconds"
    SLOW_UNDONE = "takes several seconds, and is to be undone for a caller who hangs up meanwhile"
    HELD = "is somebody else's system, which goes on until the scene lets it go"
    HELD_UNDONE = "the same, and is to be undone for a caller who hangs up meanwhile"
    REMOTE = "is somebody else's system, which raises: nobody knows whether it was done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Props:
    """What a scene is given.

    now: the time of day it begins at, in UTC. own: what is booked already. settings: of the daemon, beside the usual
    ones. effects: those that misbehave, by name. slow_s: how long the slow ones take, in the call's seconds. caller:
    the number. transfer_fails: VAIC's transfers do. expires_in_s: the model's session; expires_at: the same as
    seconds since 1970. first: the model's first response, in place of the greeting. limit_s: for all of it, in the
    call's seconds. crashes: exceptions in the daemon's log are expected.
    """

    now: str = "2026-11-25T10:00:00"
    own: tuple[Own, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    effects: Mapping[str, Wrong] = field(default_factory=dict)
    slow_s: float = 5.0
    caller: str = "+4930555010"
    transfer_fails: bool = False
    expires_in_s: float = 3600
    expires_at: int | None = None
    first: Answer | None = None
    limit_s: float = 240.0
    crashes: bool = False


Script = Callable[["Stage"], Awaitable[None]]
S = TypeVar("S", bound=Script)


@dataclass(frozen=True, slots=True)
class Scene:
    """doc: what happens, for whoever reads the report."""

    name: str
    kind: Kind
    script: Script
    ends: Ends
    props: Props
    doc: str


SCENES: dict[str, Scene] = {}


def scene(kind: Kind, ends: Ends | None = None, props: Props | None = None, name: str = "") -> Callable[[S], S]:
    """Register a script as a scene. name: by default the function's."""

    def register(script: S) -> S:
        add(kind, name or script.__name__, script, ends, props)
        return script

    return register


def add(kind: Kind, name: str, script: Script, ends: Ends | None = None, props: Props | None = None) -> None:
    """Register a scene by name."""
    assert name not in SCENES, f"two scenes are called {name}"
    doc = " ".join((script.__doc__ or "").split())
    SCENES[name] = Scene(name, kind, script, ends or Ends(), props or Props(), doc)
