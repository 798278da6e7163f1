"""The VAIC session of a call: speaks VAIC's protocol on one socket.

May import: actors, protocols, loguru, pydantic, the standard library.
Rules from: docs/specs/vaic-streaming.md 3 to 5, 7.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, assert_never

from loguru import logger
from pydantic import JsonValue

from actors.clips import Clip
from actors.messages.call import (
    ActivitiesSeen,
    BotBegan,
    BotHeard,
    CallerArrived,
    CallerInaudible,
    CallerWrote,
    CallMessage,
    ClipHeard,
    DigitsPressed,
    NotPlayed,
    NoUserInput,
    TransferFailed,
    VaicEnded,
    VaicReady,
)
from actors.messages.model import CallerAudio, Heard, KeyStoppedBot, ModelSocketMessage
from actors.messages.vaic import (
    AskVaic,
    AwaitWords,
    BotAudio,
    BotAudioEnded,
    BotText,
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerTurnCommitted,
    CallerUnheard,
    FillerDue,
    GapDue,
    HangUp,
    LastWords,
    Overheard,
    PhaseOverdue,
    PlayClip,
    PlayoutDue,
    StreamCheckDue,
    Transfer,
    UseClips,
    VaicSocketMessage,
)
from actors.metrics import AUDIO_DROPPED, BARGE_INS, CLIPS_PLAYED, CUT_SHORT
from actors.system.actor import LoopActor
from actors.system.address import Address, ParentLink, send
from actors.system.dispatcher import Timer
from actors.transport.rate_limit import CONTROL_BYTES, RateLimits
from actors.transport.violations import ProtocolViolations, cut
from actors.transport.websocket import Wire, WireClosed, WireMessage, WireText
from actors.vaic.config import CallerSessionConfig, SocketOrigin
from actors.vaic.filler import FillerTimer
from actors.vaic.gap import GAP_S, GapFiller
from actors.vaic.phase import (
    ALONE,
    LIMITS_S,
    RINGING_LIMIT_S,
    SESSION,
    TRANSFER_LIMIT_S,
    Action,
    Answers,
    Event,
    Phase,
    answers,
)
from actors.vaic.tape import NotedTranscoder
from protocols import activities
from protocols.activities import PLAY_FINISHED, PlayUrl, on_wire, with_events
from protocols.errors import MisuseError, TransportLost, WireError
from protocols.frames import NOT_UTF8, NOT_UTF8_CODE, SentCamelFrame, Unknown
from protocols.ledger import ItemHeard
from protocols.limits import MOST_ACTIVITIES, MOST_KEYS, NAME_CHARS, TURN_CHARS, UNPLAYED_MS
from protocols.media import Hears, MediaFormat, Transcoder, Unheard, inaudible, model_format
from protocols.playout import STARVED_MS, NotedPlayout, Playout
from protocols.text import text_of
from protocols.vaic import (
    FROM_VAIC,
    NEEDLESS,
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
    SessionError,
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
from protocols.wav import BAD_HEADER, to_model

# The settings that the bot depends on, requested right after `start` (7.2): barge-in, DTMF, no hang-up by VAIC because
# the caller is silent, and an event when everything was played.
CALL_SETTINGS: dict[str, JsonValue] = {
    "bargeIn": True,
    "sendDTMF": True,
    "userNoInputGiveUpTimeoutMS": 0,
    "sendEventsToBot": [PLAY_FINISHED],
    "transferNotifications": True,
}

# In a call in writing (expectAudioMessages: false) it is VAIC that speaks and waits: it may hang up on a silent caller.
TEXT_SETTINGS = {name: value for name, value in CALL_SETTINGS.items() if name != "userNoInputGiveUpTimeoutMS"}

# A text counts as heard when it is sent. Not as 0 ms, which is what nobody has heard.
READ_MS = 1
# Of the events of one message, and of the values of an event, in the log.
SHOWN = 8
NAME_SHOWN = 64  # of an event's name, in characters

# The error for a chunk of a participant whose stream is not open.
NO_STREAM = "chunk_without_stream"
# Why a transfer has failed (4.3); any other reason counts as "unknown".
TRANSFER_FAILURES = ("no-answer", "busy", "declined", "error")
UNANSWERED = "unanswered"  # ours: VAIC has said nothing about it
DTMF_KEYS = frozenset("0123456789*#ABCD")

_RINGS = (Phase.HUNG_UP, Phase.RINGING)  # in these, what becomes of a transfer has a limit
OPEN = Phase.OPEN  # a global, because a member of an enum takes longer to look up

# Messages that only an open session handles.
_OfOpenSession = (
    BotAudio
    | BotAudioEnded
    | BotText
    | CallerBargedIn
    | CallerFellSilent
    | CallerTurnCommitted
    | CallerRecognised
    | AskVaic
    | PlayClip
    | UseClips
    | AwaitWords
    | FillerDue
    | GapDue
)


class _LateEnd:
    """Listens to a socket after its session has stopped: VAIC's session.end may have been on its way.

    A session.resume on another socket can overtake it, and nobody else would tell the call that it is over.
    """

    def __init__(self, conversation_id: str, call: Address[CallMessage]) -> None:
        self._id = conversation_id
        self._call = call

    def tell(self, message: WireMessage, /) -> None:
        if not isinstance(message, WireText):
            return
        try:
            frame = FROM_VAIC.parse(message.data)
        except WireError:
            return
        if isinstance(frame, SessionEnd) and frame.conversation_id in ("", self._id):
            send(self._call, VaicEnded(cut(frame.reason_code or "unknown", NAME_CHARS, "name")))


FIRST = (SocketOrigin.NEW, SocketOrigin.ACCEPTED)


class PartyStream:
    """What VAIC sends of one party, on its way to the model.

    model: takes it. limits: of its audio. to_model: converts it. gap: watches whether the line has sound.
    """

    __slots__ = ("gap", "limits", "model", "to_model")

    def __init__(
        self, model: Address[ModelSocketMessage], limits: RateLimits, hears: Hears, media: MediaFormat
    ) -> None:
        self.model = model
        self.limits = limits
        self.to_model = hears
        self.gap = GapFiller(model_format(media))

    def fill(self, due: GapDue) -> bool:
        """Send the model silence if no audio has come. Returns whether the turn was still to be watched."""
        lasts = self.gap.lasts(due)
        if lasts and (silence := self.gap.check()):
            self.model.tell(CallerAudio(silence))
        return lasts


class VaicSocket(LoopActor):
    """One VAIC socket of one conversation; its phases are in actors.vaic.phase.

    Receives: VaicSocketMessage. Sends the model's session CallerAudio and Heard, its supervisor what VAIC reports and
    what was heard. Raises TransportLost when the socket is lost; its supervisor decides what that means for the call.

    wire: an upgraded socket whose session.initiate or session.resume was read already. call: the supervisor.
    """

    __slots__ = ("_mute_id", "_prompts", "_stops", "_transfer_limit_ms")  # see the base class

    droppable: ClassVar[tuple[type, ...]] = (BotAudio,)
    most_heard: ClassVar[int] = 1  # participants at a time: in one model session two would be one voice

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
        self._late_end = _LateEnd(self._id, call)
        self._log = logger.bind(conversation=self._id)
        self._violations = {leg: ProtocolViolations(leg, self._log) for leg in ("vaic", "model")}
        self._rate_limits = RateLimits(config.media, self.now_ms)
        hears: Hears = to_model(config.media, self._headed)
        self._to_vaic = Transcoder(model_format(config.media), config.media)
        how = self._id, config.media, config.lead_ms, f"p{config.incarnation}", config.wav_header
        if (tape := config.tape) is None:
            self._playout = Playout(*how)
        else:
            self._playout = NotedPlayout(*how, tape.bot)
            hears = NotedTranscoder(hears, tape)
        self._caller = PartyStream(model, self._rate_limits, hears, config.media)
        if config.unheard:  # before the tape too
            self._hear_nothing(True)
        self._due: tuple[float, Timer] | None = None  # when to check the playout next, in ms
        self._stream_check: Timer | None = None
        self._filler = FillerTimer(self.after, 0 if config.text else config.filler_s)
        # None, not "": the peer chooses item ids, and may choose an empty one.
        self._item_id: str | None = None  # of the bot's newest audio
        self._mute_id: str | None = None  # the same, while it has had no sound
        self._clips: dict[str, Clip] = {}  # by item id, those that are still to be heard
        self._participants: set[str | None] = set()  # whose user streams are open
        self._stops = 0  # user streams that VAIC has stopped since the caller's last turn
        self._phase = SESSION.start
        self._limit: Timer | None = None  # of the phase
        self._transfer_limit_ms = 0.0  # when a transfer that was sent counts as failed
        self._order: HangUp | Transfer | None = None  # how the call ends, if we end it
        self._last_clip = Clip.CALL_AGAIN
        self._last_item_id: str | None = None  # of the last words
        self._silenced_id: str | None = None  # the item that a key has stopped
        self._prompts: deque[AskVaic] = deque()  # recordings for VAIC to play once the bot is quiet

    def on_start(self) -> None:
        if self._config.origin not in (SocketOrigin.ACCEPTED, SocketOrigin.REPLACED):
            self._write(self._accepted())
        self._wire.attach(self.actor_ref)
        send(self._call, VaicReady())

    def on_stop(self) -> None:
        self._tell_heard(self._playout.cut(self.now_ms())[1], barged_in=False)
        self._wire.attach(self._late_end)
        self._wire.close(1000)

    def on_failure(self, *_: object) -> None:
        frames, cut = self._playout.cut(self.now_ms())
        self._write_all(frames)
        self._model.tell(Heard(tuple(cut)))
        self._tell_heard(cut, barged_in=False)
        # In other cases the wire stays open: the next incarnation takes it over, so the caller loses nothing.
        if self._phase in ALONE:
            self._wire.close(1011, "internal error")

    def on_receive(self, message: VaicSocketMessage) -> None:  # noqa: C901, PLR0912, PLR0915 - one flat match
        # Not a look-up in the table: this line runs a hundred times a second.
        if self._phase is not OPEN and isinstance(message, _OfOpenSession):
            return
        # These two come fifty times a second, and a `match` makes a set and a list for each that it finds.
        if type(message) is WireText:
            self._read(message.data)
            return
        if type(message) is BotAudio:
            self._play(message)
            return
        match message:
            case PlayoutDue():
                self._play_due()
            case StreamCheckDue():
                self._check_stream()
            case BotAudioEnded():
                self._end_item(message.item_id, message.cut_off)
            case BotText():
                self._send_text(message.item_id, message.text, cut_off=message.cut_off)
            case CallerBargedIn():
                self._barge_in()
            case CallerFellSilent():
                if self._caller.gap.end():
                    self._write(SpeechStopped(conversation_id=self._id))
            case CallerTurnCommitted():
                self._filler.begin()
                self._stops = 0
                self._write(SpeechCommitted(conversation_id=self._id))
            case CallerRecognised() if self._stops:
                # Half duplex, and the bot answers already: to report a text now would close the stream again, until
                # another answer (7.3).
                pass
            case CallerRecognised():
                self._write(SpeechRecognition(conversation_id=self._id, alternatives=(Alternative(text=message.text),)))
            case AskVaic():
                self._ask(message)
            case PlayClip():
                self._say(message.clip)
            case UseClips():
                self._config = replace(self._config, clips=message.clips)
            case AwaitWords(due=True):
                self._filler.begin()
            case AwaitWords():
                self._filler.end()
            case CallerUnheard():
                self._hear_nothing(message.unheard)
            case FillerDue():
                self._fill(message)
            case GapDue():
                self._fill_gap(message)
            case HangUp() | Transfer():
                self._end_call(message)
            case LastWords():
                self._call_broke(message)
            case PhaseOverdue():
                if message.phase is self._phase:  # else it was left while this message waited
                    self._phase_overdue()
            case Overheard():
                raise MisuseError("this session has no ears for two")
            case WireClosed():
                self._advance(Event.SOCKET_CLOSED, message.reason, message.code)
            case _:
                assert_never(message)

    def on_unread(self, message: object) -> None:
        if isinstance(message, LastWords):  # nobody is left to say them
            self._wire.close(1011, "internal error")
        elif isinstance(message, WireText):
            self._late_end.tell(message)

    # --- the phases ---

    def _end_call(self, order: HangUp | Transfer) -> None:
        self._order = self._order or order
        self._advance(Event.ORDERED_UNPLAYED if self._playout.unconfirmed else Event.ORDERED)

    def _call_broke(self, last_words: LastWords) -> None:
        self._order = self._order or HangUp(last_words.reason)
        self._last_clip = last_words.clip
        self._advance(Event.CALL_BROKE)

    def _advance(self, event: Event, reason: str = "", code: int = 0) -> None:
        """Enter the phase that follows. reason: that of session.end or of the closed socket. code: the socket's."""
        before = self._phase
        self._phase, action = SESSION.step(before, event)
        if self._phase is not before or action is Action.ASK_TO_WAIT:
            self._start_limit()
        match action:
            case Action.NOTHING:
                pass
            case Action.SEND_ORDER:
                self._send_order()
            case Action.ASK_TO_WAIT:
                self._cut_unheard()
                self._say(Clip.ONE_MOMENT)
            case Action.REPORT_FAILURE:
                self._order = None
                send(self._call, TransferFailed(reason))
            case Action.REPORT_END:
                self._report_end(reason)
            case Action.REPORT_CLOSED:
                self._report_end("closed")
            case Action.FAIL:
                raise TransportLost(code, reason)
            case Action.SPEAK:
                self._speak_last_words()
            case Action.SPEAK_INSTEAD:
                self._order = HangUp("transfer failed")
                self._speak_last_words()
            case Action.STOP:
                self.stop()
            case _:
                assert_never(action)

    def _start_limit(self) -> None:
        """That of the phase, in place of that of the phase before."""
        if self._limit is not None:
            self._limit.cancel()
        limit_s = LIMITS_S.get(self._phase)
        if self._phase in _RINGS and isinstance(self._order, Transfer):
            if self._phase is Phase.HUNG_UP:
                self._transfer_limit_ms = self.now_ms() + 1000 * TRANSFER_LIMIT_S
            left_s = (self._transfer_limit_ms - self.now_ms()) / 1000
            limit_s = max(0.0, min(RINGING_LIMIT_S, left_s))
        self._limit = None if limit_s is None else self.after(limit_s, PhaseOverdue(self._phase))

    def _phase_overdue(self) -> None:
        if self._phase not in _RINGS:
            self._advance(Event.LIMIT)
        elif self.now_ms() < self._transfer_limit_ms:
            self._advance(Event.STILL_RINGING)
        else:
            self._advance(Event.TRANSFER_FAILED, UNANSWERED)

    def _send_order(self) -> None:
        match self._order:
            case HangUp(reason):
                self._activity(activities.HangUpEvent(reason=reason))
            case Transfer(target, reason, referred_by, headers):
                self._activity(
                    activities.TransferEvent(
                        target=target, reason=reason, referred_by=referred_by, sip_headers=dict(headers)
                    )
                )
            case None:
                raise MisuseError("no hangup or transfer is ordered")

    def _report_end(self, reason_code: str) -> None:
        self._tell_heard(self._playout.cut(self.now_ms())[1], barged_in=False)
        send(self._call, VaicEnded(reason_code))

    def _cut_unheard(self) -> None:
        """Fall silent for a sentence of ours."""
        frames, cut = self._playout.cut(self.now_ms())
        self._write_all(frames)
        self._tell_heard(cut, barged_in=False)

    def _speak_last_words(self) -> None:
        self._cut_unheard()
        self._last_item_id = self._say(self._last_clip)
        if self._last_item_id is None:
            self._last_words_heard()

    def _last_words_heard(self) -> None:
        self._advance(Event.WORDS_HEARD_UNPLAYED if self._playout.unconfirmed else Event.WORDS_HEARD)

    # --- from VAIC ---

    def _read(self, data: bytes) -> None:
        try:
            frame = FROM_VAIC.parse(data, self._violations["vaic"].bad_field)
            if isinstance(frame, UserStreamChunk):
                sent = frame.audio_chunk  # an attribute of a model is slow to read
                beside_audio = len(data) - len(sent)
                if beside_audio > CONTROL_BYTES:
                    self._count_control(beside_audio)
                self._hear(frame, sent, self._caller)
                return
            self._count_control(len(data))
            if isinstance(frame, Unknown):
                self._violations["vaic"].unknown(frame.type)
            else:
                self._obey(frame)
        except WireError as error:
            self._violations["vaic"].bad_frame(error)
            if error.reason == NOT_UTF8:  # a WebSocket ends with that (RFC 6455, 8.1); VAIC resumes on another
                self._wire.close(NOT_UTF8_CODE, NOT_UTF8)
                self._advance(Event.SOCKET_CLOSED, NOT_UTF8, NOT_UTF8_CODE)
                return
            # These are limited as audio, not as malformed frames: whoever sends one of them sends no other.
            if error.reason not in (NO_STREAM, BAD_HEADER) and not self._rate_limits.bad.take(1):
                self._cut_off("bad frames")

    def _count_control(self, size: int) -> None:
        if not self._rate_limits.controls.take(1 + size // CONTROL_BYTES):
            self._cut_off("control messages")

    def _cut_off(self, flood_of: str) -> None:
        """Disconnect the peer as abusive."""
        self._violations["vaic"].bad_frame(WireError("flood", flood_of))
        self._wire.close(1008, "too much")
        raise TransportLost(1008, f"a flood of {flood_of}")

    def _hear(self, chunk: UserStreamChunk, sent: str, stream: PartyStream) -> None:
        """sent: the chunk's audio."""
        rate_limits = stream.limits
        cost: float = len(sent)
        if cost < rate_limits.least:
            cost = rate_limits.least
        audio = rate_limits.audio
        audio.left = left = audio.left - cost  # inlined `take`: this is the hot path
        if left < 0 and not audio.refill(cost):
            if not rate_limits.surplus.take(1):
                self._cut_off("audio")
            AUDIO_DROPPED.inc()
            stream.to_model.skip(sent)
            return
        if chunk.conversation_id != self._id:
            self._check_conversation(chunk.conversation_id)
        # After a resume or our crash VAIC may go on without a new userStream.start (7.9).
        if (
            chunk.participant not in self._participants
            and self._config.origin in FIRST
            # One that names nobody is of the one stream that is open.
            and (chunk.participant is not None or not self._participants)
        ):
            raise WireError(NO_STREAM)
        payload = stream.to_model.feed(sent)
        if payload:
            stream.gap.newest = payload
            stream.model.tell(CallerAudio(payload))

    def _stream_of(self, participant: str | None) -> PartyStream:
        """The stream that a participant begins. Raises: WireError("too_many_participants")."""
        return self._caller

    def _close_stream(self, participant: str | None) -> None:
        if participant is None and self.most_heard == 1:  # it names nobody: that of whoever is heard
            self._participants.clear()
        self._participants.discard(participant)

    def _hear_nothing(self, unheard: bool) -> None:
        """In the place of the transcoder, so that what is heard costs nothing more."""
        hears = self._caller.to_model
        hearing: Hears = hears.hearing if isinstance(hears, Unheard) else hears
        self._caller.to_model = Unheard(hearing, self._config.media) if unheard else hearing

    def _headed(self, found: bool) -> None:
        # The place of the header is not documented (docs/real-call.md).
        self._log.debug("VAIC begins a WAV stream", header=found)

    def _obey(self, frame: FromVaic) -> None:
        # For what VAIC's documentation leaves open (docs/real-call.md): what it sends, and nothing of what is said.
        self._log.debug("VAIC says", type=frame.type, **_shape(frame))
        match frame:
            case UserStreamStart():
                self._check_conversation(frame.conversation_id)
                if len(self._participants) >= self.most_heard and frame.participant not in self._participants:
                    raise WireError("too_many_participants")
                stream = self._stream_of(frame.participant)
                stream.to_model.flush()  # half a sample of the stream before would shift all that follows
                self._participants.add(frame.participant)
                self._answer(UserStreamStarted(conversation_id=self._id, **_echo(frame.participant)))
            case UserStreamStop():
                self._check_conversation(frame.conversation_id)
                self._close_stream(frame.participant)
                self._stops += 1
                self._answer(UserStreamStopped(conversation_id=self._id, **_echo(frame.participant)))
            case Activities():
                self._check_conversation(frame.conversation_id)
                self._take_activities(frame.activities)
            case SessionEnd():
                self._check_conversation(frame.conversation_id)
                self._advance(Event.SESSION_END, cut(frame.reason_code or "unknown", NAME_CHARS, "name"))
            case ConnectionValidate():
                self._answer(ConnectionValidated(success=True))
            case SessionResume():
                # Unexpected on a socket that was not lost, but the vendor's SDK answers it (7.11).
                if frame.conversation_id != self._id:
                    self._answer(SessionError(conversation_id=frame.conversation_id, reason="another call's socket"))
                self._check_conversation(frame.conversation_id)
                self._answer(self._accepted())
            case SessionInitiate():
                # Of this call it has its answer, and session.error would end the call.
                if frame.conversation_id != self._id:
                    self._answer(SessionError(conversation_id=frame.conversation_id, reason="another call's socket"))
                raise WireError("second_initiate")
            case PlayStreamMarkReached() | UserStreamChunk():
                pass
            case _:
                assert_never(frame)

    def _accepted(self) -> SessionAccepted:
        return SessionAccepted.of(self._id, self._config.media.name)

    def _answer(
        self, frame: UserStreamStarted | UserStreamStopped | ConnectionValidated | SessionAccepted | SessionError
    ) -> None:
        """Answer what VAIC asked for, if the phase allows it."""
        allowed = answers(self._phase)
        of_user_stream = isinstance(frame, UserStreamStarted | UserStreamStopped)
        if allowed is Answers.ALL or (allowed is Answers.USER_STREAMS and of_user_stream):
            self._write(frame)

    def _take_activities(self, told: Sequence[Activity]) -> None:
        taken = told[:MOST_ACTIVITIES]
        if len(taken) < len(told):
            self._violations["vaic"].bad_field(WireError("bad_fields", f"activities: over {MOST_ACTIVITIES}"))
        # One of these is told of every sentence, and means nothing on another socket.
        named = (each.id for each in taken if each.event != "playfinished")
        ids = tuple(each for each in named if 0 < len(each) <= NAME_CHARS)
        if ids:
            send(self._call, ActivitiesSeen(ids))
        for activity in taken:
            if self._config.seen.again(activity):
                self._log.info("activity ignored: it came before", name=activity.event)
            else:
                self._take_activity(activity)

    def _take_activity(self, activity: Activity) -> None:
        if activity.kind == "message":
            self._take_text(activity)
            return
        match activity.event:
            case "playfinished":
                if self._playout.play_finished():
                    self._advance(Event.PLAYED_OUT)
            case "transferstatus":
                self._take_transfer_status(activity.value)
            case "start" | "dtmf" if answers(self._phase) is not Answers.ALL:
                self._log.debug("activity ignored: the call is ending", name=activity.event)
            case "start":
                # Also when it comes again: VAIC may have lost the settings; the call greets once.
                params = with_events({**self._settings(), **self._config.settings})
                self._activity(activities.Config(params=params))
                send(self._call, CallerArrived(activity.parameters or {}))
            case "dtmf":
                digits = _keys(activity.value)
                if not digits:
                    self._violations["vaic"].bad_field(WireError("bad_fields", "activities.DTMF.value: no keys"))
                else:
                    # A `#` alone only ends an answer, and may come once the next question is being asked.
                    if digits != "#":
                        self._stop_for_key()
                    send(self._call, DigitsPressed(digits))
            case "nouserinput":
                send(self._call, NoUserInput())
            case "playurlfailed":
                send(self._call, NotPlayed(_reason(activity.value)))
            case name if name in NEEDLESS:
                self._log.debug("activity ignored", name=name)
            case name:
                self._violations["vaic"].unknown(f"activity {(name or activity.type)[:NAME_SHOWN]}")

    def _settings(self) -> Mapping[str, JsonValue]:
        return TEXT_SETTINGS if self._config.text else CALL_SETTINGS

    def _take_text(self, activity: Activity) -> None:
        """The caller has written, or spoken while VAIC transcribes (directSTT: false)."""
        text = cut(activity.text.strip(), TURN_CHARS, "transcript")
        if text and answers(self._phase) is Answers.ALL:
            self._stop_for_key()
            send(self._call, CallerWrote(text))

    def _take_transfer_status(self, value: object) -> None:
        told = value if isinstance(value, dict) else {"status": value}
        status = text_of(told.get("status")).strip().lower()
        if status == "failed" and isinstance(self._order, Transfer):
            reason_code = told.get("reasonCode")
            self._advance(Event.TRANSFER_FAILED, reason_code if reason_code in TRANSFER_FAILURES else "unknown")
        elif status == "answered" and isinstance(self._order, Transfer):
            self._advance(Event.ANSWERED)  # session.end follows; the supervisor's limit runs

    def _check_conversation(self, conversation_id: str) -> None:
        if conversation_id and conversation_id != self._id:
            raise WireError("other_conversation")

    # --- to VAIC ---

    def _play(self, audio: BotAudio) -> None:
        if audio.item_id == self._silenced_id:
            return  # it was generated before the model knew of the key
        if self._playout.waiting_ms > UNPLAYED_MS:
            CUT_SHORT.labels("unplayed audio").inc()
            return
        try:
            payload = self._to_vaic.feed(audio.payload)
        except WireError as error:
            self._violations["model"].bad_frame(error)
            return
        if self._filler.waiting:
            self._filler.end()
        if audio.item_id != self._item_id:
            self._begins(audio)
        for frame in self._playout.bot_audio(audio.item_id, payload, self.now_ms()):
            self._wire.send(frame)
        if self._due is not None or self._playout.waits():
            self._watch_playout()

    def _begins(self, audio: BotAudio) -> None:
        """Tell of an item's beginning, and of its first sound if that comes later: models send silence as speech."""
        if self._stream_check is None:
            self._stream_check = self.after(STARVED_MS / 1000, StreamCheckDue())
        silent = inaudible(audio.payload, model_format(self._config.media))
        if silent and audio.item_id == self._mute_id:
            return
        if silent:
            self._mute_id = audio.item_id
        else:
            self._item_id, self._mute_id = audio.item_id, None
        send(self._call, BotBegan(audio.item_id, silent=silent))

    def _play_due(self) -> None:
        self._due = None
        # A hangup or transfer ends the playback: nothing is sent behind it, but what asks the caller to wait.
        if self._phase in (Phase.OPEN, Phase.RINGING, Phase.PUT_THROUGH, Phase.LAST_WORDS):
            self._write_all(self._playout.due(self.now_ms()))
            self._watch_playout()

    def _check_stream(self) -> None:
        self._stream_check = None
        if self._phase is not OPEN:
            return
        now_ms = self.now_ms()
        if self._playout.starves(now_ms):
            self._write_all(self._playout.pause())
            self._send_prompts()
            self._item_id = None  # the rest of it counts as a new beginning
        elif self._playout.streaming:
            self._stream_check = self.after(self._playout.starves_in_ms(now_ms) / 1000, StreamCheckDue())

    def _fill(self, due: FillerDue) -> None:
        if self._filler.over(due, bot_sounds=self._playout.next_due_ms() is not None):
            self._say(Clip.ONE_MOMENT)

    def _say(self, clip: Clip) -> str | None:
        """Play a recorded sentence. Returns its item id; None if nothing is to be waited for.

        That is so where the bot has no such recording, and in a call in writing.
        """
        recording = self._config.clips.get(clip)
        if recording is None:
            return None
        item_id = f"clip-{self._config.new_id()}"  # no id that the model could choose for an item of its own
        self._clips[item_id] = clip
        CLIPS_PLAYED.labels(clip.value).inc()
        if self._config.text:
            self._send_text(item_id, recording.words)
            return None
        now_ms = self.now_ms()
        send(self._call, BotBegan(item_id, clip=True))
        # It is in VAIC's format already, and must not pass through the transcoder of the model's audio.
        for payload in recording.payloads[self._config.media.raw.name]:
            self._write_all(self._playout.bot_audio(item_id, payload, now_ms))
        self._write_all(self._playout.item_done(item_id, now_ms))
        self._watch_playout()
        return item_id

    def _send_text(self, item_id: str, text: str, *, cut_off: bool = False) -> None:
        send(self._call, BotBegan(item_id, clip=item_id in self._clips))
        self._write_text(text)
        now_ms = int(self.now_ms())
        self._tell_heard((ItemHeard(item_id, READ_MS, 0, now_ms, complete=not cut_off),), barged_in=False)

    def _write_text(self, text: str) -> None:
        activity = BotActivity(type="message", text=text, id=self._config.new_id(), timestamp=self._config.timestamp())
        self._write(BotActivities(conversation_id=self._id, activities=(activity,)))

    def _end_item(self, item_id: str, cut_off: bool) -> None:
        if item_id == self._silenced_id:
            return
        now_ms = self.now_ms()
        self._write_all(self._playout.bot_audio(item_id, self._to_vaic.flush(), now_ms))
        self._write_all(self._playout.item_done(item_id, now_ms, cut_off))
        self._watch_playout()

    def _barge_in(self) -> None:
        if self._caller.gap.end():  # its end was missed, or its beginning told twice
            self._write(SpeechStopped(conversation_id=self._id))
        # speech.started goes first, and also when nothing plays: it makes VAIC discard what it has buffered (7.5).
        self._write(SpeechStarted(conversation_id=self._id))
        self.after(GAP_S, self._caller.gap.begin())
        self._filler.end()
        self._cut_speech()

    def _stop_for_key(self) -> None:
        # VAIC may have stopped playing by itself (7.5); the model is not told of keys, and goes on.
        self._filler.end()
        if (item_id := self._cut_speech()) is not None:
            self._silenced_id = item_id
            self._model.tell(KeyStoppedBot(item_id))

    def _cut_speech(self) -> str | None:
        """Fall silent. Returns the newest item that was not heard to its end; None if there is none."""
        self._to_vaic.flush()  # what its filter still holds belongs to the speech that is cut
        frames, cut = self._playout.cut(self.now_ms())
        self._write_all(frames)
        self._send_prompts()
        if not cut:
            return None
        BARGE_INS.inc()
        self._model.tell(Heard(tuple(cut)))
        self._tell_heard(cut, barged_in=True)
        self._log.info("barge-in", item=cut[0].item_id, heard_ms=cut[0].heard_ms)
        return cut[-1].item_id

    def _fill_gap(self, due: GapDue) -> None:
        if not self._caller.fill(due):
            return
        if self._caller.gap.dead:
            self._log.info("the caller's turn has no sound")
            send(self._call, CallerInaudible())
        else:
            self.after(GAP_S, due)

    def _watch_playout(self) -> None:
        """Report what was heard to its end, and set the timer for when the playout has something to do."""
        now_ms = self.now_ms()
        self._tell_heard(self._playout.pop_finished(now_ms), barged_in=False)
        if self._prompts:
            self._send_prompts()
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
            if item.complete and item.item_id == self._last_item_id:
                self._last_words_heard()

    def _ask(self, asked: AskVaic) -> None:
        if isinstance(asked.action, PlayUrl) and not self._playout.quiet:
            self._prompts.append(asked)  # prompts do not overlap an open play stream (7.4)
        else:
            self._activity(asked.action, asked.id)

    def _send_prompts(self) -> None:
        while self._prompts and self._playout.quiet:
            prompt = self._prompts.popleft()
            self._activity(prompt.action, prompt.id)

    def _activity(self, action: activities.Asked, activity_id: str = "") -> None:
        activity_id = activity_id or self._config.new_id()
        activity = BotActivity(type="event", id=activity_id, timestamp=self._config.timestamp(), **on_wire(action))
        self._write(BotActivities(conversation_id=self._id, activities=(activity,)))

    def _write_all(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            self._wire.send(frame)

    def _write(self, frame: SentCamelFrame) -> None:
        self._wire.send(frame.to_wire())


def _shape(frame: FromVaic) -> dict[str, object]:
    """The events of a frame by name, with the names of what they carry; the reason of an end."""
    match frame:
        case Activities():
            some = frame.activities[:SHOWN]
            carried = [sorted(each.value)[:SHOWN] if isinstance(each.value, dict) else [] for each in some]
            return {"events": [each.name or each.type for each in some], "carry": carried}
        case SessionEnd():
            return {"reason": frame.reason_code}
        case _:
            return {}


def _reason(value: object) -> str:
    """The reason of a recording that VAIC could not play."""
    reason = value.get("reason") if isinstance(value, dict) else value
    return cut(reason if isinstance(reason, str) else "unknown", NAME_CHARS, "reason")


def _keys(value: object) -> str:
    """The keys of a DTMF event, a text or a whole number. Anything else has none."""
    return "".join(key for key in cut(text_of(value), MOST_KEYS, "keys") if key in DTMF_KEYS)


def _echo(participant: str | None) -> dict[str, str]:
    """The participant where VAIC sent one: on ordinary calls the field is left out."""
    return {} if participant is None else {"participant": participant}
