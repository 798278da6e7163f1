"""What may stand under `[tool.NAME]`."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from http_tools.declaration import McpServer, McpToolTable, Tools, ToolTable, tool_form, tools_in

# The example that users begin with.
EXAMPLE = """
[tool.crm.callback]
method = "POST"
url = "https://crm.example/callbacks"
auth = { bearer = "secret:CRM" }
body = { number = "{caller}", topic = "{topic}", at = "{at:iso}" }
connect_s = 1
total_s = 6
idempotent = true
retry = { times = 2, on = ["connect", "429", "502", "503", "504"] }
say_after_s = 1.2
say = "One moment, I am writing that down."
ok = { when = "status < 300", keep = { ticket = "data.id" } }
refused = { when = "status == 409", say = "That time has just gone. {alternatives[0]} is free." }
failed = { say = "I cannot reach our system right now." }
lookup = { get = "https://crm.example/callbacks/by-key/{key}" }
reads_only = false

[tool.price]
method = "GET"
url = "https://crm.example/price"
query = { what = "{what}" }
reads_only = true
"""


def test_tools_are_named_by_their_tables() -> None:
    table = tomllib.loads(EXAMPLE)["tool"]
    tools = dict(tools_in(table))
    assert list(tools) == [("crm", "callback"), ("price",)]
    callback = ToolTable.model_validate(tools["crm", "callback"])
    Tools.model_validate(table)
    assert callback.secrets() == {"CRM"}
    assert callback.placeholders() == {"caller", "topic", "at", "key"}
    assert callback.urls() == {
        ("url",): "https://crm.example/callbacks",
        ("lookup", "get"): "https://crm.example/callbacks/by-key/{key}",
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"url": "crm.example/x"}, "absolute"),
        ({"url": "ftp://crm.example/x"}, "absolute"),
        ({"url": "https://{host}/x"}, "must be written out"),
        ({"url": "https://me:secret@crm.example/x"}, "password"),
        ({"url": "https://crm.example/{x"}, "expected"),
        ({"auth": {"bearer": "sk-1234"}}, "name of a secret"),
        ({"auth": {"bearer": "secret:A", "basic": {"user": "x", "password": "secret:B"}}}, "only one of"),
        ({"body": {"a": "{slot.__class__}"}}, "name of a value"),
        ({"ok": {"when": "status <"}}, "JMESPath"),
        ({"ok": {"keep": {"x": "data["}}}, "JMESPath"),
        ({"retry": {"on": ["503"]}}, "might do it twice"),
        ({"retry": {"on": ["sometimes"]}}, "Input should be"),
        ({"method": "GET", "body": {}}, "GET has no body"),
        ({"reads_only": True, "lookup": {"get": "https://crm.example/x"}}, "needs no `lookup`"),
        ({"total_s": 0}, "greater than 0"),
        ({"totl_s": 1}, "Extra inputs"),
        ({"headers": {"X y": "z"}}, "pattern"),
        ({"headers": {"Idempotency-key": "z"}}, "set by Tieline"),
        ({"url": "https://crm.example/prüfung"}, "ASCII"),
        ({"url": "https://crm.example/x#y"}, "fragment"),
    ],
)
def test_what_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ToolTable.model_validate({"url": "https://crm.example/x"} | change)


MCP = {"mcp": "crm", "name": "create_callback", "arguments": {"topic": "{topic}", "more": [{"key": "{key}"}]}}


def test_a_tool_of_an_mcp_server_names_what_its_arguments_need() -> None:
    tools = Tools.model_validate({"crm": {"callback": MCP, "price": {"url": "https://shop.example/"}}})
    callback = tools.model_dump()["crm"]["callback"]
    assert (callback["mcp"], callback["name"]) == ("crm", "create_callback")
    assert [tool_form(each) for each in (MCP, {"url": "https://shop.example/"}, 3)] == [
        McpToolTable,
        ToolTable,
        ToolTable,
    ]
    table = McpToolTable.model_validate(MCP)
    assert table.placeholders() == {"topic", "key"}
    assert table.payload() == {
        "method": "tools/call",
        "params": {"name": "create_callback", "arguments": MCP["arguments"]},
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"url": "https://crm.example/mcp"}, r"write it in \[mcp.crm\]"),
        ({"query": {"a": "b"}}, "query: is no key of a tool with `mcp`; leave it out"),
        ({"input_schema": "sha256:abc"}, "pattern"),
        ({"arguments": {"a": "{b.c}"}}, "write the name of a value"),
        ({"retry": {"on": ["timeout"]}}, "might do it twice"),
        ({"ok": {"keep_images": {"photo": "@"}}}, r"`images\[0\]` is the first one"),
    ],
)
def test_what_is_refused_of_a_tool_of_an_mcp_server(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        McpToolTable.model_validate(MCP | change)


@pytest.mark.parametrize("change", [{"url": "https://crm.example/{caller}"}, {"auth": {"hmac": "secret:CRM"}}])
def test_a_server_has_one_url_for_all_calls_and_no_signed_bodies(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        McpServer.model_validate({"url": "https://crm.example/mcp"} | change)


def test_an_editor_is_told_only_what_a_tool_of_an_mcp_server_may_have() -> None:
    properties = McpToolTable.model_json_schema()["properties"]
    assert {"mcp", "name", "arguments", "input_schema", "total_s"} <= properties.keys()
    assert not {"url", "method", "lookup", "auth"} & properties.keys()
