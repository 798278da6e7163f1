"""The messages of AudioCodes VoiceAI Connect (VAIC) in streaming mode, both directions.

VAIC is the WebSocket client, one socket a conversation; every frame is a JSON object with a `type`; audio is base64.
Both directions are read tolerantly: VAIC ignores what it does not know. What we write has no other fields.
May import: protocols, pydantic, the standard library. Rules from: docs/specs/vaic-streaming.md 3 to 5, 10.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from protocols.frames import CamelFrame, Codec, Digits, SentCamelFrame, SentCamelPart, Text
from protocols.limits import MOST_ACTIVITIES, NAME_CHARS, Id

# Of a call. What no store can take was replaced by U+FFFD when the frame was read (protocols/text.py), so that
# two ids may have become one: such an id names nobody.
CallId = Annotated[str, Field(min_length=1, max_length=NAME_CHARS, pattern="^[^\ufffd]*$")]

# One by itself is a list of it.
Formats = Annotated[tuple[str, ...], BeforeValidator(lambda told: [told] if isinstance(told, str) else told)]

# --- VAIC -> bot ---


class ConnectionValidate(CamelFrame):
    """An administrator tests the connection, on a socket of its own; no call follows."""

    type: Literal["connection.validate"] = "connection.validate"


class SessionInitiate(CamelFrame):
    """The first message of a call. Only the conversation's id can be counted on."""

    type: Literal["session.initiate"] = "session.initiate"
    conversation_id: CallId
    expect_audio_messages: bool = True
    bot_name: Digits = ""
    caller: Digits = ""
    supported_media_formats: Formats = ()


class SessionResume(CamelFrame):
    """The first message on a new socket after VAIC lost the old one."""

    type: Literal["session.resume"] = "session.resume"
    conversation_id: CallId
    supported_media_formats: Formats = ()


class SessionEnd(CamelFrame):
    """The call has ended; nothing follows. The set of reason codes is open."""

    type: Literal["session.end"] = "session.end"
    conversation_id: str = ""
    reason_code: Text = ""
    reason: Text = ""


class UserStreamStart(CamelFrame):
    """VAIC wants to stream one party's audio, in the format of `session.accepted`."""

    type: Literal["userStream.start"] = "userStream.start"
    conversation_id: str = ""
    participant: Id | None = None


class UserStreamChunk(CamelFrame):
    """A piece of the caller's audio: base64, of any length."""

    type: Literal["userStream.chunk"] = "userStream.chunk"
    conversation_id: str = ""
    audio_chunk: str
    participant: Annotated[str, Field(coerce_numbers_to_str=True)] | None = None


class UserStreamStop(CamelFrame):
    """No more audio for now. Neither the end of the call nor of a sentence."""

    type: Literal["userStream.stop"] = "userStream.stop"
    conversation_id: str = ""
    participant: Id | None = None


class Activity(CamelFrame):
    """One event or text message from VAIC. Names are compared without regard to case."""

    type: Text = ""
    name: Text = ""
    text: Digits = ""
    id: Digits = ""
    timestamp: Text = ""
    language: Text = ""
    parameters: dict[str, Any] | None = None
    value: Any = None
    activity_params: dict[str, Any] | None = None
    session_params: dict[str, Any] | None = None
    delay: float | None = None

    @property
    def kind(self) -> str:
        """Its type in lower case; where that is missing, "event" or "message" by what it has."""
        return self.type.strip().lower() or ("event" if self.name else "message" if self.text else "")

    @property
    def event(self) -> str:
        """The event's name in lower case, or an empty string when this is no event."""
        return self.name.strip().lower() if self.kind == "event" else ""


# Events of VAIC's that need no answer (4.3).
NEEDLESS = frozenset(
    {
        *("speechhypothesis", "voicedetected", "silencedetected", "conversationend", "agentconnected"),
        *("dialoutinitiated", "hangup"),
    }
)


def _as_list(told: Any) -> Any:
    """One by itself is a list of it. Of too many one more is read than is taken, so that it shows."""
    if isinstance(told, list):
        return told[: MOST_ACTIVITIES + 1]
    return [told] if isinstance(told, dict) else told


class Activities(CamelFrame):
    """Events and texts, in the order they happened; those beyond MOST_ACTIVITIES are not taken."""

    type: Literal["activities"] = "activities"
    conversation_id: str = ""
    activities: Annotated[tuple[Activity, ...], BeforeValidator(_as_list)]


class PlayStreamMarkReached(CamelFrame):
    """Named in one plan only; read so that it is ignored cleanly."""

    type: Literal["playStream.mark.reached"] = "playStream.mark.reached"


FromVaic = (
    ConnectionValidate
    | SessionInitiate
    | SessionResume
    | SessionEnd
    | UserStreamStart
    | UserStreamChunk
    | UserStreamStop
    | Activities
    | PlayStreamMarkReached
)
FROM_VAIC: Codec[FromVaic] = Codec(Annotated[FromVaic, Field(discriminator="type")])

# --- bot -> VAIC ---


class ConnectionValidated(SentCamelFrame):
    """The answer to `connection.validate`; the one frame that carries no conversation id."""

    type: Literal["connection.validated"] = "connection.validated"
    success: bool


class SessionAccepted(SentCamelFrame):
    """The call is accepted; `media_format` governs the user stream. Precedes every other frame of ours.

    media_format: left out in a call without audio, for which VAIC offers none, and by bots of VAIC's own library where
    they answer `session.resume`.
    """

    type: Literal["session.accepted"] = "session.accepted"
    conversation_id: str | None = None
    media_format: str | None = None

    @classmethod
    def of(cls, conversation_id: str, media_format: str) -> SessionAccepted:
        """media_format: "" for a call without audio."""
        if media_format:
            return cls(conversation_id=conversation_id, media_format=media_format)
        return cls(conversation_id=conversation_id)


class SessionError(SentCamelFrame):
    """The call is declined, or cannot go on: VAIC then drops it. `reason` is for logs: no secrets, no traces."""

    type: Literal["session.error"] = "session.error"
    conversation_id: str | None = None
    reason: str


class UserStreamStarted(SentCamelFrame):
    type: Literal["userStream.started"] = "userStream.started"
    conversation_id: str | None = None
    participant: str | None = None


class UserStreamStopped(SentCamelFrame):
    type: Literal["userStream.stopped"] = "userStream.stopped"
    conversation_id: str | None = None
    participant: str | None = None


class _Speech(SentCamelFrame):
    conversation_id: str | None = None
    participant: str | None = None
    # One restatement of the vendor's page names it so for the three voice-detector messages: both are sent (10.2).
    participant_id: str | None = None


class SpeechStarted(_Speech):
    """The caller began to speak: VAIC cuts what it has buffered of the bot, and holds its silence timers."""

    type: Literal["userStream.speech.started"] = "userStream.speech.started"


class SpeechStopped(_Speech):
    type: Literal["userStream.speech.stopped"] = "userStream.speech.stopped"


class SpeechCommitted(_Speech):
    """The utterance was passed to the bot, whose turn it is now."""

    type: Literal["userStream.speech.committed"] = "userStream.speech.committed"


class Alternative(SentCamelFrame):
    text: str
    confidence: float | None = None


class SpeechHypothesis(SentCamelFrame):
    type: Literal["userStream.speech.hypothesis"] = "userStream.speech.hypothesis"
    conversation_id: str | None = None
    alternatives: tuple[Alternative, ...]
    participant: str | None = None


class SpeechRecognition(SentCamelFrame):
    type: Literal["userStream.speech.recognition"] = "userStream.speech.recognition"
    conversation_id: str | None = None
    alternatives: tuple[Alternative, ...]
    participant: str | None = None


class PlayStreamStart(SentCamelFrame):
    type: Literal["playStream.start"] = "playStream.start"
    conversation_id: str | None = None
    stream_id: str
    media_format: str
    alt_text: str | None = None
    activity_params: dict[str, Any] | None = None
    target_player: str | None = None


class PlayStreamChunk(SentCamelFrame):
    type: Literal["playStream.chunk"] = "playStream.chunk"
    conversation_id: str | None = None
    stream_id: str
    audio_chunk: str


class PlayStreamStop(SentCamelFrame):
    """No more data for this stream; VAIC still plays what it has buffered."""

    type: Literal["playStream.stop"] = "playStream.stop"
    conversation_id: str | None = None
    stream_id: str


class PlayStreamMarkSet(SentCamelFrame):
    """Unconfirmed (5.13): never sent by the daemon."""

    type: Literal["playStream.mark.set"] = "playStream.mark.set"


class BotActivity(SentCamelPart):
    """One event or text of ours: `hangup`, `transfer`, `config`, `sendDtmf`, ... (4.4).

    id, timestamp: always written by the daemon; bots of VAIC's own library leave them out.
    """

    type: Literal["event", "message"]
    name: str | None = None
    text: str | None = None
    id: str = ""
    timestamp: str = ""
    value: Any = None
    activity_params: dict[str, Any] | None = None
    session_params: dict[str, Any] | None = None


class BotActivities(SentCamelFrame):
    type: Literal["activities"] = "activities"
    conversation_id: str | None = None
    activities: tuple[BotActivity, ...]


ToVaic = (
    ConnectionValidated
    | SessionAccepted
    | SessionError
    | UserStreamStarted
    | UserStreamStopped
    | SpeechStarted
    | SpeechStopped
    | SpeechCommitted
    | SpeechHypothesis
    | SpeechRecognition
    | PlayStreamStart
    | PlayStreamChunk
    | PlayStreamStop
    | PlayStreamMarkSet
    | BotActivities
)
TO_VAIC: Codec[ToVaic] = Codec(Annotated[ToVaic, Field(discriminator="type")])
