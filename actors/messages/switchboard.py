"""What the switchboard is told: SwitchboardMessage."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from actors.messages.journal import JournalMessage, RenewLeases, ResumeState
from actors.system.signals import ChildDied, RestartDue, ShutdownTimeout
from actors.transport.websocket import Wire


@dataclass(frozen=True, slots=True)
class WireOpened:
    """A socket from VAIC is upgraded and authenticated; its first message tells what it is for.

    credential: with which it came; "" where none is asked for.
    """

    wire: Wire
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class FirstText:
    """What arrived on a wire that belongs to no call yet."""

    wire: Wire
    data: bytes


@dataclass(frozen=True, slots=True)
class FirstTextOverdue:
    """A wire that belongs to no call is to be closed now, whatever it says. reason: for its close frame."""

    wire: Wire
    reason: str


@dataclass(frozen=True, slots=True)
class WireLeft:
    """A wire that belongs to no call is gone."""

    wire: Wire


class Upgrade(Protocol):
    """A socket from VAIC that asks to be upgraded. Each may be told one of the two, on the loop."""

    def admit(self) -> None: ...

    def refuse(self, reason: str) -> None:
        """Not now: it may ask again, here or elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """Somebody with the right token wants in."""

    upgrade: Upgrade


@dataclass(frozen=True, slots=True)
class CallerAway:
    """A call has lost its caller's socket, and waits for another; or, away false, has one again."""

    conversation_id: str
    away: bool


@dataclass(frozen=True, slots=True)
class CallBroke:
    """A call's supervisor has met a bug of ours. Its caller's side is left to end the call in words, by itself."""

    conversation_id: str


class AdmissionState(Enum):
    """OPEN: new calls are taken. LAME: still, but nobody is to send more. SHUT: only calls that are here go on."""

    OPEN = "open"
    LAME = "lame"
    SHUT = "shut"


@dataclass(frozen=True, slots=True)
class SetAdmission:
    """How new calls are treated from now on."""

    door: AdmissionState


@dataclass(frozen=True, slots=True)
class StopCalls:
    """No new calls; end those in progress. outcome: for their records. in_words: each after a sentence of ours."""

    outcome: str
    in_words: bool = False


@dataclass(frozen=True, slots=True)
class MoveCalls:
    """Those in progress are to go on at other processes: see MoveCall."""

    now: bool


@dataclass(frozen=True, slots=True)
class Leave:
    """End the whole tree, children first."""


@dataclass(frozen=True, slots=True)
class WhoIsAlive:
    """An `ask`: answered with a Roll."""


@dataclass(frozen=True, slots=True)
class FindCall:
    """An `ask`: answered with the address of a call in progress, or None."""

    conversation_id: str


@dataclass(frozen=True, slots=True)
class SwitchboardStatus:
    """Who is alive. accepting: new calls are taken."""

    conversations: tuple[str, ...]
    max_calls: int
    accepting: bool


@dataclass(frozen=True, slots=True)
class CallClaimed:
    """A call that was resumed here is ours now; or, inheritance None, it cannot be had. reason: for our log."""

    conversation_id: str
    resume_state: ResumeState | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CallsLost:
    """Other processes have taken these calls over."""

    conversation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What a journal's keeper that has ended did not come to, in order."""

    message: JournalMessage


SwitchboardMessage = (
    Unwritten
    | CallClaimed
    | CallsLost
    | RenewLeases
    | WireOpened
    | FirstText
    | FirstTextOverdue
    | WireLeft
    | AdmissionRequest
    | CallerAway
    | CallBroke
    | SetAdmission
    | StopCalls
    | MoveCalls
    | Leave
    | WhoIsAlive
    | FindCall
    | ChildDied
    | ShutdownTimeout
    | RestartDue
)
