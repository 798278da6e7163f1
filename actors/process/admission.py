"""Sockets that belong to no call yet: their first message, and the time limit for it.

May import: actors, pydantic, the standard library.
Rules from: docs/specs/vaic-streaming.md 3.1, docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import from_json

from actors.messages.switchboard import FirstText, Peer, SwitchboardMessage, WireLeft
from actors.system.address import Address, send
from actors.system.dispatcher import Timer
from actors.transport.violations import ProtocolViolations
from actors.transport.websocket import Wire, WireMessage, WireText

# Messages that begin no session, after which a socket is closed: an administrator's test needs one or two.
MOST_USELESS = 20
# How long a socket may be silent before it gives way to another one when there is no room: an honest peer's first
# message follows the upgrade at once.
SILENCE_S = 0.5
# Of a message that is invalid, how much is searched for its conversation.
LOOKED_AT_BYTES = 1024


@dataclass(frozen=True, slots=True)
class PendingInbox:
    """The owner of a wire that belongs to no call: forwards what it receives to the switchboard, with the wire."""

    wire: Wire
    switchboard: Address[SwitchboardMessage]

    def tell(self, message: WireMessage, /) -> None:
        forwarded = FirstText(self.wire, message.data) if isinstance(message, WireText) else WireLeft(self.wire)
        send(self.switchboard, forwarded)


@dataclass(slots=True)
class PendingConnection:
    """A wire of no call yet. limit: closes it. violations: made at its first bad frame.

    since_ms: when it was upgraded. useless: how many of its messages began no session.
    """

    wire: Wire
    limit: Timer
    peer: Peer
    since_ms: float
    useless: int = 0
    violations: ProtocolViolations | None = None


def conversation_of(data: bytes) -> str:
    """The conversation id at the beginning of an otherwise invalid frame, for the log; "-" if there is none."""
    try:
        frame = from_json(data[:LOOKED_AT_BYTES], allow_partial=True)
    except ValueError:
        return "-"
    named = frame.get("conversationId") if isinstance(frame, dict) else None
    return named[:100] if isinstance(named, str) else "-"
