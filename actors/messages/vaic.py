"""What a VaicSocket is told: VaicSocketMessage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from actors.messages.clips import Clip
from actors.transport.websocket import WireClosed, WireText


@dataclass(slots=True)
class BotAudio:
    """The next piece of an assistant item's speech. payload: base64 in the model's format. Not frozen, as WireText."""

    item_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class BotAudioEnded:
    """The model has generated all the speech of an item."""

    item_id: str


@dataclass(frozen=True, slots=True)
class CallerBargedIn:
    """The caller began to speak: the bot's speech is to stop now."""


@dataclass(frozen=True, slots=True)
class CallerFellSilent:
    """The caller stopped speaking."""


@dataclass(frozen=True, slots=True)
class CallerTurnCommitted:
    """The caller's utterance is in the conversation, and the bot is to answer it."""


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
    """Hand the caller to a person; VAIC answers with session.end. target: a tel: or sip: URI."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class LastWords:
    """The supervisor has failed: play a recorded sentence, hang up for this reason, and end."""

    clip: Clip
    reason: str


@dataclass(frozen=True, slots=True)
class PhaseOverdue:
    """A phase of the session has reached its limit. phase: of actors.vaic.phase."""

    phase: Enum


@dataclass(frozen=True, slots=True)
class PlayClip:
    """Play a recorded sentence, after what the bot is saying."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class AwaitWords:
    """The bot owes the caller words. due: false if it does not any more."""

    due: bool


@dataclass(frozen=True, slots=True)
class FillerDue:
    """The caller has waited long enough to be told "one moment". number: which timer of the call says so."""

    number: int


@dataclass(frozen=True, slots=True)
class GapDue:
    """While the caller speaks: see whether audio still comes. turn: which turn of the call this is for."""

    turn: int


@dataclass(frozen=True, slots=True)
class PlayoutDue:
    """The playout has something to send or to report now."""


VaicSocketMessage = (
    WireText
    | WireClosed
    | BotAudio
    | BotAudioEnded
    | CallerBargedIn
    | CallerFellSilent
    | CallerTurnCommitted
    | CallerRecognised
    | HangUp
    | Transfer
    | LastWords
    | PhaseOverdue
    | PlayClip
    | AwaitWords
    | FillerDue
    | GapDue
    | PlayoutDue
)
