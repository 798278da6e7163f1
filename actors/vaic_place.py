"""The caller's place in a call: on which wire it speaks, and how long it may be empty.

Not an actor: a part of a call's supervisor. May import: actors, protocols, pykka, the standard library.
Rules from: specs/vaic-streaming.md 3.3, specs/reliability.md 5.4.
"""

from __future__ import annotations

import pykka

from actors import limits
from actors.address import Address, ChildDied, Post, Seat, send
from actors.children import Children
from actors.clips import Clip
from actors.house import House
from actors.messages.call import CallMessage
from actors.messages.model import ModelSocketMessage
from actors.messages.switchboard import CallBroke, CallerAway
from actors.messages.vaic import LastWords, VaicSocketMessage
from actors.supervision import POLICIES, VAIC
from actors.vaic_side import Entry
from actors.vaic_socket import VaicSocket
from actors.wire import Wire
from protocols.errors import TransportLost
from protocols.media import MediaFormat


class VaicPlace:
    """seat: where the rest of the call finds the caller. switchboard: is told when the caller is away and back, and
    when the call breaks off.

    wire: the caller's. incarnation: how many have held the place, here and at other processes.
    """

    def __init__(
        self,
        house: House,
        seat: Seat[VaicSocketMessage],
        children: Children,
        time_limits: limits.Limits,
        switchboard: Address[CallerAway | CallBroke],
        conversation_id: str,
        media: MediaFormat,
        wire: Wire,
    ) -> None:
        self._house = house
        self._seat = seat
        self._children = children
        self._limits = time_limits
        self._switchboard = switchboard
        self._id = conversation_id
        self._media = media
        self.wire = wire
        self._entry, self.incarnation = Entry.NEW, 0

    def start(self, call: Address[CallMessage], model: Address[ModelSocketMessage]) -> None:
        self._neighbours = call, model
        self._children.start(VAIC, self._seat, POLICIES[VAIC], self._socket)

    def _socket(self, post: Post) -> pykka.ActorRef[VaicSocket]:
        side = self._house.vaic_side(self._id, self._media, self._entry, self.incarnation)
        self.incarnation += 1
        return VaicSocket.start(post, side, self.wire, *self._neighbours)

    def ready(self) -> bool:
        """Somebody holds the place. Returns whether he has taken over the wire of one that crashed."""
        replaced, self._entry = self._entry is Entry.REPLACED, Entry.REPLACED
        return replaced

    def resumed(self) -> None:
        """The call has begun before, and whoever holds the place next is to say so."""
        self._entry = Entry.RESUMED

    def rebind(self, wire: Wire) -> None:
        """VAIC is back on another wire: the newest one counts."""
        self._limits.cancel("resume")
        send(self._switchboard, CallerAway(self._id, away=False))
        self.wire = wire
        self.resumed()
        self._children.start(VAIC, self._seat, POLICIES[VAIC], self._socket)

    def break_off(self) -> None:
        """Our own crash: the caller's side ends the call in words, for nobody will listen to it any more."""
        self._seat.tell(LastWords(Clip.CALL_AGAIN, "internal error"))
        send(self._switchboard, CallBroke(self._id))

    def lost(self, death: ChildDied) -> bool:
        """Whether that death is the loss of the caller's wire, of which the call may recover by itself."""
        if death.child != VAIC or not isinstance(death.reason, TransportLost):
            return False
        if self._children.forget(death):
            self._children.log.warning("VAIC's socket is lost", reason=str(death.reason))
            self._limits.start("resume", limits.RESUME_LIMIT_S)
            send(self._switchboard, CallerAway(self._id, away=True))
        return True
