"""The MCP tools that the model's server carries out itself: what it may do is answered, and when to ask for the words.

Nothing is said about a result unless a response is asked for.
Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.11.
"""

from __future__ import annotations

from protocols.realtime.objects import Item, McpApprovalResponse

CALL, REQUEST = "mcp_call", "mcp_approval_request"


class McpCalls:
    """The calls of one model session. approved: the tools that may be carried out when asked, as (server, tool)."""

    def __init__(self, approved: frozenset[tuple[str, str]] = frozenset()) -> None:
        self._approved = approved
        self._open: set[str] = set()  # items of calls that go on, and of requests that were approved
        self._granted: set[str] = set()  # those of the requests
        self._untold: set[str] = set()  # items of calls that have ended, and of which nothing was said yet

    def began(self, item_id: str) -> None:
        """The server carries a tool out. Its call has another id than the request that was approved for it."""
        self._open.difference_update(self._granted)
        self._granted.clear()
        self._open.add(item_id)

    def asked(self, item: Item) -> McpApprovalResponse:
        """The answer to a request for approval."""
        if (item.server_label, item.name) in self._approved:
            self._open.add(item.id)
            self._granted.add(item.id)
            return McpApprovalResponse(approval_request_id=item.id, approve=True)
        self._untold.add(item.id)
        return McpApprovalResponse(approval_request_id=item.id, approve=False, reason="This bot may not do that.")

    def ended(self, item_id: str) -> None:
        """A tool was carried out, or could not be."""
        self._open.discard(item_id)
        self._untold.add(item_id)

    def spoken(self) -> None:
        """The model says something after what has ended so far."""
        self._untold.clear()

    @property
    def goes_on(self) -> bool:
        """Whether the server is at something of which the caller will be told."""
        return bool(self._open or self._untold)

    def take_due(self) -> bool:
        """Whether a response is to be asked for now. Asked once."""
        if self._open or not self._untold:
            return False
        self._untold.clear()
        return True
