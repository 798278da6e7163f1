"""Wires that belong to no call yet: what they say first, and how long they may take to say it.

May import: actors, pydantic, the standard library.
Rules from: docs/specs/vaic-streaming.md 3.1, docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic_core import from_json

from actors.messages.switchboard import FirstText, SwitchboardMessage, WireLeft
from actors.system.address import Address, send
from actors.system.dispatcher import Timer
from actors.transport.violations import ProtocolViolations
from actors.transport.websocket import Wire, WireMessage, WireText


@dataclass(frozen=True, slots=True)
class PendingInbox:
    """Takes what arrives on a wire that belongs to no call, and says on which wire it was."""

    wire: Wire
    switchboard: Address[SwitchboardMessage]

    def tell(self, message: WireMessage, /) -> None:
        at_door = FirstText(self.wire, message.data) if isinstance(message, WireText) else WireLeft(self.wire)
        send(self.switchboard, at_door)


@dataclass(slots=True)
class PendingConnection:
    """A wire at the door. limit: when it is shown out. odd: what was wrong with its frames, once something was."""

    limit: Timer
    credential: str = field(repr=False)
    odd: ProtocolViolations | None = None


def conversation_of(data: bytes) -> str:
    """The conversation that a frame names which cannot be read as one of VAIC's; "-" if none."""
    try:
        frame = from_json(data, allow_partial=True)
    except ValueError:
        return "-"
    named = frame.get("conversationId") if isinstance(frame, dict) else None
    return named[:100] if isinstance(named, str) else "-"
