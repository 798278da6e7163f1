"""One session: the effect of each client event and of the caller's speech.

May import: protocols, lab.engine, lab.ears, loguru, the standard library.
Rules from: docs/specs/openai-realtime.md 2 to 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, assert_never

from lab import ears, mind
from lab.engine.config import Configuration, has_setting
from lab.engine.conversation import Conversation, NewId, StoredItem, caller_entry, entry_of
from lab.engine.faults import ArmedFaults
from lab.engine.listening import Emit, InputBuffer, Listener
from lab.engine.mcp_servers import ServerTools, check_servers
from lab.engine.plan import plan_of
from lab.engine.refusals import ALREADY_ACTIVE, InvalidEvent, event_id_of, read
from lab.engine.requests import (
    AnyEvent,
    OfferedResponse,
    OfferedResponseCreate,
    OfferedSession,
    RealtimeUpdate,
    TranscriptionUpdate,
)
from lab.engine.responder import Responder, Surroundings
from lab.engine.settings import EngineSettings
from lab.engine.work import Workshop
from lab.engine.writer import ResponseWriter
from protocols.realtime import client_events as client
from protocols.realtime import server_events as server
from protocols.realtime.objects import McpApprovalResponse, RateLimit

if TYPE_CHECKING:
    from loguru import Logger

_TOKENS_A_MINUTE = 250_000


@dataclass(frozen=True, slots=True)
class EngineServices:
    """The dependencies of a session. now: gives the caller's local time. think: the model.

    heard: what the caller's utterances are taken as, in their order; None: the ears listen.
    """

    settings: EngineSettings
    workshop: Workshop
    faults: ArmedFaults
    now: Callable[[], datetime]
    new_id: NewId
    think: Callable[[mind.Prompt], mind.Reply]
    heard: Sequence[str] | None = None


class EngineSession:
    """Acts as the model on one connection. All events go through `emit`, in order."""

    def __init__(
        self,
        model: str,
        services: EngineServices,
        emit: Emit,
        abort: Callable[[], None],
        log: Logger,
        *,
        transcribes: bool = False,
    ) -> None:
        """abort: cuts the connection without a close frame, for an injected fault.

        transcribes: the session only writes down what it hears.
        """
        new_id = services.new_id
        expires_at = int(services.now().timestamp() + services.settings.session_s)
        self._config = Configuration.default(new_id("sess"), model, expires_at, transcribes=transcribes)
        self._services = services
        self._emit = emit
        self._abort = abort
        self._log = log.bind(session=self._config.id)
        self._conversation = Conversation(new_id("conv"))
        self._buffer = InputBuffer(self._config)
        self._listener = Listener(services.workshop, emit, self._log)
        self._servers = ServerTools(self._conversation, emit, new_id, self._log)
        self._responses: dict[str, Responder] = {}
        self._active: Responder | None = None
        self._turn_id = ""
        self._has_spoken = False
        self._idle: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._emit(server.SessionCreated(session=self._config.effective()))

    def close(self) -> None:
        """The connection has ended."""
        self._stop_idle()
        self._listener.close()
        self._servers.close()
        for response in tuple(self._responses.values()):
            response.stop()

    async def receive(self, frame: str | bytes) -> None:
        """Handle one client event and everything that follows from it at once."""
        try:
            event = read(frame, transcribes=self._config.transcribes)
            if self._services.faults.drops_on(event.type):
                self._abort()
            elif isinstance(event, client.InputAudioBufferAppend):
                for happened in self._buffer.take(event.audio):
                    self._hear(happened)
                    await asyncio.sleep(0)
            else:
                self._do(event)
        except InvalidEvent as error:
            self._log.debug("refused", code=error.code, param=error.param)
            self._emit(server.Error(error=error.detail(event_id_of(frame))))

    def _do(self, event: AnyEvent) -> None:
        match event:
            case RealtimeUpdate():
                self._update(event.session)
            case TranscriptionUpdate():
                self._update(event.session.as_session())
            case client.InputAudioBufferCommit():
                self._commit(self._buffer.commit())
            case client.InputAudioBufferClear():
                self._buffer.clear()
                self._turn_id = ""
                self._stop_idle()
                self._emit(server.InputAudioBufferCleared())
            case client.ConversationItemCreate():
                self._create(event)
            case client.ConversationItemTruncate():
                self._conversation.truncate(event.item_id, event.content_index, event.audio_end_ms)
                self._emit(
                    server.ConversationItemTruncated(
                        item_id=event.item_id, content_index=event.content_index, audio_end_ms=event.audio_end_ms
                    )
                )
            case client.ConversationItemDelete():
                self._conversation.delete(event.item_id)
                self._emit(server.ConversationItemDeleted(item_id=event.item_id))
            case client.ConversationItemRetrieve():
                entry = self._conversation.get(event.item_id, "retrieve")
                self._emit(server.ConversationItemRetrieved(item=entry.with_audio()))
            case OfferedResponseCreate():
                self._respond(event.response or OfferedResponse())
            case client.ResponseCancel():
                self._cancel(event.response_id)
            case client.OutputAudioBufferClear():
                raise InvalidEvent("invalid_value", "On a WebSocket the client owns the playback buffer.", "type")
            case client.InputAudioBufferAppend():
                raise AssertionError("appended audio is handled in `receive`")
            case _:
                assert_never(event)

    # --- configuration ---

    def _update(self, change: OfferedSession) -> None:
        if self._services.faults.faults.refuse_updates:
            raise InvalidEvent("invalid_value", "Not this one.", "session.audio.input.transcription.model")
        check_servers(change.servers, "session.tools")
        refused = self._services.faults.faults.refuse_setting
        if refused is not None and has_setting(change, refused):
            raise InvalidEvent("unknown_parameter", f"Unknown parameter: 'session.{refused}'.", f"session.{refused}")
        self._config = self._config.updated(change, self._has_voice())
        self._buffer.configure(self._config)
        if self._config.idle_timeout_ms is None:
            self._stop_idle()
        self._emit(server.SessionUpdated(session=self._config.effective()))
        self._servers.configure(change.servers)

    def _has_voice(self) -> bool:
        return self._has_spoken or any(response.writer.spoken_ms for response in self._responses.values())

    # --- the caller's speech ---

    def _hear(self, events: list[ears.VadEvent]) -> None:
        for event in events:
            match event:
                case ears.SpeechStarted():
                    self._speech_started(event.audio_start_ms)
                case ears.SpeechStopped():
                    self._speech_stopped(event.audio_end_ms)

    def _speech_started(self, audio_start_ms: int) -> None:
        self._turn_id = self._services.new_id("item")
        self._emit(server.SpeechStarted(audio_start_ms=audio_start_ms, item_id=self._turn_id))
        detection = self._config.input.turn_detection
        if detection is not None and detection.interrupt_response and self._active is not None:
            self._active.cancel("turn_detected")
        # After the cancel, because the end of a response starts the idle timer.
        self._stop_idle()

    def _speech_stopped(self, audio_end_ms: int) -> None:
        audio = self._buffer.utterance()
        self._emit(server.SpeechStopped(audio_end_ms=audio_end_ms, item_id=self._turn_id))
        self._commit(audio)
        detection = self._config.input.turn_detection
        if detection is not None and detection.create_response and not self._config.transcribes:
            self._respond_unasked()

    def _commit(self, audio: bytes) -> None:
        entry = caller_entry(self._turn_id or self._services.new_id("item"), audio)
        self._turn_id = ""
        previous = self._conversation.last_id
        self._emit(server.InputAudioBufferCommitted(item_id=entry.item.id, previous_item_id=previous))
        heard = self._services.heard
        words = self._words_in_script(heard) if heard is not None and audio else ""
        self._add(entry, None)
        transcription = self._config.input.transcription
        announced = None if transcription is None else transcription.model or ""
        if heard is None:
            self._listener.listen(entry, announced)
        else:
            self._listener.take(entry, words, announced)

    def _words_in_script(self, heard: Sequence[str]) -> str:
        """What the utterance that has just ended is taken as."""
        said = [entry.said for entry in self._conversation if entry.item.role == "user"]
        words = mind.next_heard(heard, said)
        if not words:
            self._log.warning("the script's heard has no words for this utterance of the caller: taken as silence")
        return words

    # --- items ---

    def _create(self, event: client.ConversationItemCreate) -> None:
        if isinstance(event.item, McpApprovalResponse):
            self._servers.answer(event.item)
            return
        entry = entry_of(event.item, self._services.new_id, self._config.input_format)
        if entry.images and self._services.faults.faults.refuse_images:
            raise InvalidEvent("invalid_value", "Images are not supported.", "item.content")
        self._add(entry, event.previous_item_id)
        if entry.audio:
            self._listener.listen(entry, announced=None)

    def _add(self, entry: StoredItem, after: str | None) -> None:
        previous = self._conversation.add(entry, after)
        self._emit(server.ConversationItemAdded(item=entry.item, previous_item_id=previous))
        self._emit(server.ConversationItemDone(item=entry.item, previous_item_id=previous))

    # --- responses ---

    def _respond(self, request: OfferedResponse) -> None:
        if self._config.transcribes:
            raise InvalidEvent("invalid_value", "A transcription session makes no responses.", "type")
        check_servers(request.servers, "response.tools")
        plan = plan_of(request, self._config, self._conversation, self._services.new_id)
        if plan.in_conversation and self._active is not None:
            raise InvalidEvent(
                ALREADY_ACTIVE,
                f"Conversation already has an active response in progress: {self._active.writer.id}.",
            )
        self._stop_idle()
        for entry in plan.given or ():
            if entry.audio and not entry.said:
                self._listener.listen(entry, announced=None)
        self._servers.configure(request.servers)
        writer = ResponseWriter(plan, self._conversation, self._emit, self._services.new_id)
        response = Responder(writer, self._around(), self._ended)
        self._responses[writer.id] = response
        if plan.in_conversation:
            self._active = response
        response.start()

    def _respond_unasked(self) -> None:
        """The response that voice detection starts; its error answers no client event."""
        try:
            self._respond(OfferedResponse())
        except InvalidEvent as error:
            self._emit(server.Error(error=error.detail(None)))

    def _around(self) -> Surroundings:
        services = self._services
        return Surroundings(
            services.settings,
            services.workshop,
            services.faults,
            self._listener,
            self._servers,
            self._conversation,
            services.now,
            services.think,
            self._log,
        )

    def _cancel(self, response_id: str | None) -> None:
        response = self._active if response_id is None else self._responses.get(response_id)
        if response is None:
            raise InvalidEvent("response_cancel_not_active", "Cancellation failed: no active response found")
        response.cancel("client_cancelled")

    def _ended(self, writer: ResponseWriter) -> None:
        self._responses.pop(writer.id, None)
        self._has_spoken = self._has_spoken or writer.spoken_ms > 0
        tokens = int(writer.tokens["total_tokens"])
        limit = RateLimit(
            name="tokens",
            limit=_TOKENS_A_MINUTE,
            remaining=max(0, _TOKENS_A_MINUTE - tokens),
            reset_seconds=round(60 * tokens / _TOKENS_A_MINUTE, 3),
        )
        self._emit(server.RateLimitsUpdated(rate_limits=(limit,)))
        if self._active is not None and self._active.writer is writer:
            self._active = None
            self._start_idle(writer.spoken_ms)
        for call in writer.server_calls:
            self._servers.run(call)

    # --- the idle timeout ---

    def _start_idle(self, playback_ms: float) -> None:
        timeout_ms = self._config.idle_timeout_ms
        if timeout_ms is not None:
            delay_s = (playback_ms + timeout_ms) / 1000 / self._services.settings.speed
            self._idle = asyncio.get_running_loop().call_later(delay_s, self._idled, timeout_ms)

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _idled(self, timeout_ms: int) -> None:
        """The idle timeout has passed: the model speaks on its own."""
        self._idle = None
        end_ms = int(self._buffer.heard_ms)
        self._turn_id = self._services.new_id("item")
        self._emit(
            server.TimeoutTriggered(
                audio_start_ms=max(0, end_ms - timeout_ms), audio_end_ms=end_ms, item_id=self._turn_id
            )
        )
        self._commit(b"")
        self._respond_unasked()
