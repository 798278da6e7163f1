"""The 46 server events of the OpenAI Realtime GA interface.

Tolerant: unknown fields are ignored, and a field has a default unless its event means nothing without it, so that one
that is missing, or is left out because it does not validate, takes nothing else with it (protocols/bad_fields.py).
Six events have a second name, that of the beta interface, which compatible servers still send (1.7).
May import: protocols, pydantic, the standard library. Rules from: docs/specs/openai-realtime.md 3.2.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from protocols.frames import MOST_VALUES, Codec, Frame, Text
from protocols.limits import MOST_ITEMS, Id
from protocols.realtime.objects import ContentPart, EffectiveSession, ErrorDetail, Item, RateLimit, Response

# Of a session's audio: a number that no arithmetic fails for. The interface has whole ones, and so the engine sends.
_Bounds = Field(ge=-1e12, le=1e12)
AudioMs = Annotated[int, _Bounds] | Annotated[float, _Bounds] | None


class ServerEvent(Frame):
    event_id: str = ""


class _OfItem(ServerEvent):
    item_id: Id


class _OfTurn(ServerEvent):
    """An event about the caller's turn, which is one whatever item it will become."""

    item_id: Id = ""


class _OfPart(_OfItem):
    """An event about one content part of one item of one response, "" for the one that runs."""

    response_id: Id = ""
    output_index: int = 0
    content_index: int = 0


class _WithItem(ServerEvent):
    item: Item
    previous_item_id: str | None = None


# --- session, conversation ---


class SessionCreated(ServerEvent):
    type: Literal["session.created"] = "session.created"
    session: EffectiveSession = Field(default_factory=EffectiveSession)


def _as_session(told: Any) -> Any:
    """A session that is no object has no format that could be the one asked for."""
    if told is None:
        return EffectiveSession()
    return told if isinstance(told, dict | EffectiveSession) else EffectiveSession(audio=told)


class SessionUpdated(ServerEvent):
    type: Literal["session.updated"] = "session.updated"
    session: Annotated[EffectiveSession, BeforeValidator(_as_session)] = Field(default_factory=EffectiveSession)


class ConversationCreated(ServerEvent):
    type: Literal["conversation.created"] = "conversation.created"
    conversation: dict[str, Any] = Field(default_factory=dict)


class ConversationItemAdded(_WithItem):
    """An item entered the context; it may still be in progress and empty."""

    type: Literal["conversation.item.added"] = "conversation.item.added"


class ConversationItemDone(_WithItem):
    """An item is final; only now is it safe to act on it."""

    type: Literal["conversation.item.done"] = "conversation.item.done"


class ConversationItemCreated(_WithItem):
    """The former name of `conversation.item.added`."""

    type: Literal["conversation.item.created"] = "conversation.item.created"


class ConversationItemRetrieved(ServerEvent):
    type: Literal["conversation.item.retrieved"] = "conversation.item.retrieved"
    item: Item


class ConversationItemTruncated(_OfItem):
    type: Literal["conversation.item.truncated"] = "conversation.item.truncated"
    content_index: int = 0
    audio_end_ms: AudioMs = None


class ConversationItemDeleted(_OfItem):
    type: Literal["conversation.item.deleted"] = "conversation.item.deleted"


class TranscriptionDelta(_OfItem):
    type: Literal["conversation.item.input_audio_transcription.delta"] = (
        "conversation.item.input_audio_transcription.delta"
    )
    content_index: int | None = None
    delta: str | None = None
    logprobs: list[Any] | None = None


class TranscriptionCompleted(_OfTurn):
    """The transcript of a user item. May arrive at any time, even after the answer.

    status: of some compatible servers, "in_progress" while more of it is to come (protocols/realtime/profiles.py).
    """

    type: Literal["conversation.item.input_audio_transcription.completed"] = (
        "conversation.item.input_audio_transcription.completed"
    )
    content_index: int = 0
    transcript: str
    status: Text = ""
    usage: dict[str, Any] = Field(default_factory=dict)
    languages: list[Any] | None = None
    logprobs: list[Any] | None = None


class TranscriptionFailed(_OfTurn):
    type: Literal["conversation.item.input_audio_transcription.failed"] = (
        "conversation.item.input_audio_transcription.failed"
    )
    content_index: int = 0
    error: ErrorDetail = Field(default_factory=ErrorDetail)


class TranscriptionSegment(_OfItem):
    type: Literal["conversation.item.input_audio_transcription.segment"] = (
        "conversation.item.input_audio_transcription.segment"
    )
    id: str = ""
    content_index: int = 0
    text: str = ""
    speaker: str = ""
    start: float | None = None
    end: float | None = None


# --- audio buffers ---


class SpeechStarted(_OfTurn):
    """The caller began to speak. `audio_start_ms`: counted over all audio ever appended, including prefix padding."""

    type: Literal["input_audio_buffer.speech_started"] = "input_audio_buffer.speech_started"
    audio_start_ms: AudioMs = None


class SpeechStopped(_OfTurn):
    type: Literal["input_audio_buffer.speech_stopped"] = "input_audio_buffer.speech_stopped"
    audio_end_ms: AudioMs = None


class InputAudioBufferCommitted(_OfTurn):
    type: Literal["input_audio_buffer.committed"] = "input_audio_buffer.committed"
    previous_item_id: str | None = None


class InputAudioBufferCleared(ServerEvent):
    type: Literal["input_audio_buffer.cleared"] = "input_audio_buffer.cleared"


class TimeoutTriggered(_OfTurn):
    type: Literal["input_audio_buffer.timeout_triggered"] = "input_audio_buffer.timeout_triggered"
    audio_start_ms: AudioMs = None
    audio_end_ms: AudioMs = None


class DtmfEventReceived(Frame):
    """SIP only; the only event without an id."""

    type: Literal["input_audio_buffer.dtmf_event_received"] = "input_audio_buffer.dtmf_event_received"
    event: str = ""
    received_at: int | float | None = None


class OutputAudioBufferStarted(ServerEvent):
    type: Literal["output_audio_buffer.started"] = "output_audio_buffer.started"
    response_id: Id


class OutputAudioBufferStopped(ServerEvent):
    type: Literal["output_audio_buffer.stopped"] = "output_audio_buffer.stopped"
    response_id: Id


class OutputAudioBufferCleared(ServerEvent):
    type: Literal["output_audio_buffer.cleared"] = "output_audio_buffer.cleared"
    response_id: Id


# --- responses ---


class ResponseCreated(ServerEvent):
    type: Literal["response.created"] = "response.created"
    response: Response = Field(default_factory=Response)


class ResponseDone(ServerEvent):
    """The end of a response, whatever its status: from here on a new `response.create` is allowed."""

    type: Literal["response.done"] = "response.done"
    response: Response = Field(default_factory=Response)


class OutputItemAdded(ServerEvent):
    type: Literal["response.output_item.added"] = "response.output_item.added"
    response_id: Id = ""
    output_index: int = 0
    item: Item


class OutputItemDone(ServerEvent):
    type: Literal["response.output_item.done"] = "response.output_item.done"
    response_id: Id = ""
    output_index: int = 0
    item: Item


class ContentPartAdded(_OfPart):
    type: Literal["response.content_part.added"] = "response.content_part.added"
    part: ContentPart = Field(default_factory=ContentPart)


class ContentPartDone(_OfPart):
    type: Literal["response.content_part.done"] = "response.content_part.done"
    part: ContentPart = Field(default_factory=ContentPart)


class OutputTextDelta(_OfPart):
    type: Literal["response.output_text.delta", "response.text.delta"] = "response.output_text.delta"
    delta: str = ""


class OutputTextDone(_OfPart):
    type: Literal["response.output_text.done", "response.text.done"] = "response.output_text.done"
    text: str = ""


class OutputAudioTranscriptDelta(_OfPart):
    type: Literal["response.output_audio_transcript.delta", "response.audio_transcript.delta"] = (
        "response.output_audio_transcript.delta"
    )
    delta: str = ""


class OutputAudioTranscriptDone(_OfPart):
    type: Literal["response.output_audio_transcript.done", "response.audio_transcript.done"] = (
        "response.output_audio_transcript.done"
    )
    transcript: str


class OutputAudioDelta(_OfPart):
    """Speech, base64 in the session's output format, faster than real time."""

    type: Literal["response.output_audio.delta", "response.audio.delta"] = "response.output_audio.delta"
    # Of any length, since to check it for each costs too much: the response is known, and a new item's id is looked at.
    response_id: Annotated[str, Field(coerce_numbers_to_str=True)] = ""
    item_id: Annotated[str, Field(coerce_numbers_to_str=True)] = ""
    delta: str


class OutputAudioDone(_OfPart):
    type: Literal["response.output_audio.done", "response.audio.done"] = "response.output_audio.done"


class FunctionCallArgumentsDelta(_OfItem):
    type: Literal["response.function_call_arguments.delta"] = "response.function_call_arguments.delta"
    response_id: Id = ""
    output_index: int = 0
    call_id: Id = ""
    delta: str = ""


class FunctionCallArgumentsDone(_OfItem):
    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    response_id: Id = ""
    output_index: int = 0
    call_id: Id = ""
    name: str = ""
    arguments: str = ""


class McpCallArgumentsDelta(_OfItem):
    type: Literal["response.mcp_call_arguments.delta"] = "response.mcp_call_arguments.delta"
    response_id: Id = ""
    output_index: int = 0
    delta: str = ""
    obfuscation: str | None = None


class McpCallArgumentsDone(_OfItem):
    type: Literal["response.mcp_call_arguments.done"] = "response.mcp_call_arguments.done"
    response_id: Id = ""
    output_index: int = 0
    arguments: str = ""


class _OfMcpCall(_OfItem):
    output_index: int = 0


class McpCallInProgress(_OfMcpCall):
    type: Literal["response.mcp_call.in_progress"] = "response.mcp_call.in_progress"


class McpCallCompleted(_OfMcpCall):
    type: Literal["response.mcp_call.completed"] = "response.mcp_call.completed"


class McpCallFailed(_OfMcpCall):
    type: Literal["response.mcp_call.failed"] = "response.mcp_call.failed"


class McpListToolsInProgress(_OfItem):
    type: Literal["mcp_list_tools.in_progress"] = "mcp_list_tools.in_progress"


class McpListToolsCompleted(_OfItem):
    type: Literal["mcp_list_tools.completed"] = "mcp_list_tools.completed"


class McpListToolsFailed(_OfItem):
    type: Literal["mcp_list_tools.failed"] = "mcp_list_tools.failed"


class RateLimitsUpdated(ServerEvent):
    type: Literal["rate_limits.updated"] = "rate_limits.updated"
    rate_limits: Annotated[tuple[RateLimit, ...], Field(max_length=MOST_ITEMS)] = ()


class Error(ServerEvent):
    """Usually not fatal: the socket stays open (1.5)."""

    type: Literal["error"] = "error"
    error: ErrorDetail = Field(default_factory=ErrorDetail)


AnyServerEvent = (
    SessionCreated
    | SessionUpdated
    | ConversationCreated
    | ConversationItemAdded
    | ConversationItemDone
    | ConversationItemCreated
    | ConversationItemRetrieved
    | ConversationItemTruncated
    | ConversationItemDeleted
    | TranscriptionDelta
    | TranscriptionCompleted
    | TranscriptionFailed
    | TranscriptionSegment
    | SpeechStarted
    | SpeechStopped
    | InputAudioBufferCommitted
    | InputAudioBufferCleared
    | TimeoutTriggered
    | DtmfEventReceived
    | OutputAudioBufferStarted
    | OutputAudioBufferStopped
    | OutputAudioBufferCleared
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | ContentPartAdded
    | ContentPartDone
    | OutputTextDelta
    | OutputTextDone
    | OutputAudioTranscriptDelta
    | OutputAudioTranscriptDone
    | OutputAudioDelta
    | OutputAudioDone
    | FunctionCallArgumentsDelta
    | FunctionCallArgumentsDone
    | McpCallArgumentsDelta
    | McpCallArgumentsDone
    | McpCallInProgress
    | McpCallCompleted
    | McpCallFailed
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | RateLimitsUpdated
    | Error
)
# Unions for the modules that handle all events about the caller's turn, or about a response, in one place.
OfCallersTurn = (
    SpeechStarted
    | SpeechStopped
    | InputAudioBufferCommitted
    | TimeoutTriggered
    | TranscriptionCompleted
    | TranscriptionFailed
)
OfResponse = ResponseCreated | ResponseDone | OutputItemDone | OutputAudioDone | OutputAudioTranscriptDone
# What shows that a response goes on.
PartOfResponse = (
    OutputAudioDelta
    | OutputAudioDone
    | OutputAudioTranscriptDelta
    | OutputAudioTranscriptDone
    | OutputTextDelta
    | OutputTextDone
    | FunctionCallArgumentsDelta
    | FunctionCallArgumentsDone
    | OutputItemAdded
    | OutputItemDone
    | ContentPartAdded
    | ContentPartDone
    | McpCallArgumentsDelta
    | McpCallArgumentsDone
    | McpCallInProgress
    | McpCallCompleted
    | McpCallFailed
)
# What happens to a tool that the server carries out itself.
OfMcp = McpCallInProgress | McpCallCompleted | McpCallFailed | McpListToolsFailed
# The transcript of a long turn may come with the probability of each of its tokens, ten values a token, and a session
# with the schemas of all its tools. This peer is one that we have chosen.
MOST_MODEL_VALUES = 8 * MOST_VALUES
SERVER_EVENTS: Codec[AnyServerEvent] = Codec(
    Annotated[AnyServerEvent, Field(discriminator="type")], most_values=MOST_MODEL_VALUES
)
