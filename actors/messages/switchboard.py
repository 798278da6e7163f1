"""Messages to the switchboard: SwitchboardMessage."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from actors.messages.journal import ClaimCall, JournalMessage, RenewLeases, ResumeState
from actors.system.signals import ChildDied, RestartDue, ShutdownTimeout
from actors.transport.dialler import Purpose
from actors.transport.websocket import Wire


@dataclass(frozen=True, slots=True)
class Peer:
    """Whose socket it is. address: for the log. credential: with which its calls are opened; "" if none is configured.

    others: with which calls may also have been opened that it resumes. path: of its request, see Arrival.
    """

    address: str = ""
    credential: str = field(default="", repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)
    path: str = ""

    def owns(self, credential: str) -> bool:
        """Whether a call that was opened with this credential is its own."""
        ours = credential.encode(errors="surrogatepass")
        own = [
            hmac.compare_digest(ours, each.encode(errors="surrogatepass")) for each in (self.credential, *self.others)
        ]
        return any(own)


@dataclass(frozen=True, slots=True)
class WireOpened:
    """A socket from VAIC is upgraded and authenticated; its first message says what it is for."""

    wire: Wire
    peer: Peer = Peer()


@dataclass(frozen=True, slots=True)
class FirstText:
    """A message on a wire that belongs to no call yet."""

    wire: Wire
    data: bytes


@dataclass(frozen=True, slots=True)
class FirstTextOverdue:
    """The time limit of a wire that belongs to no call has run out: close it. reason: for the close frame."""

    wire: Wire
    reason: str


@dataclass(frozen=True, slots=True)
class WireLeft:
    """A wire that belongs to no call has closed."""

    wire: Wire


class Upgrade(Protocol):
    """A VAIC socket's request to upgrade. Must be answered by one of the two methods, on the loop's thread."""

    def admit(self) -> None: ...

    def refuse(self, reason: str) -> None:
        """Refuse it for now; it may try again, here or elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """An authenticated socket asks for the upgrade."""

    upgrade: Upgrade


@dataclass(frozen=True, slots=True)
class CallerAway:
    """A call has lost VAIC's socket, and waits for session.resume (`away` false: it has one again)."""

    conversation_id: str
    away: bool


@dataclass(frozen=True, slots=True)
class CallCrashed:
    """A call's supervisor has crashed. Its VaicSocket ends the call with a recorded sentence, unsupervised."""

    conversation_id: str


class AdmissionState(Enum):
    """Whether new calls are taken.

    OPEN: yes. LAME_DUCK: yes, but /readyz says no. CLOSED: no; calls in progress go on.
    """

    OPEN = "open"
    LAME_DUCK = "lame duck"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class SetAdmission:
    """Set whether new calls are taken."""

    state: AdmissionState


@dataclass(frozen=True, slots=True)
class EndCalls:
    """Take no new calls; end those in progress. outcome: for their records. in_words: after a recorded sentence."""

    outcome: str
    in_words: bool = False


@dataclass(frozen=True, slots=True)
class MoveCalls:
    """Take no new calls; hand those in progress over to other processes: see MoveCall."""

    now: bool


@dataclass(frozen=True, slots=True)
class ShutDown:
    """End the whole actor tree, children first."""


@dataclass(frozen=True, slots=True)
class GetStatus:
    """An `ask`, answered with SwitchboardStatus."""


@dataclass(frozen=True, slots=True)
class FindCall:
    """An `ask`, answered with the address of a call in progress, or None."""

    conversation_id: str


@dataclass(frozen=True, slots=True)
class SwitchboardStatus:
    """The calls in progress. not_ready: why no new ones are wanted, "" if they are. writer_hangs: nothing is written
    any more.
    """

    conversations: tuple[str, ...]
    max_calls: int
    not_ready: str
    writer_hangs: bool = False

    @property
    def accepting(self) -> bool:
        return not self.not_ready


@dataclass(frozen=True, slots=True)
class CallClaimed:
    """The answer to a claim. resume_state: None if the call cannot be taken over. reason: why, for the log."""

    claim: ClaimCall
    resume_state: ResumeState | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProbeModel:
    """A model session is wanted that no call has. purpose: what it is to be like. answers: it is to answer once too."""

    purpose: Purpose
    answers: bool


@dataclass(frozen=True, slots=True)
class StoreTried:
    """The JournalWriter has used the store; sent once a second at most. answered: else it is away, and tried again.

    unleased: calls whose lease could not be written yet.
    """

    answered: bool
    unleased: int = 0


@dataclass(frozen=True, slots=True)
class LeasesKept:
    """The LeaseKeeper has done its round, or begins. answered: it could. fault: why the store takes nothing, "" if it
    does.
    """

    answered: bool
    fault: str = ""


@dataclass(frozen=True, slots=True)
class StoreFile:
    """What became of the store's file. lost: which one is no longer the one that was opened; "": all are."""

    lost: str


@dataclass(frozen=True, slots=True)
class CallsForgotten:
    """The store has lost rows of these calls: it was restored, or a standby that was behind has taken over."""

    conversation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallsLost:
    """Other processes have taken these calls over."""

    conversation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A message that a JournalWriter had not written when it ended. They are sent in their order."""

    message: JournalMessage


@dataclass(frozen=True, slots=True)
class JournalLost:
    """To the switchboard's parent: the journal's writer has died for good, or rows are lost at the end."""


SwitchboardMessage = (
    Unwritten
    | ProbeModel
    | StoreTried
    | LeasesKept
    | StoreFile
    | CallClaimed
    | CallsForgotten
    | CallsLost
    | RenewLeases
    | WireOpened
    | FirstText
    | FirstTextOverdue
    | WireLeft
    | AdmissionRequest
    | CallerAway
    | CallCrashed
    | SetAdmission
    | EndCalls
    | MoveCalls
    | ShutDown
    | GetStatus
    | FindCall
    | ChildDied
    | ShutdownTimeout
    | RestartDue
)
