"""The actor base classes: a LoopActor runs on the event loop and must not block, a ThreadActor has its own thread.

Pykka does not supervise; here every actor reports its end to its parent exactly once, however it ended.
May import: actors' addresses, metrics, dispatcher and mailboxes, protocols.errors, pykka, prometheus_client, loguru.
The private names of Pykka that are used here are tested.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, ClassVar

import pykka
from loguru import logger
from prometheus_client import Counter
from pykka._envelope import Envelope

from actors.metrics import ACTORS_ENDED, ACTORS_STARTED, MISSED
from actors.system.address import NullRef, ParentLink, send
from actors.system.dispatcher import Timer, installed
from actors.system.mailbox import MAX_MESSAGES, PYKKAS_OWN, Bound, LoopMailbox, MailboxFull, ThreadMailbox
from actors.system.signals import ChildDied
from protocols.errors import PeerError


class ActorExit(Exception):
    """An actor called sys.exit(), or met another exception that would have ended the process."""


class _Supervised(pykka.Actor):
    """Reports its end to its parent exactly once; an exception in any hook ends this actor and no other.

    max_messages: the capacity of its mailbox.
    droppable: message types of which the oldest is dropped when the mailbox is full.
    dropped: counts dropped messages; by default tieline_missed_audio_total, labelled with the class.
    """

    # Slots keep the instance's dictionary below thirty entries: attribute access is slower above that.
    __slots__ = ("_cause", "_parent_link", "_unreported")

    max_messages: ClassVar[int] = MAX_MESSAGES
    droppable: ClassVar[tuple[type, ...]] = ()
    dropped: ClassVar[Counter | None] = None

    def __init__(self, parent_link: ParentLink | None = None) -> None:
        super().__init__()
        self._parent_link = parent_link
        self._cause: BaseException | None = None
        # Acquired by the thread that reports the end, which may be a sender's: see ThreadActor._overflow.
        self._unreported = threading.Lock()

    @classmethod
    def _bound(cls) -> Bound:
        return Bound(cls.max_messages, cls.droppable, cls.dropped or MISSED.labels(cls.__name__))

    def on_unread(self, message: Any) -> None:
        """Called for each message left in the mailbox when the actor has ended; closes what the message owns."""

    def _leave_unread(self, message: Any) -> None:
        try:
            self.on_unread(message)
        except BaseException as error:  # noqa: BLE001 - the actor's end must still be told
            self._own_log.opt(exception=error).error("on_unread failed", actor=type(self).__name__)

    def _handle_receive(self, message: Any) -> Any:
        try:
            # Hot path: skip Pykka's checks for its own message types, which ours never are.
            if type(message) not in PYKKAS_OWN:
                return self.on_receive(message)
            return super()._handle_receive(message)
        except BaseException as error:
            # Pykka would answer an `ask` and keep the half-changed actor running; SystemExit would stop all actors.
            self._fail(error)
            if isinstance(error, Exception):
                raise
            raise ActorExit(repr(error)) from error

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._cause is None:
            self._cause = exception_value
            # Pykka's own would log it too, without the conversation.
            pykka.ActorRegistry.unregister(self.actor_ref)
            self.actor_stopped.set()

    def _actor_loop_setup(self) -> None:
        ACTORS_STARTED.labels(type(self).__name__).inc()
        try:
            self.on_start()
        except BaseException as error:  # noqa: BLE001 - an actor's edge: its parent applies the restart policy
            self._fail(error)

    def _stop(self) -> None:
        try:
            super()._stop()
        except BaseException as error:  # noqa: BLE001 - SystemExit in on_stop
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._handle_failure(type(error), error, error.__traceback__)

    def _report(self) -> None:
        if not self._unreported.acquire(blocking=False):
            return
        ACTORS_ENDED.labels(type(self).__name__).inc()
        link = self._parent_link
        # What a peer does is not a bug of ours: the supervisor logs it, without a traceback.
        if self._cause is not None and not isinstance(self._cause, PeerError):
            (link or ParentLink(NullRef(), type(self).__name__)).log_end(self._cause)
        if link is not None:
            send(link.parent, ChildDied(link.child, link.generation, self._cause))

    @property
    def _own_log(self) -> Any:
        return logger if self._parent_link is None else self._parent_link.log


class ThreadActor(_Supervised, pykka.ThreadingActor):
    """An actor whose handlers may block: it has its own thread."""

    # A hung thread must not keep the process from exiting; before that the tree is stopped from its root.
    use_daemon_thread: ClassVar[bool] = True

    def __init__(self, parent_link: ParentLink | None = None) -> None:
        super().__init__(parent_link)
        self._mailbox: ThreadMailbox = self.actor_inbox  # type: ignore[assignment]  # made by _create_actor_inbox
        self._mailbox.overflowed = self._overflow

    @classmethod
    def _create_actor_inbox(cls) -> ThreadMailbox:
        return ThreadMailbox(cls._bound())

    def _actor_loop(self) -> None:
        try:
            super()._actor_loop()
        finally:
            self._report()

    def _actor_loop_teardown(self) -> None:
        for message in self._mailbox.close():
            self._leave_unread(message)
        super()._actor_loop_teardown()

    def _overflow(self) -> None:
        """Report a full mailbox. Runs in the sender's thread: this actor's own may hang in a handler.

        The actor ends as soon as that handler returns.
        """
        self._fail(MailboxFull(f"{self.max_messages} messages"))
        self._report()


class LoopRef(pykka.ActorRef[Any]):
    """A loop actor's reference. `tell` adds no envelope: audio makes it the hot path, 50 times a second per leg."""

    def tell(self, message: Any) -> None:
        mailbox: LoopMailbox = self.actor_inbox  # type: ignore[assignment]  # made by _create_actor_inbox
        if mailbox.closed:
            raise pykka.ActorDeadError(f"{self} not found")
        if len(mailbox.messages_waiting) >= mailbox.capacity and not mailbox.make_room(message):
            return
        mailbox.messages_waiting.append(message)
        if not mailbox.queued:  # `wake`, inlined on the hot path
            mailbox.queued = True
            mailbox.ready(mailbox)


class LoopFuture(pykka.ThreadingFuture[Any]):
    """The answer to an `ask`. Code on the loop awaits `answer`; `get` blocks, as everywhere in Pykka."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def set(self, value: Any | None = None) -> None:
        super().set(value)
        self._wake()

    def set_exception(self, exc_info: Any = None) -> None:
        super().set_exception(exc_info)
        self._wake()

    async def answer(self, timeout_s: float) -> Any:
        """Wait for the answer. Raises: TimeoutError, or the exception that the actor raised."""
        event = asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), event))
        if self._result is None:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        return self.get(timeout=0)

    def _wake(self) -> None:
        for loop, event in self._waiting:
            loop.call_soon_threadsafe(event.set)


class LoopActor(_Supervised):
    """An actor whose mailbox is drained by the event loop. Its handlers must not block.

    Timers started with `after` are cancelled when it ends.
    """

    __slots__ = ("_mailbox", "_timers", "dispatcher", "now_ms")

    def __init__(self, parent_link: ParentLink | None = None) -> None:
        super().__init__(parent_link)
        self._actor_ref = LoopRef(self)
        self.dispatcher = installed()
        self.now_ms = self.dispatcher.now_ms
        self._mailbox: LoopMailbox = self.actor_inbox  # type: ignore[assignment]  # made by _create_actor_inbox
        self._timers: set[_OwnTimer] = set()

    @classmethod
    def _create_actor_inbox(cls) -> LoopMailbox:
        return LoopMailbox(cls._bound())

    @staticmethod
    def _create_future() -> LoopFuture:
        return LoopFuture()

    def _start_actor_loop(self) -> None:
        self._mailbox.open(self, self.dispatcher.ready)

    def after(self, delay_s: float, message: object) -> Timer:
        """Send this actor a message after a delay, unless the timer is cancelled or the actor ends first."""
        timer = _OwnTimer(self, message)
        timer.handle = self.dispatcher.after(delay_s, timer.fire)
        self._timers.add(timer)
        return timer

    def _stop(self) -> None:
        self._mailbox.closed = True
        super()._stop()

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._mailbox.closed = True
        super()._handle_failure(exception_type, exception_value, traceback)

    # --- Reader: called by the mailbox ---

    def on_first_turn(self) -> None:
        self._actor_loop_setup()

    def on_envelope(self, envelope: Any) -> None:
        if not isinstance(envelope, Envelope):
            self._handle_receive(envelope)
            return
        self._mailbox.kind = type(envelope.message)
        answer = self._handle_receive(envelope.message)
        if envelope.reply_to is not None:
            envelope.reply_to.set(answer)

    def on_crash(self, error: BaseException, envelope: Any) -> None:
        self._fail(error)
        if not isinstance(error, Exception):
            error = ActorExit(repr(error))
        if isinstance(envelope, Envelope) and envelope.reply_to is not None:
            envelope.reply_to.set_exception((type(error), error, error.__traceback__))
        self._report_failure(error)

    def on_closed(self) -> None:
        mailbox = self._mailbox
        if mailbox.full:
            self.on_crash(MailboxFull(f"{self.max_messages} messages"), None)
        for envelope in tuple(mailbox.messages_waiting):
            self._leave_unread(envelope.message if type(envelope) is Envelope else envelope)
        self._actor_loop_teardown()
        for timer in list(self._timers):
            timer.cancel()
        mailbox.release()
        self._report()
        # Break the reference cycles of actor, mailbox and parts now; otherwise cyclic garbage collection pauses all
        # calls, for about 0.1 s per few hundred ended ones.
        vars(self).clear()

    def _report_failure(self, error: Exception) -> None:
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except BaseException as another:  # noqa: BLE001 - the parent is told the first cause
            self._own_log.opt(exception=another).error("on_failure failed", actor=type(self).__name__)


class _OwnTimer:
    """A timer of one actor, removed from the actor's set when it fires or is cancelled."""

    __slots__ = ("_actor", "_message", "handle")

    def __init__(self, actor: LoopActor, message: object) -> None:
        self._actor = actor
        self._message = message
        self.handle: Timer | None = None

    def fire(self) -> None:
        self._actor._timers.discard(self)
        self.handle = None
        send(self._actor.actor_ref, self._message)

    def cancel(self) -> None:
        self._actor._timers.discard(self)
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None
