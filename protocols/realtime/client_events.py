"""The eleven client events of the OpenAI Realtime GA interface. Strict: a field that is not declared is refused.

May import: protocols, pydantic, the standard library. Rules from: docs/specs/openai-realtime.md 3.1.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from protocols.frames import Codec, SentFrame
from protocols.realtime.objects import NewItem, ResponseRequest, Session


class ClientEvent(SentFrame):
    event_id: Annotated[str, Field(max_length=512)] | None = None


class SessionUpdate(ClientEvent):
    type: Literal["session.update"] = "session.update"
    session: Session


class InputAudioBufferAppend(ClientEvent):
    """Caller audio, base64 in the session's input format. Never answered."""

    type: Literal["input_audio_buffer.append"] = "input_audio_buffer.append"
    audio: str


class InputAudioBufferCommit(ClientEvent):
    type: Literal["input_audio_buffer.commit"] = "input_audio_buffer.commit"


class InputAudioBufferClear(ClientEvent):
    type: Literal["input_audio_buffer.clear"] = "input_audio_buffer.clear"


class ConversationItemCreate(ClientEvent):
    """`previous_item_id`: "root" inserts at the front, an id after that item; absent appends at the end."""

    type: Literal["conversation.item.create"] = "conversation.item.create"
    item: NewItem
    previous_item_id: str | None = None


class ConversationItemTruncate(ClientEvent):
    """Tell the model how much of an item the caller heard. `audio_end_ms`: from the item's start, in whole ms."""

    type: Literal["conversation.item.truncate"] = "conversation.item.truncate"
    item_id: str
    content_index: int
    audio_end_ms: Annotated[int, Field(ge=0, strict=True)]


class ConversationItemDelete(ClientEvent):
    type: Literal["conversation.item.delete"] = "conversation.item.delete"
    item_id: str


class ConversationItemRetrieve(ClientEvent):
    type: Literal["conversation.item.retrieve"] = "conversation.item.retrieve"
    item_id: str


class ResponseCreate(ClientEvent):
    type: Literal["response.create"] = "response.create"
    response: ResponseRequest | None = None


class ResponseCancel(ClientEvent):
    """Without an id: cancels the running response of the default conversation."""

    type: Literal["response.cancel"] = "response.cancel"
    response_id: str | None = None


class OutputAudioBufferClear(ClientEvent):
    """WebRTC and SIP only; on a WebSocket the client owns the playback buffer."""

    type: Literal["output_audio_buffer.clear"] = "output_audio_buffer.clear"


AnyClientEvent = (
    SessionUpdate
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemTruncate
    | ConversationItemDelete
    | ConversationItemRetrieve
    | ResponseCreate
    | ResponseCancel
    | OutputAudioBufferClear
)
CLIENT_EVENTS: Codec[AnyClientEvent] = Codec(Annotated[AnyClientEvent, Field(discriminator="type")], strict=True)
