"""One session: what each client event does, and what hearing the caller does.

May import: protocols, lab.engine, lab.ears, loguru, the standard library.
Rules from: docs/specs/openai-realtime.md 2 to 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, assert_never

from lab import ears
from lab.engine.config import Configuration
from lab.engine.conversation import Conversation, Entry, NewId, caller_entry, entry_of
from lab.engine.faults import ArmedFaults
from lab.engine.listening import Emit, InputBuffer, Listener
from lab.engine.plan import plan_of
from lab.engine.refusals import ALREADY_ACTIVE, Refused, event_id_of, read
from lab.engine.responder import Responder, Surroundings
from lab.engine.settings import EngineSettings
from lab.engine.work import Workshop
from lab.engine.writer import ResponseWriter
from protocols.realtime import client_events as client
from protocols.realtime import server_events as server
from protocols.realtime.objects import RateLimit, ResponseRequest

if TYPE_CHECKING:
    from loguru import Logger

_TOKENS_A_MINUTE = 250_000


@dataclass(frozen=True, slots=True)
class World:
    """What a session is handed from outside. now: the caller's local time."""

    settings: EngineSettings
    workshop: Workshop
    faults: ArmedFaults
    now: Callable[[], datetime]
    new_id: NewId


class Session:
    """Speaks for the model on one connection. Everything it says goes through `emit`, in order."""

    def __init__(self, model: str, world: World, emit: Emit, abort: Callable[[], None], log: Logger) -> None:
        """abort: cuts the connection without a close, when a fault asks for it."""
        new_id = world.new_id
        expires_at = int(world.now().timestamp() + world.settings.session_s)
        self._config = Configuration.default(new_id("sess"), model, expires_at)
        self._world = world
        self._emit = emit
        self._abort = abort
        self._log = log.bind(session=self._config.id)
        self._conversation = Conversation(new_id("conv"))
        self._buffer = InputBuffer(self._config)
        self._listener = Listener(world.workshop, emit, self._log)
        self._responses: dict[str, Responder] = {}
        self._active: Responder | None = None
        self._turn_id = ""
        self._has_spoken = False
        self._idle: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._emit(server.SessionCreated(session=self._config.effective()))

    def close(self) -> None:
        """The connection is gone."""
        self._stop_idle()
        self._listener.close()
        for response in tuple(self._responses.values()):
            response.stop()

    async def receive(self, frame: str | bytes) -> None:
        """Take one client event, and do all that follows from it at once."""
        try:
            event = read(frame)
            if self._world.faults.drops_on(event.type):
                self._abort()
            elif isinstance(event, client.InputAudioBufferAppend):
                for happened in self._buffer.take(event.audio):
                    self._hear(happened)
                    await asyncio.sleep(0)
            else:
                self._do(event)
        except Refused as refused:
            self._log.debug("refused", code=refused.code, param=refused.param)
            self._emit(server.Error(error=refused.detail(event_id_of(frame))))

    def _do(self, event: client.AnyClientEvent) -> None:
        match event:
            case client.SessionUpdate():
                self._update(event)
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
            case client.ResponseCreate():
                self._respond(event.response or ResponseRequest())
            case client.ResponseCancel():
                self._cancel(event.response_id)
            case client.OutputAudioBufferClear():
                raise Refused("invalid_value", "On a WebSocket the client owns the playback buffer.", "type")
            case client.InputAudioBufferAppend():
                raise AssertionError("appended audio is taken piece by piece")
            case _:
                assert_never(event)

    # --- configuration ---

    def _update(self, event: client.SessionUpdate) -> None:
        self._config = self._config.updated(event.session, self._has_voice())
        self._buffer.configure(self._config)
        if self._config.idle_timeout_ms is None:
            self._stop_idle()
        self._emit(server.SessionUpdated(session=self._config.effective()))

    def _has_voice(self) -> bool:
        return self._has_spoken or any(response.writer.spoken_ms for response in self._responses.values())

    # --- hearing ---

    def _hear(self, events: list[ears.VadEvent]) -> None:
        for event in events:
            match event:
                case ears.SpeechStarted():
                    self._speech_started(event.audio_start_ms)
                case ears.SpeechStopped():
                    self._speech_stopped(event.audio_end_ms)

    def _speech_started(self, audio_start_ms: int) -> None:
        self._turn_id = self._world.new_id("item")
        self._emit(server.SpeechStarted(audio_start_ms=audio_start_ms, item_id=self._turn_id))
        detection = self._config.input.turn_detection
        if detection is not None and detection.interrupt_response and self._active is not None:
            self._active.cancel("turn_detected")
        # After the cancel: the end of a response is what starts the idle timer.
        self._stop_idle()

    def _speech_stopped(self, audio_end_ms: int) -> None:
        audio = self._buffer.utterance()
        self._emit(server.SpeechStopped(audio_end_ms=audio_end_ms, item_id=self._turn_id))
        self._commit(audio)
        detection = self._config.input.turn_detection
        if detection is not None and detection.create_response:
            self._respond_unasked()

    def _commit(self, audio: bytes) -> None:
        entry = caller_entry(self._turn_id or self._world.new_id("item"), audio)
        self._turn_id = ""
        previous = self._conversation.last_id
        self._emit(server.InputAudioBufferCommitted(item_id=entry.item.id, previous_item_id=previous))
        self._add(entry, None)
        self._listener.listen(entry, announced=self._config.input.transcription is not None)

    # --- items ---

    def _create(self, event: client.ConversationItemCreate) -> None:
        entry = entry_of(event.item, self._world.new_id, self._config.input_format)
        self._add(entry, event.previous_item_id)
        if entry.audio:
            self._listener.listen(entry, announced=False)

    def _add(self, entry: Entry, after: str | None) -> None:
        previous = self._conversation.add(entry, after)
        self._emit(server.ConversationItemAdded(item=entry.item, previous_item_id=previous))
        self._emit(server.ConversationItemDone(item=entry.item, previous_item_id=previous))

    # --- responses ---

    def _respond(self, request: ResponseRequest) -> None:
        plan = plan_of(request, self._config, self._conversation, self._world.new_id)
        if plan.in_conversation and self._active is not None:
            raise Refused(
                ALREADY_ACTIVE,
                f"Conversation already has an active response in progress: {self._active.writer.id}.",
            )
        self._stop_idle()
        for entry in plan.given or ():
            if entry.audio and not entry.said:
                self._listener.listen(entry, announced=False)
        writer = ResponseWriter(plan, self._conversation, self._emit, self._world.new_id)
        response = Responder(writer, self._around(), self._ended)
        self._responses[writer.id] = response
        if plan.in_conversation:
            self._active = response
        response.start()

    def _respond_unasked(self) -> None:
        """The answer that voice detection begins; the error it runs into answers no event of the client."""
        try:
            self._respond(ResponseRequest())
        except Refused as refused:
            self._emit(server.Error(error=refused.detail(None)))

    def _around(self) -> Surroundings:
        world = self._world
        return Surroundings(
            world.settings, world.workshop, world.faults, self._listener, self._conversation, world.now, self._log
        )

    def _cancel(self, response_id: str | None) -> None:
        response = self._active if response_id is None else self._responses.get(response_id)
        if response is None:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found")
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

    # --- silence ---

    def _start_idle(self, playback_ms: float) -> None:
        timeout_ms = self._config.idle_timeout_ms
        if timeout_ms is not None:
            delay_s = (playback_ms + timeout_ms) / 1000 / self._world.settings.speed
            self._idle = asyncio.get_running_loop().call_later(delay_s, self._idled, timeout_ms)

    def _stop_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _idled(self, timeout_ms: int) -> None:
        """Nobody spoke for so long that the model asks whether anybody is there."""
        self._idle = None
        end_ms = int(self._buffer.heard_ms)
        self._turn_id = self._world.new_id("item")
        self._emit(
            server.TimeoutTriggered(
                audio_start_ms=max(0, end_ms - timeout_ms), audio_end_ms=end_ms, item_id=self._turn_id
            )
        )
        self._commit(b"")
        self._respond_unasked()
