"""The MCP servers of one session: their tools are listed once a client names a server, and called for the model.

May import: protocols, lab.mind, lab.engine, mcp and httpx2 (where they are installed), loguru, the standard library.
Rules from: docs/specs/openai-realtime.md 4.11.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import field_serializer

from lab import mind
from lab.engine.conversation import Conversation, NewId, StoredItem
from lab.engine.listening import Emit
from lab.engine.refusals import InvalidEvent
from lab.engine.requests import OfferedServer
from protocols.realtime import server_events as server
from protocols.realtime.objects import ErrorDetail, Item, McpApprovalResponse

if TYPE_CHECKING:
    from loguru import Logger
    from mcp import Client

_LIST_S = 10.0
_CALL_S = 60.0
_NO_GATEWAY = 502


class McpItem(Item):
    """An item of type mcp_list_tools, mcp_call, mcp_approval_request or mcp_approval_response."""

    server_label: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    error: dict[str, Any] | None = None
    approval_request_id: str | None = None
    approve: bool = False
    reason: str | None = None

    @field_serializer("output")
    def _null_before_its_end(self, output: str) -> str | None:
        """Clients insist on the key, and on a text or null."""
        return output or None


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool of a server. asks: the client must approve of each call."""

    server: OfferedServer
    tool: mind.Tool
    asks: bool


@dataclass(frozen=True, slots=True)
class ServerCall:
    """The model's call of a listed tool: an item of a response, whose arguments are complete."""

    listed: ListedTool
    entry: StoredItem
    response_id: str
    output_index: int


class ServerTools:
    """Lists and calls in tasks of its own; what comes of it is told by events."""

    def __init__(self, conversation: Conversation, emit: Emit, new_id: NewId, log: Logger) -> None:
        self._conversation = conversation
        self._emit = emit
        self._new_id = new_id
        self._log = log
        self._known: dict[str, OfferedServer] = {}
        self._listed: dict[str, dict[str, ListedTool]] = {}
        self._listing: dict[str, asyncio.Task[None]] = {}
        self._calling: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, ServerCall] = {}

    def configure(self, servers: Iterable[OfferedServer]) -> None:
        """List the tools of servers that are new, or not as before."""
        for each in servers:
            label = each.server_label
            if self._known.get(label) == each:
                continue
            if (listing := self._listing.pop(label, None)) is not None:
                listing.cancel()
            self._known[label], self._listed[label] = each, {}
            item = McpItem(id=self._new_id("mcpl"), type="mcp_list_tools", server_label=label, tools=())
            entry = self._enter(item)
            self._emit(server.McpListToolsInProgress(item_id=item.id))
            self._listing[label] = asyncio.create_task(self._list(each, entry))

    async def settle(self) -> None:
        """Wait for lists that are under way."""
        if self._listing:
            await asyncio.wait(tuple(self._listing.values()))

    def tools(self, servers: Iterable[OfferedServer]) -> tuple[ListedTool, ...]:
        """The listed tools of these servers."""
        return tuple(tool for each in servers for tool in self._listed.get(each.server_label, {}).values())

    def run(self, call: ServerCall) -> None:
        """Carry out a call, or ask the client for its approval first."""
        if not call.listed.asks:
            self._begin(call)
            return
        called = call.entry.item
        asked = McpItem(
            id=self._new_id("mcpr"),
            type="mcp_approval_request",
            server_label=call.listed.server.server_label,
            name=called.name,
            arguments=called.arguments,
        )
        self._tell_done(self._enter(asked))
        self._waiting[asked.id] = call

    def answer(self, answer: McpApprovalResponse) -> None:
        """The client's approval of a call, or not. Raises: InvalidEvent if there is no such request."""
        call = self._waiting.pop(answer.approval_request_id, None)
        if call is None:
            message = f"There is no approval request '{answer.approval_request_id}' that waits for an answer."
            raise InvalidEvent("invalid_value", message, "item.approval_request_id")
        item = McpItem(
            id=answer.id or self._new_id("item"),
            type=answer.type,
            approval_request_id=answer.approval_request_id,
            approve=answer.approve,
            **({"reason": answer.reason} if answer.reason is not None else {}),
        )
        self._tell_done(self._enter(item))
        call.entry.item = call.entry.item.model_copy(update={"approval_request_id": answer.approval_request_id})
        if answer.approve:
            self._begin(call)
        else:
            denied = f"The call was not approved{': ' + answer.reason if answer.reason else ''}."
            self._end(call, error={"type": "tool_execution_error", "message": denied})

    def close(self) -> None:
        for task in (*self._listing.values(), *self._calling):
            task.cancel()

    def _enter(self, item: McpItem) -> StoredItem:
        entry = StoredItem(item)
        previous = self._conversation.add(entry)
        self._emit(server.ConversationItemAdded(item=item, previous_item_id=previous))
        return entry

    def _tell_done(self, entry: StoredItem) -> None:
        before = self._conversation.before(entry.item.id)
        self._emit(server.ConversationItemDone(item=entry.item, previous_item_id=before))

    # --- lists ---

    async def _list(self, each: OfferedServer, entry: StoredItem) -> None:
        label, failure = each.server_label, ""
        try:
            async with asyncio.timeout(_LIST_S), _session(each) as client:
                found = await _tools_of(client, each)
            self._listed[label] = {listed.tool.name: listed for listed, _ in found}
            entry.item = entry.item.model_copy(update={"tools": tuple(told for _, told in found)})
        except Exception as error:  # noqa: BLE001 - whatever a server or the way to it may do
            failure = _words(error)
        if self._listing.get(label) is asyncio.current_task():
            del self._listing[label]
        item_id = entry.item.id
        self._tell_done(entry)
        if not failure:
            self._emit(server.McpListToolsCompleted(item_id=item_id))
            return
        self._log.warning("no tools of an MCP server: {}", failure, server=label)
        self._emit(server.McpListToolsFailed(item_id=item_id))
        message = f"Error retrieving tool list from MCP server: '{label}'. {failure}"
        self._emit(
            server.Error(
                error=ErrorDetail(
                    type="external_connector_error", code="http_error", message=message, param="tools", event_id=None
                )
            )
        )

    # --- calls ---

    def _begin(self, call: ServerCall) -> None:
        self._emit(server.McpCallInProgress(item_id=call.entry.item.id, output_index=call.output_index))
        task = asyncio.create_task(self._call(call))
        self._calling.add(task)
        task.add_done_callback(self._calling.discard)

    async def _call(self, call: ServerCall) -> None:
        item = call.entry.item
        try:
            async with asyncio.timeout(_CALL_S), _session(call.listed.server) as client:
                result = await client.call_tool(item.name, json.loads(item.arguments or "{}"))
        except Exception as error:  # noqa: BLE001 - whatever a server or the way to it may do
            self._end(call, error={"type": "http_error", "code": _NO_GATEWAY, "message": _words(error)})
            return
        text = "\n".join(each.text for each in result.content if each.type == "text")
        if result.is_error:
            self._end(call, error={"type": "tool_execution_error", "message": text})
        else:
            self._end(call, output=text)

    def _end(self, call: ServerCall, *, output: str = "", error: dict[str, Any] | None = None) -> None:
        entry, index = call.entry, call.output_index
        entry.item = entry.item.model_copy(update={"output": output} if error is None else {"error": error})
        entry.is_done = True
        ended = server.McpCallCompleted if error is None else server.McpCallFailed
        self._emit(ended(item_id=entry.item.id, output_index=index))
        self._tell_done(entry)
        self._emit(server.OutputItemDone(response_id=call.response_id, output_index=index, item=entry.item))


def check_servers(servers: Iterable[OfferedServer], param: str) -> None:
    """Raises: InvalidEvent for a server that is known to OpenAI only."""
    for each in servers:
        if each.server_url is None:
            message = (
                f"The MCP server '{each.server_label}' has no server_url; connectors and tunnels are OpenAI's own."
            )
            raise InvalidEvent("invalid_value", message, param)


@asynccontextmanager
async def _session(each: OfferedServer) -> AsyncIterator[Client]:
    """Raises: ImportError where the extra `mcp` is not installed."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    assert each.server_url is not None
    headers = dict(each.headers or {})
    if each.authorization:
        headers["Authorization"] = f"Bearer {each.authorization}"
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=_CALL_S) as http,
        Client(streamable_http_client(each.server_url, http_client=http), cache=None) as client,
    ):
        yield client


async def _tools_of(client: Client, each: OfferedServer) -> list[tuple[ListedTool, dict[str, Any]]]:
    """The tools that the client allows, each also as the interface tells it."""
    found: list[tuple[ListedTool, dict[str, Any]]] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            reads = tool.annotations is not None and tool.annotations.read_only_hint is True
            if not each.allows(tool.name, reads_only=reads):
                continue
            told = {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
            if tool.annotations is not None:
                told["annotations"] = tool.annotations.model_dump(mode="json", by_alias=True, exclude_none=True)
            ours = mind.Tool(tool.name, tool.description or "", tool.input_schema)
            found.append((ListedTool(each, ours, each.asks_before(tool.name, reads_only=reads)), told))
        cursor = page.next_cursor
        if cursor is None:
            return found


def _words(error: BaseException) -> str:
    """What went wrong, in words: of a group the first of its errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ImportError):
        return "the engine lists them with an extra: pip install 'tieline[mcp]'"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
