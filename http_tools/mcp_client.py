"""Tools of MCP servers: one session a process and server, and a tool only with the input schema that was pinned.

The package `mcp` speaks the protocol, on an event loop of its own, while the threads of tools wait. Each HTTP
request is an `exchange`, so hosts, addresses, sizes and times are guarded as for any other tool.
May import: http_tools, httpx2, mcp, pydantic, the standard library.
Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import JsonValue

from http_tools.exchange import Broken, NotAllowed, Reply, Request, Unsent, exchange, parsed
from http_tools.guard import HostGuard

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult

T = TypeVar("T")
# How long a server's list of tools is believed; a new session asks for it again in any case.
LIST_AGE_S = 60.0
MOST_PAGES = 20
# No tool's total_s is longer.
LONGEST_CALL_S = 60.0
# Beyond a tool's own time, until its thread gives up a loop that does not end it.
BACKSTOP_S = 1.0
# What a server did not do for certain: it knows no such method or tool, or refuses the arguments.
_NOT_DONE = frozenset({-32601, -32602})
_OK, _BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND, _SERVER_ERROR, _REDIRECTS = 200, 400, 401, 404, 500, 300
# They are the exchange's own; the rest of what the package sends goes on the wire.
_NOT_PASSED = frozenset({"host", "content-length", "connection", "accept-encoding", "user-agent"})


class SchemaChanged(Unsent):
    """The server's tool is not the one that was pinned; nothing was sent to it."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A tool as the bot's file has it. input_schema: see fingerprint. reads_only: the server must say so too."""

    name: str
    input_schema: str
    reads_only: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as the server has it."""

    input_schema: str
    reads_only: bool

    def differs(self, pinned: Pinned) -> str:
        """What is not as it was pinned; "" if all is."""
        if self.input_schema != pinned.input_schema:
            return f'its input schema is now "{self.input_schema}"'
        if pinned.reads_only and not self.reads_only:
            return "the server does not say that it only reads (readOnlyHint)"
        return ""


@dataclass(slots=True)
class _Use:
    """One use of a tool: what its requests carry, and what came of the last one.

    asked: whether the server may have been asked to do it.
    """

    asked_with: Request
    guard: HostGuard
    connect_s: float
    until_s: float
    clock_s: Callable[[], float]
    asked: bool = False
    came: Reply | Unsent | Broken | NotAllowed | None = None

    def begin(self, *, asked: bool) -> None:
        self.asked, self.came = asked, None

    def left_s(self) -> float:
        return max(self.until_s - self.clock_s(), 0.0)


# The package sends a request in the context of whoever asked for it.
_USE: ContextVar[_Use] = ContextVar("mcp_use")


def prepare() -> None:
    """Import the package, which takes a second, before a caller waits for it. Raises: ImportError."""
    for name in ("mcp", "httpx2", "jsonschema"):  # of which the package imports the last with its first result
        importlib.import_module(name)
    for name in ("mcp", "httpx2"):  # their messages hold what servers and callers say
        logging.getLogger(name).setLevel(logging.CRITICAL)


def fingerprint(input_schema: Mapping[str, Any]) -> str:
    """The hash by which a tool's input schema is pinned."""
    text = json.dumps(input_schema, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class McpServers:
    """The servers of a process. A server is known by a key: its URL and who we are there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: dict[Hashable, _Server] = {}

    def call(
        self,
        key: Hashable,
        pinned: Pinned,
        asked: Request,
        guard: HostGuard,
        *,
        connect_s: float,
        until_s: float,
        clock_s: Callable[[], float],
    ) -> Reply:
        """Have a tool do it. asked: its body is the JSON-RPC message.

        Returns the result as a reply: 200, or 500 if the tool says that it failed, 400 if the server does not call it.
        Raises: Unsent, Broken, NotAllowed; SchemaChanged.
        """
        use = _Use(asked, guard, connect_s, until_s, clock_s)
        arguments = json.loads(asked.body or b"{}")["params"]["arguments"]

        async def called(server: _Server) -> Reply:
            return await server.called(use, pinned, arguments)

        return self._done(key, use, called)

    def offered(
        self,
        key: Hashable,
        name: str,
        asked: Request,
        guard: HostGuard,
        *,
        until_s: float,
        clock_s: Callable[[], float],
    ) -> Offered | None:
        """A tool as its server has it now; None if it has none of that name. Raises: Unsent, Broken, NotAllowed."""
        use = _Use(asked, guard, until_s - clock_s(), until_s, clock_s)

        async def looked(server: _Server) -> Offered | None:
            return await server.offered(use, name)

        return self._done(key, use, looked)

    def _done(self, key: Hashable, use: _Use, what: Callable[[_Server], Awaitable[T]]) -> T:
        async def bounded() -> T:
            _USE.set(use)
            server = self._servers.setdefault(key, _Server(use.asked_with.url))
            try:
                async with asyncio.timeout(use.left_s()):
                    return await what(server)
            except TimeoutError:
                raise (Broken if use.asked else Unsent)("no answer in time") from None

        waiting = asyncio.run_coroutine_threadsafe(bounded(), self._running())
        try:
            return waiting.result(use.left_s() + BACKSTOP_S)
        except TimeoutError:
            raise Broken("no answer in time") from None

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="mcp", daemon=True).start()
            return self._loop


class _Server:
    """A server, with its session while there is one. Lives on the loop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Client]
        self._tools: dict[str, Offered] = {}
        self._listed_s = 0.0

    async def called(self, use: _Use, pinned: Pinned, arguments: dict[str, Any]) -> Reply:
        from mcp import MCPError  # noqa: PLC0415 - an extra

        for last in (False, True):
            try:
                client, tool = await self._tool(use, pinned.name, LIST_AGE_S)
            except _Refused as refused:
                return refused.reply
            if tool is None:
                raise SchemaChanged(f"the server has no tool {pinned.name}")
            if differs := tool.differs(pinned):
                raise SchemaChanged(differs)
            use.begin(asked=True)
            try:
                # Not the client's own: that sends a call again by itself if the schema has changed.
                return _reply_of(await client.session.call_tool(pinned.name, arguments))
            except MCPError as error:
                came = use.came
                if came is None:
                    self._drop()
                    raise Broken("the session has ended") from None
                if not isinstance(came, Reply):
                    raise came from None
                if came.status == _NOT_FOUND and not last:  # the server has forgotten the session, and did nothing
                    self._drop()
                    use.begin(asked=False)
                    continue
                if came.status >= _REDIRECTS:
                    return came
                status = _BAD_REQUEST if error.code in _NOT_DONE else _SERVER_ERROR
                return Reply(status, {"error": error.code, "text": error.message})
            except (RuntimeError, ValueError) as error:  # a result that is none, or asks for more
                raise Broken(f"no result that can be used: {type(error).__name__}") from None
            except Exception as error:  # noqa: BLE001 - the session broke down, in whatever way
                self._drop()
                raise Broken(f"the session has ended: {type(error).__name__}") from None
        raise AssertionError

    async def offered(self, use: _Use, name: str) -> Offered | None:
        try:
            return (await self._tool(use, name, 0.0))[1]
        except _Refused as refused:
            raise Unsent(f"status {refused.reply.status}") from None

    async def _tool(self, use: _Use, name: str, age_s: float) -> tuple[Client, Offered | None]:
        """A session, and the tool by its list, which is no older than that.

        Raises: Unsent, NotAllowed; _Refused if the access token is refused.
        """
        for last in (False, True):
            client = await self._client(use)
            if self._tools and use.clock_s() - self._listed_s < age_s:
                return client, self._tools.get(name)
            use.begin(asked=False)
            try:
                self._tools = await _listed(client)
                self._listed_s = use.clock_s()
                return client, self._tools.get(name)
            except Exception as error:  # noqa: BLE001 - nothing was done yet, whatever it is
                self._drop()
                came = use.came
                if isinstance(came, Reply) and came.status == _NOT_FOUND and not last:
                    continue
                raise _not_begun(came, error) from None
        raise AssertionError

    async def _client(self, use: _Use) -> Client:
        """Raises: Unsent, NotAllowed, _Refused."""
        if self._session is None or self._session.done():
            self._tools = {}
            self._ready = ready = asyncio.get_running_loop().create_future()
            self._session = asyncio.create_task(self._hold(use, ready))
        return await asyncio.shield(self._ready)

    async def _hold(self, use: _Use, ready: asyncio.Future[Client]) -> None:
        """Open a session, and keep it until it is dropped. ready: gets its client, or why there is none."""
        import httpx2  # noqa: PLC0415 - an extra
        from mcp import Client  # noqa: PLC0415
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

        ready.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever waited may be gone
        try:
            async with httpx2.AsyncClient(transport=_guarded()) as http:
                transport = streamable_http_client(self._url, http_client=http, terminate_on_close=False)
                async with Client(transport, cache=None) as client:
                    ready.set_result(client)
                    await asyncio.Event().wait()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            if not ready.done():
                ready.set_exception(_not_begun(use.came, error))

    def _drop(self) -> None:
        """Have the next call open another session; calls that are under way in this one are left to end."""
        if self._session is not None:
            asyncio.get_running_loop().call_later(LONGEST_CALL_S, self._session.cancel)
            self._session = None


class _Refused(Exception):
    """The access token was refused, before anything was asked."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


def _not_begun(came: Reply | Exception | None, error: BaseException) -> Exception:
    """Why a tool was not asked."""
    if isinstance(came, Reply):
        if came.status == _UNAUTHORIZED:
            return _Refused(came)
        return Unsent(f"the MCP server answers with status {came.status}")
    if isinstance(came, NotAllowed):
        return came
    return Unsent(f"no session with the MCP server: {came or type(error).__name__}")


async def _listed(client: Client) -> dict[str, Offered]:
    from mcp.types import PaginatedRequestParams  # noqa: PLC0415 - an extra

    found: dict[str, Offered] = {}
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        for each in page.tools:
            reads_only = each.annotations is not None and each.annotations.read_only_hint is True
            found[each.name] = Offered(fingerprint(each.input_schema), reads_only)
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _reply_of(result: CallToolResult) -> Reply:
    """A result as a reply. Its body: the structured content, else the text as JSON, else {"text": …}.

    Image content, as base64, is `images` in it, unless it has a value of that name itself.
    """
    body: JsonValue = result.structured_content
    if not isinstance(body, dict):
        text = "\n".join(each.text for each in result.content if each.type == "text")
        found = parsed(text)
        body = found if isinstance(found, dict) else {"text": text}
    if images := [each.data for each in result.content if each.type == "image"]:
        body = {"images": [*images], **body}
    return Reply(_SERVER_ERROR if result.is_error else _OK, body)


def _guarded() -> Any:
    """What carries the package's requests. It never raises: that would end the session for the others."""
    import httpx2  # noqa: PLC0415 - an extra

    class Guarded(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.method != "POST":  # the server gets no stream of its own: its list of tools is asked for
                return httpx2.Response(405)
            use = _USE.get()
            content = await request.aread()
            passed = {name.title(): each for name, each in request.headers.items() if name not in _NOT_PASSED}
            sent = Request(
                "POST", str(request.url), passed | dict(use.asked_with.headers), content, use.asked_with.most_bytes
            )
            came = await _in_thread(sent, use)
            if b'"id"' in content:  # a notification's reply tells nothing
                use.came = came
            if not isinstance(came, Reply):
                return httpx2.Response(503)
            # Without Location no redirect is followed.
            kept = {name: each for name, each in came.headers.items() if name in ("content-type", "mcp-session-id")}
            return httpx2.Response(came.status, headers=kept, content=came.content)

    return Guarded()


async def _in_thread(sent: Request, use: _Use) -> Reply | Unsent | Broken | NotAllowed:
    """Exchange on a thread of its own, which ends by itself in time, and does not hold up the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Reply | Unsent | Broken | NotAllowed] = loop.create_future()

    def told(came: Reply | Unsent | Broken | NotAllowed) -> None:
        if not done.done():
            done.set_result(came)

    def run() -> None:
        came: Reply | Unsent | Broken | NotAllowed
        try:
            came = exchange(sent, use.guard, connect_s=use.connect_s, until_s=use.until_s, clock_s=use.clock_s)
        except (Unsent, Broken, NotAllowed) as error:
            came = error
        except Exception as error:  # noqa: BLE001 - whatever it is, it may have been sent
            came = Broken(type(error).__name__)
        loop.call_soon_threadsafe(told, came)

    try:
        threading.Thread(target=run, name="mcp exchange", daemon=True).start()
    except RuntimeError:  # no further thread can be started
        return Unsent("no thread for a request")
    return await done
