"""A scene: what the caller and the model do, and what must be true in the end.

May import: tests.adversary, the standard library.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from tests.adversary.model import Answer

if TYPE_CHECKING:
    from tests.adversary.stage import Stage

# Nobody may be left without a sound for longer.
SILENCE_S = 20.0


class Kind(Enum):
    """What goes wrong; the sections of the requirements that the scenes test."""

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
    """A violation that a scene observed."""


class End(Enum):
    """The state of the call when the scene's script has ended."""

    TALKING = ""
    HUNG_UP = "bot-disconnected"
    TRANSFERRED = "transferred"


Times = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What must be true when the script has ended; None is not checked.

    stored: the stored appointments, as "2026-11-26 10:00", in order. either: the allowed results, if there are several.
    names: the names of the appointments, in that order. end: the state of the call.
    heard: case-insensitive patterns, each found in what the caller heard; unheard: found nowhere in it.
    silence_s: the longest allowed silence; None if the scene is not about silence.
    requests: the most responses that may be requested.
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
    FAILS_SLOW = "says so after several seconds"
    SLOW = "takes several seconds"
    SLOW_UNDONE = "takes several seconds, and is to be undone for a caller who hangs up meanwhile"
    HELD = "is somebody else's system, which goes on until the scene lets it go"
    HELD_UNDONE = "the same, and is to be undone for a caller who hangs up meanwhile"
    REMOTE = "is somebody else's system, which raises: nobody knows whether it was done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Props:
    """The conditions of a scene.

    now: when it begins, in UTC. own: existing appointments. settings: of the daemon, besides the usual ones. effects:
    misbehaving ones, by name. slow_s: the duration of slow ones, in the call's seconds. caller: the number.
    transfer: what becomes of VAIC's transfers. expires_in_s: lifetime of the model's session; expires_at: the same in
    seconds since 1970. first: the model's first response, instead of the greeting. limit_s: for the whole scene, in the
    call's seconds. crashes: exceptions in the daemon's log are expected. hush: the model sends silence as speech.
    """

    now: str = "2026-11-25T10:00:00"
    own: tuple[Own, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    effects: Mapping[str, Wrong] = field(default_factory=dict)
    slow_s: float = 5.0
    caller: str = "+4930555010"
    transfer: Literal["answered", "fails", "ignored"] = "answered"
    expires_in_s: float = 3600
    expires_at: int | None = None
    first: Answer | None = None
    limit_s: float = 240.0
    crashes: bool = False
    hush: bool = False


Script = Callable[["Stage"], Awaitable[None]]
S = TypeVar("S", bound=Script)


@dataclass(frozen=True, slots=True)
class Scene:
    """A registered scene. doc: what happens, for the report."""

    name: str
    kind: Kind
    script: Script
    ends: Ends
    props: Props
    doc: str


SCENES: dict[str, Scene] = {}


def scene(kind: Kind, ends: Ends | None = None, props: Props | None = None, name: str = "") -> Callable[[S], S]:
    """Register a script as a scene. name: default the function's."""

    def register(script: S) -> S:
        add(kind, name or script.__name__, script, ends, props)
        return script

    return register


def add(kind: Kind, name: str, script: Script, ends: Ends | None = None, props: Props | None = None) -> None:
    """Register a scene by name."""
    assert name not in SCENES, f"two scenes are called {name}"
    doc = " ".join((script.__doc__ or "").split())
    SCENES[name] = Scene(name, kind, script, ends or Ends(), props or Props(), doc)
