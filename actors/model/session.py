"""One model session: speaks the OpenAI Realtime GA interface on one socket.

Only it asks for responses (through the scheduler); it drops late audio and reports to the model what was heard.
May import: actors, protocols, loguru, the standard library. Rules from: docs/specs/openai-realtime.md 4, 6, 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never
from uuid import uuid4

from loguru import logger

from actors.messages.call import (
    AskedAside,
    BotSaid,
    CallerSaid,
    CallerSpeaks,
    CallMessage,
    FunctionCalled,
    ImageRefused,
    ModelReady,
    ResponseEnded,
    SettingRefused,
    SilenceBroken,
    TurnOverrun,
)
from actors.messages.model import (
    CallerAudio,
    CallerTyped,
    EndTurn,
    FunctionOutput,
    Heard,
    KeyStoppedBot,
    ModelDeadline,
    ModelSocketMessage,
    ModelTick,
    OutOfBandRequest,
    Retire,
    SessionChanged,
    ShowImageItem,
    Speak,
    TakeOver,
)
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import (
    AwaitWords,
    BotAudio,
    BotAudioEnded,
    BotText,
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerTurnCommitted,
    VaicSocketMessage,
)
from actors.metrics import (
    LATE_DELTAS,
    MCP_APPROVALS,
    MODEL_ERROR_CODES,
    MODEL_ERRORS,
    MODEL_LIMITED,
    MODEL_OVERRUNS,
    MODEL_STALLS,
    UPDATES_REFUSED,
)
from actors.model.figures import SessionFigures
from actors.model.phase import CONFIGURED, LIVE, SESSION, Action, Event, Phase
from actors.model.side_questions import OutOfBandRequests, is_out_of_band
from actors.system.actor import LoopActor
from actors.system.address import Address, NullRef, ParentLink, send
from actors.transport.circuit import Milestone
from actors.transport.dialler import DialFailed, Dialled, Dials, Purpose
from actors.transport.rate_limit import EVENT_BYTES, EVENTS_AHEAD, EVENTS_PER_S, TokenBucket
from actors.transport.violations import ProtocolViolations, cut
from actors.transport.websocket import Wire, WireClosed, WireQuiet, WireText
from fsm.spec import ToolSpec
from protocols.errors import MisuseError, ModelRefused, TransportLost, WireError
from protocols.frames import NOT_UTF8, NOT_UTF8_CODE, TOO_MANY_VALUES, FrameTemplate, Unknown
from protocols.limits import NAME_CHARS, TURN_CHARS
from protocols.media import decoded_bytes, realtime_format
from protocols.realtime import server_events as server
from protocols.realtime.client_events import (
    ClientEvent,
    ConversationItemCreate,
    ConversationItemDelete,
    InputAudioBufferAppend,
    InputAudioBufferCommit,
    ResponseCancel,
)
from protocols.realtime.function_calls import FunctionCalls
from protocols.realtime.mcp_calls import REQUEST as MCP_REQUEST
from protocols.realtime.mcp_calls import McpCalls
from protocols.realtime.objects import (
    EffectiveSession,
    ErrorDetail,
    FunctionCallOutputItem,
    InputText,
    Item,
    NewItem,
    Response,
    ResponseRequest,
    UserMessage,
)
from protocols.realtime.refusals import FINAL_CLOSE, FINAL_CODES, PASSING_TYPES, RATE_LIMITS
from protocols.realtime.response_slot import BudgetAction, ResponseSlot
from protocols.realtime.responses import DROPPED, NEXT, RunningResponses, WrittenResponses
from protocols.realtime.scheduler import ALREADY_ACTIVE, Order, ResponseScheduler, is_asked
from protocols.realtime.session_updates import SessionUpdates
from protocols.realtime.turn_names import TurnNames

APPEND = FrameTemplate(InputAudioBufferAppend, "audio")
# input_audio_buffer.committed after speech_stopped, which follow one another; without it the turn was dropped.
COMMIT_LIMIT_S = 1.0
SETUP_LIMIT_S = 15.0  # from dialling to session.updated; a slower session counts as lost
# Codes of errors that are logged, each once a session: the server chooses them.
MOST_LOGGED = 20
COMMIT_EMPTY = "input_audio_buffer_commit_empty"
# Errors the API sends in normal operation, when an event of ours arrives a moment too late (1.5).
BENIGN = frozenset(
    {ALREADY_ACTIVE, "response_cancel_not_active", "unsupported_content_type", "invalid_value", COMMIT_EMPTY}
)
_WITH_RESPONSE = (server.ResponseCreated, server.ResponseDone)


class OpenAISocket(LoopActor):
    """One model session of one conversation.

    Receives: ModelSocketMessage. Sends the VAIC session BotAudio and the caller's turns, its supervisor the rest.
    Raises: TransportLost if the socket is lost, WireError if the server refuses the configuration, ModelRefused if it
    would refuse any other session too.
    """

    droppable = (CallerAudio,)

    def __init__(
        self,
        parent_link: ParentLink,
        config: ModelSessionConfig,
        dialler: Dials,
        call: Address[CallMessage],
        vaic: Address[VaicSocketMessage],
    ) -> None:
        super().__init__(parent_link)
        self._config = config
        self._name = parent_link.child
        self._dialler = dialler
        self._purpose = Purpose(config.conversation_id, config.settings, config.media)
        self._call = call
        self._vaic = vaic
        self._log = logger.bind(conversation=config.conversation_id)
        self._violations = ProtocolViolations("model", self._log)
        self._wire: Wire | None = None
        self._phase = SESSION.start
        self._expires_at: float | None = None
        self._scheduler = ResponseScheduler()
        self._due_ms: float | None = None  # when the scheduler is looked at next, if it asked for that
        self._stopped_ms: float | None = None  # when the caller stopped, while that turn is not committed
        self._ended_by_us = False  # the turn to be committed next, which the server will not answer by itself
        self._turns = TurnNames(lambda: uuid4().hex, config.used)
        self._responses = (WrittenResponses if config.text else RunningResponses)(config.media, config.used)
        self._out_of_band = OutOfBandRequests()
        self._events = TokenBucket(EVENTS_PER_S, EVENTS_AHEAD, self.now_ms)
        self._calls = FunctionCalls(config.open_calls)
        self._mcp_calls = McpCalls(config.settings.approved)
        self._updates = SessionUpdates()
        self._figures = SessionFigures(config)
        self._logged: set[str] = set()  # codes of errors; all are counted
        self._answer_instructions = ""  # for the response about the newest output

    def on_start(self) -> None:
        self._dialler.dial(self.actor_ref, self._purpose)
        self._figures.dialling(self.now_ms())
        self.after(SETUP_LIMIT_S, ModelTick(ModelDeadline.SETUP))

    def on_stop(self) -> None:
        if self._figures.rates_left:
            self._log.info("least left of the model's rate limits", **self._figures.rates_left)
        if self._wire is not None:
            self._wire.attach(NullRef())
            self._wire.close(1000)

    def on_failure(self, *_: object) -> None:
        for item_id in self._responses.all_unended():
            self._vaic.tell(BotAudioEnded(item_id, cut_off=True))
        for item_id in self._calls.images.doubtful:
            send(self._call, ImageRefused(item_id, "session lost", lost=True))
        if self._wire is not None:
            self._wire.attach(NullRef())
            self._wire.abort()

    def on_unread(self, message: ModelSocketMessage) -> None:
        if isinstance(message, Dialled):
            message.wire.close(1000)

    def on_receive(self, message: ModelSocketMessage) -> None:
        # These two come fifty times a second, and a `match` makes a set and a list for each that it finds.
        if type(message) is CallerAudio:
            if self._wire is not None:
                payload = message.payload
                self._wire.send(APPEND.fill(payload))
                # Inlined where it is not padded, as it is at 24 kHz: this is the hot path.
                self._figures.sent_bytes += decoded_bytes(payload) if payload[-1] == "=" else len(payload) * 3 // 4
            return
        if type(message) is WireText:
            self._read(message.data)
            return
        match message:
            case TakeOver():
                self._take_over(message.config)
            case Retire():
                self._step(Event.RETIRE)
            case ModelTick():
                self._tick(message.deadline)
            case Dialled():
                self._wire = message.wire
                self._wire.attach(self.actor_ref)
                self._figures.dialled(self.now_ms())
                self._step(Event.DIALLED)
            case DialFailed():
                lost = TransportLost(message.status or 1006, message.reason)
                self._step(Event.DIAL_FAILED, ModelRefused(message.reason) if message.final else lost)
            case WireQuiet():
                self._vaic.tell(AwaitWords(due=message.quiet))
            case WireClosed():
                if message.code == FINAL_CLOSE:
                    self._refused("closed with 4000")
                self._step(Event.CLOSED, TransportLost(message.code, message.reason))
            case _:
                self._convey(message)

    # --- from the call ---

    def _convey(
        self,
        message: Heard
        | FunctionOutput
        | ShowImageItem
        | SessionChanged
        | Speak
        | EndTurn
        | CallerTyped
        | KeyStoppedBot
        | OutOfBandRequest,
    ) -> None:
        match message:
            case Heard():
                self._send_all(self._responses.heard(message.items))
            case FunctionOutput():
                self._calls.answered(message.call_id, message.output)
                self._answer_instructions = message.instructions
                self._settle()
            case ShowImageItem():
                self._calls.images.show(message.item)
                self._settle()
            case SessionChanged():
                self._change(message.instructions, message.tools)
            case Speak():
                self._want(ResponseRequest(instructions=message.instructions, tools=()))
            case EndTurn() if self._phase in LIVE:
                self._end_turn()
            case EndTurn():
                pass  # the session that heard it is gone
            case CallerTyped() if self._phase not in LIVE:
                self._log.warning("keys pressed before the model could take them", keys=len(message.text))
            case CallerTyped():
                self._scheduler.caller_acted()
                self._create(UserMessage(content=(InputText(text=message.text),)))
                if message.answer:
                    self._want(ResponseRequest())
            case KeyStoppedBot():
                if self._responses.discard(message.item_id):
                    self._order(self._scheduler.cancel())
            case OutOfBandRequest() if self._phase not in LIVE or self._config.settings.profile.no_asides:
                message.reply.set(None)
            case OutOfBandRequest():
                self._send(self._out_of_band.ask(message))
            case _:
                assert_never(message)

    # --- from the model ---

    def _read(self, data: bytes) -> None:
        try:
            event = server.SERVER_EVENTS.parse(data, self._violations.bad_field)
        except WireError as error:
            self._violations.bad_frame(error)
            if error.reason == NOT_UTF8:
                self._close_broken()
            elif error.reason == TOO_MANY_VALUES:
                self._count_event(len(data))  # to find that out takes as long as to do something
            return
        if isinstance(event, server.OutputAudioDelta):  # first, and not among the others: fifty times a second
            self._scheduler.latest_part_ms = self.now_ms()  # inlined `part_arrived`
            self._pass_on(event)
            return
        if isinstance(event, server.PartOfResponse):
            self._scheduler.part_arrived(self.now_ms())
        match event:
            case Unknown():
                self._violations.unknown(event.type)
            case server.SessionCreated() | server.ConversationCreated() | server.SessionUpdated() | server.Error():
                self._set_up(event)
            case _ if isinstance(event, server.OfCallersTurn):
                self._count_event(len(data))
                self._caller_turn(event)
            case _ if self._config.only_hears and isinstance(event, (server.OfResponse, server.OfMcp)):
                self._count_event(len(data))
                self._answers_unasked(event)
            case _ if isinstance(event, server.OfResponse):
                self._count_event(len(data))
                self._response(event)
            case _ if isinstance(event, server.OfMcp):
                self._mcp(event)
            case server.RateLimitsUpdated():
                self._scheduler.rates(event.rate_limits, self.now_ms())
                self._figures.rates(event.rate_limits)
            case server.ConversationItemAdded() | server.ConversationItemCreated():
                self._calls.images.added(event.item.id)
                if event.item.type == "function_call_output":
                    self._responses.output_added(event.item.call_id)
            case _:
                pass  # known events that need no action

    def _close_broken(self) -> None:
        """The peer's text is no text: a WebSocket ends with that (RFC 6455, 8.1), and another session is dialled."""
        if self._wire is not None:
            self._wire.attach(NullRef())
            self._wire.close(NOT_UTF8_CODE, NOT_UTF8)
            self._wire = None
        self._step(Event.CLOSED, TransportLost(NOT_UTF8_CODE, NOT_UTF8))

    def _count_event(self, length: int = 0) -> None:
        """Count an event that makes the rest of the call do something; a session with too many of them is ended.

        length: of its frame, in bytes: long words cost more.
        """
        if not self._events.take(1 + min(length, TURN_CHARS) // EVENT_BYTES):
            self._violations.bad_frame(WireError("flood", "events"))
            raise TransportLost(1008, "a flood of events")

    def _pass_on(self, delta: server.OutputAudioDelta) -> None:
        item_id, payload = delta.item_id, delta.delta  # an attribute of a model is slow to read
        piece = self._responses.takes(delta.response_id, item_id, payload)
        if piece is not NEXT:
            if piece is DROPPED and self._began_untold(delta.response_id):
                piece = self._responses.takes(delta.response_id, item_id, payload)
            if piece is DROPPED:
                if self._config.text:
                    self._violations.bad_frame(WireError("audio_in_writing"))
                else:
                    LATE_DELTAS.inc()
                return
            self._count_event()
            self._mcp_calls.spoken()
            self._responses.first_came(delta.response_id, self.now_ms())
        if self._responses.names:
            item_id = self._responses.name(delta.response_id, item_id)
        self._vaic.tell(BotAudio(item_id, payload))

    def _began_untold(self, response_id: str) -> bool:
        """Whether this is the response that is waited for, although nobody has told that it began. Then it has."""
        if self._scheduler.slot is not ResponseSlot.REQUESTED or self._out_of_band.any or self._config.only_hears:
            return False
        if self._responses.known(response_id):
            return False
        self._violations.bad_frame(WireError("response_untold"))
        self._response(server.ResponseCreated(response=Response(id=response_id[:NAME_CHARS])))
        return True

    def _set_up(
        self, event: server.SessionCreated | server.ConversationCreated | server.SessionUpdated | server.Error
    ) -> None:
        match event:
            case server.SessionCreated():
                self._expires_at = self._told_end(event.session)
                self._figures.created(event.session)
                self._step(Event.SESSION_CREATED)
            case server.ConversationCreated():  # some servers send it instead
                self._step(Event.SESSION_CREATED)
            case server.SessionUpdated():
                if refused := self._refused_formats(event):
                    self._step(Event.FORMAT_REFUSED, self._not_as_configured(f"format refused: {refused}"))
                else:
                    if did_without := self._updates.taken():
                        self._dialler.did_without(did_without, self._purpose)
                    self._step(Event.STANDBY_UPDATED if self._config.standby else Event.SESSION_UPDATED)
            case server.Error():
                self._take_error(event)

    def _step(self, event: Event, error: Exception | None = None) -> None:
        """error: raised if the table says that this event ends the session."""
        self._phase, action = SESSION.step(self._phase, event)
        match action:
            case Action.NOTHING:
                pass
            case Action.CONFIGURE:
                self._configure()
            case Action.CONFIGURE_LESS:
                self._send(self._updates.latest)
            case Action.STAND_BY:
                self._dialler.worked(Milestone.SESSION, self._purpose)
                send(self._call, ModelReady(self._name, standby=True, dialled_ms=self._figures.dialled_ms))
            case Action.GO_LIVE:
                self._go_live()
            case Action.LEAVE_IF_QUIET:
                self._look_for_quiet()
            case Action.STOP:
                self.stop()
            case Action.RAISE:
                raise error or MisuseError(f"{event.name} ends a session but carries no error")
            case _:
                assert_never(action)

    def _configure(self) -> None:
        left_out = self._dialler.left_out(self._purpose)
        for setting in left_out:  # this call is without it too
            UPDATES_REFUSED.labels("left out").inc()
            send(self._call, SettingRefused(setting))
        self._send(self._updates.set_up(self._config.session(), left_out))

    def _told_end(self, session: EffectiveSession) -> float | None:
        try:
            return session.ends_at()
        except WireError as error:  # the session itself is as good as any
            self._violations.bad_field(error)
            return None

    def _refused_formats(self, event: server.SessionUpdated) -> str:
        """The directions (input, output) whose format is not the one asked for; "" if none."""
        wanted = realtime_format(self._config.media).type
        got = {side: event.session.format_type(side) for side in ("input", "output")}
        return ", ".join(f"{side}: {form}" for side, form in got.items() if form not in ("", wanted))

    def _go_live(self) -> None:
        self._dialler.worked(Milestone.SESSION, self._purpose)
        for item in self._config.history:
            self._create(item)
        dialled_ms = 0.0 if self._config.standby else self._figures.dialled_ms  # told already
        send(self._call, ModelReady(self._name, expires_at=self._expires_at, dialled_ms=dialled_ms))
        self._settle()
        if self._config.answer_due:
            self._want(ResponseRequest())

    def _take_over(self, config: ModelSessionConfig) -> None:
        self._calls = FunctionCalls(config.open_calls)
        self._change(config.instructions, config.tools)
        self._config = config
        self._responses.use(config.used)
        self._turns.use(config.used)
        self._step(Event.TAKE_OVER)

    def _look_for_quiet(self) -> None:
        if self._scheduler.idle and not self._turns.untold:
            self._step(Event.QUIET)

    def _refused(self, reason: str) -> None:
        """The API refuses service: report that to the circuit breaker, and end this session."""
        step = Milestone.RESPONSE if self._phase in LIVE else Milestone.SESSION
        self._dialler.refused(reason, self._purpose, step)
        self._step(Event.REFUSED, ModelRefused(reason))

    def _not_as_configured(self, reason: str) -> ModelRefused:
        """The server refuses the configuration, which all calls share unless this one has a conversation to restore."""
        if not self._config.history and self._phase not in LIVE:
            self._dialler.refused(reason, self._purpose, Milestone.SESSION)
        return ModelRefused(reason)

    def _take_error(self, event: server.Error) -> None:
        error = event.error
        code = error.code or error.type
        if code in FINAL_CODES:
            self._refused(code)
        MODEL_ERRORS.labels(MODEL_ERROR_CODES.of(code)).inc()
        if self._phase in LIVE:
            self._refused_event(error)
        else:
            self._refused_configuration(error, code)
        if code not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged.add(code)
            log = self._log.info if error.code in BENIGN else self._log.warning
            log("model error", code=code, param=error.param)

    def _refused_configuration(self, error: ErrorDetail, code: str) -> None:
        """The server answered the configuration with an error: do without what it refuses, if the call can."""
        error = error.model_copy(update={"param": self._config.settings.profile.our_path(error.param)})
        what = f"session refused: {code} {error.param or ''}".strip()
        if error.type in PASSING_TYPES or error.code in RATE_LIMITS:
            self._step(Event.ERROR, WireError("session_refused", what))
        elif self._phase is Phase.CONFIGURING and (smaller := self._updates.smaller_whole(error)) is not None:
            setting, _ = smaller
            UPDATES_REFUSED.labels("set up without").inc()
            self._log.warning("the model refuses a setting: the session does without it", setting=setting, code=code)
            send(self._call, SettingRefused(setting))
            self._step(Event.SETTING_REFUSED)
        else:
            self._step(Event.ERROR, self._not_as_configured(what))

    def _refused_event(self, error: ErrorDetail) -> None:
        """The server answered an event of a live session with an error."""
        if error.code == COMMIT_EMPTY:  # the turn had ended by itself
            self._ended_by_us = False
        if self._out_of_band.refused(error.event_id):
            return
        if refused := self._calls.images.refused(error):
            if len(refused) > 1:  # all but one may be there
                self._delete(refused)
            self._tell_refused(refused, error.code or error.type)
            return
        if self._updates.refused(error):
            smaller = self._updates.smaller(error)
            UPDATES_REFUSED.labels("given up" if smaller is None else "made smaller").inc()
            self._send_all(() if smaller is None else (smaller,))
            return
        orders = self._scheduler.refused(error, self.now_ms())
        if orders is None:
            return
        if error.code in RATE_LIMITS:
            MODEL_LIMITED.labels("request").inc()
        self._order(orders)
        if self._scheduler.given_up:
            limited = self._scheduler.limited
            send(self._call, ResponseEnded("failed", (), 0, {}, given_up=True, limited=limited))

    def _caller_turn(self, event: server.OfCallersTurn) -> None:
        match event:
            case server.SpeechStarted():
                self._stopped_ms = None
                self._vaic.tell(CallerBargedIn())
                self._responses.discard_all()
                now_ms = self.now_ms()
                self._scheduler.speech_started(now_ms)
                onset_ms = self._figures.onset_ms(event, now_ms)
                send(self._call, CallerSpeaks(self._turns.began(event.item_id), True, now_ms, onset_ms))
            case server.SpeechStopped():
                self._vaic.tell(CallerFellSilent())
                self._stopped_ms = now_ms = self.now_ms()
                self.after(COMMIT_LIMIT_S, ModelTick(ModelDeadline.COMMIT))
                quiet_ms = self._figures.quiet_ms(event, now_ms)
                send(self._call, CallerSpeaks(self._turns.ended(event.item_id), False, now_ms, quiet_ms))
            case server.InputAudioBufferCommitted():
                self._committed(event.item_id)
            case server.TimeoutTriggered():
                self._turns.fell_idle(event.item_id)
                send(self._call, SilenceBroken())
            case server.TranscriptionCompleted() | server.TranscriptionFailed():
                self._transcribed(event)

    def _committed(self, item_id: str) -> None:
        due, self._stopped_ms = self._stopped_ms is not None, None
        if not self._turns.is_idle(item_id):
            if not self._turns.committed(item_id, due=due):
                self._ended_by_us = False  # a turn that we ended is told of once, perhaps by another id
                return
            if self._ended_by_us:
                self._ended_by_us = False
                return
            self._vaic.tell(CallerTurnCommitted())
        if self._config.only_hears:  # then the server answers nothing
            self._order(self._scheduler.dropped(self.now_ms()))
            return
        self._scheduler.committed(self.now_ms())
        self._watch()

    def _transcribed(self, event: server.TranscriptionCompleted | server.TranscriptionFailed) -> None:
        if self._turns.is_idle(event.item_id):
            return
        if isinstance(event, server.TranscriptionCompleted) and event.status == "in_progress":
            return  # more is to come
        if isinstance(event, server.TranscriptionFailed):
            self._log.warning("transcription failed", code=event.error.code)
        else:
            text = cut(event.transcript.strip(), TURN_CHARS, "transcript")
            used = self._figures.used_to_hear(event)
            send(self._call, CallerSaid(self._turns.of(event.item_id), text, used))
            if text:
                self._vaic.tell(CallerRecognised(text))
        self._turns.told(event.item_id)
        self._look_for_quiet()

    def _end_turn(self) -> None:
        self._ended_by_us = True
        self._send(InputAudioBufferCommit())
        self._vaic.tell(CallerFellSilent())
        self._order(self._scheduler.dropped(self.now_ms()))

    def _response(self, event: server.OfResponse) -> None:
        told = event.response.id if isinstance(event, _WITH_RESPONSE) else event.response_id
        named = self._responses.named(told)
        created = isinstance(event, server.ResponseCreated) and bool(told)
        once = created or isinstance(event, server.ResponseDone | server.OutputItemDone)
        # Begun anew, a response would count as unheard, and be asked for again; its end may cause a request too.
        again = created and self._responses.runs(told)
        if again or (once and self._responses.over(named)):
            self._violations.bad_frame(WireError("response_begun" if again else "response_over", event.type))
            return
        match event:
            case server.ResponseCreated() if is_out_of_band(event.response):
                pass
            case server.ResponseCreated():
                if self._stopped_ms is not None and not is_asked(event.response):  # then the turn must be committed
                    self._committed("")
                self._calls.response_began(event.response.id)
                knows_all = not self._responses.outputs_on_the_way
                too_late = self._scheduler.created(event.response, self.now_ms(), knows_all)
                self._responses.begun(event.response, discarded=bool(too_late), now_ms=self.now_ms())
                self._order(too_late)
            case server.ResponseDone() if is_out_of_band(event.response):
                self._out_of_band.ended(event.response)
                if (used := self._figures.used(event.response)).tokens:
                    send(self._call, AskedAside(used))
            case server.ResponseDone():
                self._end_response(event.response.model_copy(update={"id": named}))
            case server.OutputItemDone() if event.item.type == "message":
                self._take_text(named, event.item)
            case server.OutputItemDone():
                self._take_call(named, event.item)
            case server.OutputAudioDone():
                if self._responses.audio_ended(named, event.item_id):
                    self._vaic.tell(BotAudioEnded(self._responses.name(named, event.item_id)))
            case server.OutputAudioTranscriptDone() if self._config.text:
                pass  # its item has the words too
            case server.OutputAudioTranscriptDone():
                self._responses.worded(named, event.item_id)
                self._say(self._responses.name(named, event.item_id), event.transcript)

    def _answers_unasked(self, event: server.OfResponse | server.OfMcp) -> None:
        """An answer in a session that only transcribes: nobody takes it, and it would be billed to its end."""
        self._violations.bad_frame(WireError("answers_unasked", event.type))
        if isinstance(event, server.ResponseCreated):
            self._send(ResponseCancel(response_id=event.response.id))

    def _mcp(self, event: server.OfMcp) -> None:
        self._count_event()
        match event:
            case server.McpCallInProgress():
                self._mcp_calls.began(event.item_id)
                return
            case server.McpListToolsFailed():
                self._log.warning("the tools of an MCP server could not be listed")
                return
            case server.McpCallFailed():
                self._log.warning("the model's server could not carry out an MCP tool")
            case server.McpCallCompleted():
                pass
        self._mcp_calls.ended(event.item_id)
        self._tell_of_mcp()

    def _tell_of_mcp(self) -> None:
        """Ask for a response about what MCP tools have done, once no other response runs."""
        if self._scheduler.slot is ResponseSlot.FREE and self._mcp_calls.take_due():
            self._want(ResponseRequest())

    def _approve(self, item: Item) -> None:
        answer = self._mcp_calls.asked(item)
        MCP_APPROVALS.labels("approved" if answer.approve else "refused").inc()
        self._log.info("the model asks for an MCP tool", server=item.server_label, tool=item.name, may=answer.approve)
        self._create(answer)

    def _take_text(self, response_id: str, item: Item) -> None:
        """An item of a call in writing: its text, or the words of what some servers speak all the same."""
        if not self._config.text:
            return
        words = "".join(part.text or part.transcript or "" for part in item.content)
        text = cut(words.strip(), TURN_CHARS, "transcript")
        if text and self._responses.takes_text(response_id, item.id):
            name = self._responses.name(response_id, item.id)
            send(self._call, BotSaid(name, text))
            self._vaic.tell(BotText(name, text, cut_off=item.status == "incomplete"))

    def _take_call(self, response_id: str, item: Item) -> None:
        if item.type == MCP_REQUEST and item.id:
            self._approve(item)
            return
        # A cancelled response leaves incomplete calls behind: take only completed ones.
        if item.type != "function_call" or item.status not in ("completed", "") or not item.call_id:
            return
        if not self._calls.called(item.call_id, self._responses.running_one(response_id), response_id):
            return
        self._scheduler.called()
        cut_off = self._responses.discarded(response_id)
        arguments = cut(item.arguments, TURN_CHARS, "arguments")
        send(self._call, FunctionCalled(item.call_id, item.name, arguments, response_id, cut_off))

    def _say(self, item_id: str, words: str) -> None:
        send(self._call, BotSaid(item_id, cut(words, TURN_CHARS, "transcript")))

    def _end_response(self, response: Response) -> None:
        # What it has called and said comes in events of its own too, but one of those may be unreadable. Calls are
        # counted, and not only known by their ids, so that one with two ids is not carried out twice.
        called = [item for item in response.output if item.type == "function_call"]
        for item in called if len(called) > self._calls.made_in(response.id) else ():
            self._take_call(response.id, item)
        for item in () if self._config.text else self._responses.unworded(response):
            if words := "".join(part.transcript or "" for part in item.content):
                self._say(item.id, words)
        for item_id in self._responses.unended(response.id):  # it failed in mid-sentence
            self._vaic.tell(BotAudioEnded(item_id, cut_off=response.status != "completed"))
        running, taken_back = self._responses.ended(response.id)
        spoken = tuple(running.spoken)
        self._send_all(taken_back)
        if response.status == "failed":
            self._log.warning("response failed", code=response.error_code)
            if response.error_code in FINAL_CODES:
                self._refused(response.error_code)
            if response.error_code in RATE_LIMITS:
                MODEL_LIMITED.labels("response").inc()
            elif response.refused_input:
                self._take_images_back(response.id, response.error_code)
        if response.status == "completed":
            self._calls.images.proved(response.id)
            self._dialler.worked(Milestone.RESPONSE, self._purpose)
        calls = self._calls.response_ended(response.id)
        # Before the scheduler is free: outputs that waited for this end must precede the next response.create.
        self._settle()
        goes_on = bool(calls) or self._mcp_calls.goes_on
        self._order(self._scheduler.done(response, spoke=bool(spoken), called=goes_on, now_ms=self.now_ms()))
        self._tell_of_mcp()
        if self._mcp_calls.goes_on:
            self._vaic.tell(AwaitWords(due=True))
        given_up, limited = self._scheduler.given_up, self._scheduler.limited
        ended = ResponseEnded(
            response.status,
            spoken,
            calls,
            response.tokens(),
            given_up,
            response.id,
            limited,
            self._figures.used(response),
            running.asked_ms,
            running.first_ms,
            dict(self._figures.rates_left),
        )
        send(self._call, ended)
        self._look_for_quiet()

    # --- to the model ---

    def _settle(self) -> None:
        """Send the outputs whose calls are in the conversation; when all are sent, ask for a response about them."""
        if self._phase not in LIVE:
            return
        items, speak = self._calls.settle()
        for item in items:
            self._create(item)
            if isinstance(item, FunctionCallOutputItem):
                self._responses.output_sent(item.call_id)
        if speak:
            told, self._answer_instructions = self._answer_instructions, ""
            self._want(ResponseRequest(instructions=told, tools=()) if told else ResponseRequest())

    def _want(self, request: ResponseRequest) -> None:
        self._order(self._scheduler.want(request, self.now_ms()))

    def _order(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if isinstance(order, BudgetAction):
                self._overrun(order)
            else:
                self._send(order)
        self._watch()

    def _overrun(self, action: BudgetAction) -> None:
        MODEL_OVERRUNS.labels(action.value).inc()
        self._log.warning("the model exceeds the budget of one turn", action=action.value)
        if action is BudgetAction.SAY_OWN_WORDS:
            send(self._call, TurnOverrun())

    def _watch(self) -> None:
        if self._scheduler.held(self.now_ms()):
            self._vaic.tell(AwaitWords(due=True))
        tick_ms = self._scheduler.next_tick_ms()
        if tick_ms is None or (self._due_ms is not None and self._due_ms <= tick_ms):
            return
        self._due_ms = tick_ms
        self.after(max(0.0, tick_ms - self.now_ms()) / 1000, ModelTick(ModelDeadline.RESPONSE))

    def _tick(self, deadline: ModelDeadline) -> None:
        match deadline:
            case ModelDeadline.SETUP:
                self._step(Event.SETUP_OVERDUE, TransportLost(1006, "the model's session was not set up in time"))
            case ModelDeadline.COMMIT:
                if self._stopped_ms is not None and self.now_ms() - self._stopped_ms >= COMMIT_LIMIT_S * 1000:
                    self._stopped_ms = None
                    self._order(self._scheduler.dropped(self.now_ms()))
            case ModelDeadline.RESPONSE:
                self._due_ms = None
                orders = self._scheduler.tick(self._responses.something_heard(), self.now_ms())
                if any(isinstance(order, ResponseCancel) for order in orders):
                    MODEL_STALLS.inc()
                    self._log.warning("nothing more of a response arrives: it is cancelled")
                self._order(orders)
                if self._scheduler.dead:
                    self._step(Event.ANSWERS_NOTHING, TransportLost(1006, "the model answers nothing"))
            case _:
                assert_never(deadline)

    def _change(self, instructions: str, tools: tuple[ToolSpec, ...]) -> None:
        self._config = replace(self._config, instructions=instructions, tools=tools)
        if self._phase in CONFIGURED:
            self._send(self._updates.update(self._config.task_session()))

    def _create(self, item: NewItem) -> None:
        if item.id is None:
            self._send(ConversationItemCreate(item=item))
        else:  # an image, which the server may refuse
            self._calls.images.sent(item.id)
            self._send(ConversationItemCreate(event_id=item.id, item=item))

    def _take_images_back(self, response_id: str, code: str) -> None:
        """Images that no response was completed with yet may be why one has failed, and would be of the next ones."""
        blamed = self._calls.images.blamed(response_id)
        self._delete(blamed)
        self._tell_refused(blamed, code)

    def _delete(self, item_ids: Iterable[str]) -> None:
        self._send_all(ConversationItemDelete(item_id=item_id) for item_id in item_ids)

    def _tell_refused(self, images: Iterable[str], code: str) -> None:
        for item_id in images:
            send(self._call, ImageRefused(item_id, code))

    def _send_all(self, events: Iterable[ClientEvent]) -> None:
        for event in events:
            self._send(event)

    def _send(self, event: ClientEvent) -> None:
        if self._wire is not None:
            self._wire.send(self._config.settings.profile.to_wire(event))
