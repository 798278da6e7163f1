"""What clients may send and the product never does: strict functions, MCP servers, transcription sessions.

May import: protocols, pydantic, the standard library. Rules from: docs/specs/openai-realtime.md 1.1, 2.2, 4.11.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from protocols.frames import SentFrame, SentPart
from protocols.realtime import client_events as client
from protocols.realtime.objects import (
    AudioInput,
    FunctionTool,
    Include,
    McpApproval,
    McpFilter,
    McpTool,
    ResponseRequest,
    Session,
    SessionAudio,
)


class OfferedFunction(FunctionTool):
    """strict: from the SDKs of other interfaces, whose schemas are meant so; means nothing here."""

    strict: bool | None = None


class OfferedServer(McpTool):
    """A server whose tools are listed and called for the client."""

    def allows(self, name: str, *, reads_only: bool) -> bool:
        """Whether a tool of the server may be used. reads_only: the server says so of it."""
        match self.allowed_tools:
            case None:
                return True
            case McpFilter():
                return _covers(self.allowed_tools, name, reads_only)
            case _:
                return name in self.allowed_tools

    def asks_before(self, name: str, *, reads_only: bool) -> bool:
        """Whether the client must approve of each call of a tool."""
        match self.require_approval:
            case "never":
                return False
            case McpApproval(never=McpFilter() as free) if _covers(free, name, reads_only):
                return False
            case McpApproval(always=McpFilter() as asked, never=None):
                return _covers(asked, name, reads_only)
            case _:
                return True


def _covers(these: McpFilter, name: str, reads_only: bool) -> bool:
    """Of an empty filter: every tool."""
    by_name = these.tool_names is None or name in these.tool_names
    return by_name and (these.read_only is None or these.read_only == reads_only)


OfferedTool = Annotated[OfferedFunction | OfferedServer, Field(discriminator="type")]


class OfferedSession(Session):
    tools: tuple[OfferedTool, ...] | None = None

    @property
    def servers(self) -> tuple[OfferedServer, ...]:
        return tuple(tool for tool in self.tools or () if isinstance(tool, OfferedServer))


class OfferedResponse(ResponseRequest):
    tools: tuple[OfferedTool, ...] | None = None

    @property
    def servers(self) -> tuple[OfferedServer, ...]:
        return tuple(tool for tool in self.tools or () if isinstance(tool, OfferedServer))


class RealtimeUpdate(client.SessionUpdate):
    session: OfferedSession


class OfferedResponseCreate(client.ResponseCreate):
    response: OfferedResponse | None = None


class TranscriptionAudio(SentFrame):
    input: AudioInput | None = None


class TranscriptionSession(SentPart):
    """The configuration of a session that only writes down what it hears, or the part to change."""

    type: Literal["transcription"]
    audio: TranscriptionAudio | None = None
    include: tuple[Include, ...] | None = None

    def as_session(self) -> OfferedSession:
        """The same change, of a session that could answer too."""
        change = OfferedSession(type="realtime")
        if "include" in self.model_fields_set:
            change = change.model_copy(update={"include": self.include})
        if self.audio is not None and self.audio.input is not None:
            change = change.model_copy(update={"audio": SessionAudio(input=self.audio.input)})
        return change


class TranscriptionUpdate(client.ClientEvent):
    """`session.update` of a transcription session."""

    type: Literal["session.update"] = "session.update"
    session: TranscriptionSession


_CommonEvent = (
    client.InputAudioBufferAppend
    | client.InputAudioBufferCommit
    | client.InputAudioBufferClear
    | client.ConversationItemCreate
    | client.ConversationItemTruncate
    | client.ConversationItemDelete
    | client.ConversationItemRetrieve
    | client.ResponseCancel
    | client.OutputAudioBufferClear
)
RealtimeEvent = _CommonEvent | RealtimeUpdate | OfferedResponseCreate
TranscriptionEvent = _CommonEvent | TranscriptionUpdate | OfferedResponseCreate
AnyEvent = RealtimeEvent | TranscriptionUpdate
