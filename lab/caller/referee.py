"""The referee: checks which messages the bot may send to VAIC, and when. Complains of broken rules.

May import: lab.caller.complaints, protocols, the standard library.
Rules from: docs/specs/vaic-streaming.md 4.4, 5, 7, 11.
"""

from __future__ import annotations

import re
from enum import Enum

from lab.caller.audio import silence
from lab.caller.complaints import Complaints
from protocols.frames import Unknown
from protocols.media import MediaFormat
from protocols.vaic import (
    BotActivities,
    BotActivity,
    ConnectionValidated,
    PlayStreamChunk,
    PlayStreamMarkSet,
    PlayStreamStart,
    PlayStreamStop,
    SessionAccepted,
    SessionError,
    SpeechCommitted,
    SpeechHypothesis,
    SpeechRecognition,
    SpeechStarted,
    SpeechStopped,
    ToVaic,
    UserStreamStarted,
    UserStreamStopped,
)

# A stream without audio, or fed digital silence, for this long is being kept open between utterances (7.4).
OPEN_LIMIT_MS = 2000
_DIGITS = re.compile(r"[0-9*#]{1,20}")
_EVENTS = frozenset(
    (
        *("hangup", "transfer", "handover", "config", "playurl", "senddtmf", "sendmetadata"),
        *("startcallrecording", "stopcallrecording", "pausecallrecording", "resumecallrecording"),
        *("startrecognition", "stoprecognition", "abortprompts", "expectanotherbotmessage"),
        *("speakerverificationcreatespeaker", "speakerverificationgetspeakerstatus"),
        *("speakerverificationdeletespeaker", "speakerverificationenroll", "speakerverificationverify"),
    )
)


class SocketPhase(Enum):
    ASKED = "asked"  # session.initiate or session.resume waits for its answer
    TALKING = "talking"
    CLOSING = "closing"  # the bot has hung up
    ENDED = "ended"  # VAIC has sent session.end


class _Streams:
    """The state of the bot's play streams."""

    def __init__(self, offered: tuple[str, ...], complaints: Complaints) -> None:
        self._offered = offered
        self._complaints = complaints
        self._open: str | None = None
        self._media_known = True
        self._chunks = 0
        self._silent_ms = 0
        self._used: set[str] = set()
        self._interrupted: set[str] = set()

    def start(self, frame: PlayStreamStart) -> bool:
        if self._open is not None:
            self._complaints.add("second_open_stream", f"{frame.stream_id} before {self._open} was stopped")
        if frame.stream_id in self._used:
            self._complaints.add("stream_id_reused", frame.stream_id)
        self._media_known = frame.media_format in self._offered
        if not self._media_known:
            self._complaints.add("format_not_offered", f"{frame.media_format} for {frame.stream_id}")
        self._open = frame.stream_id
        self._used.add(frame.stream_id)
        self._interrupted.discard(frame.stream_id)
        self._chunks = self._silent_ms = 0
        return self._media_known

    def chunk(self, frame: PlayStreamChunk) -> bool:
        if frame.stream_id in self._interrupted:
            self._complaints.add("chunk_after_interruption", frame.stream_id)
            return False
        if frame.stream_id != self._open:
            rule = "chunk_after_stop" if frame.stream_id in self._used else "chunk_outside_stream"
            self._complaints.add(rule, frame.stream_id)
            return False
        self._chunks += 1
        return self._media_known

    def stop(self, frame: PlayStreamStop) -> bool:
        if frame.stream_id != self._open:
            self._complaints.add("stop_outside_stream", frame.stream_id)
            return False
        if not self._chunks and self._open not in self._interrupted:
            self._complaints.add("empty_stream", self._open)
        self._open = None
        return True

    def sound(self, audio: bytes, media: MediaFormat) -> None:
        """Check the audio of an allowed chunk."""
        if len(audio) % media.bytes_per_sample:
            self._complaints.add("torn_sample", f"{self._open}")
        silent = audio == silence(media, len(audio))
        before_ms = self._silent_ms
        self._silent_ms = before_ms + len(audio) // media.bytes_per_ms if silent else 0
        if before_ms < OPEN_LIMIT_MS <= self._silent_ms:
            self._complaints.add("silence_fed", f"{self._open}")

    def interrupted(self) -> None:
        if self._open is not None:
            self._interrupted.add(self._open)

    def void(self) -> None:
        self._open = None


class Referee:
    """Checks one call's messages, over all its sockets.

    offered: the media formats of `session.initiate`.
    """

    def __init__(self, conversation_id: str, offered: tuple[str, ...], complaints: Complaints) -> None:
        self._conversation_id = conversation_id
        self._offered = offered
        self._complaints = complaints
        self._streams = _Streams(offered, complaints)
        # None if either may come next: a resumed call may be inside an utterance, and a commit may end one.
        self._caller_speaks: bool | None = False
        self._format: str | None = None
        self.phase = SocketPhase.ASKED

    # --- events at VAIC ---

    def connected(self) -> None:
        """A new socket: the bot must answer, and all streams are void."""
        self.phase = SocketPhase.ASKED
        if self._format is not None:
            self._caller_speaks = None
        self._streams.void()

    def hung_up(self) -> None:
        """The bot has sent `hangup` or `transfer`: only acknowledgements may follow."""
        self.phase = SocketPhase.CLOSING

    def goes_on(self) -> None:
        """Nobody has answered the bot's transfer: it may speak again."""
        self.phase = SocketPhase.TALKING

    def ended(self) -> None:
        """`session.end` was sent. After its own hang-up the bot has no messages in flight that would be excused."""
        if self.phase is not SocketPhase.CLOSING:
            self.phase = SocketPhase.ENDED

    def interrupted(self) -> None:
        """VAIC has interrupted the open play stream: no more chunks of it may come."""
        self._streams.interrupted()

    def sound(self, audio: bytes, media: MediaFormat) -> None:
        """Check the audio of an allowed chunk."""
        self._streams.sound(audio, media)

    # --- messages of the bot ---

    def allows(self, frame: ToVaic | Unknown) -> bool:
        """Whether VAIC obeys this message. Broken rules are complained of even if it obeys."""
        if isinstance(frame, PlayStreamChunk) and self.phase is SocketPhase.TALKING:
            return self._right_conversation(frame.conversation_id) and self._streams.chunk(frame)
        match self.phase:
            case SocketPhase.ENDED:
                return False  # it may have been in flight when the bot read `session.end`
            case SocketPhase.ASKED if not isinstance(frame, SessionAccepted | SessionError):
                self._complaints.add("before_session_accepted", frame.type)
                return False
            case SocketPhase.CLOSING if not isinstance(frame, UserStreamStarted | UserStreamStopped):
                self._complaints.add("after_hangup", frame.type)
                return False
        return self._talk(frame)

    def _right_conversation(self, conversation_id: str | None) -> bool:
        if conversation_id is None or conversation_id == self._conversation_id:
            return True
        self._complaints.add("other_conversation", conversation_id)
        return False

    def _talk(self, frame: ToVaic | Unknown) -> bool:
        if isinstance(frame, Unknown):
            self._complaints.add("unknown_frame", frame.type)
            return False
        if isinstance(frame, ConnectionValidated | PlayStreamMarkSet):
            self._complaints.add("unasked_frame", frame.type)
            return False
        if not self._right_conversation(frame.conversation_id):
            return False
        if getattr(frame, "participant", None) is not None:
            self._complaints.add("participant_invented", frame.type)
        match frame:
            case SessionAccepted():
                return self._accepted(frame)
            case PlayStreamStart():
                return self._streams.start(frame)
            case PlayStreamChunk():
                return self._streams.chunk(frame)
            case PlayStreamStop():
                return self._streams.stop(frame)
            case SpeechStarted() | SpeechStopped() | SpeechCommitted() | SpeechHypothesis() | SpeechRecognition():
                self._speech(frame)
            case BotActivities() if not frame.activities:
                self._complaints.add("no_activities")
            case SessionError() | UserStreamStarted() | UserStreamStopped() | BotActivities():
                pass
        return True

    def _accepted(self, frame: SessionAccepted) -> bool:
        if self.phase is not SocketPhase.ASKED:
            self._complaints.add("second_answer", frame.type)
            return False
        self.phase = SocketPhase.TALKING
        # VAIC's own library names the format once in a call, and also in a chat.
        if not self._offered or (self._format is not None and frame.media_format is None):
            return True
        if frame.media_format not in self._offered:
            self._complaints.add("format_not_offered", str(frame.media_format))
        elif self._format is not None and frame.media_format != self._format:
            self._complaints.add("format_changed", f"{self._format} to {frame.media_format}")
        self._format = self._format or frame.media_format
        return True

    def _speech(
        self, frame: SpeechStarted | SpeechStopped | SpeechCommitted | SpeechHypothesis | SpeechRecognition
    ) -> None:
        match frame:
            case SpeechStarted():
                if self._caller_speaks:
                    self._complaints.add("speech_started_twice")
                self._caller_speaks = True
            case SpeechStopped():
                if self._caller_speaks is False:
                    self._complaints.add("speech_stopped_without_start")
                self._caller_speaks = False
            case SpeechCommitted():
                self._caller_speaks = None if self._caller_speaks else self._caller_speaks
            case SpeechHypothesis() | SpeechRecognition():
                if not frame.alternatives:
                    self._complaints.add("no_alternatives", frame.type)

    def allows_activity(self, activity: BotActivity) -> bool:
        """Whether VAIC obeys this activity of an allowed message."""
        if self.phase is SocketPhase.CLOSING:
            self._complaints.add("after_hangup", activity.name or activity.type)
            return False
        name = (activity.name or "").lower()
        params = activity.activity_params or {}
        if activity.type == "event" and name not in _EVENTS:
            self._complaints.add("unknown_event", activity.name or "")
            return False
        if name in ("transfer", "handover") and not params.get("transferTarget"):
            self._complaints.add("transfer_without_target")
            return False
        if name == "senddtmf" and not _DIGITS.fullmatch(str(params.get("dtmfDigits", ""))):
            self._complaints.add("bad_dtmf_digits")
            return False
        return True
