"""`[tool.NAME]` of a bot's file: every key, what it may be, and its description.

May import: http_tools, protocols, jmespath (in http_tools.expressions), pydantic, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    RootModel,
    Tag,
    model_validator,
)

from http_tools.expressions import ALONE, expression, fields, forms
from protocols.activities import MOST_NAME

_SECRET = re.compile(r"secret:[A-Z][A-Z0-9_]*")
# The expression of a body that is an image itself.
WHOLE = "@"


_OWN_HEADERS = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "idempotency-key", "content-type", "traceparent",
    "accept-encoding", "webhook-id", "webhook-timestamp", "webhook-signature",
})  # fmt: skip


def secret_name(given: str) -> str:
    """The name in "secret:NAME". Raises: ValueError."""
    if not _SECRET.fullmatch(given):
        raise ValueError('write the name of a secret, like "secret:CRM", and never the secret itself')
    return given.removeprefix("secret:")


def _expression(text: str) -> str:
    expression(text)
    return text


def _template(text: str) -> str:
    fields(text)
    return text


def _url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("must be an absolute http:// or https:// URL")
    if fields(parts.netloc):
        raise ValueError("the host must be written out: a value of the caller's must not choose it")
    if not url.isascii() or any(each.isspace() for each in url):
        raise ValueError("must be ASCII without spaces: write other signs as %XX")
    if parts.fragment:
        raise ValueError("has a fragment, which no server sees: write # as %23")
    if "@" in parts.netloc:
        raise ValueError("has a password in it: use `auth` with a secret's name")
    fields(url)
    return url


SecretName = Annotated[str, AfterValidator(secret_name)]
Expression = Annotated[str, Field(min_length=1), AfterValidator(_expression)]
Template = Annotated[str, AfterValidator(_template)]
Url = Annotated[str, AfterValidator(_url)]
RetryOn = Literal["connect", "timeout", "408", "425", "429", "500", "502", "503", "504"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Basic(_Section):
    user: str
    password: SecretName


class HeaderAuth(_Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
    value: SecretName


class OAuth2(_Section):
    """Client credentials (RFC 6749 4.4)."""

    token_url: Url
    client_id: str
    client_secret: SecretName
    scope: str = ""


class Auth(_Section):
    """One of: bearer, basic, header, oauth2. hmac may stand beside it: signature headers of Standard Webhooks."""

    bearer: SecretName | None = None
    basic: Basic | None = None
    header: HeaderAuth | None = None
    oauth2: OAuth2 | None = None
    hmac: SecretName | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.bearer, self.basic, self.header, self.oauth2)) > 1:
            raise ValueError("only one of bearer, basic, header and oauth2")
        return self


class Retry(_Section):
    times: Annotated[int, Field(ge=0, le=5, description="Tries after the first.")] = 2
    on: Annotated[tuple[RetryOn, ...], Field(description="After what another try is made.")] = ("connect",)


class OkRule(_Section):
    when: Annotated[Expression, Field(description="On `status` and the reply's body.")] = "status < 300"
    keep: Annotated[
        dict[str, Expression], Field(description="Values to keep from the body, for slots, sentences and the model.")
    ] = {}
    keep_images: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=MOST_NAME)], Expression],
        Field(
            description="PNG or JPEG images to keep for `show_image`: base64 or a data: URL; `@` is a body that is "
            "one, `images[0]` the first one in the result of an MCP tool."
        ),
    ] = {}


class RefusedRule(_Section):
    when: Expression
    say: Annotated[Template, Field(min_length=1, description="Why, for the caller; the body's values may be named.")]


class Said(_Section):
    say: Annotated[str, Field(min_length=1)]


class Lookup(_Section):
    """What a request that got no answer is asked about."""

    get: Url
    done: Annotated[Expression, Field(description="Whether it was done; the body's values are kept as in `ok`.")] = (
        "status < 300"
    )
    not_done: Annotated[Expression, Field(description="Whether it was not.")] = "status == 404"


class ToolTable(_Section):
    """`[tool.NAME]`.

    Names in { } are the task's slots, what earlier tools kept, before.NAME, and caller, key, conversation.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: Url
    query: dict[str, Template] = {}
    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], Template] = {}
    body: Annotated[Any, Field(description="JSON with templates in its texts.")] = None
    auth: Auth = Auth()
    connect_s: Annotated[
        float, Field(gt=0, le=30, description="The longest wait for a connection: name, addresses and TLS together.")
    ] = 1.0
    total_s: Annotated[float, Field(gt=0, le=60, description="The longest time for all of it, retries included.")] = 6.0
    idempotent: Annotated[
        bool, Field(description="The far side honours Idempotency-Key: the same request may be sent again.")
    ] = False
    retry: Retry = Retry(times=1)
    say_after_s: Annotated[float, Field(ge=0, le=30, description="How long a caller waits before `say` is said.")] = 1.2
    say: Annotated[str, Field(description='Said once to a caller who waits, instead of the recorded "one moment".')] = (
        ""
    )
    ok: OkRule = OkRule()
    refused: RefusedRule | None = None
    failed: Said = Said(say="I am sorry, I cannot reach our system at the moment.")
    unclear: Said = Said(say="I am sorry, I got no answer from our system, so I do not know whether that was done.")
    lookup: Lookup | None = None
    reads_only: Annotated[bool, Field(description="It changes nothing, and needs no yes.")] = False

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for name in self.headers:
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"headers.{name}: is set by Tieline")
        if self.body is not None and self.method == "GET":
            raise ValueError("GET has no body: use `query`")
        if self.reads_only and self.lookup is not None:
            raise ValueError("what only reads needs no `lookup`")
        again = set(self.retry.on) - {"connect"}
        if again and not (self.idempotent or self.reads_only):
            raise ValueError(
                f"retry.on {', '.join(sorted(again))}: might do it twice; say `idempotent = true` if the far side "
                "honours Idempotency-Key, else retry on connect only"
            )
        for _, text in _texts(self.body):
            fields(text)
        return self

    def payload(self) -> JsonValue:
        """The request's body, with its templates; None if it has none."""
        given: JsonValue = self.body
        return given

    def placeholders(self) -> frozenset[str]:
        """The names that its requests need."""
        return frozenset(name for _, _, name in self.named())

    def named(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Every name in a template of its requests: the keys that lead to the template, the template, and the name."""
        for path, text in self.templates():
            for name in sorted(fields(text)):
                yield path, text, name

    def formed(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        """Every name that has a form of its own: the keys that lead to the template, the name, and the form."""
        for path, text in self.templates():
            for name, form in forms(text):
                yield path, name, form

    def templates(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every template of its requests, with the keys that lead to it."""
        yield from self.urls().items()
        yield from _texts(dict(self.query), "query")
        yield from _texts(dict(self.headers), "headers")
        yield from _texts(self.body, "body")

    def urls(self) -> dict[tuple[str, ...], str]:
        """The URLs that it may reach, by the keys that lead to them."""
        found: dict[tuple[str, ...], str] = {("url",): self.url}
        if self.lookup is not None:
            found["lookup", "get"] = self.lookup.get
        if self.auth.oauth2 is not None:
            found["auth", "oauth2", "token_url"] = self.auth.oauth2.token_url
        return found

    def secrets(self) -> frozenset[str]:
        """The names of the secrets that it needs."""
        auth = self.auth
        named = (
            auth.bearer,
            auth.basic and auth.basic.password,
            auth.header and auth.header.value,
            auth.oauth2 and auth.oauth2.client_secret,
            auth.hmac,
        )
        return frozenset(each for each in named if each)


# Of a tool over HTTP: at an MCP server they are the server's, or the protocol's.
_OF_HTTP = frozenset({"method", "url", "query", "headers", "body", "auth", "lookup"})


class McpServer(_Section):
    """`[mcp.NAME]`: a server of the Model Context Protocol, by streamable HTTP."""

    url: Url
    auth: Auth = Auth()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if fields(self.url):
            raise ValueError("the url must be written out: one session serves all calls")
        if self.auth.hmac is not None:
            raise ValueError(
                "auth.hmac signs bodies, which are the protocol's here: use bearer, basic, header or oauth2"
            )
        return self


class McpToolTable(ToolTable):
    """`[tool.NAME]` with `mcp`: a tool of an MCP server. What only reads must be annotated so there (readOnlyHint)."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema.update(
            properties={name: each for name, each in schema["properties"].items() if name not in _OF_HTTP}
        )
    )

    mcp: Annotated[str, Field(min_length=1, description="The server: [mcp.NAME].")]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]+$", description="The tool's name there.")]
    arguments: Annotated[dict[str, Any], Field(description="Its arguments: JSON with templates in its texts.")] = {}
    input_schema: Annotated[
        str,
        Field(
            pattern="^(sha256:[0-9a-f]{64})?$",
            description="The hash of its input schema; `tieline bots check` tells it. With any other it is not used.",
        ),
    ] = ""
    url: Url = ""  # with `auth`, filled in from the server's table

    @model_validator(mode="after")
    def _of_mcp(self) -> Self:
        for key in sorted(self.model_fields_set & _OF_HTTP):
            where = f"write it in [mcp.{self.mcp}]" if key in McpServer.model_fields else "leave it out"
            raise ValueError(f"{key}: is no key of a tool with `mcp`; {where}")
        if WHOLE in self.ok.keep_images.values():
            message = f"no result is an image itself, as `{WHOLE}` says; `images[0]` is the first one in it"
            raise ValueError(f"ok.keep_images: {message}")
        for _, text in _texts(self.arguments):
            fields(text)
        return self

    def payload(self) -> JsonValue:
        """The request of the protocol, without its id."""
        return {"method": "tools/call", "params": {"name": self.name, "arguments": self.arguments}}

    def templates(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every template of its requests, with the keys that lead to it."""
        yield from _texts(self.arguments, "arguments")


def tool_form(table: object) -> type[ToolTable]:
    """The form that a tool's table is to have."""
    is_mcp = isinstance(table, McpToolTable) or (isinstance(table, Mapping) and "mcp" in table)
    return McpToolTable if is_mcp else ToolTable


def left_out(path: tuple[str | int, ...], template: str) -> bool:
    """Whether a template of a request is left out where its value is missing. path: the keys that lead to it."""
    return path[0] in ("body", "query", "arguments") and ALONE.fullmatch(template) is not None


def _texts(value: object, *path: str | int) -> Iterator[tuple[tuple[str | int, ...], str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for name, each in value.items():
                yield from _texts(each, *path, name)
        case list() | tuple():
            for at, each in enumerate(value):
                yield from _texts(each, *path, at)


def _is_group(table: object) -> bool:
    """Whether it holds tools, and is none itself: a table with a `url`, or any other value of its own, is a tool."""
    return (
        isinstance(table, Mapping) and "url" not in table and all(isinstance(each, Mapping) for each in table.values())
    ) or isinstance(table, Tools)


def _kind(table: object) -> str:
    if _is_group(table):
        return _GROUP
    return _MCP if tool_form(table) is McpToolTable else _TOOL


# In the paths of pydantic's errors; no key of a file has such a name.
_GROUP, _TOOL, _MCP = "[tools]", "[tool]", "[tool of mcp]"


class Tools(
    RootModel[
        dict[
            str,
            Annotated[
                Annotated["Tools", Tag(_GROUP)] | Annotated[ToolTable, Tag(_TOOL)] | Annotated[McpToolTable, Tag(_MCP)],
                Discriminator(_kind),
            ],
        ]
    ]
):
    """`[tool]`: tools, and tables of tools."""

    model_config = ConfigDict(frozen=True)


def tools_in(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each tool of `[tool]` with the keys of its name: `[tool.crm.callback]` is ("crm", "callback")."""
    for name, inner in table.items():
        if _is_group(inner):
            yield from tools_in(inner, (*path, name))
        else:
            yield (*path, name), inner
