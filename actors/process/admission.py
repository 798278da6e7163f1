"""Sockets that belong to no call yet: their first message, and the time limit for it.

May import: actors, protocols, pydantic, the standard library.
Rules from: docs/specs/vaic-streaming.md 3.1, docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic_core import from_json

from actors.bots import Arrival
from actors.messages.switchboard import FirstText, Peer, SwitchboardMessage, WireLeft
from actors.system.address import Address, send
from actors.system.dispatcher import Timer
from actors.transport.violations import ProtocolViolations, cut
from actors.transport.websocket import Wire, WireMessage, WireText
from protocols.frames import Unknown
from protocols.limits import NAME_CHARS
from protocols.media import MediaFormat
from protocols.text import text_of
from protocols.vaic import Activities, FromVaic, SessionInitiate

# Messages that begin no session, after which a socket is closed: an administrator's test needs one or two.
MOST_USELESS = 20
# How long a socket may be silent before it gives way to another one when there is no room: an honest peer's first
# message follows the upgrade at once.
SILENCE_S = 0.5
# Of a message that is invalid, how much is searched for its conversation.
LOOKED_AT_BYTES = 1024
# What is received before `start`: more than three seconds of audio in 20 ms pieces.
MOST_KEPT = 256


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


@dataclass(slots=True)
class AwaitedStart:
    """A session that is accepted, and whose bot is chosen when `start` names the number that was dialled.

    wire: the socket. arrival: without that number. kept: what has been received meanwhile. limit: ends the wait.
    """

    wire: Wire
    initiate: SessionInitiate
    media: MediaFormat
    peer: Peer
    arrival: Arrival
    limit: Timer
    kept: list[WireMessage] = field(default_factory=list)


class ReadAheadWire:
    """A wire of which something was received already: whoever is attached first receives that before the rest."""

    def __init__(self, wire: Wire, kept: Sequence[WireMessage]) -> None:
        self._wire = wire
        self._kept = tuple(kept)

    def attach(self, owner: Address[WireMessage], *, only_next: bool = False) -> None:
        kept, self._kept = self._kept, ()
        for message in kept:
            send(owner, message)
        self._wire.attach(owner, only_next=only_next)

    def send(self, text: bytes) -> None:
        self._wire.send(text)

    def close(self, code: int, reason: str = "") -> None:
        self._wire.close(code, reason)

    def abort(self) -> None:
        self._wire.abort()


def dialled_in(frame: FromVaic | Unknown) -> str | None:
    """The number that was dialled, if this is the `start` of a call, "" if that does not tell; else None."""
    if not isinstance(frame, Activities):
        return None
    start = next((each for each in frame.activities if each.event == "start"), None)
    if start is None:
        return None
    return cut(text_of((start.parameters or {}).get("callee")), NAME_CHARS, "name")


def conversation_of(data: bytes) -> str:
    """The conversation id at the beginning of an otherwise invalid frame, for the log; "-" if there is none."""
    try:
        frame = from_json(data[:LOOKED_AT_BYTES], allow_partial=True)
    except ValueError:
        return "-"
    named = frame.get("conversationId") if isinstance(frame, dict) else None
    return named[:100] if isinstance(named, str) else "-"
