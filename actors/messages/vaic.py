"""What a call's caller's side is told: VaicSocketMessage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from actors.messages.clips import Clip
from actors.transport.websocket import WireClosed, WireText


@dataclass(slots=True)
class BotAudio:
    """The next piece of an assistant item's speech, in the model's format. Not frozen, as WireText is not."""

    item_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class BotAudioEnded:
    """The model has generated all the speech of an item."""

    item_id: str


@dataclass(frozen=True, slots=True)
class CallerBargedIn:
    """The caller began to speak: whatever the bot plays is to stop now."""


@dataclass(frozen=True, slots=True)
class CallerFellSilent:
    """The caller stopped speaking."""


@dataclass(frozen=True, slots=True)
class CallerTurnCommitted:
    """The caller's utterance is in the conversation; the bot owes the next move."""


@dataclass(frozen=True, slots=True)
class CallerRecognised:
    """The words of a caller's utterance."""

    text: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call from our side; VAIC answers with session.end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller to a human. target: a tel: or sip: URI."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class LastWords:
    """Nobody is left to decide on this call: say a sentence of ours, hang up, and end by yourself."""

    clip: Clip
    reason: str


@dataclass(frozen=True, slots=True)
class PhaseOverdue:
    """A phase of the session has reached its limit. phase: of actors.vaic.phase."""

    phase: Enum


@dataclass(frozen=True, slots=True)
class PlayClip:
    """Say a sentence of ours, behind whatever the bot says now."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class AwaitWords:
    """The caller waits for words of the bot; or, `due` false, for none after all."""

    due: bool


@dataclass(frozen=True, slots=True)
class FillerDue:
    """The caller has waited long enough to be told that we are still there."""


@dataclass(frozen=True, slots=True)
class PlayoutDue:
    """The play stream asked to be looked at now."""


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
    | PlayoutDue
)
