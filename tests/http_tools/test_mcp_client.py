"""Tools of a real MCP server, and of one that breaks in the middle: what is sent, how often, and what comes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fsm.effects import EffectRequest, EffectResult, Failed, NotSent, Ok, Refused, TaskContext, Unclear
from http_tools.declaration import McpToolTable
from http_tools.exchange import Unsent
from http_tools.guard import HostGuard
from http_tools.mcp_client import LIST_AGE_S, fingerprint
from http_tools.tool import HttpTool, ToolHost, offered, remote
from tests.http_tools.mcp_server import Served, mcp_server
from tests.http_tools.server import Answer, HttpServer, answers, http_server, sends
from tests.pictures import jpeg, png

SCHEMA = {"type": "object", "properties": {"topic": {"type": "string"}}}
ANOTHER = fingerprint({"type": "object"})
# Long enough for a machine that does much else.
PATIENT_S = 60


@pytest.fixture(scope="module")
def crm() -> Iterator[Served]:
    with mcp_server() as served:
        yield served


@pytest.fixture(scope="module")
def shared(crm: Served) -> ToolHost:
    return ToolHost(HostGuard(private=("localhost",)), {"CRM": "of-the-crm"}.__getitem__, pause=lambda seconds: None)


def declared(url: str, name: str, **more: Any) -> McpToolTable:
    given = {"mcp": "crm", "name": name, "arguments": {"topic": "{topic}"}, "total_s": PATIENT_S, "connect_s": 30}
    auth = more.pop("auth", {"bearer": "secret:CRM"})
    table = McpToolTable.model_validate(given | more)
    return McpToolTable.model_construct(**{**dict(table), "url": url, "auth": type(table.auth).model_validate(auth)})


def pinned(served: Served, around: ToolHost, name: str, **more: Any) -> McpToolTable:
    table = declared(served.url, name, **more)
    found = offered(name, table, around)
    assert found is not None
    return table.model_copy(update={"input_schema": found.input_schema})


def request(key: str = "call-1:t1:3", topic: str = "billing") -> EffectRequest:
    context = TaskContext("call-1", "t1", "+4930123", lambda: datetime(2026, 11, 23, tzinfo=UTC))
    return EffectRequest(key, {"topic": topic}, context, {})


# --- a real server ---


def test_a_tool_does_it_once_with_our_key_and_credentials_in_one_session(crm: Served, shared: ToolHost) -> None:
    ok = {"keep": {"ticket": "id"}}
    arguments = {"topic": "{topic}", "number": "{caller}"}
    tool = HttpTool("crm.callback", pinned(crm, shared, "callback", ok=ok, arguments=arguments), shared)
    opened = len(crm.headers_of("server/discover"))
    done = [tool.carry_out(request(f"k-{number}", "once")) for number in (1, 2)]
    assert [type(each) for each in done] == [Ok, Ok]
    assert crm.tickets.count("once") == 2
    sent = [message for message, _ in crm.received if message["method"] == "tools/call"][-2:]
    assert [each["params"]["arguments"] for each in sent] == [{"topic": "once", "number": "+4930123"}] * 2
    headers = crm.headers_of("tools/call")[-2:]
    assert [each["idempotency-key"] for each in headers] == ["k-1", "k-2"]
    assert {each["authorization"] for each in headers} == {"Bearer of-the-crm"}
    assert len(crm.headers_of("server/discover")) == opened  # the session that was there


def test_two_calls_at_a_time_share_a_session_and_keep_their_own_headers(crm: Served, shared: ToolHost) -> None:
    table = pinned(crm, shared, "meet", reads_only=True, ok={"keep": {"said": "result"}})
    found: dict[str, EffectResult] = {}

    def ask(topic: str) -> None:
        found[topic] = HttpTool("meet", table, shared).look_up(request(topic=topic))

    threads = [threading.Thread(target=ask, args=(topic,)) for topic in ("one", "other")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == {"one": Ok({"said": "one"}), "other": Ok({"said": "other"})}


def test_a_tool_whose_schema_is_another_one_is_not_used_and_told_once(
    crm: Served, shared: ToolHost, log_lines: list[str]
) -> None:
    counted: list[str] = []
    table = declared(crm.url, "callback", input_schema=ANOTHER, retry={"times": 2, "on": ["connect"]})
    tool = HttpTool("crm.callback", table, replace(shared, refused=counted.append))
    before = crm.methods().count("tools/call")
    for _ in range(2):
        with pytest.raises(NotSent, match="its input schema is now"):
            tool.carry_out(request())
    assert crm.methods().count("tools/call") == before
    assert counted == ["crm.callback"] * 2  # each use, and not each try
    assert len([line for line in log_lines if line.startswith(("ERROR", "CRITICAL"))]) == 1


def test_a_change_while_a_session_lasts_is_seen(shared: ToolHost) -> None:
    ahead_s = [0.0]
    around = ToolHost(shared.guard, shared.secret, clock_s=lambda: time.monotonic() + ahead_s[0])
    with mcp_server() as served:
        tool = HttpTool("crm.callback", pinned(served, around, "callback"), around)
        assert tool.carry_out(request()) == Ok({})
        served.server.remove_tool("callback")
        served.server.add_tool(lambda topic, urgent: "", name="callback")
        ahead_s[0] = LIST_AGE_S
        with pytest.raises(NotSent, match="its input schema is now"):
            tool.carry_out(request())
        served.server.remove_tool("callback")
        ahead_s[0] = 2 * LIST_AGE_S
        with pytest.raises(NotSent, match="has no tool callback"):
            tool.carry_out(request())
        assert served.tickets == ["billing"]


def test_what_only_reads_must_be_annotated_so(crm: Served, shared: ToolHost) -> None:
    asks = {"arguments": {"what": "{topic}"}, "ok": {"keep": {"price": "price"}}, "reads_only": True}
    effect = remote("price", pinned(crm, shared, "price", **asks), shared)
    assert effect.reads_only
    assert effect.do(request()) == Ok({"price": 12.5})
    writes = HttpTool("crm.callback", pinned(crm, shared, "callback", reads_only=True), shared)
    assert isinstance(writes.look_up(request(topic="unasked")), Failed)
    assert "unasked" not in crm.tickets


def test_images_beside_a_result_are_kept_as_those_in_it_are(crm: Served, shared: ToolHost) -> None:
    asks = {"arguments": {"what": "{topic}"}, "reads_only": True}
    ok = {"keep": {"state": "state"}, "keep_images": {"all": "images[0]", "corner": "images[1]", "lid": "images[2]"}}
    effect = remote("photos", pinned(crm, shared, "photos", ok=ok, **asks), shared)
    assert effect.do(request(topic="torn")) == Ok({"state": "torn"}, {"all": png(), "corner": jpeg()})


def test_a_tool_that_fails_may_have_done_it_unless_the_file_knows_better(crm: Served, shared: ToolHost) -> None:
    table = pinned(crm, shared, "refuse")
    assert HttpTool("crm.refuse", table, shared).carry_out(request()) == Unclear(table.unclear.say)
    known = {"when": "status == 500 && contains(text, 'refuse')", "say": "Nobody is there."}
    known_table = pinned(crm, shared, "refuse", refused=known)
    assert HttpTool("crm.refuse", known_table, shared).carry_out(request()) == Refused("Nobody is there.")


def test_an_answer_that_does_not_come_is_unclear_and_nothing_is_sent_again(crm: Served, shared: ToolHost) -> None:
    retry = {"times": 2, "on": ["connect"]}
    table = pinned(crm, shared, "hang", retry=retry).model_copy(update={"total_s": 3.0})
    assert isinstance(HttpTool("crm.hang", table, shared).carry_out(request(topic="hangs")), Unclear)
    crm.wait.set()
    assert crm.tickets.count("hangs") == 1


def test_where_nobody_listens_or_may_be_reached_nothing_was_sent(shared: ToolHost) -> None:
    with mcp_server() as served:
        table = pinned(served, shared, "callback")
    with pytest.raises(NotSent):
        HttpTool("crm.callback", table, shared).carry_out(request())
    stranger = replace(shared, guard=HostGuard())
    with pytest.raises(NotSent, match="not among the hosts"):
        HttpTool("crm.callback", table, stranger).carry_out(request())


# --- one that breaks in the middle; it has sessions, as before 2026 ---


def scripted(server: HttpServer) -> Callable[..., Answer]:
    def rpc(result: object, **headers: str) -> Answer:
        def answer(wire: Any) -> None:
            body = {"jsonrpc": "2.0", "id": server.received[-1].json["id"], "result": result}
            answers(200, body, Content_Type="application/json", **headers)(wire)

        return answer

    return rpc


def handshake(server: HttpServer, session: str) -> list[Answer]:
    rpc = scripted(server)
    about = {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "x", "version": "1"},
    }
    listed = {"tools": [{"name": "callback", "inputSchema": SCHEMA}]}
    return [answers(404), rpc(about, Mcp_Session_Id=session), answers(202), rpc(listed)]


def carried_out(server: HttpServer, around: ToolHost, *script: Answer) -> EffectResult:
    server.script[:] = script
    table = declared(f"{server.url}/mcp", "callback", auth={}, input_schema=fingerprint(SCHEMA))
    return HttpTool("crm.callback", table, around).carry_out(request())


def test_a_forgotten_session_is_opened_again_and_the_call_is_made(shared: ToolHost) -> None:
    with http_server() as server:
        done = scripted(server)({"content": [{"type": "text", "text": '{"id": "T-7"}'}]})
        script = [*handshake(server, "s-1"), answers(404), *handshake(server, "s-2"), done]
        assert carried_out(server, shared, *script) == Ok({})
    calls = [each for each in server.received if each.json["method"] == "tools/call"]
    assert [each.headers["mcp-session-id"] for each in calls] == ["s-1", "s-2"]


def test_no_whole_reply_to_a_call_is_unclear(shared: ToolHost) -> None:
    for broken in (sends(b"", reset=True), answers(200, b"{", Content_Type="application/json"), answers(500)):
        with http_server() as server:
            assert isinstance(carried_out(server, shared, *handshake(server, "s-1"), broken), Unclear)
        assert [each.json["method"] for each in server.received].count("tools/call") == 1


def test_no_session_means_that_nothing_was_sent(shared: ToolHost) -> None:
    for refusal in (
        answers(500),
        answers(401),
        sends(b"", reset=True),
        answers(302, Location="http://169.254.169.254/"),
    ):
        with http_server() as server, suppress(NotSent):
            assert isinstance(carried_out(server, shared, refusal), Failed)
        assert "tools/call" not in [each.json["method"] for each in server.received]


def test_a_server_that_cannot_be_asked_for_its_tools_says_so(shared: ToolHost) -> None:
    with http_server(answers(503)) as server, pytest.raises(Unsent, match="503"):
        offered("callback", declared(f"{server.url}/mcp", "callback", auth={}), shared)
