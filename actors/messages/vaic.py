"""Messages to a VaicSocket: VaicSocketMessage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import final

from actors.clips import Clip, Clips
from actors.transport.websocket import WireClosed, WireText
from protocols.activities import Action


@final
@dataclass(slots=True)
class BotAudio:
    """The next piece of an assistant item's speech. payload: base64 in the model's format. Not frozen, as WireText."""

    item_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class BotAudioEnded:
    """No more speech of an item will come. cut_off: the model did not finish it."""

    item_id: str
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class BotText:
    """An assistant item in writing, in a call that expects no audio. cut_off: the model did not finish it."""

    item_id: str
    text: str
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class CallerBargedIn:
    """The caller began to speak: stop the bot's speech at once."""


@dataclass(frozen=True, slots=True)
class CallerFellSilent:
    """The caller stopped speaking."""


@dataclass(frozen=True, slots=True)
class CallerTurnCommitted:
    """The caller's utterance is in the conversation, and the bot will answer it."""


@dataclass(frozen=True, slots=True)
class CallerRecognised:
    """The transcript of a caller's utterance."""

    text: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call; VAIC answers with session.end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Transfer the caller to a person; VAIC answers with session.end. target: a tel: or sip: URI.

    referred_by: another one, or "". sip_headers: of the REFER. next: whom to try if nobody answers; None: the call goes
    on.
    """

    target: str
    reason: str
    referred_by: str = ""
    sip_headers: Mapping[str, str] = field(default_factory=dict)
    next: Transfer | None = None


@dataclass(frozen=True, slots=True)
class AskVaic:
    """Ask VAIC for something by an activity. id: the activity's."""

    id: str
    action: Action


@dataclass(frozen=True, slots=True)
class LastWords:
    """The supervisor has failed: play a recorded sentence, hang up with this reason, and stop."""

    clip: Clip
    reason: str


@dataclass(frozen=True, slots=True)
class PhaseOverdue:
    """A phase of the session has reached its time limit. phase: of actors.vaic.phase."""

    phase: Enum


@dataclass(frozen=True, slots=True)
class PlayClip:
    """Play a recorded sentence, after what the bot is saying."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class UseClips:
    """The call goes on in another language: play its recordings from now on."""

    clips: Clips


@dataclass(frozen=True, slots=True)
class AwaitWords:
    """The caller waits for the bot to speak. due: false if not any more."""

    due: bool


@dataclass(frozen=True, slots=True)
class CallerUnheard:
    """Take silence for what the caller says, or no more: a secret is asked for, which is keyed in."""

    unheard: bool


@dataclass(frozen=True, slots=True)
class FillerDue:
    """The caller has waited long enough for a "one moment". number: of the timer, counted over the call."""

    number: int


@dataclass(frozen=True, slots=True)
class GapDue:
    """While the caller speaks: check whether audio still arrives. turn: the call's turn that this is about."""

    turn: int


# What is told of one party of a call in which a bot assists.
OverheardMessage = CallerBargedIn | CallerFellSilent | CallerTurnCommitted | CallerRecognised | GapDue


@dataclass(frozen=True, slots=True)
class Overheard:
    """One party of a call in which the bot assists. ear: the number of its session."""

    ear: int
    message: OverheardMessage


@dataclass(frozen=True, slots=True)
class StreamCheckDue:
    """See whether the open play stream still gets audio."""


@dataclass(frozen=True, slots=True)
class PlayoutDue:
    """The playout has something to send or to report."""


VaicSocketMessage = (
    WireText
    | WireClosed
    | BotAudio
    | BotAudioEnded
    | BotText
    | CallerBargedIn
    | CallerFellSilent
    | CallerTurnCommitted
    | CallerRecognised
    | HangUp
    | Transfer
    | AskVaic
    | LastWords
    | PhaseOverdue
    | PlayClip
    | UseClips
    | AwaitWords
    | CallerUnheard
    | FillerDue
    | GapDue
    | Overheard
    | StreamCheckDue
    | PlayoutDue
)
