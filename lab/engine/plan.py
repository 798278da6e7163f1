"""The parameters of one response: the session's configuration, overridden by the request.

May import: protocols, lab.mind, lab.engine, the standard library. Rules from: docs/specs/openai-realtime.md 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab import mind
from lab.engine.config import Configuration, check_voice
from lab.engine.conversation import Conversation, NewId, StoredItem, entry_of
from lab.engine.refusals import InvalidEvent
from lab.engine.requests import OfferedResponse, OfferedServer
from lab.engine.sound import Sound, sound_of
from protocols.realtime.objects import (
    AudioFormat,
    CustomVoice,
    ForcedFunction,
    ForcedMcp,
    FunctionTool,
    ItemReference,
    MaxTokens,
    ResponseAudioOutput,
    ResponseRequest,
    Tool,
    ToolChoice,
)

_METADATA_LIMITS = (16, 64, 512)


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of one response.

    own_instructions: the request's, which replace the session's. given: the request's input, which replaces the
    conversation's items; None for those. servers: MCP servers, whose tools stand beside `tools`. speaks: output audio,
    else text.
    """

    in_conversation: bool
    instructions: str
    own_instructions: str | None
    given: tuple[StoredItem, ...] | None
    tools: tuple[mind.Tool, ...]
    servers: tuple[OfferedServer, ...]
    tool_choice: str
    speaks: bool
    media: AudioFormat
    voice: str | CustomVoice | None
    speed: float
    max_output_tokens: MaxTokens
    metadata: dict[str, str] | None

    @property
    def sound(self) -> Sound:
        return sound_of(self.media)

    @property
    def voice_name(self) -> str:
        return self.voice if isinstance(self.voice, str) else ""


def plan_of(request: OfferedResponse, config: Configuration, conversation: Conversation, new_id: NewId) -> Plan:
    """Combine a request with the configuration. Raises: InvalidEvent."""
    session = config.session
    _check_metadata(request.metadata)
    asked = (request.audio.output if request.audio else None) or ResponseAudioOutput()
    check_voice(asked.voice, "response.audio.output.voice")
    instructions = session.instructions or ""
    own = request.instructions
    modalities = request.output_modalities or session.output_modalities or ("audio",)
    return Plan(
        in_conversation=request.conversation != "none",
        # A request's instructions hide the session's, unless the client repeats those in front of its own.
        instructions=instructions if own is None or instructions in own else "",
        own_instructions=own,
        given=None if request.input is None else tuple(_given(request, config, conversation, new_id)),
        tools=_tools(session.tools if request.tools is None else request.tools),
        servers=session.servers if request.tools is None else request.servers,
        tool_choice=_choice(session.tool_choice if request.tool_choice is None else request.tool_choice),
        speaks=modalities[0] == "audio",
        media=asked.format or config.output_format,
        voice=asked.voice or config.output.voice,
        speed=config.output.speed or 1.0,
        max_output_tokens=request.max_output_tokens or session.max_output_tokens or "inf",
        metadata=request.metadata,
    )


def _given(
    request: ResponseRequest, config: Configuration, conversation: Conversation, new_id: NewId
) -> Iterable[StoredItem]:
    for item in request.input or ():
        if isinstance(item, ItemReference):
            yield conversation.get(item.id, "reference")
        else:
            yield entry_of(item, new_id, config.input_format)


def _tools(tools: tuple[Tool, ...] | None) -> tuple[mind.Tool, ...]:
    return tuple(
        mind.Tool(tool.name, tool.description or "", tool.parameters or {})
        for tool in tools or ()
        if isinstance(tool, FunctionTool)
    )


def _choice(choice: ToolChoice | None) -> str:
    if isinstance(choice, ForcedFunction | ForcedMcp):
        return choice.name or "required"
    return choice if isinstance(choice, str) else "auto"


def _check_metadata(metadata: dict[str, str] | None) -> None:
    most, longest_key, longest_value = _METADATA_LIMITS
    if metadata is None:
        return
    if len(metadata) > most:
        raise InvalidEvent("invalid_value", f"Metadata may hold {most} pairs.", "response.metadata")
    if any(len(key) > longest_key or len(value) > longest_value for key, value in metadata.items()):
        raise InvalidEvent("string_above_max_length", "A metadata key or value is too long.", "response.metadata")
