"""The objects inside the events of the OpenAI Realtime GA interface: sessions, items, responses.

Models of what we send are strict; models of what we receive ignore unknown fields and declare what a bridge reads.
May import: protocols, pydantic, the standard library. Rules from: docs/specs/openai-realtime.md 2 and 3.3.
"""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic_core import to_json

from protocols.errors import WireError
from protocols.frames import Digits, Frame, SentFrame, SentPart, Text
from protocols.limits import MOST_ITEM_PARTS, MOST_ITEMS, NAME_CHARS
from protocols.realtime.usage import is_count

# --- sessions ---


PCM_RATE_HZ = 24000


class PcmFormat(SentPart):
    """16-bit little-endian mono; the interface supports 24 kHz only."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000] = 24000


class PcmuFormat(SentPart):
    type: Literal["audio/pcmu"] = "audio/pcmu"


class PcmaFormat(SentPart):
    type: Literal["audio/pcma"] = "audio/pcma"


AudioFormat = Annotated[PcmFormat | PcmuFormat | PcmaFormat, Field(discriminator="type")]


class ServerVad(SentPart):
    type: Literal["server_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0)] = 300
    silence_duration_ms: Annotated[int, Field(ge=0)] = 500
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: Annotated[int, Field(ge=5000, le=30000)] | None = None


class SemanticVad(SentPart):
    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class Transcription(SentFrame):
    model: str | None = None
    language: str | None = None
    languages: tuple[str, ...] | None = None
    prompt: str | None = None
    keywords: tuple[str, ...] | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class NoiseReduction(SentFrame):
    type: Literal["near_field", "far_field"]
    strength: float | None = None


class AudioInput(SentFrame):
    format: AudioFormat | None = None
    noise_reduction: NoiseReduction | None = None
    transcription: Transcription | None = None
    turn_detection: TurnDetection | None = None


class CustomVoice(SentFrame):
    id: str


class AudioOutput(SentFrame):
    format: AudioFormat | None = None
    voice: str | CustomVoice | None = None
    speed: Annotated[float, Field(ge=0.25, le=1.5)] | None = None


class SessionAudio(SentFrame):
    input: AudioInput | None = None
    output: AudioOutput | None = None


class FunctionTool(SentPart):
    type: Literal["function"] = "function"
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class McpFilter(SentFrame):
    """Some tools of an MCP server: by name, or those that say they only read (or do not)."""

    tool_names: tuple[str, ...] | None = None
    read_only: bool | None = None


class McpApproval(SentFrame):
    always: McpFilter | None = None
    never: McpFilter | None = None


class McpTool(SentPart):
    """The tools of an MCP server, which the model's server carries out itself."""

    type: Literal["mcp"] = "mcp"
    server_label: str
    server_url: str | None = None
    connector_id: str | None = None
    tunnel_id: str | None = None
    server_description: str | None = None
    authorization: Annotated[str | None, Field(repr=False)] = None
    headers: Annotated[dict[str, str] | None, Field(repr=False)] = None
    allowed_tools: tuple[str, ...] | McpFilter | None = None
    require_approval: Literal["always", "never"] | McpApproval | None = None
    allowed_callers: tuple[Literal["direct", "programmatic"], ...] | None = None
    defer_loading: bool | None = None


Tool = Annotated[FunctionTool | McpTool, Field(discriminator="type")]


class ForcedFunction(SentPart):
    type: Literal["function"] = "function"
    name: str


class ForcedMcp(SentPart):
    type: Literal["mcp"] = "mcp"
    server_label: str
    name: str | None = None


ToolChoice = Literal["auto", "none", "required"] | ForcedFunction | ForcedMcp
MaxTokens = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]
Modalities = tuple[Literal["audio"]] | tuple[Literal["text"]]


class Reasoning(SentFrame):
    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class TokenLimits(SentFrame):
    post_instructions: Annotated[int, Field(ge=1)] | None = None


class RetentionRatio(SentPart):
    """A conversation that is too long is cut to this share of what may follow the instructions."""

    type: Literal["retention_ratio"] = "retention_ratio"
    retention_ratio: Annotated[float, Field(ge=0, le=1)]
    token_limits: TokenLimits | None = None


class TracingConfig(SentFrame):
    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None


class PromptReference(SentFrame):
    """A prompt template stored at OpenAI."""

    id: str
    version: str | None = None
    variables: dict[str, Any] | None = None


Include = Literal["item.input_audio_transcription.logprobs"]


class Session(SentFrame):
    """A session's configuration, or the part to change: an absent field stays as it is, null clears it (2.1)."""

    type: Literal["realtime"]
    model: str | None = None
    instructions: str | None = None
    output_modalities: Modalities | None = None
    audio: SessionAudio | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: MaxTokens | None = None
    truncation: Literal["auto", "disabled"] | RetentionRatio | None = None
    tracing: Literal["auto"] | TracingConfig | None = None
    prompt: PromptReference | None = None
    include: tuple[Include, ...] | None = None


UNREADABLE = "unreadable"
# The names that formats had before the interface was GA, as texts.
BETA_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


class EffectiveSession(Frame):
    """The configuration in force, as reported by the server. Any field may be missing.

    expires_at: as received; read it through `ends_at`.
    """

    model_config = ConfigDict(extra="allow")

    id: Text = ""
    object: Text = "realtime.session"
    type: Text = "realtime"
    model: Text = ""
    expires_at: Any = None
    audio: Any = None

    def ends_at(self) -> float | None:
        """When the server will end the session, in Unix seconds, possibly fractional; None if it did not say.

        Raises: WireError, if it is not a number or out of range.
        """
        told = self.expires_at
        if told is None:
            return None
        # No clock reads more than 1e15 s; the comparison also rejects NaN.
        if isinstance(told, bool) or not isinstance(told, int | float) or not abs(told) < 1e15:
            raise WireError("bad_fields", "session.expires_at: not a time")
        return float(told)

    def format_type(self, side: Literal["input", "output"]) -> str:
        """The media type in force on one side, "" when the server did not say, UNREADABLE when it said no type.

        With the rate, if that is not the one that the interface has: what is heard would be noise.
        """
        told: Any = self.audio
        if told is None:  # in the beta interface it stands in the session itself
            told = {side: {"format": (self.__pydantic_extra__ or {}).get(f"{side}_audio_format")}}
        for name in (side, "format"):
            if not isinstance(told, dict):
                return "" if told is None else UNREADABLE
            told = told.get(name)
        kind = told.get("type") if isinstance(told, dict) else told
        if kind is None:
            return ""
        if not isinstance(kind, str):
            return UNREADABLE
        name, rate = BETA_FORMATS.get(kind.lower(), kind.lower()), told.get("rate") if isinstance(told, dict) else None
        if name != "audio/pcm" or not isinstance(rate, int | float) or rate == PCM_RATE_HZ or not 0 < rate < 1e6:
            return name
        return f"{name} at {rate} Hz"


# --- items we create ---


class InputText(SentPart):
    type: Literal["input_text"] = "input_text"
    text: str


class InputAudio(SentPart):
    type: Literal["input_audio"] = "input_audio"
    audio: str
    transcript: str | None = None


class InputImage(SentPart):
    type: Literal["input_image"] = "input_image"
    image_url: str
    detail: Literal["auto", "low", "high"] | None = None


class OutputText(SentPart):
    type: Literal["output_text"] = "output_text"
    text: str


class _NewItem(SentPart):
    id: Annotated[str, Field(max_length=32)] | None = None
    object: str | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class SystemMessage(_NewItem):
    type: Literal["message"] = "message"
    role: Literal["system"] = "system"
    content: tuple[InputText, ...]


class UserMessage(_NewItem):
    type: Literal["message"] = "message"
    role: Literal["user"] = "user"
    content: tuple[Annotated[InputText | InputAudio | InputImage, Field(discriminator="type")], ...]


class AssistantMessage(_NewItem):
    """Text only: the API does not accept assistant audio."""

    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    content: tuple[OutputText, ...]


class FunctionCallItem(_NewItem):
    type: Literal["function_call"] = "function_call"
    name: str
    arguments: str
    call_id: Annotated[str, Field(max_length=32)] | None = None


class FunctionCallOutputItem(_NewItem):
    type: Literal["function_call_output"] = "function_call_output"
    call_id: str
    output: str


class McpApprovalResponse(_NewItem):
    type: Literal["mcp_approval_response"] = "mcp_approval_response"
    approval_request_id: str
    approve: bool
    reason: str | None = None


_MessageItem = Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]
NewItem = Annotated[
    _MessageItem | FunctionCallItem | FunctionCallOutputItem | McpApprovalResponse, Field(discriminator="type")
]


class ItemReference(SentPart):
    type: Literal["item_reference"] = "item_reference"
    id: str


class ResponseAudioOutput(SentFrame):
    format: AudioFormat | None = None
    voice: str | CustomVoice | None = None


class ResponseAudio(SentFrame):
    output: ResponseAudioOutput | None = None


class ResponseRequest(SentFrame):
    """The settings of one response. `instructions` replaces the session's, `input` the conversation (3.3)."""

    conversation: Literal["auto", "none"] | None = None
    input: tuple[NewItem | ItemReference, ...] | None = None
    instructions: str | None = None
    output_modalities: Modalities | None = None
    audio: ResponseAudio | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: MaxTokens | None = None
    metadata: dict[str, str] | None = None
    prompt: dict[str, Any] | None = None


# --- received from the server ---

# A text that holds JSON. Some servers send the value itself: without it a call would be carried out without arguments.
_Json = Annotated[str, BeforeValidator(lambda value: "" if value is None else _as_json(value))]
_Name = Annotated[Digits, Field(max_length=NAME_CHARS)]
_NO_NULL = BeforeValidator(lambda value: () if value is None else value)


def _as_json(value: object) -> object:
    return value if isinstance(value, str) else to_json(value, inf_nan_mode="constants").decode()


class ContentPart(Frame):
    type: Text = ""
    text: str | None = None
    transcript: str | None = None
    audio: str | None = None
    image_url: str | None = None


class Item(Frame):
    """Any item as reported by the server: message, function_call, function_call_output, mcp_*."""

    id: _Name = ""
    object: Text = "realtime.item"
    type: Text = ""
    status: Text = ""
    role: Text = ""
    content: Annotated[tuple[ContentPart, ...], Field(max_length=MOST_ITEM_PARTS), _NO_NULL] = ()
    name: _Name = ""
    call_id: _Name = ""
    arguments: _Json = ""
    output: Text = ""
    server_label: _Name = ""


class ErrorDetail(Frame):
    type: _Name = ""
    code: _Name | None = None
    message: Text = ""
    param: _Name | None = None
    event_id: str | None = None


class StatusDetails(Frame):
    type: Text = ""
    reason: str | None = None
    error: ErrorDetail | None = None


class Response(Frame):
    """A response in `response.created` and `response.done`. id: "" if it was not told, or cannot be read."""

    id: _Name = ""
    object: Text = "realtime.response"
    status: Text = ""
    status_details: StatusDetails | None = None
    output: Annotated[tuple[Item, ...], Field(max_length=MOST_ITEMS), _NO_NULL] = ()
    conversation_id: str | None = None
    output_modalities: Annotated[tuple[str, ...], _NO_NULL] = ()
    audio: dict[str, Any] | None = None
    max_output_tokens: int | float | str | None = None
    metadata: dict[str, str] | None = None
    usage: dict[str, Any] | None = None

    def tokens(self) -> dict[str, int]:
        """The tokens it used: `input_tokens` and `output_tokens`, each only if the server reported it as a count."""
        usage = self.usage or {}
        return {key: usage[key] for key in ("input_tokens", "output_tokens") if is_count(usage.get(key))}

    @property
    def error_code(self) -> str:
        """The code of the error it failed with; "" if it did not fail, or gave no code."""
        error = self._error
        return (error.code or error.type or "") if error else ""

    @property
    def refused_input(self) -> bool:
        """Whether it failed because of what stands in the conversation, as far as its error tells."""
        error = self._error
        return error is not None and (error.type == "invalid_request_error" or "image" in (error.code or ""))

    @property
    def error_message(self) -> str:
        """The text of the error it failed with; "" if there is none."""
        return self._error.message if self._error else ""

    @property
    def _error(self) -> ErrorDetail | None:
        return self.status_details.error if self.status_details else None


class RateLimit(Frame):
    name: Text = ""
    limit: float | None = None
    remaining: float | None = None
    reset_seconds: float | None = None

    @property
    def left(self) -> float | None:
        """What is left of it, as a share; None if that is not told. A number below zero is no limit."""
        if self.remaining is None or not 0 <= self.remaining < inf:
            return None
        if self.limit is None:
            return float(self.remaining > 0)
        return min(self.remaining / self.limit, 1.0) if 0 < self.limit < inf else None
