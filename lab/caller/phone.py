"""The phone: VAIC's part in one call, without a socket. Takes messages and time, and fills an outbox.

May import: lab.caller, protocols, pydantic, the standard library. Rules from: docs/specs/vaic-streaming.md 3 to 5, 7.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from lab.caller.audio import TICK_MS, SpeechRecording
from lab.caller.complaints import Complaints
from lab.caller.ear import Ear
from lab.caller.events import BargedIn, BotSpoke, BotWrote, CallerEvent, CallerRecognised, Dropped, Ended, Resumed
from lab.caller.inflow import AUDIO_AHEAD_MS, Inflow
from lab.caller.mouth import Mouth, SpokenSentence
from lab.caller.params import SessionParams
from lab.caller.progress import CallProgress, SocketLoss
from lab.caller.referee import OPEN_LIMIT_MS, Referee
from lab.caller.requests import BotRequests
from lab.caller.settings import CallSettings
from lab.caller.user_stream import UserStream, Wish
from protocols.errors import MisuseError, WireError
from protocols.frames import CamelFrame
from protocols.media import KNOWN, NO_AUDIO, MediaFormat, inaudible
from protocols.vaic import (
    TO_VAIC,
    Activities,
    Activity,
    BotActivities,
    BotActivity,
    PlayStreamChunk,
    PlayStreamStart,
    PlayStreamStop,
    SessionAccepted,
    SessionEnd,
    SessionError,
    SessionInitiate,
    SessionResume,
    SpeechRecognition,
    SpeechStarted,
    ToVaic,
    UserStreamChunk,
    UserStreamStart,
    UserStreamStarted,
    UserStreamStop,
    UserStreamStopped,
)
from protocols.wav import audio_at, with_header

_ACCEPT_LIMIT_MS = 10_000
_RESUME_LIMIT_MS = 30_000
_CLOSE_LIMIT_MS = 5_000
_NORMAL_CODES = (1000, 1005)  # 1005 stands for a close frame that gives no code
_HANGOVER_MS = 200  # of silence are sent before the rest is suppressed
_CROSSING_MS = 2_000  # messages of the bot may cross with `session.end`; later ones are a fault


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A text of either side. at_ms: when it was sent, or arrived."""

    role: Literal["caller", "bot"]
    text: str
    at_ms: int


class Phone:
    """One call, from `session.initiate` to its end, over one or more sockets.

    tell: called with each CallerEvent. timestamp: gives the time of day in ISO 8601, for activities.
    """

    def __init__(
        self, settings: CallSettings, tell: Callable[[CallerEvent], None], timestamp: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._timestamp = timestamp
        self._params = SessionParams(
            barge_in=settings.barge_in and not settings.half_duplex, send_dtmf=settings.send_dtmf
        )
        self._user = UserStream()
        self._inflow = Inflow()
        self._asked_ms: int | None = None
        self._silent_ms = 0  # how long the person has been silent, where that is suppressed
        self._activities = 0
        self._header_due = False  # before the next chunk of the caller's
        self.ear = Ear(split_ms=settings.pause_ms, keep=settings.out_wav is not None)
        self.mouth = Mouth()
        self.progress = CallProgress()
        self.complaints = Complaints(lambda: self.now_ms)
        self.requests = BotRequests(settings, self.complaints)
        self._referee = Referee(settings.conversation_id, settings.offered, self.complaints)
        self.texts: list[WrittenText] = []
        self.outbox: deque[str] = deque()
        self.media: MediaFormat | None = None
        self.up_since_ms: int | None = None
        self.drop_for_ms: int | None = None
        self.over = False
        self.flood: str | None = None  # how much the bot has sent, where that has ended the call

    @property
    def now_ms(self) -> int:
        """The time since `session.initiate`, by the count of samples."""
        return self.ear.now_ms

    @property
    def _on_line(self) -> bool:
        return self._asked_ms is not None or self.up_since_ms is not None

    # --- what the person does ---

    def say(self, speech: SpeechRecording) -> SpokenSentence:
        """Begin a sentence. Raises: MisuseError before the call was accepted."""
        if self.media is None:
            raise MisuseError("the call is not accepted yet")
        return self.mouth.say(speech, self.media, self.now_ms)

    def write(self, text: str) -> None:
        """Write a text, or say it to a VAIC that transcribes."""
        self.texts.append(WrittenText("caller", text, self.now_ms))
        self._activity("message", text=text)

    @property
    def bot_texts(self) -> int:
        """How many texts the bot has sent."""
        return sum(each.role == "bot" for each in self.texts)

    def press(self, keys: str) -> None:
        """Press keys, reported in one event."""
        if self._params.barge_in_on_dtmf:
            self._cut(barge_in=True)
        if not self._params.send_dtmf:
            self.complaints.add("dtmf_not_reported", "sendDTMF is off")
        elif self.up_since_ms is not None:
            self._event("DTMF", value=keys)

    @property
    def collects_keys(self) -> bool:
        """Several keys are reported in one event."""
        return self._params.dtmf_collect

    def drop(self, resume_after_ms: int) -> None:
        """Lose the socket at once. `drop_for_ms` tells the owner when to dial again."""
        if self.up_since_ms is not None:
            self.drop_for_ms = resume_after_ms
            self.lost(1006)

    def hang_up(self) -> None:
        self._end("client-disconnected", "caller hung up")

    # --- events of the socket ---

    def connected(self) -> None:
        """A socket is open: begin the call, or resume it."""
        self._referee.connected()
        self._asked_ms = self.now_ms
        if self.progress.losses:
            self._send(SessionResume(conversation_id=self._settings.conversation_id))
            return
        self._send(
            SessionInitiate(
                conversation_id=self._settings.conversation_id,
                expect_audio_messages=not self._settings.chat,
                bot_name=self._settings.bot_name,
                caller=str(self._start_parameters()["caller"]),  # the same in both
                supported_media_formats=self._settings.offered,
            )
        )

    def lost(self, code: int) -> None:
        """The socket is lost. code: the bot's close code, or 1006."""
        self._asked_ms = None
        if self.progress.ended:
            if not self.over and code not in _NORMAL_CODES:
                self.complaints.add("closed_badly", f"code {code} after session.end")
            self.over = True
        elif self.media is None:
            self.fail("error", "lost_before_session_accepted", f"code {code}")
        elif self.progress.open_loss is None:
            self.up_since_ms = None
            self.outbox.clear()
            self._user.void()
            self.ear.void()
            self._tell_heard()
            self.progress.losses.append(SocketLoss(self.now_ms, code))
            self._tell(Dropped(self.now_ms, code))

    def fail(self, outcome: str, rule: str, detail: str) -> None:
        """End the call without a message to the bot."""
        self.complaints.add(rule, detail)
        self._finish(outcome)
        self.over = True

    def received(self, message: str | bytes) -> None:
        """Take a message of the bot."""
        if not self._on_line:
            return  # buffered in a socket that is lost
        if (told := self._inflow.take(len(message), self.now_ms)) is not None:
            self._flooded(told)
            return
        if isinstance(message, bytes):
            self.complaints.add("binary_frame")
            return
        try:
            frame = TO_VAIC.parse(message, self._ignore_field)
        except WireError as error:
            self.complaints.add(error.reason, error.detail)
            return
        if self.progress.ended_ms is not None and self.now_ms - self.progress.ended_ms > _CROSSING_MS:
            self.complaints.add("after_session_end", frame.type)
        if self._referee.allows(frame):
            self._obey(frame)

    def _ignore_field(self, error: WireError) -> None:
        """VAIC ignores what it does not know (2.5)."""
        self.complaints.add(error.reason, error.detail)

    # --- time ---

    def tick(self) -> None:
        """Advance 20 ms: send the mouth's chunk, let the ear play its own."""
        if self._settings.chat:
            pass  # no stream is opened
        elif self.up_since_ms is not None and not self.progress.ended:
            self._ask_for_stream()
            self._send_spoken()
        elif self.media is not None:
            self.mouth.next_chunk(self.media, self.now_ms, sent=False)
        self.ear.play()
        self._tell_heard()
        for _ in range(self.ear.take_finished()):
            self._played()
        self._answer_requests()
        self._watch_limits()

    def _played(self) -> None:
        if "playFinished" in self._params.send_events_to_bot:
            self._event("playFinished")

    def _answer_requests(self) -> None:
        """Tell the bot what became of what it has asked for, while it has a socket."""
        for told in self.requests.due(self.now_ms) if self.up_since_ms is not None else ():
            if told.name == "playFinished":
                self._played()
                continue
            self._event(told.name, value=told.value)
            if told.ends_call:
                self._end("transferred", "")
            elif told.name == "transferStatus":
                self._referee.goes_on()

    def _ask_for_stream(self) -> None:
        full_duplex = self._params.barge_in and self.ear.may_be_cut(barge_in=True)
        match self._user.ask(self.now_ms, full_duplex=full_duplex, bot_busy=self.ear.busy):
            case Wish.START:
                self._send(UserStreamStart(conversation_id=self._settings.conversation_id))
            case Wish.STOP:
                self._send(UserStreamStop(conversation_id=self._settings.conversation_id))
            case None:
                if overdue := self._user.overdue(self.now_ms):
                    self.complaints.add("not_acknowledged", overdue)

    def _send_spoken(self) -> None:
        assert self.media is not None
        payload = self.mouth.next_chunk(self.media, self.now_ms, sent=self._user.flows)
        suppressed = False
        if self._settings.suppress_silence:
            self._silent_ms = self._silent_ms + TICK_MS if inaudible(payload, self.media) else 0
            suppressed = self._silent_ms > _HANGOVER_MS
        if self._user.flows and not suppressed:
            if self._header_due:
                payload, self._header_due = with_header(payload, self.media, whole=False), False
            self._send(UserStreamChunk(conversation_id=self._settings.conversation_id, audio_chunk=payload))

    def _tell_heard(self) -> None:
        for run in self.ear.take_over():
            self._tell(BotSpoke(run.began_ms, run.ended_ms, run.heard_ms, run.text))

    def _watch_limits(self) -> None:
        now_ms, progress = self.now_ms, self.progress
        if progress.ended_ms is not None:
            if now_ms - progress.ended_ms > _CLOSE_LIMIT_MS and not self.over:
                self.complaints.add("not_closed_after_session_end")
                self.over = True
        elif self._asked_ms is not None and now_ms - self._asked_ms > _ACCEPT_LIMIT_MS:
            self.fail("error", "not_answered", "session.resume" if progress.losses else "session.initiate")
        elif progress.open_loss is not None and now_ms - progress.open_loss.lost_ms > _RESUME_LIMIT_MS:
            self.fail("error", "not_resumed", f"lost with code {progress.open_loss.code}")
        elif now_ms > self._settings.limit_s * 1000:
            self.complaints.add("call_too_long")
            self._end("error", "the call took too long")
        elif (dry := self.ear.dry_open) is not None and OPEN_LIMIT_MS <= dry[1] < OPEN_LIMIT_MS + TICK_MS:
            self.complaints.add("stream_left_open", dry[0])

    # --- what the bot says ---

    def _obey(self, frame: ToVaic | Any) -> None:
        match frame:
            case PlayStreamChunk():
                self._hear(frame)
            case PlayStreamStart():
                barge_in = (frame.activity_params or {}).get("bargeIn")
                media, text = KNOWN[frame.media_format], frame.alt_text or ""
                self.ear.open(
                    frame.stream_id, media, text=text, barge_in=barge_in if isinstance(barge_in, bool) else None
                )
            case PlayStreamStop():
                self.ear.close()
            case SpeechStarted():
                self._cut(barge_in=self._params.barge_in)
            case SpeechRecognition() if frame.alternatives:
                self._recognised(frame.alternatives[0].text)
            case UserStreamStarted() if not self._user.started():
                self.complaints.add("unasked_frame", frame.type)
            case UserStreamStarted():
                self._header_due = self.media is not None and self.media.wav
            case UserStreamStopped() if not self._user.stopped():
                self.complaints.add("unasked_frame", frame.type)
            case SessionAccepted():
                self._accepted(frame)
            case SessionError():
                self._given_up(frame.reason)
            case BotActivities():
                for activity in frame.activities:
                    if self._referee.allows_activity(activity):
                        self._act(activity)
            case _:
                pass  # messages that affect only VAIC's timers and log

    def _hear(self, frame: PlayStreamChunk) -> None:
        media = self.ear.media
        try:
            audio = b64decode(frame.audio_chunk, validate=True)
        except (binascii.Error, ValueError):
            self.complaints.add("bad_audio", frame.stream_id)
            return
        if media is None:
            return
        if media.wav:
            try:
                begin = audio_at(audio, media)
            except WireError as error:
                self.complaints.add(error.reason, error.detail)
                return
            if begin is None:
                self.complaints.add("wav_header", "no audio follows")
                return
            audio = audio[begin:]
        self._referee.sound(audio, media)
        self.ear.feed(audio)
        if self.ear.max_lead_ms > AUDIO_AHEAD_MS:
            self._flooded(f"audio: {self.ear.max_lead_ms // 1000} s ahead of what is played")

    def _flooded(self, told: str) -> None:
        self.flood = told
        self.fail("error", "floods", told)

    def _cut(self, *, barge_in: bool) -> None:
        """Interrupt the bot's speech. barge_in: the default for streams that do not say."""
        heard = self.ear.cut(barge_in=barge_in)
        if not self.ear.accepting:
            self._referee.interrupted()
        if heard is None:
            return
        said = self.mouth.utterances[-1] if self.mouth.utterances else None
        stop_ms = None
        if said is not None and heard.began_ms <= said.onset_ms <= self.now_ms:
            stop_ms = max(heard.ended_ms - said.onset_ms, 0)
            self.progress.barge_in_stop_ms.append(stop_ms)
        self.progress.barge_ins += 1
        self._tell_heard()
        self._tell(BargedIn(self.now_ms, stop_ms))

    def _recognised(self, text: str) -> None:
        self.mouth.recognised(text, self.now_ms)
        self._tell(CallerRecognised(self.now_ms, text))
        if not self._params.barge_in:
            self._user.await_reply(self.now_ms + self._params.resume_recognition_timeout_ms)

    def _accepted(self, frame: SessionAccepted) -> None:
        media = KNOWN.get(frame.media_format or "")
        if self._settings.chat:
            media = NO_AUDIO  # VAIC's own library names a format all the same
        elif self.media is not None and frame.media_format is None:
            media = self.media  # to a resume: what was agreed on
        elif frame.media_format not in self._settings.offered:
            media = None
        if media is None:
            self._end("error", "media format was not offered")
            return
        self._asked_ms, self.up_since_ms = None, self.now_ms
        if self.media is not None:
            if (loss := self.progress.open_loss) is not None:
                loss.resumed_ms = self.now_ms
            self._tell(Resumed(self.now_ms))
            return
        self.media = media
        self._event("start", parameters=self._start_parameters())

    def _start_parameters(self) -> dict[str, Any]:
        return {
            "vaigConversationId": self._settings.conversation_id,
            "caller": self._settings.caller,
            "callerHost": "caller.example",
            "callee": self._settings.callee,
            "calleeHost": "callee.example",
            **self._settings.start,
        }

    def _given_up(self, reason: str) -> None:
        loss = self.progress.open_loss
        if loss is not None:
            if loss.code == 1000:
                self.complaints.add("closed_to_hang_up")
            self.fail("error", "resume_refused", reason)
        elif self.media is None:
            self.fail("refused", "refused", reason)
        else:
            self.fail("error", "session_error", reason)

    def _act(self, activity: BotActivity) -> None:
        if not self.requests.take(activity, self._params, self.now_ms):
            return
        params = activity.activity_params or {}
        if activity.session_params:
            self._configure(activity.session_params)
        match "message" if activity.type == "message" else (activity.name or "").lower():
            case "hangup":
                self._referee.hung_up()
                self._end("bot-disconnected", str(params.get("hangupReason", "")))
            case "transfer" | "handover":
                self.progress.transfer_target = str(params["transferTarget"])
                self._referee.hung_up()
                if not self.requests.rings(self._params, self.now_ms):
                    self._end("transferred", str(params.get("handoverReason", "")))
            case "abortprompts":
                self.requests.cut()
                self._cut(barge_in=True)
            case "message" if self._settings.chat:
                self.texts.append(WrittenText("bot", activity.text or "", self.now_ms))
                self._tell(BotWrote(self.now_ms, activity.text or ""))
            case "message":
                self.complaints.add("not_played", "message: this telephone plays streams only")
            case _:
                pass  # not audible to the caller

    def _configure(self, params: dict[str, Any]) -> None:
        if self._settings.half_duplex:
            params = {name: value for name, value in params.items() if name != "bargeIn"}
        try:
            self._params = self._params.changed(params)
        except ValidationError as error:
            wrong = ", ".join(str(each["loc"][0]) for each in error.errors())
            self.complaints.add("bad_params", wrong)

    # --- messages to the bot ---

    def _end(self, reason_code: str, reason: str) -> None:
        if self.progress.ended:
            return
        was_up = self._on_line
        if was_up:
            conversation_id = self._settings.conversation_id
            self._send(SessionEnd(conversation_id=conversation_id, reason_code=reason_code, reason=reason))
        self._finish(reason_code)
        self.over = not was_up

    def _finish(self, outcome: str) -> None:
        if self.progress.ended:
            return
        self._referee.ended()
        self.ear.void()
        self._tell_heard()
        self.progress.end(outcome, self.now_ms)
        self._tell(Ended(self.now_ms, outcome))

    def _event(self, name: str, **fields: Any) -> None:
        self._activity("event", name=name, **fields)

    def _activity(self, kind: str, **fields: Any) -> None:
        if self.progress.ended:
            return
        self._activities += 1
        activity = Activity(type=kind, id=f"a-{self._activities}", timestamp=self._timestamp(), **fields)
        self._send(Activities(conversation_id=self._settings.conversation_id, activities=(activity,)))

    def _send(self, frame: CamelFrame) -> None:
        self.outbox.append(frame.to_wire().decode())
