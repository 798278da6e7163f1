"""The kinds of error the product knows, each named for who is at fault.

May import: the standard library.
"""

from __future__ import annotations


class TielineError(Exception):
    """Anything the product raises on purpose."""


class WireError(TielineError):
    """The peer broke the protocol. `reason` is short, stable and free of the peer's words: it is a metric's label."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class MisuseError(TielineError):
    """We broke a rule of our own."""


class TransportLost(TielineError):
    """A socket went away without being asked to. `code` is the WebSocket close code, or 1006 where there was none."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class ModelRefused(TielineError):
    """The model's side will not serve us, and asking again changes nothing. `reason` is short and stable."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Fenced(TielineError):
    """Another process has taken over the call: what was to be written for it was not, and nothing else will be."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"conversation {conversation_id} is another process's now")
        self.conversation_id = conversation_id
