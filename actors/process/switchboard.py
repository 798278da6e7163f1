"""The root of the tree, one in a process: admits calls, knows who is alive, keeps the journal's keeper alive.

May import: actors, protocols, store, pydantic, loguru.
Rules from: docs/specs/vaic-streaming.md 3.1 to 3.3, docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from typing import assert_never

import pykka
from loguru import logger

from actors.call.replay import initiate_of
from actors.call.supervisor import CallSupervisor
from actors.messages.call import CallMessage, EndCall, MoveCall, Rebind
from actors.messages.journal import (
    CallOpening,
    ClaimCall,
    JournalMessage,
    OpenLease,
    Park,
    RenewLeases,
    ResumeState,
)
from actors.messages.switchboard import (
    AdmissionRequest,
    AdmissionState,
    CallBroke,
    CallClaimed,
    CallerAway,
    CallsLost,
    FindCall,
    FirstText,
    FirstTextOverdue,
    Leave,
    MoveCalls,
    SetAdmission,
    StopCalls,
    SwitchboardMessage,
    SwitchboardStatus,
    Unwritten,
    Upgrade,
    WhoIsAlive,
    WireLeft,
    WireOpened,
)
from actors.metrics import CALLS_LIVE, CALLS_REFUSED, LOST_ROWS
from actors.policies import CALL_POLICY, JOURNAL_POLICY
from actors.process.admission import PendingConnection, PendingInbox, conversation_of
from actors.process.journal_writer import KEPT_MESSAGES, JournalWriter
from actors.services import Services
from actors.system.actor import LoopActor
from actors.system.address import Address, BufferingRef, NullRef, ParentLink, StableRef
from actors.system.dispatcher import Timer
from actors.system.restart import Escalate
from actors.system.signals import ChildDied, RestartDue, ShutdownTimeout
from actors.system.supervisor import Supervisor
from actors.transport.violations import ProtocolViolations
from actors.transport.websocket import Wire
from protocols.errors import WireError
from protocols.frames import Unknown
from protocols.media import MediaFormat, negotiate
from protocols.vaic import (
    FROM_VAIC,
    ConnectionValidate,
    ConnectionValidated,
    SessionError,
    SessionInitiate,
    SessionResume,
)
from store.journal import Journal
from store.leases import Leases

JOURNAL = "journal"
SHUTTING_DOWN, TOO_MANY, NO_ANSWER = "shutting down", "too many calls", "the store does not answer"
TRY_AGAIN_LATER = 1013
# How long a socket may say nothing after its upgrade, and how long a refused one may stay.
FIRST_TEXT_LIMIT_S, REFUSED_LIMIT_S = 5.0, 2.0
# How long a socket waits to be told whether its call can be taken over.
CLAIM_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A call in progress. wire: on which it came; credential: with what."""

    stable_ref: StableRef[CallMessage]
    wire: Wire
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A socket that waits for a call which is not here. limit: until when."""

    wire: Wire
    credential: str = field(repr=False)
    limit: Timer


class Switchboard(LoopActor):
    """Is told: SwitchboardMessage. Children: the JournalWriter, and one CallSupervisor a call, by conversation id."""

    max_messages = 2 * KEPT_MESSAGES  # what a keeper gives back comes in one go

    def __init__(self, services: Services, journal: Journal, leases: Leases, max_calls: int) -> None:
        super().__init__()
        self._journal = journal
        self._leases = leases
        self._max_calls = max_calls
        self._children = Supervisor(self.actor_ref, self.now_ms, services.rand, self.after)
        self._journal_writer: BufferingRef[JournalMessage] = BufferingRef(KEPT_MESSAGES, LOST_ROWS)
        # Calls write through the seat, so that they never notice when its holder changes.
        self._services = replace(services, journal=self._journal_writer)
        self._calls: dict[str, _Call] = {}
        self._pending: dict[int, PendingConnection] = {}
        # Sockets that wait for a call which is not here, by conversation.
        self._claims: dict[str, _Claim] = {}
        # Calls that wait for their caller's next socket.
        self._away: set[str] = set()
        self._admission = AdmissionState.OPEN
        self._leaving = False

    def on_start(self) -> None:
        self._children.start(JOURNAL, self._journal_writer, JOURNAL_POLICY, self._start_journal_writer)
        self.after(self._leases.renew_every_s, RenewLeases())

    def on_stop(self) -> None:
        if lost := len(self._journal_writer):
            LOST_ROWS.inc(lost)
            logger.error("the journal had no keeper to the end", lost=lost)

    def on_receive(self, message: SwitchboardMessage) -> SwitchboardStatus | Address[CallMessage] | None:
        match message:
            case WireOpened():
                limit = self.after(FIRST_TEXT_LIMIT_S, FirstTextOverdue(message.wire, "nothing was said"))
                self._pending[id(message.wire)] = PendingConnection(limit, message.credential)
                message.wire.attach(PendingInbox(message.wire, self.actor_ref), only_next=True)
            case FirstText():
                self._open_door(message.wire, message.data)
            case FirstTextOverdue():
                self._pending.pop(id(message.wire), None)
                message.wire.close(1008, message.reason)
            case WireLeft():
                self._leave_door(message.wire)
            case AdmissionRequest():
                self._answer(message.upgrade)
            case CallClaimed() | CallsLost() | RenewLeases():
                self._lease(message)
            case ChildDied() | ShutdownTimeout() | RestartDue():
                self._look_after(message)
            case Unwritten():
                self._journal_writer.requeue(message.message)
            case CallBroke() | CallerAway():
                self._hear_of(message)
            case SetAdmission() | StopCalls() | MoveCalls():
                self._close_down(message)
            case Leave():
                self._leaving = True
                for conversation_id in self._calls:
                    self._children.stop(f"call:{conversation_id}")
                self._leave_when_alone()
            case WhoIsAlive():
                ready = self._admission is AdmissionState.OPEN and not self._services.short_of() and not self._full
                return SwitchboardStatus(tuple(self._calls), self._max_calls, ready)
            case FindCall():
                found = self._calls.get(message.conversation_id)
                return found.stable_ref.occupant if found else None
            case _:
                assert_never(message)
        return None

    def _hear_of(self, message: CallBroke | CallerAway) -> None:
        match message:
            case CallBroke():
                self._drop(message.conversation_id)
            case CallerAway(away=True):
                self._away.add(message.conversation_id)
            case CallerAway():
                self._away.discard(message.conversation_id)

    def _drop(self, conversation_id: str) -> _Call | None:
        """A call is over here."""
        ended = self._calls.pop(conversation_id, None)
        self._away.discard(conversation_id)
        CALLS_LIVE.set(len(self._calls))
        return ended

    def _close_down(self, message: SetAdmission | StopCalls | MoveCalls) -> None:
        match message:
            case SetAdmission():
                self._admission = message.door
            case StopCalls():
                self._admission = AdmissionState.SHUT
                for call in self._calls.values():
                    call.stable_ref.tell(EndCall(message.outcome, message.in_words))
            case MoveCalls():
                self._admission = AdmissionState.SHUT
                for call in self._calls.values():
                    call.stable_ref.tell(MoveCall(message.now))

    @property
    def _full(self) -> bool:
        return len(self._calls) + len(self._pending) >= self._max_calls

    # --- at the door ---

    def _answer(self, upgrade: Upgrade) -> None:
        """Grant a place, or say that there is none before the upgrade. Who waits for a socket may be this one."""
        if self._admission is AdmissionState.SHUT and not self._away:
            reason = SHUTTING_DOWN
        elif self._full and not self._away:
            reason = TOO_MANY
        elif not (reason := self._services.short_of()):
            upgrade.admit()
            return
        CALLS_REFUSED.labels(reason.replace(" ", "_")).inc()
        upgrade.refuse(reason)

    def _open_door(self, wire: Wire, data: bytes) -> None:
        try:
            frame = FROM_VAIC.parse(data)
            if isinstance(frame, Unknown):
                self._violations(wire, data).unknown(frame.type)
                wire.attach(PendingInbox(wire, self.actor_ref), only_next=True)
                return
            if not isinstance(frame, ConnectionValidate | SessionInitiate | SessionResume):
                raise WireError("not_a_beginning", frame.type)
        except WireError as error:
            self._violations(wire, data).bad_frame(error)
            wire.attach(PendingInbox(wire, self.actor_ref), only_next=True)
            return
        match frame:
            case ConnectionValidate():
                wire.send(ConnectionValidated(success=self._admission is not AdmissionState.SHUT).to_wire())
                # An administrator's test ends here, but session.initiate has been seen to follow (3.1).
                wire.attach(PendingInbox(wire, self.actor_ref), only_next=True)
            case SessionInitiate():
                self._admit(frame, wire, self._leave_door(wire))
            case SessionResume():
                self._resume(frame, wire, self._leave_door(wire))
            case _:
                assert_never(frame)

    def _leave_door(self, wire: Wire) -> str:
        """Somebody goes in, or away. Returns the credential."""
        guest = self._pending.pop(id(wire), None)
        if guest is None:
            return ""
        guest.limit.cancel()
        return guest.credential

    def _violations(self, wire: Wire, data: bytes) -> ProtocolViolations:
        guest = self._pending.get(id(wire))
        if guest is None:  # its time is up, and this crossed the farewell
            return ProtocolViolations("door", logger)
        if guest.odd is None:
            guest.odd = ProtocolViolations("door", logger.bind(conversation=conversation_of(data)))
        return guest.odd

    def _admit(self, initiate: SessionInitiate, wire: Wire, credential: str) -> None:
        media = negotiate(initiate.supported_media_formats)
        if self._admission is AdmissionState.SHUT:
            self._refuse(wire, initiate.conversation_id, SHUTTING_DOWN)
        elif initiate.conversation_id in self._calls:
            self._refuse(wire, initiate.conversation_id, "conversation already in progress")
        elif len(self._calls) >= self._max_calls:
            self._refuse(wire, initiate.conversation_id, TOO_MANY)
        elif not initiate.expect_audio_messages:
            self._refuse(wire, initiate.conversation_id, "this bot can only speak audio")
        elif media is None:
            self._refuse(wire, initiate.conversation_id, "no common media format")
        else:
            opening = CallOpening(bot=initiate.bot_name, caller=initiate.caller, media=media.name)
            self._journal_writer.tell(OpenLease(initiate.conversation_id, credential, opening))
            self._begin(initiate, media, _Call(StableRef(), wire, credential))

    def _begin(
        self, initiate: SessionInitiate, media: MediaFormat, call: _Call, resume_state: ResumeState | None = None
    ) -> None:
        self._calls[initiate.conversation_id] = call
        CALLS_LIVE.set(len(self._calls))
        self._children.start(
            f"call:{initiate.conversation_id}",
            call.stable_ref,
            CALL_POLICY,
            lambda parent_link: CallSupervisor.start(
                parent_link, self._services, initiate, media, call.wire, resume_state
            ),
        )

    def _resume(self, resume: SessionResume, wire: Wire, credential: str) -> None:
        conversation_id = resume.conversation_id
        if (call := self._calls.get(conversation_id)) is not None:
            # Its id alone is no key to a call.
            if hmac.compare_digest(call.credential.encode(), credential.encode()):
                call.stable_ref.tell(Rebind(wire))
            else:
                self._refuse(wire, conversation_id, "unknown conversation")
            return
        if self._admission is AdmissionState.SHUT:  # who is about to leave takes nothing over from others
            self._refuse(wire, conversation_id, SHUTTING_DOWN)
            return
        if (former := self._claims.pop(conversation_id, None)) is not None:
            former.limit.cancel()
            former.wire.close(1000, "another socket has come")
        limit = self.after(CLAIM_LIMIT_S, CallClaimed(conversation_id, None, NO_ANSWER))
        self._claims[conversation_id] = _Claim(wire, credential, limit)
        self._journal_writer.tell(ClaimCall(conversation_id, credential))

    def _lease(self, message: CallClaimed | CallsLost | RenewLeases) -> None:
        match message:
            case RenewLeases():
                self._journal_writer.tell(message)
                self.after(self._leases.renew_every_s, message)
            case CallClaimed():
                self._take_over(message.conversation_id, message.resume_state, message.reason)
            case CallsLost():
                for conversation_id in message.conversation_ids:
                    self._children.stop(f"call:{conversation_id}")

    def _take_over(self, conversation_id: str, resume_state: ResumeState | None, reason: str) -> None:
        """A call that another process has left is ours, or is not to be had."""
        claim = self._claims.pop(conversation_id, None)
        if claim is None or conversation_id in self._calls:
            if resume_state is not None and conversation_id not in self._calls:
                # Nobody waits for it any more: it can be resumed elsewhere.
                self._journal_writer.tell(Park(conversation_id, None))
            return
        claim.limit.cancel()
        if reason == NO_ANSWER:
            # The store may be back before VAIC gives up: it is to try again, which a session.error would forbid.
            logger.bind(conversation=conversation_id).warning("a call is not taken over", reason=reason)
            claim.wire.close(TRY_AGAIN_LATER, reason)
            return
        initiate = initiate_of(conversation_id, resume_state.opening if resume_state else CallOpening())
        media = negotiate(initiate.supported_media_formats)
        if resume_state is None or media is None:
            logger.bind(conversation=conversation_id).info("a call cannot be taken over", reason=reason)
            self._refuse(claim.wire, conversation_id, "unknown conversation")
        else:
            self._begin(initiate, media, _Call(StableRef(), claim.wire, claim.credential), resume_state)

    def _refuse(self, wire: Wire, conversation_id: str, reason: str) -> None:
        CALLS_REFUSED.labels(reason.replace(" ", "_")).inc()
        logger.bind(conversation=conversation_id).warning("call refused", reason=reason)
        wire.send(SessionError(conversation_id=conversation_id, reason=reason).to_wire())
        # VAIC closes by itself after this; if it does not, we do.
        wire.attach(NullRef())
        self.after(REFUSED_LIMIT_S, FirstTextOverdue(wire, "refused"))

    # --- children ---

    def _start_journal_writer(self, parent_link: ParentLink) -> pykka.ActorRef[JournalWriter]:
        return JournalWriter.start(parent_link, self._journal, self._leases, self.actor_ref)

    def _look_after(self, message: ChildDied | ShutdownTimeout | RestartDue) -> None:
        match message:
            case ChildDied():
                self._judge(message)
            case RestartDue():
                self._children.restart(message.child)
            case ShutdownTimeout():
                self._children.overdue(message)
                kind, _, conversation_id = message.child.partition(":")
                if kind == "call":
                    self._drop(conversation_id)
                if self._leaving:
                    self._leave_when_alone()

    def _leave_when_alone(self) -> None:
        if self._calls:
            return
        # Last of all: calls write their records when they are told to go.
        self._children.stop(JOURNAL)
        if not self._children.leaving:
            self.stop()

    def _judge(self, death: ChildDied) -> None:
        verdict = self._children.died(death)
        kind, _, conversation_id = death.child.partition(":")
        # It may have died before anybody owned its wire.
        if kind == "call" and (ended := self._drop(conversation_id)) is not None and death.reason is not None:
            ended.wire.close(1011, "internal error")
        if self._leaving:
            self._leave_when_alone()
        elif kind != "call" and isinstance(verdict, Escalate):
            # Calls go on without a journal; what they say about a booking still comes from the store itself.
            self._admission = AdmissionState.SHUT
            logger.critical("the journal cannot be kept: no new calls are taken")
