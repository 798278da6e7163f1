"""Carries out a declared tool as the effect of a task: once for a key, with retries only where they cannot do it twice.

May import: fsm, http_tools, protocols, jmespath (in http_tools.expressions), loguru, the standard library.
Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from loguru import logger
from pydantic import JsonValue

from fsm.effects import EffectRequest, EffectResult, Failed, NotSent, Ok, Refused, Remote, Unclear
from fsm.secret import Secret, SecretLost
from http_tools.declaration import WHOLE, Auth, Lookup, McpToolTable, OAuth2, ToolTable
from http_tools.exchange import (
    MOST_BODY_BYTES,
    MOST_IMAGES_BODY_BYTES,
    Broken,
    NotAllowed,
    Reply,
    Request,
    Unsent,
    exchange,
)
from http_tools.expressions import Missing, expression, fields, filled, filled_json, filled_url, holds, said, searched
from http_tools.guard import HostGuard
from http_tools.hosts import QUEUE_S, Busy, HostGates
from http_tools.mcp_client import McpServers, Offered, Pinned, SchemaChanged
from http_tools.trace_context import CALL, EFFECT, TraceIds
from protocols.images import image_bytes

# Between two tries; it doubles.
FIRST_PAUSE_S = 0.1
# Of the tool's time, what is kept for asking whether an unanswered request was done.
LOOKUP_S = 2.0
# Before its expiry an access token is not used any more.
TOKEN_MARGIN_S = 30.0
# Of one value that is kept, as JSON. What fills a slot is shorter still (fsm.walk).
MOST_KEPT_CHARS = 4000
# The keys of the templates of a body: of HTTP, of MCP.
IN_BODY = ("body", "arguments")
# However long its issuer says that it lasts.
LONGEST_TOKEN_S = 24 * 3600.0
# From the first on the server has failed, perhaps after it did it; the second says that it did nothing.
_SERVER_ERROR, _UNAVAILABLE = 500, 503
_UNAUTHORIZED = 401
# What has been done can be seen there: 303, and answers before the real one, which are none.
_ELSEWHERE = frozenset({303, *range(100, 200)})


@dataclass(frozen=True, slots=True)
class ToolHost:
    """What all tools of a process share.

    clock_s: monotonic. pause: sleeps. secret: by its name. wall_s: Unix time. heard: is told of each reply
    but an access token's, missed: why there is none, both for people who try a tool. gates: of what calls wait for;
    gates_off_call: of what is told after calls, whose failures and slow requests must not keep theirs from a host.
    refused: is told the name of an MCP tool at each use that is refused because it is not as it was pinned. asks:
    whether MCP servers are asked for their tools when a bot is loaded. ids: of the traces to which requests belong.
    """

    guard: HostGuard
    secret: Callable[[str], str]
    clock_s: Callable[[], float] = time.monotonic
    wall_s: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep
    gates: HostGates = field(default_factory=lambda: HostGates(time.monotonic))
    gates_off_call: HostGates = field(default_factory=lambda: HostGates(time.monotonic))
    heard: Callable[[Reply], None] = lambda reply: None
    missed: Callable[[str], None] = lambda reason: None
    mcp: McpServers = field(default_factory=McpServers)
    refused: Callable[[str], None] = lambda tool: None
    asks: bool = False
    ids: TraceIds = field(default_factory=TraceIds)


class NotAsPinned(NotSent):
    """An MCP server's tool is another one than the bot's file has."""


def remote(name: str, tool: ToolTable, around: ToolHost) -> Remote:
    """The effect that a tool declares."""
    call = HttpTool(name, tool, around)
    told: dict[str, Any] = {"say": tool.say, "say_after_s": tool.say_after_s, "longest_s": _longest_s(tool)}
    if tool.reads_only:
        return Remote(call.look_up, recover="human", reads_only=True, **told)
    told["unclear"] = tool.unclear.say
    told["facts"] = tool.placeholders() | (frozenset() if tool.refused is None else fields(tool.refused.say))
    if tool.lookup is not None:
        return Remote(call.carry_out, recover=call.was_done, drops_duplicates=tool.idempotent, **told)
    return Remote(call.carry_out, recover="retry" if tool.idempotent else "human", **told)


def look_up_within(
    name: str, tool: ToolTable, around: ToolHost, within_s: float
) -> Callable[[EffectRequest], EffectResult]:
    """A look-up that ends by itself within that time. Returns what `HttpTool.look_up` does, with the values it got."""
    limits = {"total_s": within_s, "connect_s": min(within_s, tool.connect_s)}
    return HttpTool(name, tool.model_copy(update=limits), around, partly=True).look_up


def teller(name: str, tool: ToolTable, around: ToolHost) -> tuple[Callable[[EffectRequest], EffectResult], float]:
    """What sends the tool's request to a system that takes it more than once, and the longest that it takes, in s."""
    off_call = replace(around, gates=around.gates_off_call)
    return HttpTool(name, tool, off_call, logged=False).tell, _longest_s(tool)


def offered(name: str, tool: McpToolTable, around: ToolHost) -> Offered | None:
    """An MCP tool as its server has it now; None if it has none of that name. Raises: Unsent, Broken, NotAllowed."""
    return HttpTool(name, tool, around).offered(tool)


def _longest_s(tool: ToolTable) -> float:
    """The longest that a tool takes: with the question whether it was done after it."""
    return tool.total_s + (LOOKUP_S if tool.lookup is not None else 0.0)


def shown(name: str, tool: ToolTable, around: ToolHost, request: EffectRequest) -> Request:
    """A tool's request as it may be shown, with *** for each secret. Raises: NotSent if a value is missing."""
    made = HttpTool(name, tool.model_copy(update={"auth": Auth()}), around).request(request, 0.0)
    auth, headers = tool.auth, dict(made.headers)
    if auth.bearer is not None or auth.oauth2 is not None:
        headers["Authorization"] = "Bearer ***"
    if auth.basic is not None:
        headers["Authorization"] = "Basic ***"
    if auth.header is not None:
        headers[auth.header.name] = "***"
    if auth.hmac is not None:
        headers |= _signature(request.key, int(around.wall_s()), b"", "") | {"webhook-signature": "v1,***"}
    return replace(made, headers=headers)


class HttpTool:
    """One declared tool. Called by the threads of tasks.

    partly: a reply that lacks a value counts without it. logged: it is carried out as an effect, which has a span.
    """

    def __init__(
        self, name: str, tool: ToolTable, around: ToolHost, *, partly: bool = False, logged: bool = True
    ) -> None:
        self._name = name
        self._tool = tool
        self._around = around
        self._partly = partly
        self._logged = logged and not tool.reads_only
        self._ok = expression(tool.ok.when)
        self._keep = {kept: expression(each) for kept, each in tool.ok.keep.items()}
        self._keep_images = {kept: expression(each) for kept, each in tool.ok.keep_images.items()}
        self._refused = None if tool.refused is None else expression(tool.refused.when)
        asked = tool.lookup or Lookup(get=tool.url)
        self._done, self._not_done = expression(asked.done), expression(asked.not_done)
        self._in_body = {name for path, _, name in tool.named() if path[0] in IN_BODY}
        self._token = ""
        self._token_until_s = 0.0
        self._token_lock = threading.Lock()
        self._by: Callable[..., Reply] = self._by_mcp if isinstance(tool, McpToolTable) else exchange
        self._said_of = ""  # in what it was not as pinned

    def carry_out(self, request: EffectRequest) -> EffectResult:
        """Do it. Raises: NotSent if nothing was sent."""
        try:
            reply = self._tried(request)
        except NotSent as error:
            raise NotSent(str(error), self._tool.failed.say, str(error)) from None
        except Broken as error:
            return self._after_no_answer(request, str(error))
        return self._judged(reply, request) or self._after_no_answer(request, f"status {reply.status}")

    def look_up(self, request: EffectRequest) -> EffectResult:
        """Do what only reads."""
        try:
            reply = self._tried(request)
        except (Broken, NotSent) as error:
            return Failed(self._tool.failed.say, str(error))
        return self._judged(reply, request) or Failed(self._tool.failed.say, f"status {reply.status}")

    def tell(self, request: EffectRequest) -> EffectResult:
        """Send what may arrive more than once. Returns Refused if it is never taken, Failed if it is to be sent again.

        What the file itself says of `ok` outweighs `refused`: a receiver may refuse as a duplicate what it has already.
        say: the reason, for those who run the daemon.
        """
        try:
            reply = self._tried(request)
        except (Broken, NotSent) as error:
            return Failed(str(error))
        document, status = _document(reply), f"status {reply.status}"
        arrived = "when" in self._tool.ok.model_fields_set and holds(self._ok, document)
        if not arrived and self._refused is not None and holds(self._refused, document):
            return Refused(status)
        return Ok() if holds(self._ok, document) else Failed(status)

    def was_done(self, request: EffectRequest) -> EffectResult | None:
        """Ask about a request without an answer. Returns its result if it was done, None if it was not.

        Raises: Broken or NotSent if there is no answer either.
        """
        lookup = self._tool.lookup
        assert lookup is not None
        until_s = self._around.clock_s() + LOOKUP_S
        try:
            url = filled_url(lookup.get, self._values(request))
        except Missing as error:
            raise self._lacking(request, "lookup.get", error) from None
        reply = self._once(Request("GET", url, self._headers(request, None, until_s)), until_s)
        self._around.heard(reply)
        document = _document(reply)
        if holds(self._not_done, document):
            return None
        if not holds(self._done, document):
            raise Broken(f"the look-up got status {reply.status}")
        return self._kept(reply, request) or self._unclear(f"status {reply.status}, without what is to be kept")

    # --- results ---

    def _after_no_answer(self, request: EffectRequest, why: str) -> EffectResult:
        if self._tool.lookup is None:
            return self._unclear(why)
        try:
            found = self.was_done(request)
        except (Broken, NotSent, NotAllowed) as error:
            self._around.missed(f"of the look-up: {error}")
            return self._unclear(why)
        # It was not done, but may still be: the first request can be under way.
        return self._unclear(why) if found is None else found

    def _unclear(self, why: str) -> Unclear:
        return Unclear(self._tool.unclear.say, why)

    def _judged(self, reply: Reply, request: EffectRequest) -> EffectResult | None:
        """The result that a reply tells; None if it may have been done."""
        document = _document(reply)
        if self._refused is not None and self._tool.refused is not None and holds(self._refused, document):
            return Refused(self._sentence(self._tool.refused.say, document, request))
        if holds(self._ok, document):
            return self._kept(reply, request)
        if _may_have_done(reply) and not self._tool.reads_only:
            return None
        return Failed(self._tool.failed.say, f"status {reply.status}")

    def _kept(self, reply: Reply, request: EffectRequest) -> Ok | None:
        """None if a value that is to be kept is not there, or is longer than any may be."""
        log = self._log(request).bind(status=reply.status)
        values: dict[str, JsonValue] = {}
        for name, each in self._keep.items():
            found = searched(each, reply.body)
            if found is None and self._partly:
                continue
            if found is None:
                log.warning("a tool's reply lacks a value", value=name)
                return None
            if not _is_short(found) and not (self._partly and isinstance(found, str)):  # such a text is cut
                log.warning("a tool's reply has too long a value", value=name)
                if self._partly:
                    continue
                return None
            values[name] = found
        return Ok(values, dict(self._images(reply, log)))

    def _images(self, reply: Reply, log: Any) -> Iterator[tuple[str, bytes]]:
        """The images that are to be kept, as far as they are there; what they are is looked at where they are shown."""
        for name, each in self._keep_images.items():
            found = searched(each, reply.body)
            if isinstance(found, str):
                content = image_bytes(found)
                yield name, found.encode(errors="replace") if content is None else content
            elif reply.body is None and self._tool.ok.keep_images[name] == WHOLE and reply.content:
                yield name, reply.content
            else:
                log.warning("a tool's reply lacks an image", image=name)

    def _sentence(self, template: str, document: Mapping[str, Any], request: EffectRequest) -> str:
        try:
            return said(template, {**self._values(request), **document}, request.context.locale)
        except Missing as error:
            self._log(request).warning("a tool's reply lacks a value for its sentence", value=str(error))
            return "I am sorry, that is not possible."

    # --- requests ---

    def _values(self, request: EffectRequest) -> dict[str, Any]:
        context = request.context
        own = {"caller": context.caller, "key": request.key, "conversation": context.conversation_id}
        return {**request.facts, **request.slots, **own}

    def request(self, request: EffectRequest, until_s: float) -> Request:
        """What is sent. until_s: for an access token. Raises: NotSent if a value is missing, or there is no token."""
        tool, values = self._tool, self._values(request)
        try:
            url = filled_url(tool.url, values)
            query = filled_json(dict(tool.query), values)
            payload = tool.payload()
            body = None if payload is None else json.dumps(filled_json(payload, self._revealed(values))).encode()
            headers = {name: _one_line(filled(each, values)) for name, each in tool.headers.items()}
        except SecretLost:
            raise NotSent("a secret is not known any more", tool.failed.say) from None
        except Missing as error:
            raise self._lacking(request, "request", error) from None
        if query:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
        most_bytes = MOST_IMAGES_BODY_BYTES if self._keep_images else MOST_BODY_BYTES
        return Request(tool.method, url, headers | self._headers(request, body, until_s), body, most_bytes)

    def _revealed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """With what was keyed in unseen, for the body of a request and nothing else. Raises: SecretLost."""
        return {
            name: value.reveal() if isinstance(value, Secret) and name in self._in_body else value
            for name, value in values.items()
        }

    def _lacking(self, request: EffectRequest, where: str, error: Missing) -> NotSent:
        """Tell that a value is missing."""
        self._log(request).error("a tool's request lacks a value", where=where, value=str(error))
        return NotSent(f"no value for {error}")

    def _log(self, request: EffectRequest) -> Any:
        return logger.bind(conversation=request.context.conversation_id, run=request.context.run_id, tool=self._name)

    def _headers(self, request: EffectRequest, body: bytes | None, until_s: float) -> dict[str, str]:
        span = (EFFECT, request.key) if self._logged else (CALL,)
        parent = self._around.ids.traceparent(request.context.conversation_id, *span)
        headers = {"User-Agent": "Tieline", "traceparent": parent}
        if not self._tool.reads_only:
            headers["Idempotency-Key"] = request.key
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._keep_images and self._by is exchange and "accept" not in map(str.lower, self._tool.headers):
            headers["Accept"] = "application/json, image/png, image/jpeg"
        headers |= self._credentials(until_s)
        if (signs := self._tool.auth.hmac) is not None:
            secret = self._around.secret(signs)
            headers |= _signature(request.key, int(self._around.wall_s()), body or b"", secret)
        return headers

    def _credentials(self, until_s: float) -> dict[str, str]:
        """The headers that say who we are. Raises: NotSent if there is no access token in time."""
        auth, secret = self._tool.auth, self._around.secret
        headers = {}
        if auth.bearer is not None:
            headers["Authorization"] = f"Bearer {secret(auth.bearer)}"
        if auth.basic is not None:
            pair = f"{auth.basic.user}:{secret(auth.basic.password)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        if auth.header is not None:
            headers[auth.header.name] = secret(auth.header.value)
        if auth.oauth2 is not None:
            headers["Authorization"] = f"Bearer {self._access_token(auth.oauth2, until_s)}"
        return headers

    def _access_token(self, oauth: OAuth2, until_s: float) -> str:
        """Raises: NotSent if there is none in time, which another thread may use up that is fetching one."""
        if not self._token_lock.acquire(timeout=max(until_s - self._around.clock_s(), 0.0)):
            raise NotSent("no access token in time")
        try:
            if self._around.clock_s() >= self._token_until_s:
                self._fetch_token(oauth, until_s)
            return self._token
        finally:
            self._token_lock.release()

    def _fetch_token(self, oauth: OAuth2, until_s: float) -> None:
        now_s = self._around.clock_s()
        form = {"grant_type": "client_credentials", "client_id": oauth.client_id}
        form |= {"client_secret": self._around.secret(oauth.client_secret)}
        form |= {"scope": oauth.scope} if oauth.scope else {}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        asked = Request("POST", oauth.token_url, headers, urlencode(form).encode())
        try:
            reply = self._once(asked, until_s)
        except Broken:
            raise NotSent("no access token") from None
        token = reply.body.get("access_token") if isinstance(reply.body, dict) else None
        if not isinstance(token, str) or not isinstance(reply.body, dict):
            raise NotSent(f"no access token: status {reply.status}")
        lasts = reply.body.get("expires_in")
        lasts_s = min(lasts, LONGEST_TOKEN_S) if isinstance(lasts, int | float) else 0.0
        self._token, self._token_until_s = token, now_s + lasts_s - TOKEN_MARGIN_S

    def _tried(self, request: EffectRequest) -> Reply:
        """The reply to the last try, within the tool's time.

        Raises: NotSent if no try was sent, Broken if one that was may have done it and no later one tells.
        """
        tool, clock_s = self._tool, self._around.clock_s
        until_s = clock_s() + tool.total_s
        asked = self.request(request, until_s)
        began_s, tries, pause_s = clock_s(), 0, FIRST_PAUSE_S
        again = set(tool.retry.on)
        maybe_done = ""
        log = self._log(request)
        while True:
            tries += 1
            last = tries > tool.retry.times
            failure: NotSent | Broken
            try:
                reply = self._once(asked, until_s, self._by)
            except NotSent as error:
                failure, last = error, last or "connect" not in again or isinstance(error, NotAsPinned)
                self._around.missed(str(error))
            except Broken as error:
                failure, last = error, last or "timeout" not in again
                self._around.missed(str(error))
                maybe_done = maybe_done or str(error)
            else:
                self._around.heard(reply)
                pause_s = max(pause_s, reply.retry_after_s)
                if last or str(reply.status) not in again or clock_s() + pause_s >= until_s:
                    took_ms = round(1000 * (clock_s() - began_s))
                    log.info("tool", status=reply.status, tries=tries, took_ms=took_ms)
                    if maybe_done and not self._tells(reply):
                        raise Broken(maybe_done)
                    return reply
                if _may_have_done(reply):
                    maybe_done = maybe_done or f"status {reply.status}"
                failure = Broken(f"status {reply.status}")
            if last or clock_s() + pause_s >= until_s:
                log.warning("a tool did not answer", reason=str(failure), tries=tries)
                raise Broken(maybe_done) if maybe_done else failure
            self._around.pause(pause_s)
            pause_s *= 2

    def _tells(self, reply: Reply) -> bool:
        """Whether a reply says what holds now, whatever came of an earlier try."""
        return self._tool.reads_only or holds(self._ok, _document(reply))

    def _once(self, asked: Request, until_s: float, by: Callable[..., Reply] = exchange) -> Reply:
        """Raises: NotSent, Broken."""
        around = self._around
        parts = urlsplit(asked.url)
        gate = around.gates.of(parts.netloc)
        try:
            with gate.passing(min(QUEUE_S, until_s - around.clock_s())):
                try:
                    reply = by(
                        asked, around.guard, connect_s=self._tool.connect_s, until_s=until_s, clock_s=around.clock_s
                    )
                except NotAsPinned:
                    gate.succeeded()
                    raise
                except BaseException:
                    gate.failed()
                    raise
                if reply.status == _UNAUTHORIZED:
                    self._token_until_s = 0.0  # the next request fetches another
                if reply.status >= _SERVER_ERROR:
                    gate.failed()
                else:
                    gate.succeeded()
                return reply
        except (Unsent, Busy, NotAllowed) as error:
            raise NotSent(str(error)) from None

    # --- MCP ---

    def _by_mcp(self, asked: Request, guard: HostGuard, **limits: Any) -> Reply:
        """`exchange` with an MCP server. Raises: NotAsPinned as well."""
        tool = self._tool
        assert isinstance(tool, McpToolTable)
        pinned = Pinned(tool.name, tool.input_schema, tool.reads_only)
        try:
            return self._around.mcp.call(self._server(), pinned, asked, guard, **limits)
        except SchemaChanged as error:
            self._around.refused(self._name)
            if self._said_of != str(error):
                self._said_of = str(error)
                logger.error("an MCP tool is not as it was pinned, and is not used", tool=self._name, why=str(error))
            raise NotAsPinned(str(error)) from None

    def offered(self, tool: McpToolTable) -> Offered | None:
        """See the function of that name."""
        around, until_s = self._around, self._around.clock_s() + tool.total_s
        asked = Request("POST", tool.url, {"User-Agent": "Tieline"} | self._credentials(until_s))
        return around.mcp.offered(
            self._server(), tool.name, asked, around.guard, until_s=until_s, clock_s=around.clock_s
        )

    def _server(self) -> tuple[object, ...]:
        """What its session is for: the URL, and who we are there."""
        secrets = tuple(self._around.secret(each) for each in sorted(self._tool.secrets()))
        return self._tool.url, self._tool.auth, secrets


def _may_have_done(reply: Reply) -> bool:
    """Whether a server that answers so may have done it: it failed, or says that the result is elsewhere."""
    return (reply.status >= _SERVER_ERROR and reply.status != _UNAVAILABLE) or reply.status in _ELSEWHERE


def _is_short(value: JsonValue) -> bool:
    """Whether a value can be kept with the call, and is short enough to be told to the model."""
    try:
        return len(json.dumps(value, ensure_ascii=False, allow_nan=False)) <= MOST_KEPT_CHARS
    except (ValueError, RecursionError):  # a number of thousands of digits, or to_number('1e999')
        return False


def _document(reply: Reply) -> dict[str, Any]:
    """What conditions see: the body's values by their names, `body` and `status`."""
    own = {"status": reply.status, "body": reply.body}
    return {**reply.body, **own} if isinstance(reply.body, dict) else own


def _one_line(text: str) -> str:
    """A header's value: what a caller says must not begin another header."""
    return "".join(each if 32 <= ord(each) < 127 else "?" for each in text)


def _signature(key: str, at_s: int, body: bytes, secret: str) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0."""
    try:
        raw = base64.b64decode(secret.removeprefix("whsec_"), validate=True) if secret.startswith("whsec_") else b""
    except ValueError:
        raw = b""
    signed = hmac.new(raw or secret.encode(), f"{key}.{at_s}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(signed).decode()}"
    return {"webhook-id": key, "webhook-timestamp": str(at_s), "webhook-signature": signature}
