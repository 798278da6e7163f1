"""What a call's VAIC session is told: VaicSocketMessage."""

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
    """The caller began to speak: stop the bot's playback now."""


@dataclass(frozen=True, slots=True)
class CallerFellSilent:
    """The caller stopped speaking."""


@dataclass(frozen=True, slots=True)
class CallerTurnCommitted:
    """The caller's utterance is in the conversation; the bot's turn is next."""


@dataclass(frozen=True, slots=True)
class CallerRecognised:
    """The words of a caller's utterance."""

    text: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call; VAIC answers with session.end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller to a human. target: a tel: or sip: URI."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class LastWords:
    """The call's supervisor has failed: play a recorded sentence, hang up, and end."""

    clip: Clip
    reason: str


@dataclass(frozen=True, slots=True)
class PhaseOverdue:
    """A phase of the session has reached its limit. phase: of actors.vaic.phase."""

    phase: Enum


@dataclass(frozen=True, slots=True)
class PlayClip:
    """Play a recorded sentence, after what the bot is saying now."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class AwaitWords:
    """The caller waits for the bot to speak (`due` false: no longer)."""

    due: bool


@dataclass(frozen=True, slots=True)
class FillerDue:
    """The caller has waited for `filler_s`: play the filler."""


@dataclass(frozen=True, slots=True)
class PlayoutDue:
    """The playout's next_due_ms has come."""


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
