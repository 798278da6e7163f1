"""The root of the actor tree, one per process: admits calls, knows the live ones, restarts the JournalWriter.

May import: actors, protocols, store, pydantic, loguru.
Rules from: docs/specs/vaic-streaming.md 3.1 to 3.3, docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import assert_never

import pykka
from loguru import logger

from actors.call.replay import initiate_of
from actors.call.supervisor import CallSupervisor
from actors.messages.call import CallMessage, EndCall, Forgotten, MoveCall, Rebind, StoreChanged
from actors.messages.journal import (
    AppendRow,
    CallOpening,
    ClaimCall,
    DraftRecord,
    HeldUp,
    JournalMessage,
    OpenLease,
    Park,
    RenewLeases,
    ResumeState,
    WriteRecord,
)
from actors.messages.switchboard import (
    AdmissionRequest,
    AdmissionState,
    CallClaimed,
    CallCrashed,
    CallerAway,
    CallsForgotten,
    CallsLost,
    EndCalls,
    FindCall,
    FirstText,
    FirstTextOverdue,
    GetStatus,
    JournalLost,
    LeasesKept,
    MoveCalls,
    Peer,
    ProbeModel,
    SetAdmission,
    ShutDown,
    StoreFile,
    StoreTried,
    SwitchboardMessage,
    SwitchboardStatus,
    Unwritten,
    Upgrade,
    WireLeft,
    WireOpened,
)
from actors.metrics import (
    BAD_FRAMES,
    CALLS_CAPACITY,
    CALLS_LIVE,
    CALLS_REFUSED,
    CONNECTIONS_CUT,
    LOST_ROWS,
    RESUMED_ELSEWHERE,
    STORE_READY,
)
from actors.policies import CALL_POLICY, JOURNAL_POLICY
from actors.process.admission import (
    MOST_KEPT,
    MOST_USELESS,
    SILENCE_S,
    AwaitedStart,
    PendingConnection,
    PendingInbox,
    ReadAheadWire,
    conversation_of,
    dialled_in,
)
from actors.process.journal_writer import JOURNAL_CAPACITY, JournalWriter
from actors.process.model_probe import PROBE, ModelProbes
from actors.process.store_health import NO_ANSWER, StoreHealth
from actors.services import Arrival, Bot, SharedServices
from actors.system.actor import LoopActor
from actors.system.address import Address, BufferingRef, NullRef, ParentLink, StableRef, send
from actors.system.dispatcher import Timer
from actors.system.restart import Escalate
from actors.system.signals import ChildDied, RestartDue, ShutdownTimeout
from actors.system.supervisor import Supervisor
from actors.transport.violations import ProtocolViolations, cut
from actors.transport.websocket import Wire, WireClosed, WireText
from protocols.errors import WireError
from protocols.frames import NOT_UTF8, NOT_UTF8_CODE, Unknown
from protocols.limits import NAME_CHARS
from protocols.media import NO_AUDIO, MediaFormat, negotiate
from protocols.vaic import (
    FROM_VAIC,
    ConnectionValidate,
    ConnectionValidated,
    SessionAccepted,
    SessionEnd,
    SessionError,
    SessionInitiate,
    SessionResume,
)
from store.journal import Journal
from store.leases import Leases

JOURNAL = "journal"
# How the fields of the messages begin that VAIC expects an answer to.
_BEGINNINGS = ("session.initiate.", "session.resume.")
# Reasons for refusals.
SHUTTING_DOWN = "shutting down"
TOO_MANY = "too many calls"
NO_BOT = "no bot for this call"
NO_FORMAT = "no common media format"
# Why no calls are wanted, besides these.
NO_BOTS = "no bot"
MODEL_REFUSES = "the model refuses every call"
IN_PROGRESS = "conversation already in progress"
UNREADABLE = "the message cannot be read"
TRY_AGAIN_LATER = 1013
# The first message that opens a session, after the upgrade.
FIRST_TEXT_LIMIT_S = 5.0
# `start` to follow the acceptance of a session whose bot depends on it.
AWAIT_START_S = 2.0
# The JournalWriter to answer a claim.
CLAIM_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A call in progress. wire: its first. credential: with which it was opened. address: of its last socket's peer."""

    stable_ref: StableRef[CallMessage]
    wire: Wire
    credential: str = field(repr=False)
    address: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """A socket whose call this process is claiming from another. limit: ends the wait."""

    message: ClaimCall
    wire: Wire
    peer: Peer
    limit: Timer


def _media_for(initiate: SessionInitiate, wanted: Sequence[str] = ()) -> MediaFormat | None:
    """The format of the call's audio; None if there is no common one. A call in writing may be offered without any.

    wanted: the bot's own.
    """
    if not initiate.expect_audio_messages and not initiate.supported_media_formats:
        return NO_AUDIO
    return negotiate(initiate.supported_media_formats, wanted)


def _compare_addresses(conversation_id: str, last: str, now: str) -> None:
    """Log and count a call resumed from another address: VAIC may have moved, or an attacker has its token."""
    if last and now != last:
        RESUMED_ELSEWHERE.inc()
        logger.bind(conversation=conversation_id).warning("call resumed from another address", address=now, last=last)


def _call_of(message: JournalMessage) -> str:
    match message:
        case AppendRow():
            return message.entry.conversation_id
        case WriteRecord() | DraftRecord():
            return message.record.conversation_id
        case HeldUp():
            return message.key
        case _:
            return ""


def _count_lost(message: JournalMessage) -> bool:
    """Count a message that never reaches the journal, if it was to be written there. Returns whether it was."""
    if isinstance(message, HeldUp):
        written = len(message.rows) + (message.record is not None)
    else:
        written = isinstance(message, AppendRow | WriteRecord | DraftRecord)
    LOST_ROWS.inc(written)
    return bool(written)


class Switchboard(LoopActor):
    """Receives: SwitchboardMessage. Children: the JournalWriter, and a CallSupervisor per call, by conversation id."""

    max_messages = 2 * JOURNAL_CAPACITY  # a writer that ends gives back all its messages at once

    def __init__(
        self,
        services: SharedServices,
        journal: Journal,
        leases: Leases,
        max_calls: int,
        parent_link: ParentLink | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent_link)
        self._parent: Address[JournalLost] = NullRef() if parent_link is None else parent_link.parent
        self._journal = journal
        self._leases = leases
        self._max_calls = max_calls
        CALLS_CAPACITY.set(max_calls)
        self._children = Supervisor(self.actor_ref, self.now_ms, services.rand, self.after)
        self._journal_writer: BufferingRef[JournalMessage] = BufferingRef(JOURNAL_CAPACITY, _count_lost)
        # Calls write through the BufferingRef, so a restart of the writer does not concern them.
        self._services = replace(services, journal=self._journal_writer)
        self._probes = ModelProbes(self._services, self._children)
        self._calls: dict[str, _Call] = {}
        self._pending: dict[int, PendingConnection] = {}
        self._awaiting: dict[int, AwaitedStart] = {}  # by the wire's identity
        self._writer_leaves = threading.Event()
        self._claims: dict[str, _Claim] = {}  # by conversation
        # Calls that wait for VAIC's session.resume.
        self._away: set[str] = set()
        self._clock_s = clock_s
        self._store = StoreHealth(clock_s())
        self._store_fault = ""
        STORE_READY.set(1)
        self._admission = AdmissionState.OPEN
        self._leaving = False

    def on_start(self) -> None:
        self._children.start(JOURNAL, self._journal_writer, JOURNAL_POLICY, self._start_journal_writer)
        self.after(self._leases.renew_every_s, RenewLeases())

    def on_failure(self, *_: object) -> None:
        # The process ends now, and VAIC resumes the calls at another one: what they have sent so far must be written.
        self._writer_leaves.set()
        self._children.stop(JOURNAL)

    def on_stop(self) -> None:
        if lost := [message for message in self._journal_writer.kept if _count_lost(message)]:
            calls = sorted(set(map(_call_of, lost)))
            logger.error("no journal writer was left: rows are lost", lost=len(lost), conversations=" ".join(calls))
            send(self._parent, JournalLost())

    def on_receive(self, message: SwitchboardMessage) -> SwitchboardStatus | Address[CallMessage] | None:
        before = self._claims.get(message.claim.conversation_id) if isinstance(message, CallClaimed) else None
        try:
            return self._handle(message)
        except Exception:
            # What one socket sends, or one call needs, must not end the root of the tree, and with it all calls.
            if not isinstance(
                message, AdmissionRequest | WireOpened | FirstText | FirstTextOverdue | WireLeft | CallClaimed
            ):
                raise
            logger.exception("a socket is dropped: its message could not be handled", kind=type(message).__name__)
            CALLS_REFUSED.labels("internal_error").inc()
            match message:
                case AdmissionRequest():
                    message.upgrade.refuse("internal error")
                case CallClaimed():
                    self._drop_claim(message.claim, before)
                case _:
                    self._take_pending(message.wire)
                    if (waiting := self._awaiting.pop(id(message.wire), None)) is not None:
                        waiting.limit.cancel()
                    message.wire.close(1011, "internal error")
            return None

    def _handle(  # noqa: C901, PLR0912, PLR0915 - one flat match, a case a message
        self, message: SwitchboardMessage
    ) -> SwitchboardStatus | Address[CallMessage] | None:
        match message:
            case WireOpened():
                limit = self.after(FIRST_TEXT_LIMIT_S, FirstTextOverdue(message.wire, "no first message"))
                pending = PendingConnection(message.wire, limit, message.peer, self.now_ms())
                self._pending[id(message.wire)] = pending
                message.wire.attach(PendingInbox(message.wire, self.actor_ref), only_next=True)
            case FirstText() | FirstTextOverdue() | WireLeft() if waiting := self._awaiting.get(id(message.wire)):
                if isinstance(message, FirstText):
                    self._read_before_start(waiting, message.data)
                else:
                    if isinstance(message, WireLeft):  # VAIC may resume the call on another socket
                        waiting.kept.append(WireClosed(1006, ""))
                    self._start_awaited(waiting)
            case FirstText():
                self._read_first(message.wire, message.data)
            case FirstTextOverdue():
                self._close_pending(message.wire, message.reason)
            case WireLeft():
                self._take_pending(message.wire)
            case AdmissionRequest():
                self._answer(message.upgrade)
            case CallClaimed():
                self._take_over(message)
            case CallsForgotten():
                for conversation_id in message.conversation_ids:
                    if (forgotten := self._calls.get(conversation_id)) is not None:
                        forgotten.stable_ref.tell(Forgotten())
            case CallsLost():
                for conversation_id in message.conversation_ids:
                    self._children.stop(f"call:{conversation_id}")
            case RenewLeases():
                self._look_at_store()
                self._journal_writer.tell(message)
                self.after(self._leases.renew_every_s, message)
            case ChildDied():
                self._child_died(message)
            case ShutdownTimeout():
                self._overdue(message)
            case RestartDue():
                self._children.restart(message.child)
            case Unwritten():
                self._journal_writer.requeue(message.message)
            case CallCrashed():
                self._drop(message.conversation_id)
            case CallerAway(away=True):
                self._away.add(message.conversation_id)
            case CallerAway():
                self._away.discard(message.conversation_id)
            case SetAdmission():
                self._admission = message.state
            case EndCalls():
                self._close_for(EndCall(message.outcome, message.in_words))
            case MoveCalls():
                self._close_for(MoveCall(message.now))
            case ShutDown():
                self._leaving = True
                self._probes.stop()
                for conversation_id in self._calls:
                    self._children.stop(f"call:{conversation_id}")
                self._stop_if_empty()
            case GetStatus():
                hangs = self._store.writer_hangs(self._clock_s())
                return SwitchboardStatus(tuple(self._calls), self._max_calls, self._not_ready(), hangs)
            case ProbeModel():
                if not self._leaving:
                    self._probes.begin(message)
            case StoreTried(answered=True):
                self._store.answered(self._clock_s(), message.unleased)
                self._look_at_store()
            case StoreTried():
                self._store.tried(self._clock_s())
                self._look_at_store()
            case LeasesKept():
                self._store.kept(self._clock_s(), message.fault, answered=message.answered)
                self._look_at_store()
            case StoreFile():
                if message.lost:
                    logger.error(
                        "the store's file was deleted, moved, replaced or overwritten: restore it", file=message.lost
                    )
                self._store.file_is(message.lost)
                self._look_at_store()
            case FindCall():
                found = self._calls.get(message.conversation_id)
                return found.stable_ref.occupant if found else None
            case _:
                assert_never(message)
        return None

    def _close_for(self, message: EndCall | MoveCall) -> None:
        """Admit no more calls, and send a message to those in progress."""
        self._admission = AdmissionState.CLOSED
        for call in self._calls.values():
            call.stable_ref.tell(message)

    def _drop(self, conversation_id: str) -> _Call | None:
        """Remove a call that is over at this process."""
        ended = self._calls.pop(conversation_id, None)
        self._away.discard(conversation_id)
        CALLS_LIVE.set(len(self._calls))
        return ended

    def _look_at_store(self) -> str:
        """Why the store cannot be used by new calls, "" if it can; logged when that changes."""
        before, self._store_fault = self._store_fault, self._store.fault(self._clock_s())
        if self._store_fault != before:
            STORE_READY.set(not self._store_fault)
            for call in self._calls.values():
                call.stable_ref.tell(StoreChanged(self._store_fault))
            if self._store_fault:
                reason = self._store.refusal or self._store_fault
                logger.error("no new calls are taken: they could not be resumed elsewhere", reason=reason)
            else:
                logger.warning("the store answers again: new calls are taken")
        return self._store_fault

    @property
    def _full(self) -> bool:
        return len(self._calls) + len(self._awaiting) + len(self._pending) >= self._max_calls

    def _not_ready(self) -> str:
        """Why a balancer should send new calls elsewhere; "" if it should not."""
        if self._admission is not AdmissionState.OPEN:
            return SHUTTING_DOWN
        if reason := self._services.short_of() or self._look_at_store():
            return reason
        if self._full:
            return TOO_MANY
        profiles = self._services.bots.profiles()
        if not profiles:
            return NO_BOTS
        # A call that the model would refuse is not lost where the bot puts its caller through to a human, or only
        # advises one.
        dialler = self._services.dialler
        if all(dialler.turns_away(each.model) and not (each.transfer_targets or each.assists) for each in profiles):
            return MODEL_REFUSES
        return ""

    # --- admission ---

    def _answer(self, upgrade: Upgrade) -> None:
        """Admit or refuse a socket before its upgrade.

        While a call waits for its caller every socket is admitted: it may carry that call's session.resume.
        """
        if self._admission is AdmissionState.CLOSED and not self._away:
            reason = SHUTTING_DOWN
        elif self._look_at_store() and not self._away:
            reason = self._store_fault
        elif not (reason := self._services.short_of()):
            # Last: a silent socket is closed only for one that is admitted.
            if not self._full or self._silent_gives_way() or self._away:
                upgrade.admit()
                return
            reason = TOO_MANY
        CALLS_REFUSED.labels(reason.replace(" ", "_")).inc()
        upgrade.refuse(reason)

    def _silent_gives_way(self) -> bool:
        """Close the socket that has waited longest without beginning a session, if that is long enough to be silent."""
        oldest = next(iter(self._pending.values()), None)
        if oldest is None or len(self._calls) >= self._max_calls:
            return False  # that would make no room
        if self.now_ms() - oldest.since_ms < SILENCE_S * 1000:
            return False
        CONNECTIONS_CUT.labels("silent").inc()
        self._close_pending(oldest.wire, "no first message, and others wait")
        return True

    def _close_pending(self, wire: Wire, reason: str) -> None:
        if id(wire) in self._pending:
            logger.warning("a socket is closed", reason=reason, address=self._take_pending(wire).address)
        wire.close(1008, reason)

    def _read_first(self, wire: Wire, data: bytes) -> None:
        pending = self._pending.get(id(wire))
        if pending is None:  # closed while this message was under way
            return
        try:
            frame = FROM_VAIC.parse(data, lambda error: self._violations(pending, data).bad_field(error))
            if isinstance(frame, Unknown):
                self._violations(pending, data).unknown(frame.type)
                self._read_on(pending)
                return
            if not isinstance(frame, ConnectionValidate | SessionInitiate | SessionResume):
                raise WireError("not_a_beginning", frame.type)
        except WireError as error:
            self._violations(pending, data).bad_frame(error)
            if error.reason == NOT_UTF8:
                self._take_pending(wire)
                wire.close(NOT_UTF8_CODE, NOT_UTF8)
            elif error.reason == "bad_fields" and error.detail.startswith(_BEGINNINGS):
                # VAIC waits for the answer to this one, and there is no other.
                self._refuse(wire, self._take_pending(wire), conversation_of(data), UNREADABLE, error.detail)
            else:
                self._read_on(pending)
            return
        match frame:
            case ConnectionValidate():
                wire.send(ConnectionValidated(success=self._admission is not AdmissionState.CLOSED).to_wire())
                # An administrator's test; session.initiate has been seen to follow on the same socket (3.1).
                self._read_on(pending)
            case SessionInitiate():
                self._admit(frame, wire, self._take_pending(wire))
            case SessionResume():
                self._resume(frame, wire, self._take_pending(wire))
            case _:
                assert_never(frame)

    def _read_on(self, pending: PendingConnection) -> None:
        """Wait for the next message of a socket whose last one began no session."""
        pending.useless += 1
        if pending.useless > MOST_USELESS:
            BAD_FRAMES.labels("admission", "flood").inc()
            self._close_pending(pending.wire, "no session begins")
        else:
            pending.wire.attach(PendingInbox(pending.wire, self.actor_ref), only_next=True)

    def _take_pending(self, wire: Wire) -> Peer:
        """Remove a socket from the pending ones. Returns its peer."""
        pending = self._pending.pop(id(wire), None)
        if pending is None:
            return Peer()
        pending.limit.cancel()
        return pending.peer

    @staticmethod
    def _violations(pending: PendingConnection, data: bytes) -> ProtocolViolations:
        if pending.violations is None:
            log = logger.bind(conversation=conversation_of(data))
            pending.violations = ProtocolViolations("admission", log)
        return pending.violations

    def _admit(self, initiate: SessionInitiate, wire: Wire, peer: Peer) -> None:
        media, refuse = _media_for(initiate), partial(self._refuse, wire, peer)
        logger.debug(
            "VAIC offers", conversation=initiate.conversation_id, formats=initiate.supported_media_formats[:16]
        )
        if self._admission is AdmissionState.CLOSED:
            refuse(initiate.conversation_id, SHUTTING_DOWN)
        elif initiate.conversation_id in self._calls or self._awaited(initiate.conversation_id) is not None:
            refuse(initiate.conversation_id, IN_PROGRESS)
        elif len(self._calls) + len(self._awaiting) >= self._max_calls:
            refuse(initiate.conversation_id, TOO_MANY)
        elif self._look_at_store():
            refuse(initiate.conversation_id, self._store_fault)
        elif media is None:
            refuse(initiate.conversation_id, NO_FORMAT)
        else:
            names = {key: cut(getattr(initiate, key), NAME_CHARS, "name") for key in ("bot_name", "caller")}
            initiate = initiate.model_copy(update=names)
            arrival = Arrival(peer.path, initiate.bot_name, "", initiate.caller, initiate.conversation_id)
            if self._services.bots.asks_dialled(arrival):
                self._await_start(initiate, media, wire, peer, arrival)
            else:
                self._open(initiate, media, wire, peer, arrival)

    def _await_start(
        self, initiate: SessionInitiate, media: MediaFormat, wire: Wire, peer: Peer, arrival: Arrival
    ) -> None:
        """Accept a session whose bot depends on the dialled number.

        Only `start` tells it, which follows (docs/specs/vaic-streaming.md 4.2).
        """
        limit = self.after(AWAIT_START_S, FirstTextOverdue(wire, "no start"))
        self._awaiting[id(wire)] = AwaitedStart(wire, initiate, media, peer, arrival, limit)
        wire.send(SessionAccepted.of(initiate.conversation_id, media.name).to_wire())
        wire.attach(PendingInbox(wire, self.actor_ref), only_next=True)

    def _awaited(self, conversation_id: str) -> AwaitedStart | None:
        """The accepted session of this id whose `start` is waited for."""
        sessions = self._awaiting.values()
        return next((each for each in sessions if each.initiate.conversation_id == conversation_id), None)

    def _read_before_start(self, waiting: AwaitedStart, data: bytes) -> None:
        waiting.kept.append(WireText(data))
        try:
            frame = FROM_VAIC.parse(data)
        except WireError:
            dialled = None  # the call judges it
        else:
            dialled = "" if isinstance(frame, SessionEnd) else dialled_in(frame)
        if dialled is None and len(waiting.kept) < MOST_KEPT:
            waiting.wire.attach(PendingInbox(waiting.wire, self.actor_ref), only_next=True)
        else:
            self._start_awaited(waiting, dialled or "")

    def _start_awaited(self, waiting: AwaitedStart, dialled: str = "") -> None:
        wire = waiting.wire
        del self._awaiting[id(wire)]
        waiting.limit.cancel()
        conversation_id = waiting.initiate.conversation_id
        if self._admission is AdmissionState.CLOSED:
            self._refuse(wire, waiting.peer, conversation_id, SHUTTING_DOWN)
            return
        if conversation_id in self._calls:  # an earlier call with this id has been taken over meanwhile
            self._refuse(wire, waiting.peer, conversation_id, IN_PROGRESS)
            return
        arrival = replace(waiting.arrival, dialled=dialled)
        ahead = ReadAheadWire(wire, waiting.kept)
        self._open(waiting.initiate, waiting.media, ahead, waiting.peer, arrival, accepted=True)

    def _open(
        self,
        initiate: SessionInitiate,
        media: MediaFormat,
        wire: Wire,
        peer: Peer,
        arrival: Arrival,
        *,
        accepted: bool = False,
    ) -> None:
        """Begin a new call with the bot for it. accepted: session.initiate is answered already."""
        if (bot := self._services.bots.choose(arrival)) is None:
            log = logger.bind(conversation=initiate.conversation_id, path=arrival.path, bot_name=arrival.bot_name)
            log.warning("no route leads to a bot for this call", dialled=arrival.dialled)
            self._refuse(wire, peer, initiate.conversation_id, NO_BOT)
            return
        if not accepted:
            chosen = _media_for(initiate, bot.profile.media_formats)
            if chosen is None:
                self._refuse(wire, peer, initiate.conversation_id, NO_FORMAT)
                return
            media = chosen
        opening = CallOpening(
            bot=bot.name,
            bot_digest=bot.digest,
            caller=initiate.caller,
            media=media.name,
            text=not initiate.expect_audio_messages,
            address=peer.address,
        )
        self._give_up_claim(initiate.conversation_id)
        self._journal_writer.tell(OpenLease(initiate.conversation_id, peer.credential, opening, peer.others))
        call = _Call(StableRef(), wire, peer.credential, peer.address)
        self._begin(bot, initiate, media, call, accepted=accepted)

    def _begin(
        self,
        bot: Bot,
        initiate: SessionInitiate,
        media: MediaFormat,
        call: _Call,
        resume_state: ResumeState | None = None,
        *,
        accepted: bool = False,
    ) -> None:
        self._calls[initiate.conversation_id] = call
        CALLS_LIVE.set(len(self._calls))
        self._children.start(
            f"call:{initiate.conversation_id}",
            call.stable_ref,
            CALL_POLICY,
            lambda parent_link: CallSupervisor.start(
                parent_link, self._services.of(bot), initiate, media, call.wire, resume_state, accepted
            ),
            log=logger.bind(conversation=initiate.conversation_id),
        )

    def _resume(self, resume: SessionResume, wire: Wire, peer: Peer) -> None:
        conversation_id = resume.conversation_id
        if (waiting := self._awaited(conversation_id)) is not None and peer.owns(waiting.peer.credential):
            # VAIC has lost its socket, and sends no second start: the call begins by what else is known.
            self._start_awaited(waiting)
        if (call := self._calls.get(conversation_id)) is not None:
            # The conversation id alone does not give access to a call.
            if peer.owns(call.credential):
                _compare_addresses(conversation_id, call.address, peer.address)
                self._calls[conversation_id] = replace(call, address=peer.address)
                call.stable_ref.tell(Rebind(wire))
            else:
                self._refuse(wire, peer, conversation_id, "unknown conversation")
            return
        if self._admission is AdmissionState.CLOSED:  # a draining process takes over no calls
            self._refuse(wire, peer, conversation_id, SHUTTING_DOWN)
            return
        if (former := self._take_claim(conversation_id)) is not None:
            former.wire.close(1000, "replaced by a newer socket")
        message = ClaimCall(conversation_id, peer.credential, peer.others, time.monotonic() + CLAIM_LIMIT_S)
        limit = self.after(CLAIM_LIMIT_S, CallClaimed(message, None, NO_ANSWER))
        self._claims[conversation_id] = _Claim(message, wire, peer, limit)
        self._journal_writer.tell(message)

    def _take_over(self, answer: CallClaimed) -> None:
        """Go on with a claimed call, or refuse the socket that wants it."""
        conversation_id, resume_state, reason = answer.claim.conversation_id, answer.resume_state, answer.reason
        claim = self._claims.get(conversation_id)
        if claim is not None and claim.message is not answer.claim:
            return  # of an earlier socket: if this one's claim fails, the call is released then
        self._take_claim(conversation_id)
        if conversation_id in self._calls:
            return
        initiate = initiate_of(conversation_id, resume_state.opening if resume_state else CallOpening())
        media = _media_for(initiate)
        if claim is not None and resume_state is not None and media is not None:
            if (
                bot := resume_state.bot or self._next_best(conversation_id, resume_state.opening, claim.peer)
            ) is not None:
                _compare_addresses(conversation_id, resume_state.opening.address, claim.peer.address)
                call = _Call(StableRef(), claim.wire, claim.peer.credential, claim.peer.address)
                self._begin(bot, initiate, media, call, resume_state)
                return
            reason = NO_BOT
        # What was claimed nevertheless, for this socket or one before it, can be resumed elsewhere.
        self._journal_writer.tell(Park(conversation_id, None))
        if claim is not None and reason == NO_ANSWER:
            # VAIC may try again after a close, and the store may be back by then; session.error would end the call.
            logger.bind(conversation=conversation_id).warning("call not taken over", reason=reason)
            claim.wire.close(TRY_AGAIN_LATER, reason)
        elif claim is not None:
            logger.bind(conversation=conversation_id).info("call cannot be taken over", reason=reason)
            self._refuse(claim.wire, claim.peer, conversation_id, "unknown conversation")

    def _drop_claim(self, message: ClaimCall, claim: _Claim | None) -> None:
        """A call that was claimed could not be taken over: another process may. claim: of before."""
        conversation_id = message.conversation_id
        if claim is None or claim.message is not message:
            return
        self._take_claim(conversation_id)
        claim.wire.close(1011, "internal error")
        if conversation_id not in self._calls:
            self._journal_writer.tell(Park(conversation_id, None))

    def _take_claim(self, conversation_id: str) -> _Claim | None:
        """Remove a claim from those that are waited for."""
        if (claim := self._claims.pop(conversation_id, None)) is not None:
            claim.limit.cancel()
        return claim

    def _give_up_claim(self, conversation_id: str) -> None:
        """A new call with this id begins here: what is being claimed for it stays free to be ended elsewhere."""
        if (claim := self._take_claim(conversation_id)) is not None:
            self._journal_writer.tell(Park(conversation_id, None))
            self._refuse(claim.wire, claim.peer, conversation_id, "unknown conversation")

    def _next_best(self, conversation_id: str, opening: CallOpening, peer: Peer) -> Bot | None:
        """The bot for a call whose version cannot be had any more: its tasks are told apart as those of a release."""
        bots = self._services.bots
        # The release before has no versions, and what VAIC calls the bot as its name.
        arrival = Arrival(peer.path, opening.bot, "", opening.caller, conversation_id)
        bot = bots.present(opening.bot) or bots.choose(arrival)
        logger.bind(conversation=conversation_id).warning(
            "the call goes on in another version of its bot",
            began=f"{opening.bot} {opening.bot_digest}",
            bot=bot and f"{bot.name} {bot.digest}",
        )
        return bot

    def _refuse(self, wire: Wire, peer: Peer, conversation_id: str, reason: str, detail: str = "") -> None:
        """Answer that there will be no call. detail: for the peer's log, which fields are wrong."""
        CALLS_REFUSED.labels(reason.replace(" ", "_")).inc()
        logger.bind(conversation=conversation_id).warning("call refused", reason=reason, address=peer.address)
        told = f"{reason}: {detail}" if detail else reason
        named = {} if conversation_id == "-" else {"conversation_id": conversation_id}
        wire.send(SessionError(**named, reason=told).to_wire())
        wire.attach(NullRef())
        wire.close(1000, "refused")

    # --- children ---

    def _start_journal_writer(self, parent_link: ParentLink) -> pykka.ActorRef[JournalWriter]:
        return JournalWriter.start(
            parent_link, self._journal, self._leases, self._services.bots, self.actor_ref, self._writer_leaves
        )

    def _overdue(self, message: ShutdownTimeout) -> None:
        self._children.overdue(message)
        kind, _, conversation_id = message.child.partition(":")
        if kind == "call":
            self._drop(conversation_id)
        elif kind == JOURNAL:
            logger.error("the journal's writer hangs: what it has not written is lost")
            send(self._parent, JournalLost())
        if self._leaving:
            self._stop_if_empty()

    def _stop_if_empty(self) -> None:
        if self._calls:
            return
        # The writer is stopped last: calls write their records when they stop.
        self._writer_leaves.set()
        self._children.stop(JOURNAL)
        if not self._children.leaving:
            self.stop()

    def _child_died(self, death: ChildDied) -> None:
        kind, _, conversation_id = death.child.partition(":")
        if kind == PROBE:  # however it ended, the circuit breaker has heard of it
            self._children.unlink(death)
            if self._leaving:
                self._stop_if_empty()
            return
        verdict = self._children.died(death)
        if kind == "call":
            ended = self._drop(conversation_id)
            if death.reason is not None:
                # It may have died before its wire had an owner, and before it wrote its record.
                if ended is not None:
                    ended.wire.close(1011, "internal error")
                self._journal_writer.tell(Park(conversation_id, None))
        if self._leaving:
            self._stop_if_empty()
        elif kind != "call" and isinstance(verdict, Escalate):
            # Calls go on without a journal: what they say about a booking comes from the store itself.
            self._admission = AdmissionState.CLOSED
            logger.critical("the journal cannot be written: no new calls are taken")
            send(self._parent, JournalLost())
