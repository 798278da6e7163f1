"""The root of the tree, one in a process: admits calls, knows who is alive, keeps the journal's keeper alive.

May import: actors, protocols, store, pydantic, loguru.
Rules from: specs/vaic-streaming.md 3.1 to 3.3, specs/reliability.md 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

import pykka
from loguru import logger
from pydantic_core import from_json

from actors.address import Address, ChildDied, Nobody, Post, Seat, WaitingRoom, send
from actors.call_supervisor import CallSupervisor
from actors.children import Children
from actors.counters import CALLS_LIVE, CALLS_REFUSED
from actors.dispatch import Timer
from actors.house import House
from actors.journal_keeper import JournalKeeper
from actors.messages import (
    CallMessage,
    EndCall,
    FindCall,
    FirstText,
    FirstTextOverdue,
    JournalMessage,
    Leave,
    Rebind,
    Roll,
    StartAgain,
    StopCalls,
    SwitchboardMessage,
    WhoIsAlive,
    WireLeft,
    WireOpened,
)
from actors.oddities import Oddities
from actors.runtime import LoopActor
from actors.supervision import Escalate, Restart, RestartPolicy
from actors.wire import Wire, WireClosed, WireMessage
from protocols.errors import WireError
from protocols.frames import Unknown
from protocols.media import negotiate
from protocols.vaic import (
    FROM_VAIC,
    ConnectionValidate,
    ConnectionValidated,
    SessionError,
    SessionInitiate,
    SessionResume,
)
from store.journal import Journal

JOURNAL = "journal"
# What the journal is told while it has no keeper waits: a minute of two hundred busy calls.
KEPT_MESSAGES = 50_000
JOURNAL_POLICY = RestartPolicy(restart=Restart.PERMANENT, intensity=10, period_s=60, backoff_s=0.1)
CALL_POLICY = RestartPolicy(restart=Restart.TEMPORARY)
# How long a socket may say nothing after its upgrade, and how long a refused one may stay.
FIRST_TEXT_LIMIT_S, REFUSED_LIMIT_S = 5.0, 2.0


@dataclass(frozen=True, slots=True)
class _Door:
    """Takes what arrives on a wire that belongs to no call, and says on which wire it was."""

    wire: Wire
    switchboard: Address[SwitchboardMessage]

    def tell(self, message: WireMessage, /) -> None:
        at_door = WireLeft(self.wire) if isinstance(message, WireClosed) else FirstText(self.wire, message.data)
        send(self.switchboard, at_door)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call in progress. wire: on which it came."""

    seat: Seat[CallMessage]
    wire: Wire


@dataclass(slots=True)
class _Guest:
    """A wire at the door. limit: when it is shown out. odd: what was wrong with its frames, once something was."""

    limit: Timer
    odd: Oddities | None = None


class Switchboard(LoopActor):
    """Is told: SwitchboardMessage. Children: the JournalKeeper, and one CallSupervisor a call, by conversation id."""

    def __init__(self, house: House, journal: Journal, max_calls: int) -> None:
        super().__init__()
        self._journal = journal
        self._max_calls = max_calls
        self._children = Children(self.actor_ref, self.now_ms, house.rand, self._start_again)
        self._keeper: Seat[JournalMessage] = WaitingRoom(KEPT_MESSAGES)
        # Calls write through the seat, so that they never notice when its holder changes.
        self._house = replace(house, journal=self._keeper)
        self._calls: dict[str, _Call] = {}
        self._at_door: dict[int, _Guest] = {}
        self._accepting = True
        self._leaving = False

    def on_start(self) -> None:
        self._children.start(JOURNAL, self._keeper, JOURNAL_POLICY, self._start_keeper)

    def on_receive(self, message: SwitchboardMessage) -> Roll | Address[CallMessage] | None:
        match message:
            case WireOpened():
                limit = self.after(FIRST_TEXT_LIMIT_S, FirstTextOverdue(message.wire, "nothing was said"))
                self._at_door[id(message.wire)] = _Guest(limit)
                message.wire.attach(_Door(message.wire, self.actor_ref), only_next=True)
            case FirstText():
                self._open_door(message.wire, message.data)
            case FirstTextOverdue():
                self._at_door.pop(id(message.wire), None)
                message.wire.close(1008, message.reason)
            case WireLeft():
                self._leave_door(message.wire)
            case ChildDied():
                self._judge(message)
            case StartAgain():
                self._children.restart(message.child)
            case StopCalls():
                self._accepting = False
                for call in self._calls.values():
                    call.seat.tell(EndCall(message.outcome))
            case Leave():
                self._leaving = True
                for conversation_id in self._calls:
                    self._children.stop(f"call:{conversation_id}")
                self._leave_when_alone()
            case WhoIsAlive():
                return Roll(tuple(self._calls), self._max_calls, self._accepting)
            case FindCall():
                found = self._calls.get(message.conversation_id)
                return found.seat.occupant if found else None
            case _:
                assert_never(message)
        return None

    # --- at the door ---

    def _open_door(self, wire: Wire, data: bytes) -> None:
        try:
            frame = FROM_VAIC.parse(data)
            if isinstance(frame, Unknown):
                self._odd(wire, data).unknown(frame.type)
                wire.attach(_Door(wire, self.actor_ref), only_next=True)
                return
            if not isinstance(frame, ConnectionValidate | SessionInitiate | SessionResume):
                raise WireError("not_a_beginning", frame.type)
        except WireError as error:
            self._odd(wire, data).bad_frame(error)
            wire.attach(_Door(wire, self.actor_ref), only_next=True)
            return
        match frame:
            case ConnectionValidate():
                wire.send(ConnectionValidated(success=self._accepting).to_wire())
                # An administrator's test ends here, but session.initiate has been seen to follow (3.1).
                wire.attach(_Door(wire, self.actor_ref), only_next=True)
            case SessionInitiate():
                self._leave_door(wire)
                self._admit(frame, wire)
            case SessionResume():
                self._leave_door(wire)
                self._resume(frame, wire)
            case _:
                assert_never(frame)

    def _leave_door(self, wire: Wire) -> None:
        if (guest := self._at_door.pop(id(wire), None)) is not None:
            guest.limit.cancel()

    def _odd(self, wire: Wire, data: bytes) -> Oddities:
        guest = self._at_door.get(id(wire))
        if guest is None:  # its time is up, and this crossed the farewell
            return Oddities("door", logger)
        if guest.odd is None:
            guest.odd = Oddities("door", logger.bind(conversation=_conversation_of(data)))
        return guest.odd

    def _admit(self, initiate: SessionInitiate, wire: Wire) -> None:
        media = negotiate(initiate.supported_media_formats)
        if not self._accepting:
            self._refuse(wire, initiate.conversation_id, "shutting down")
        elif initiate.conversation_id in self._calls:
            self._refuse(wire, initiate.conversation_id, "conversation already in progress")
        elif len(self._calls) >= self._max_calls:
            self._refuse(wire, initiate.conversation_id, "too many calls")
        elif not initiate.expect_audio_messages:
            self._refuse(wire, initiate.conversation_id, "this bot can only speak audio")
        elif media is None:
            self._refuse(wire, initiate.conversation_id, "no common media format")
        else:
            seat: Seat[CallMessage] = Seat()
            self._calls[initiate.conversation_id] = _Call(seat, wire)
            CALLS_LIVE.set(len(self._calls))
            house = self._house
            self._children.start(
                f"call:{initiate.conversation_id}",
                seat,
                CALL_POLICY,
                lambda post: CallSupervisor.start(post, house, initiate, media, wire),
            )

    def _resume(self, resume: SessionResume, wire: Wire) -> None:
        call = self._calls.get(resume.conversation_id)
        if call is None:
            self._refuse(wire, resume.conversation_id, "unknown conversation")
        else:
            call.seat.tell(Rebind(wire))

    def _refuse(self, wire: Wire, conversation_id: str, reason: str) -> None:
        CALLS_REFUSED.labels(reason.replace(" ", "_")).inc()
        logger.bind(conversation=conversation_id).warning("call refused", reason=reason)
        wire.send(SessionError(conversation_id=conversation_id, reason=reason).to_wire())
        # VAIC closes by itself after this; if it does not, we do.
        wire.attach(Nobody())
        self.after(REFUSED_LIMIT_S, FirstTextOverdue(wire, "refused"))

    # --- children ---

    def _start_keeper(self, post: Post) -> pykka.ActorRef[JournalKeeper]:
        return JournalKeeper.start(post, self._journal)

    def _leave_when_alone(self) -> None:
        if self._calls:
            return
        # Last of all: calls write their records when they are told to go.
        self._children.stop(JOURNAL)
        if not self._children.leaving:
            self.stop()

    def _start_again(self, child: str, delay_s: float) -> None:
        self.after(delay_s, StartAgain(child))

    def _judge(self, death: ChildDied) -> None:
        verdict = self._children.died(death)
        kind, _, conversation_id = death.child.partition(":")
        if kind == "call" and (ended := self._calls.pop(conversation_id, None)) is not None:
            if death.reason is not None:  # it may have died before anybody owned its wire
                ended.wire.close(1011, "internal error")
            CALLS_LIVE.set(len(self._calls))
        if self._leaving:
            self._leave_when_alone()
        elif kind != "call" and isinstance(verdict, Escalate):
            # Calls go on without a journal; what they say about a booking still comes from the store itself.
            self._accepting = False
            logger.critical("the journal cannot be kept: no new calls are taken")


def _conversation_of(data: bytes) -> str:
    """The conversation that a frame names which cannot be read as one of VAIC's; "-" if none."""
    try:
        frame = from_json(data, allow_partial=True)
    except ValueError:
        return "-"
    named = frame.get("conversationId") if isinstance(frame, dict) else None
    return named[:100] if isinstance(named, str) else "-"
