"""The caller's leg of a call: its current socket, and how long the call waits for another one when that is lost.

Not an actor: a part of a call's supervisor. May import: actors, protocols, pykka, the standard library.
Rules from: docs/specs/vaic-streaming.md 3.3, docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import pykka

from actors import policies
from actors.clips import Clip
from actors.messages.call import CallMessage, CallTimer, CallTimerKey
from actors.messages.model import ModelSocketMessage
from actors.messages.switchboard import CallCrashed, CallerAway
from actors.messages.vaic import LastWords, VaicSocketMessage
from actors.policies import POLICIES, VAIC
from actors.services import Services
from actors.system.address import Address, ParentLink, StableRef, send
from actors.system.signals import ChildDied
from actors.system.supervisor import Supervisor
from actors.system.timeouts import NamedTimers
from actors.transport.websocket import Wire
from actors.vaic.assist import AssistSocket
from actors.vaic.config import CallerSessionConfig, SocketOrigin
from actors.vaic.seen import SeenActivities
from actors.vaic.session import VaicSocket
from actors.vaic.tape import Tape
from protocols.errors import TransportLost
from protocols.media import MediaFormat
from protocols.vaic import SessionInitiate

# Ids of activities that a call remembers: VAIC can only repeat what it sent shortly before its socket was lost.
MOST_SEEN = 256


class CallerLeg:
    """Starts the call's VaicSocket, and a new one on every socket that VAIC resumes the call on.

    ref: the address of the current VaicSocket, for the rest of the call. children, timers: the supervisor's.
    switchboard: receives CallerAway when the caller is away or back, CallCrashed when the supervisor has failed.
    wire: the newest socket. incarnation: how many VaicSockets the call had, in other processes as well. text: the bot
    answers in writing. unheard: see CallerUnheard.
    """

    def __init__(
        self,
        services: Services,
        ref: StableRef[VaicSocketMessage],
        children: Supervisor,
        timers: NamedTimers[CallTimerKey],
        switchboard: Address[CallerAway | CallCrashed],
        initiate: SessionInitiate,
        media: MediaFormat,
        wire: Wire,
    ) -> None:
        self._services = services
        self._ref = ref
        self._children = children
        self._timers = timers
        self._switchboard = switchboard
        self._id = initiate.conversation_id
        self._media = media
        self.text = services.profile.assists or not initiate.expect_audio_messages
        self.wire = wire
        self.clips = services.profile.clips
        self.unheard = False
        self._origin, self.incarnation = SocketOrigin.NEW, 0
        self._seen: dict[str, None] = {}  # the newest last

    def start(
        self,
        call: Address[CallMessage],
        model: Address[ModelSocketMessage],
        ears: tuple[Address[ModelSocketMessage], ...] = (),
        tape: Tape | None = None,
    ) -> None:
        """ears: of a bot that assists. tape: see CallerSessionConfig."""
        self._neighbours, self._ears, self._tape = (call, model), ears, tape
        self._children.start(VAIC, self._ref, POLICIES[VAIC], self._socket)

    def _socket(self, parent_link: ParentLink) -> pykka.ActorRef[VaicSocket] | pykka.ActorRef[AssistSocket]:
        config = CallerSessionConfig(
            conversation_id=self._id,
            media=self._media,
            origin=self._origin,
            incarnation=self.incarnation,
            lead_ms=self._services.profile.lead_ms,
            filler_s=self._services.profile.filler_s,
            wav_header=self._services.profile.wav_header,
            clips=self.clips,
            new_id=self._services.new_id,
            timestamp=lambda: self._services.now().isoformat(timespec="milliseconds"),
            settings=self._services.profile.vaic_params,
            seen=SeenActivities(self._seen if self._origin is SocketOrigin.RESUMED else ()),
            text=self.text,
            unheard=self.unheard,
            tape=self._tape,
        )
        self.incarnation += 1
        if self._ears:
            return AssistSocket.start(parent_link, config, self.wire, *self._neighbours, self._ears)
        return VaicSocket.start(parent_link, config, self.wire, *self._neighbours)

    def saw(self, ids: Iterable[str]) -> None:
        """VAIC has sent these activities: should they come again on another socket, they are ignored."""
        self._seen |= dict.fromkeys(ids)
        for oldest in list(islice(self._seen, max(0, len(self._seen) - MOST_SEEN))):
            del self._seen[oldest]

    def ready(self) -> bool:
        """The VaicSocket is ready. Returns whether it replaces one that crashed."""
        replaced, self._origin = self._origin is SocketOrigin.REPLACED, SocketOrigin.REPLACED
        return replaced

    def accepted(self) -> None:
        """Have the first VaicSocket not answer session.initiate, which is answered already."""
        self._origin = SocketOrigin.ACCEPTED

    def resumed(self) -> None:
        """Have the next VaicSocket answer a session.resume."""
        self._origin = SocketOrigin.RESUMED

    def rebind(self, wire: Wire) -> None:
        """VAIC has resumed the call on another socket; the newest one counts (7.9)."""
        self._timers.cancel(CallTimer.RESUME)
        send(self._switchboard, CallerAway(self._id, away=False))
        self.wire = wire
        self.resumed()
        self._children.start(VAIC, self._ref, POLICIES[VAIC], self._socket)

    def break_off(self) -> None:
        """The supervisor has failed: have the VaicSocket say the last words; without one the socket is closed."""
        occupant = self._ref.occupant
        if occupant is None or not send(occupant, LastWords(Clip.CALL_AGAIN, "internal error")):
            self.wire.close(1011, "internal error")
        send(self._switchboard, CallCrashed(self._id))

    def lost(self, death: ChildDied) -> bool:
        """Whether the actor died of a lost socket, which VAIC may replace with a session.resume."""
        if death.child != VAIC or not isinstance(death.reason, TransportLost):
            return False
        if self._children.unlink(death):
            self._children.log.warning("VAIC's socket is lost", reason=death.reason)
            self._timers.start(CallTimer.RESUME, policies.RESUME_LIMIT_S)
            send(self._switchboard, CallerAway(self._id, away=True))
        return True
