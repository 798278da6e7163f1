"""MCP tools that the model's server carries out: what is approved, and when a response is due."""

from __future__ import annotations

from protocols.realtime.mcp_calls import McpCalls
from protocols.realtime.objects import Item, McpApprovalResponse


def request(item_id: str, tool: str, server: str = "docs") -> Item:
    return Item(id=item_id, type="mcp_approval_request", name=tool, server_label=server)


def test_a_tool_that_is_named_is_approved_and_its_call_is_waited_for() -> None:
    calls = McpCalls(frozenset({("docs", "search")}))
    assert calls.asked(request("q-1", "search")) == McpApprovalResponse(approval_request_id="q-1", approve=True)
    assert (calls.goes_on, calls.take_due()) == (True, False)
    calls.began("call-1")
    assert not calls.take_due()
    calls.ended("call-1")
    assert (calls.take_due(), calls.take_due(), calls.goes_on) == (True, False, False)


def test_any_other_tool_is_refused_and_the_model_says_so() -> None:
    calls = McpCalls(frozenset({("docs", "search")}))
    for asked in (request("q-1", "delete"), request("q-2", "search", server="other")):
        answer = calls.asked(asked)
        assert not answer.approve
        assert answer.reason
        assert calls.take_due()


def test_one_response_is_due_for_all_that_ended_unless_the_model_has_spoken_since() -> None:
    calls = McpCalls()
    calls.began("call-1")
    calls.began("call-2")
    calls.ended("call-1")
    assert not calls.take_due()
    calls.ended("call-2")
    assert calls.take_due()
    calls.began("call-3")
    calls.ended("call-3")
    calls.spoken()
    assert (calls.goes_on, calls.take_due()) == (False, False)
