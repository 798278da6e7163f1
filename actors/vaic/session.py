"""The caller's side of a call: speaks VAIC's language on one wire.

May import: actors, protocols, loguru, the standard library. Rules from: docs/specs/vaic-streaming.md 3, 5, 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, assert_never

from loguru import logger

from actors.messages.call import BotHeard, CallerArrived, CallMessage, ClipHeard, DigitsPressed, VaicEnded, VaicReady
from actors.messages.clips import Clip
from actors.messages.model import CallerAudio, Heard, ModelSocketMessage
from actors.messages.vaic import (
    AwaitWords,
    BotAudio,
    BotAudioEnded,
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerTurnCommitted,
    FillerDue,
    HangUp,
    LastWords,
    LastWordsOver,
    PlayClip,
    PlayoutDue,
    PlayOutOver,
    Transfer,
    VaicSocketMessage,
)
from actors.metrics import AUDIO_DROPPED, BARGE_INS, CLIPS_PLAYED
from actors.system.actor import LoopActor
from actors.system.address import Address, NullRef, ParentLink, send
from actors.system.dispatcher import Timer
from actors.transport.rate_limit import RateLimits
from actors.transport.violations import ProtocolViolations
from actors.transport.websocket import Wire, WireClosed, WireText
from actors.vaic.config import CallerSessionConfig, SocketOrigin
from actors.vaic.filler import FillerTimer
from actors.vaic.hangup import HangupSequence
from protocols.errors import TransportLost, WireError
from protocols.frames import SentCamelFrame, Unknown
from protocols.ledger import ItemHeard
from protocols.media import Transcoder, model_format
from protocols.playout import Playout
from protocols.vaic import (
    FROM_VAIC,
    Activities,
    Activity,
    Alternative,
    BotActivities,
    BotActivity,
    ConnectionValidate,
    ConnectionValidated,
    FromVaic,
    PlayStreamMarkReached,
    SessionAccepted,
    SessionEnd,
    SessionInitiate,
    SessionResume,
    SpeechCommitted,
    SpeechRecognition,
    SpeechStarted,
    SpeechStopped,
    UserStreamChunk,
    UserStreamStart,
    UserStreamStarted,
    UserStreamStop,
    UserStreamStopped,
)

# What the bot depends on, asked for right after `start` (7.2): barge-in, keys, no give-up on a silent caller, and to be
# told when all was played.
_EVENTS = ["playFinished"]
CALL_SETTINGS = {"bargeIn": True, "sendDTMF": True, "userNoInputGiveUpTimeoutMS": 0, "sendEventsToBot": _EVENTS}

NO_STREAM = "chunk_without_stream"

# For last words that nobody waits for: to be spoken, and then to be answered by session.end.
LAST_WORDS_LIMIT_S, HANGUP_LIMIT_S = 10.0, 6.0

_WhenParting = WireText | WireClosed | LastWords | LastWordsOver | PlayOutOver


class VaicSocket(LoopActor):
    """One VAIC socket of one conversation.

    Is told: VaicSocketMessage. Tells the model's side: CallerAudio, Heard; its supervisor: what VAIC and the ear say.
    Dies of TransportLost when the socket goes; what that means for the call is its supervisor's decision.
    """

    droppable: ClassVar[tuple[type, ...]] = (BotAudio,)

    def __init__(
        self,
        parent_link: ParentLink,
        config: CallerSessionConfig,
        wire: Wire,
        call: Address[CallMessage],
        model: Address[ModelSocketMessage],
    ) -> None:
        super().__init__(parent_link)
        self._config = config
        self._id = config.conversation_id
        self._wire = wire
        self._call = call
        self._model = model
        self._log = logger.bind(conversation=self._id)
        self._violations = ProtocolViolations("vaic", self._log)
        self._rate_limits = RateLimits(config.media, self.now_ms)
        self._to_model = Transcoder(config.media, model_format(config.media))
        self._to_vaic = Transcoder(model_format(config.media), config.media)
        self._playout = Playout(self._id, config.media, config.lead_ms, f"p{config.incarnation}")
        self._due: tuple[float, Timer] | None = None
        self._filler = FillerTimer(self.after, config.filler_s)
        self._clips: dict[str, Clip] = {}  # by item id, those that are not heard out yet
        self._clips_played = 0
        self._participants: set[str | None] = set()
        self._hangup = HangupSequence(self.after, lambda name, params: self._activity(name, activity_params=params))
        self._last_words: LastWords | None = None

    def on_start(self) -> None:
        if self._config.origin is not SocketOrigin.REPLACED:
            self._write(SessionAccepted(conversation_id=self._id, media_format=self._config.media.name))
        self._wire.attach(self.actor_ref)
        send(self._call, VaicReady())

    def on_stop(self) -> None:
        self._tell_heard(self._playout.cut(self.now_ms())[1], barged_in=False)
        self._wire.attach(NullRef())
        self._wire.close(1000)

    def on_failure(self, *_: object) -> None:
        # The wire is left open: a crash of ours is no loss of the caller's, another of us takes it over.
        frames, cut = self._playout.cut(self.now_ms())
        self._write_all(frames)
        self._model.tell(Heard(tuple(cut)))
        self._tell_heard(cut, barged_in=False)

    def on_receive(self, message: VaicSocketMessage) -> None:  # noqa: C901, PLR0912 - one flat match, a case a message
        if self._hangup.begun and not isinstance(message, _WhenParting):
            return
        match message:
            case WireText():  # first, being the ones that come fifty times a second
                self._read(message.data)
            case BotAudio():
                self._play(message)
            case PlayoutDue():
                self._due = None
                self._write_all(self._playout.due(self.now_ms()))
                self._watch_playout()
            case BotAudioEnded():
                self._end_item(message.item_id)
            case CallerBargedIn():
                self._barge_in()
            case CallerFellSilent():
                self._write(SpeechStopped(conversation_id=self._id))
            case CallerTurnCommitted():
                self._filler.begin()
                self._write(SpeechCommitted(conversation_id=self._id))
            case CallerRecognised():
                self._write(SpeechRecognition(conversation_id=self._id, alternatives=(Alternative(text=message.text),)))
            case PlayClip():
                self._say(message.clip)
            case LastWords() | LastWordsOver():
                self._part(message)
            case AwaitWords() | FillerDue():
                self._wait(message)
            case HangUp() | Transfer():
                self._hangup.begin(message, self._playout.unconfirmed)
            case PlayOutOver():
                self._hangup.say()
            case WireClosed() if self._hangup.said:
                self._tell_heard(self._playout.cut(self.now_ms())[1], barged_in=False)
                self._vaic_ended("closed")
            case WireClosed():
                raise TransportLost(message.code, message.reason)
            case _:
                assert_never(message)

    # --- from VAIC ---

    def _read(self, data: bytes) -> None:
        try:
            frame = FROM_VAIC.parse(data)
            if isinstance(frame, UserStreamChunk):
                self._hear(frame)
                return
            if not self._rate_limits.controls.take(1):
                self._cut_off("control messages")
            if isinstance(frame, Unknown):
                self._violations.unknown(frame.type)
            else:
                self._obey(frame)
        except WireError as error:
            self._violations.bad_frame(error)
            # Audio is audio, also of a stream that we have not heard of: it has a limit of its own.
            if error.reason != NO_STREAM and not self._rate_limits.bad.take(1):
                self._cut_off("bad frames")

    def _cut_off(self, flood_of: str) -> None:
        self._violations.bad_frame(WireError("flood", flood_of))
        self._wire.close(1008, "too much")
        raise TransportLost(1008, f"a flood of {flood_of}")

    def _hear(self, chunk: UserStreamChunk) -> None:
        rate_limits = self._rate_limits
        cost: float = len(chunk.audio_chunk)
        if cost < rate_limits.least:
            cost = rate_limits.least
        rate_limits.audio.left -= cost  # not by `take`, for this is the hot path
        if rate_limits.audio.left < 0 and not rate_limits.audio.refill(cost):
            if not rate_limits.surplus.take(1):
                self._cut_off("audio")
            AUDIO_DROPPED.inc()
            return
        if chunk.conversation_id != self._id:
            self._check_conversation(chunk.conversation_id)
        # After a resume or a crash VAIC may go on without a new start (7.9): its audio is welcome all the same.
        if chunk.participant not in self._participants and self._config.origin is SocketOrigin.NEW:
            raise WireError(NO_STREAM)
        payload = self._to_model.feed(chunk.audio_chunk)
        if payload:
            self._model.tell(CallerAudio(payload))

    def _obey(self, frame: FromVaic) -> None:
        match frame:
            case UserStreamStart():
                self._check_conversation(frame.conversation_id)
                self._participants.add(frame.participant)
                self._write(UserStreamStarted(conversation_id=self._id, **_echo(frame.participant)))
            case UserStreamStop():
                self._check_conversation(frame.conversation_id)
                self._participants.discard(frame.participant)
                self._write(UserStreamStopped(conversation_id=self._id, **_echo(frame.participant)))
            case Activities():
                self._check_conversation(frame.conversation_id)
                for activity in frame.activities:
                    self._take_activity(activity)
            case SessionEnd():
                self._check_conversation(frame.conversation_id)
                self._hangup.vaic_left()
                self._tell_heard(self._playout.cut(self.now_ms())[1], barged_in=False)
                self._vaic_ended(frame.reason_code or "unknown")
            case ConnectionValidate():
                self._write(ConnectionValidated(success=True))
            case SessionResume():
                # Odd on a socket that never broke, but the vendor's own SDK answers it.
                self._check_conversation(frame.conversation_id)
                self._write(SessionAccepted(conversation_id=self._id, media_format=self._config.media.name))
            case SessionInitiate():
                raise WireError("second_initiate")
            case PlayStreamMarkReached() | UserStreamChunk():
                pass
            case _:
                assert_never(frame)

    def _take_activity(self, activity: Activity) -> None:
        match activity.event:
            case "start":
                self._activity("config", session_params=CALL_SETTINGS)
                send(self._call, CallerArrived(activity.parameters or {}))
            case "dtmf":
                digits = "".join(each for each in str(activity.value or "") if each in "0123456789*#ABCD")
                if digits:
                    send(self._call, DigitsPressed(digits))
            case "playfinished":
                if self._playout.play_finished():
                    self._hangup.say()
            case name:
                self._log.debug("activity ignored", name=name or activity.type)

    def _check_conversation(self, conversation_id: str) -> None:
        if conversation_id and conversation_id != self._id:
            raise WireError("other_conversation")

    # --- to VAIC ---

    def _play(self, audio: BotAudio) -> None:
        if self._filler.waiting:
            self._filler.end()
        payload = self._to_vaic.feed(audio.payload)
        self._write_all(self._playout.bot_audio(audio.item_id, payload, self.now_ms()))
        if self._due is not None or self._playout.waits:
            self._watch_playout()

    def _wait(self, message: AwaitWords | FillerDue) -> None:
        match message:
            case AwaitWords(due=True):
                self._filler.begin()
            case AwaitWords():
                self._filler.end()
            case FillerDue():
                if self._filler.over(bot_sounds=self._playout.next_due_ms() is not None):
                    self._say(Clip.ONE_MOMENT)

    def _say(self, clip: Clip) -> None:
        """Its audio is in VAIC's format already, and beside the stream that the model's goes through."""
        recording = self._config.clips.get(clip)
        if recording is None:
            return
        self._clips_played += 1
        item_id = f"clip{self._config.incarnation}-{self._clips_played}"
        self._clips[item_id] = clip
        CLIPS_PLAYED.labels(clip.value).inc()
        now_ms = self.now_ms()
        for payload in recording.payloads[self._config.media.name]:
            self._write_all(self._playout.bot_audio(item_id, payload, now_ms))
        self._write_all(self._playout.item_done(item_id, now_ms))
        self._watch_playout()

    def _end_item(self, item_id: str) -> None:
        now_ms = self.now_ms()
        self._write_all(self._playout.bot_audio(item_id, self._to_vaic.flush(), now_ms))
        self._write_all(self._playout.item_done(item_id, now_ms))
        self._watch_playout()

    def _barge_in(self) -> None:
        # speech.started goes first even when nothing plays: it is what makes VAIC cut its own buffer.
        self._write(SpeechStarted(conversation_id=self._id))
        self._filler.end()
        self._to_vaic.flush()
        frames, cut = self._playout.cut(self.now_ms())
        self._write_all(frames)
        if cut:
            BARGE_INS.inc()
            self._model.tell(Heard(tuple(cut)))
            self._tell_heard(cut, barged_in=True)
            self._log.info("barge-in", item=cut[0].item_id, heard_ms=cut[0].heard_ms)

    def _watch_playout(self) -> None:
        """Report what was heard to its end, and come back when the playout has something to do."""
        now_ms = self.now_ms()
        self._tell_heard(self._playout.pop_finished(now_ms), barged_in=False)
        due_ms = self._playout.next_due_ms()
        if self._due is not None:
            if due_ms is not None and self._due[0] <= due_ms:
                return
            self._due[1].cancel()
            self._due = None
        if due_ms is not None:
            self._due = (due_ms, self.after(max(0.0, due_ms - now_ms) / 1000, PlayoutDue()))

    def _tell_heard(self, heard: Iterable[ItemHeard], barged_in: bool) -> None:
        for item in heard:
            clip = self._clips.pop(item.item_id, None)
            send(self._call, ClipHeard(clip, item) if clip else BotHeard(item, barged_in))
            if self._last_words is not None and clip is self._last_words.clip and item.complete:
                self._part(LastWordsOver())

    def _part(self, message: LastWords | LastWordsOver) -> None:
        match message:
            case LastWords() if self._hangup.begun:  # only the answer to the hangup is waited for
                self._last_words = message
                self.after(HANGUP_LIMIT_S, LastWordsOver())
            case LastWords():
                self._last_words = message
                frames, cut = self._playout.cut(self.now_ms())
                self._write_all(frames)
                self._tell_heard(cut, barged_in=False)
                self._say(message.clip)
                self.after(LAST_WORDS_LIMIT_S, LastWordsOver())
            case LastWordsOver() if self._hangup.begun:
                self.stop()
            case LastWordsOver() if self._last_words is not None:
                self._hangup.begin(HangUp(self._last_words.reason), self._playout.unconfirmed)
                self.after(HANGUP_LIMIT_S, LastWordsOver())

    def _vaic_ended(self, reason_code: str) -> None:
        """VAIC's last word."""
        send(self._call, VaicEnded(reason_code))
        if self._last_words is not None:
            self.stop()

    def _activity(self, name: str, **params: dict[str, object]) -> None:
        activity = BotActivity(name=name, id=self._config.new_id(), timestamp=self._config.timestamp(), **params)
        self._write(BotActivities(conversation_id=self._id, activities=(activity,)))

    def _write_all(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self._wire.send(frame)

    def _write(self, frame: SentCamelFrame) -> None:
        self._wire.send(frame.to_wire())


def _echo(participant: str | None) -> dict[str, str]:
    """The participant where VAIC sent one: on ordinary calls the field is left out."""
    return {} if participant is None else {"participant": participant}
