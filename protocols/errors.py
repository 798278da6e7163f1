"""The product's error types, by who is at fault.

May import: the standard library.
"""

from __future__ import annotations


class TielineError(Exception):
    """Anything the product raises on purpose."""


class PeerError(TielineError):
    """Caused by a peer, not by a bug of ours: when an actor ends with it, the log has the reason but no traceback."""


class WireError(PeerError):
    """The peer broke the protocol. `reason` is short, stable and free of the peer's words: it is a metric's label."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class MisuseError(TielineError):
    """We broke a rule of our own."""


class TransportLost(PeerError):
    """A socket was lost. `code` is the WebSocket close code, or 1006 if there was none."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class ModelRefused(PeerError):
    """The model refuses to serve us, and a retry would fail too. `reason` is short and stable."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class ClaimOverdue(TielineError):
    """A call was not taken over, because nobody waits for it here any more."""


class Fenced(TielineError):
    """Another process has taken over the call: the write was rejected, and so will all later ones be."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"another process has taken over conversation {conversation_id}")
        self.conversation_id = conversation_id
