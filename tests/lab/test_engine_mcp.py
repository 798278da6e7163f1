"""The engine as a client of MCP servers: a real one lists its tools, and carries out what the model calls."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab import mind
from lab.engine.requests import OfferedServer
from protocols.realtime.objects import McpApproval, McpFilter
from tests.http_tools.mcp_server import Served, mcp_server
from tests.lab.engine_client import Client, Event, connected, in_order, running, user, words_of
from tests.paced_loop import run_paced
from tests.ports import free_ports


@pytest.fixture(scope="module")
def shop() -> Iterator[Served]:
    with mcp_server() as served:
        yield served


def prices(prompt: mind.Prompt) -> mind.Reply:
    """Asks for a price, then says it."""
    match prompt.items[-1]:
        case mind.CallOutput(output=output):
            return mind.Reply(f"It is {output}.")
        case mind.UserSaid(text=text) if text in [tool.name for tool in prompt.tools]:
            return mind.Reply("", (mind.FunctionCall(text, json.dumps({"what": "cleaning", "topic": "a call"})),))
    return mind.Reply(f"I have {len(prompt.tools)} tools.")


def listing(url: str, **fields: object) -> Event:
    return {"type": "mcp", "server_label": "shop", "server_url": url, **fields}


def play(shop: Served, approval: str, *names: str, approve: bool = True) -> Client:
    """Ask for tools of the server by their names, and have each answer spoken."""

    async def call() -> Client:
        async with running(think=prices) as engine, connected(engine) as client:
            await client.update(
                output_modalities=["text"],
                tools=[listing(shop.url, require_approval=approval, allowed_tools=["price", "refuse"])],
            )
            await client.next("mcp_list_tools.completed")
            for name in names:
                await client.send("conversation.item.create", item=user(name))
                await client.send("response.create")
                await client.done()
                if approval == "always":
                    while client.events[-1].get("item", {}).get("type") != "mcp_approval_request":
                        await client.next("conversation.item.done")
                    answer = {"approval_request_id": client.events[-1]["item"]["id"], "approve": approve}
                    await client.send("conversation.item.create", item={"type": "mcp_approval_response", **answer})
                await client.next("response.output_item.done")
                await client.send("response.create")
                await client.done()
            return client

    return run_paced(call())


def test_tools_are_listed_and_called_and_the_model_sees_what_came_of_it(shop: Served) -> None:
    client = play(shop, "never", "price")
    (listed,) = [each["item"] for each in client.of("conversation.item.done") if "tools" in each["item"]]
    assert listed["server_label"] == "shop"
    assert {tool["name"] for tool in listed["tools"]} == {"price", "refuse"}
    assert all("input_schema" in tool for tool in listed["tools"])
    assert in_order(
        client.kinds(),
        "session.updated",
        "conversation.item.added",
        "mcp_list_tools.in_progress",
        "conversation.item.done",
        "mcp_list_tools.completed",
        "response.created",
        "response.output_item.added",
        "response.mcp_call_arguments.done",
        "response.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
    )
    (begun,) = [each["item"] for each in client.of("response.output_item.added") if each["item"]["type"] == "mcp_call"]
    assert (begun["output"], begun["error"], begun["arguments"]) == (None, None, "")
    (called,) = [each["item"] for each in client.of("response.output_item.done") if each["item"]["type"] == "mcp_call"]
    assert (called["name"], called["server_label"]) == ("price", "shop")
    assert json.loads(called["output"]) == {"price": 12.5}
    assert "12.5" in words_of(client.of("response.done")[-1]["response"])


def test_a_tool_that_fails_is_told_as_failed(shop: Served) -> None:
    client = play(shop, "never", "refuse")
    assert client.of("response.mcp_call.failed")
    (called,) = [each["item"] for each in client.of("response.output_item.done") if each["item"]["type"] == "mcp_call"]
    assert called["error"]["type"] == "tool_execution_error"
    assert "refuse" in called["error"]["message"]


@pytest.mark.parametrize("approve", [True, False])
def test_a_call_waits_for_the_approval_of_the_client(shop: Served, *, approve: bool) -> None:
    before = shop.methods().count("tools/call")
    client = play(shop, "always", "price", approve=approve)
    assert bool(client.of("response.mcp_call.completed")) == approve
    assert bool(client.of("response.mcp_call.failed")) != approve
    assert shop.methods().count("tools/call") - before == approve
    (called,) = [each["item"] for each in client.of("response.output_item.done") if each["item"]["type"] == "mcp_call"]
    assert called["approval_request_id"]


def test_what_cannot_be_listed_is_said_clearly_and_the_session_goes_on() -> None:
    async def call() -> None:
        async with running(think=prices) as engine, connected(engine) as client:
            await client.update(output_modalities=["text"], tools=[listing(f"http://127.0.0.1:{free_ports()}/mcp")])
            await client.next("mcp_list_tools.failed")
            error = await client.error()
            assert error["type"] == "external_connector_error"
            assert "'shop'" in error["message"]
            assert words_of(await client.ask("anything")) == "I have 0 tools."

            await client.send(
                "session.update",
                session={
                    "type": "realtime",
                    "tools": [{"type": "mcp", "server_label": "mail", "connector_id": "connector_gmail"}],
                },
            )
            while (error := await client.error())["param"] != "session.tools":
                pass
            assert "connectors and tunnels" in error["message"]
            await client.send(
                "conversation.item.create",
                item={"type": "mcp_approval_response", "approval_request_id": "none", "approve": True},
            )
            assert (await client.error())["param"] == "item.approval_request_id"

    run_paced(call())


def test_secrets_of_a_server_are_not_reported() -> None:
    async def call() -> None:
        async with running() as engine, connected(engine) as client:
            server = listing(
                f"http://127.0.0.1:{free_ports()}/mcp", authorization="secret", headers={"X-Key": "secret"}
            )
            (tool,) = (await client.update(tools=[server]))["tools"]
            assert "secret" not in json.dumps(tool)
            assert tool["server_url"].startswith("http://127.0.0.1")

    run_paced(call())


@pytest.mark.parametrize(
    ("approval", "asked"),
    [
        (None, {"read": True, "write": True}),
        ("always", {"read": True, "write": True}),
        ("never", {"read": False, "write": False}),
        (McpApproval(never=McpFilter(tool_names=("read",))), {"read": False, "write": True}),
        (McpApproval(never=McpFilter(read_only=True)), {"read": False, "write": True}),
        (McpApproval(always=McpFilter(tool_names=("write",))), {"read": False, "write": True}),
    ],
)
def test_which_calls_are_asked_about(approval: object, asked: dict[str, bool]) -> None:
    server = OfferedServer.model_validate({"server_label": "shop", "require_approval": approval})
    assert {name: server.asks_before(name, reads_only=name == "read") for name in asked} == asked


@pytest.mark.parametrize(
    ("allowed", "read", "write"),
    [(None, True, True), (("read",), True, False), (McpFilter(read_only=True), True, False)],
)
def test_which_tools_are_allowed(allowed: object, read: bool, write: bool) -> None:
    server = OfferedServer.model_validate({"server_label": "shop", "allowed_tools": allowed})
    assert (server.allows("read", reads_only=True), server.allows("write", reads_only=False)) == (read, write)
