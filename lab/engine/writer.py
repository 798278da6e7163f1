"""The events of one response, in the order OpenAI's server sends them.

Has no clock: a Responder decides the timing. May import: protocols, lab.engine, the standard library.
Rules from: docs/specs/openai-realtime.md 4.2, 4.4.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypedDict

from lab import mind
from lab.engine.conversation import Conversation, NewId, StoredItem
from lab.engine.mcp_servers import ListedTool, McpItem, ServerCall
from lab.engine.plan import Plan
from lab.engine.tokens import usage
from protocols.realtime.objects import ContentPart, ErrorDetail, Item, Response, StatusDetails
from protocols.realtime.server_events import (
    AnyServerEvent,
    ContentPartAdded,
    ContentPartDone,
    ConversationItemAdded,
    ConversationItemDone,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    McpCallArgumentsDelta,
    McpCallArgumentsDone,
    OutputAudioDelta,
    OutputAudioDone,
    OutputAudioTranscriptDelta,
    OutputAudioTranscriptDone,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    ResponseCreated,
    ResponseDone,
)

_ARGUMENT_CHARACTERS = 12  # of a function's arguments in one delta


def _pieces(arguments: str) -> Iterator[str]:
    for start in range(0, len(arguments), _ARGUMENT_CHARACTERS):
        yield arguments[start : start + _ARGUMENT_CHARACTERS]


class _Where(TypedDict):
    response_id: str
    item_id: str
    output_index: int
    content_index: int


class ResponseWriter:
    """The events of one response, from `response.created` to `response.done`. At most one message is open at a time."""

    def __init__(
        self, plan: Plan, conversation: Conversation, emit: Callable[[AnyServerEvent], None], new_id: NewId
    ) -> None:
        self.id = new_id("resp")
        self.plan = plan
        self.context: Sequence[StoredItem] = ()
        self.ended = False
        self.server_calls: list[ServerCall] = []
        self._conversation = conversation
        self._emit = emit
        self._new_id = new_id
        self._output: list[StoredItem] = []
        self._message: StoredItem | None = None
        self._sent_ms = 0.0

    def begin(self) -> None:
        self._emit(ResponseCreated(response=self._response("in_progress")))

    def open_message(self) -> None:
        """Begin a message."""
        item = Item(
            id=self._new_id("item"),
            object="realtime.item",
            type="message",
            status="in_progress",
            role="assistant",
            content=(),
        )
        self._message = self._open(StoredItem(item))
        empty = ContentPart(type="audio", transcript="") if self.plan.speaks else ContentPart(type="text", text="")
        self._emit(ContentPartAdded(**self._where(), part=empty))

    def words(self, words: str, over_ms: float) -> None:
        """Send words of the open message. over_ms: where in its speech they end."""
        message = self._current()
        if self.plan.speaks:
            message.add_words(words, over_ms)
            self._emit(OutputAudioTranscriptDelta(**self._where(), delta=words))
        else:
            message.said += words
            self._emit(OutputTextDelta(**self._where(), delta=words))

    def audio(self, encoded: bytes) -> None:
        """Send speech of the open message, in the response's format."""
        message = self._current()
        length_ms = len(encoded) / self.plan.sound.bytes_per_ms
        self._sent_ms += length_ms
        if not message.was_cut:
            message.sent_ms += length_ms
        self._emit(OutputAudioDelta(**self._where(), delta=b64encode(encoded).decode()))

    def close_message(self, status: str = "completed") -> None:
        """End the open message."""
        message = self._current()
        where = self._where()
        if self.plan.speaks:
            transcript = "".join(words for words, _ in message.words)
            self._emit(OutputAudioDone(**where))
            self._emit(OutputAudioTranscriptDone(**where, transcript=transcript))
            self._emit(ContentPartDone(**where, part=ContentPart(type="audio", transcript=transcript)))
            content = ContentPart(type="output_audio", transcript=transcript)
        else:
            self._emit(OutputTextDone(**where, text=message.said))
            self._emit(ContentPartDone(**where, part=ContentPart(type="text", text=message.said)))
            content = ContentPart(type="output_text", text=message.said)
        if not message.was_cut:
            message.item = message.item.model_copy(update={"content": (content,)})
        self._message = None
        self._close(message, status)

    def call(self, call: mind.FunctionCall) -> None:
        """Send a function call; an open message is closed inside it, as in recorded traces."""
        item = Item(
            id=self._new_id("item"),
            object="realtime.item",
            type="function_call",
            status="in_progress",
            name=call.name,
            call_id=self._new_id("call"),
            arguments="",
        )
        entry = self._open(StoredItem(item))
        if self._message is not None:
            self.close_message()
        of_call = {
            "response_id": self.id,
            "item_id": item.id,
            "output_index": self._output.index(entry),
            "call_id": item.call_id,
        }
        for delta in _pieces(call.arguments):
            self._emit(FunctionCallArgumentsDelta(**of_call, delta=delta))
        self._emit(FunctionCallArgumentsDone(**of_call, name=call.name, arguments=call.arguments))
        entry.item = item.model_copy(update={"arguments": call.arguments})
        self._close(entry, "completed")

    def call_server(self, call: mind.FunctionCall, listed: ListedTool) -> None:
        """Send the call of an MCP server's tool. It is carried out, and final, after the response."""
        if self._message is not None:
            self.close_message()
        label = listed.server.server_label
        item = McpItem(
            id=self._new_id("mcp"),
            type="mcp_call",
            server_label=label,
            name=call.name,
            arguments="",
            output=None,
            error=None,
        )
        entry = self._open(StoredItem(item))
        index = self._output.index(entry)
        for delta in _pieces(call.arguments):
            self._emit(McpCallArgumentsDelta(response_id=self.id, item_id=item.id, output_index=index, delta=delta))
        self._emit(
            McpCallArgumentsDone(response_id=self.id, item_id=item.id, output_index=index, arguments=call.arguments)
        )
        entry.item = item.model_copy(update={"arguments": call.arguments})
        self.server_calls.append(ServerCall(listed, entry, self.id, index))

    def end(self, status: str, reason: str | None = None, error: ErrorDetail | None = None) -> None:
        """End the open message and the response. Only the first call has an effect."""
        if self.ended:
            return
        if self._message is not None:
            self.close_message("incomplete")
        self.ended = True
        self._emit(ResponseDone(response=self._response(status, reason, error)))

    @property
    def spoken_ms(self) -> float:
        """The length of the speech sent."""
        return self._sent_ms

    @property
    def tokens(self) -> dict[str, Any]:
        """The response's usage."""
        return usage(self.plan, self.context, self._output)

    def _open(self, entry: StoredItem) -> StoredItem:
        self._output.append(entry)
        index = len(self._output) - 1
        self._emit(OutputItemAdded(response_id=self.id, output_index=index, item=entry.item))
        if self.plan.in_conversation:
            previous = self._conversation.add(entry)
            self._emit(ConversationItemAdded(item=entry.item, previous_item_id=previous))
        return entry

    def _close(self, entry: StoredItem, status: str) -> None:
        entry.item = entry.item.model_copy(update={"status": status})
        index = self._output.index(entry)
        if self.plan.in_conversation:
            self._emit(ConversationItemDone(item=entry.item, previous_item_id=self._conversation.before(entry.item.id)))
        self._emit(OutputItemDone(response_id=self.id, output_index=index, item=entry.item))

    def _current(self) -> StoredItem:
        assert self._message is not None
        return self._message

    def _where(self) -> _Where:
        message = self._current()
        return {
            "response_id": self.id,
            "item_id": message.item.id,
            "output_index": self._output.index(message),
            "content_index": 0,
        }

    def _response(self, status: str, reason: str | None = None, error: ErrorDetail | None = None) -> Response:
        plan = self.plan
        details = None
        if status not in ("in_progress", "completed"):
            given = {name: value for name, value in (("reason", reason), ("error", error)) if value is not None}
            details = StatusDetails(type=status, **given)
        output = {"format": plan.media.model_dump(), "voice": plan.voice if isinstance(plan.voice, str) else None}
        return Response(
            id=self.id,
            object="realtime.response",
            status=status,
            status_details=details,
            output=tuple(entry.item for entry in self._output) if status != "in_progress" else (),
            conversation_id=self._conversation.id if plan.in_conversation else None,
            output_modalities=("audio",) if plan.speaks else ("text",),
            audio={"output": output},
            max_output_tokens=plan.max_output_tokens,
            metadata=plan.metadata,
            usage=self.tokens if status != "in_progress" else None,
        )
