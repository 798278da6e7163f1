"""The model's side of a call: speaks the OpenAI Realtime GA interface on one wire.

It alone asks for responses (through the scheduler), drops what comes too late, and tells the model what was heard.
May import: actors, protocols, loguru, the standard library. Rules from: specs/openai-realtime.md 4, 6, 7.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from loguru import logger

from actors.address import Address, Nobody, Post, send
from actors.consultation import CONSULT, chosen, consultation
from actors.counters import LATE_DELTAS, MODEL_ERRORS
from actors.dialler import DialFailed, Dialled, Dials
from actors.messages import (
    BotAudio,
    BotAudioEnded,
    BotSaid,
    CallerAudio,
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerSaid,
    CallerSpeaks,
    CallerTurnCommitted,
    CallerTyped,
    CallMessage,
    Consult,
    FunctionCalled,
    FunctionOutput,
    Heard,
    ModelReady,
    ModelSocketMessage,
    ModelTick,
    ResponseEnded,
    SessionChanged,
    Speak,
    VaicSocketMessage,
)
from actors.model_side import ModelSide
from actors.oddities import Oddities
from actors.runtime import LoopActor
from actors.wire import Wire, WireClosed, WireText
from fsm.spec import ToolSpec
from protocols.errors import TransportLost, WireError
from protocols.frames import Stencil, Unknown
from protocols.media import realtime_format
from protocols.realtime import server_events as server
from protocols.realtime.client_events import (
    ClientEvent,
    ConversationItemCreate,
    InputAudioBufferAppend,
    ResponseCreate,
    SessionUpdate,
)
from protocols.realtime.function_calls import FunctionCalls
from protocols.realtime.objects import InputText, Item, NewItem, Response, ResponseRequest, UserMessage
from protocols.realtime.responses import RunningResponses
from protocols.realtime.scheduler import ALREADY_ACTIVE, Order, ResponseScheduler

APPEND = Stencil(InputAudioBufferAppend, "audio")
# Caller audio kept while the model cannot hear yet; older sound is of no use to an answer.
KEPT_MS = 4000
# In a response's metadata: the task's step whose sentence it is to say.
STEP = "step"
# A session that is not configured by then is not going to be.
SETUP_LIMIT_S = 15.0
# Errors the interface sends in the normal course of things (1.5): somebody was a moment too late.
BENIGN = frozenset({ALREADY_ACTIVE, "response_cancel_not_active", "unsupported_content_type", "invalid_value"})


class OpenAISocket(LoopActor):
    """One model session of one conversation.

    Is told: ModelSocketMessage. Tells the caller's side: BotAudio and the caller's turns; its supervisor: the rest.
    Dies of TransportLost when the socket goes, of WireError when the session cannot be had as asked.
    """

    def __init__(
        self,
        post: Post,
        side: ModelSide,
        dialler: Dials,
        call: Address[CallMessage],
        vaic: Address[VaicSocketMessage],
    ) -> None:
        super().__init__(post)
        self._side = side
        self._dialler = dialler
        self._call = call
        self._vaic = vaic
        self._log = logger.bind(conversation=side.conversation_id)
        self._odd = Oddities("model", self._log)
        self._wire: Wire | None = None
        self._configured = self._live = False
        self._kept: deque[str] = deque()
        self._kept_ms = 0.0
        self._scheduler = ResponseScheduler()
        self._responses = RunningResponses()
        self._consults: dict[str, Consult] = {}
        self._consulted = 0
        self._calls = FunctionCalls(side.open_calls)

    def on_start(self) -> None:
        self._dialler.dial(self.actor_ref)
        self.after(SETUP_LIMIT_S, ModelTick())

    def on_stop(self) -> None:
        if self._wire is not None:
            self._wire.attach(Nobody())
            self._wire.close(1000)

    def on_failure(self, *_: object) -> None:
        if self._wire is not None:
            self._wire.attach(Nobody())
            self._wire.abort()

    def on_unread(self, message: ModelSocketMessage) -> None:
        if isinstance(message, Dialled):
            message.wire.close(1000)

    def on_receive(self, message: ModelSocketMessage) -> None:
        match message:
            case CallerAudio():  # first, being one of the two that come fifty times a second
                self._hear(message.payload)
            case WireText():
                self._read(message.data)
            case Heard():
                self._send_all(self._responses.heard(message.items))
            case FunctionOutput():
                self._calls.answered(message.call_id, message.output)
                self._settle()
            case SessionChanged():
                self._change(message.instructions, message.tools)
            case Speak():
                named = {"metadata": {STEP: message.step_id}} if message.step_id else {}
                self._want(ResponseRequest(instructions=message.instructions, tools=(), **named))
            case CallerTyped() if not self._live:
                self._log.warning("keys pressed before the model could take them", keys=len(message.text))
            case CallerTyped():
                self._create(UserMessage(content=(InputText(text=message.text),)))
                if message.answer:
                    self._want(ResponseRequest())
            case Consult():
                self._consult(message)
            case ModelTick():
                self._tick()
            case Dialled():
                self._wire = message.wire
                self._wire.attach(self.actor_ref)
            case DialFailed():
                raise TransportLost(message.status or 1006, message.reason)
            case WireClosed():
                raise TransportLost(message.code, message.reason)
            case _:
                assert_never(message)

    # --- from the caller ---

    def _hear(self, payload: str) -> None:
        if self._live:
            self._append(payload)
            return
        self._kept.append(payload)
        self._kept_ms += self._side.length_ms(payload)
        while self._kept_ms > KEPT_MS:
            self._kept_ms -= self._side.length_ms(self._kept.popleft())

    # --- from the model ---

    def _read(self, data: bytes) -> None:
        try:
            event = server.SERVER_EVENTS.parse(data)
        except WireError as error:
            self._odd.bad_frame(error)
            return
        match event:
            case server.OutputAudioDelta():
                self._pass_on(event)
            case Unknown():
                self._odd.unknown(event.type)
            case server.SessionCreated() | server.SessionUpdated() | server.Error():
                self._set_up(event)
            case (
                server.SpeechStarted()
                | server.SpeechStopped()
                | server.InputAudioBufferCommitted()
                | server.TranscriptionCompleted()
                | server.TranscriptionFailed()
            ):
                self._caller_turn(event)
            case (
                server.ResponseCreated()
                | server.ResponseDone()
                | server.OutputItemDone()
                | server.OutputAudioDone()
                | server.OutputAudioTranscriptDone()
            ):
                self._response(event)
            case server.ConversationItemAdded() if event.item.type == "function_call_output":
                self._responses.answer_added(event.item.call_id)
            case _:
                pass  # known, and of no consequence to a bridge

    def _pass_on(self, delta: server.OutputAudioDelta) -> None:
        length_ms = self._side.length_ms(delta.delta)
        if not self._responses.takes(delta.response_id, delta.item_id, length_ms):
            LATE_DELTAS.inc()
            return
        self._vaic.tell(BotAudio(delta.item_id, delta.delta))

    def _set_up(self, event: server.SessionCreated | server.SessionUpdated | server.Error) -> None:
        match event:
            case server.SessionCreated():
                self._configured = True
                self._send(SessionUpdate(session=self._side.session()))
            case server.SessionUpdated() if not self._live:
                self._go_live(event)
            case server.SessionUpdated():
                pass
            case server.Error():
                self._take_error(event)

    def _go_live(self, event: server.SessionUpdated) -> None:
        wanted = realtime_format(self._side.media).type
        for side in ("input", "output"):
            # A format that was silently refused is noise on the line.
            if (got := event.session.format_type(side)) not in ("", wanted):
                raise WireError("format_refused", f"{side}: {got}")
        for item in self._side.history:
            self._create(item)
        self._live = True
        for payload in self._kept:
            self._append(payload)
        self._kept.clear()
        send(self._call, ModelReady())
        self._settle()
        if self._side.answer_due:
            self._want(ResponseRequest())

    def _take_error(self, event: server.Error) -> None:
        code = event.error.code or event.error.type
        MODEL_ERRORS.labels(code if code.replace("_", "").isalpha() and len(code) < 64 else "other").inc()
        if not self._live:
            raise WireError("session_refused", f"{code} {event.error.param or ''}".strip())
        self._scheduler.refused(event.error.code)
        log = self._log.info if event.error.code in BENIGN else self._log.warning
        log("model error", code=code, param=event.error.param)

    def _caller_turn(
        self,
        event: server.SpeechStarted
        | server.SpeechStopped
        | server.InputAudioBufferCommitted
        | server.TranscriptionCompleted
        | server.TranscriptionFailed,
    ) -> None:
        match event:
            case server.SpeechStarted():
                self._vaic.tell(CallerBargedIn())
                self._responses.discard_all()
                self._scheduler.speech_started()
                send(self._call, CallerSpeaks(event.item_id, began=True, at_ms=self.now_ms()))
            case server.SpeechStopped():
                self._vaic.tell(CallerFellSilent())
                send(self._call, CallerSpeaks(event.item_id, began=False, at_ms=self.now_ms()))
            case server.InputAudioBufferCommitted():
                self._vaic.tell(CallerTurnCommitted())
                self._scheduler.committed(self.now_ms())
                self._watch()
            case server.TranscriptionCompleted():
                text = event.transcript.strip()
                send(self._call, CallerSaid(event.item_id, text))
                if text:
                    self._vaic.tell(CallerRecognised(text))
            case server.TranscriptionFailed():
                self._log.warning("transcription failed", code=event.error.code)

    def _response(
        self,
        event: server.ResponseCreated
        | server.ResponseDone
        | server.OutputItemDone
        | server.OutputAudioDone
        | server.OutputAudioTranscriptDone,
    ) -> None:
        match event:
            case server.ResponseCreated() if _consult_of(event.response):
                pass  # beside the conversation: neither heard nor in anybody's way
            case server.ResponseCreated():
                self._responses.begun(event.response.id, (event.response.metadata or {}).get(STEP))
                self._order(self._scheduler.created(event.response))
            case server.ResponseDone() if consult := self._consults.pop(_consult_of(event.response), None):
                consult.reply.set(chosen(event.response, tuple(consult.thought.choices)))
            case server.ResponseDone():
                self._end_response(event.response)
            case server.OutputItemDone():
                self._take_call(event.response_id, event.item)
            case server.OutputAudioDone():
                if not self._responses.discarded(event.response_id):
                    self._vaic.tell(BotAudioEnded(event.item_id))
            case server.OutputAudioTranscriptDone():
                send(self._call, BotSaid(event.item_id, event.transcript))

    def _take_call(self, response_id: str, item: Item) -> None:
        # A cancelled response leaves half-written calls behind: only a completed one is meant.
        if item.type != "function_call" or item.status not in ("completed", "") or not item.call_id:
            return
        self._calls.called(item.call_id, response_id)
        send(self._call, FunctionCalled(item.call_id, item.name, item.arguments, response_id))

    def _end_response(self, response: Response) -> None:
        running, taken_back = self._responses.ended(response.id)
        spoken = tuple(running.spoken)
        self._send_all(taken_back)
        if response.status == "failed":
            detail = response.status_details.error if response.status_details else None
            self._log.warning("response failed", code=detail.code if detail else None)
        calls = self._calls.response_ended(response.id)
        # Before the slot is free: outputs that waited for this end go out ahead of the next response, which is one.
        self._settle()
        self._order(self._scheduler.done(response, spoke=bool(spoken), now_ms=self.now_ms()))
        send(self._call, ResponseEnded(response.status, spoken, calls, _token_usage(response), running.steps))

    # --- to the model ---

    def _settle(self) -> None:
        """Send the outputs whose calls are in the conversation; once none is owed, have them spoken about."""
        if not self._live:
            return
        items, speak = self._calls.settle()
        for item in items:
            self._create(item)
        if speak:
            self._want(ResponseRequest())

    def _consult(self, consult: Consult) -> None:
        if not self._live:
            consult.reply.set(None)
            return
        self._consulted += 1
        name = f"c{self._consulted}"
        self._consults[name] = consult
        self._send(ResponseCreate(response=consultation(consult.thought, name)))

    def _want(self, request: ResponseRequest) -> None:
        self._order(self._scheduler.want(request, self.now_ms()))

    def _order(self, orders: Iterable[Order]) -> None:
        self._send_all(orders)
        self._watch()

    def _watch(self) -> None:
        tick_ms = self._scheduler.next_tick_ms()
        if tick_ms is not None:
            self.after(max(0.0, tick_ms - self.now_ms()) / 1000, ModelTick())

    def _tick(self) -> None:
        if not self._live:
            raise TransportLost(1006, "the model's session was not set up in time")
        self._order(self._scheduler.tick(self.now_ms()))

    def _change(self, instructions: str, tools: tuple[ToolSpec, ...]) -> None:
        self._side = replace(self._side, instructions=instructions, tools=tools)
        if self._configured:
            self._send(SessionUpdate(session=self._side.task_session()))

    def _create(self, item: NewItem) -> None:
        self._send(ConversationItemCreate(item=item))

    def _append(self, payload: str) -> None:
        if self._wire is not None:
            self._wire.send(APPEND.fill(payload))

    def _send_all(self, events: Iterable[ClientEvent]) -> None:
        for event in events:
            self._send(event)

    def _send(self, event: ClientEvent) -> None:
        if self._wire is not None:
            self._wire.send(event.to_wire())


def _consult_of(response: Response) -> str:
    """The name of the consultation that a response is; "" for one of the conversation."""
    return (response.metadata or {}).get(CONSULT, "")


def _token_usage(response: Response) -> dict[str, int]:
    usage = response.usage or {}
    return {key: value for key in ("input_tokens", "output_tokens") if isinstance(value := usage.get(key), int)}
