"""The two dispatchers of one actor model: actors that react run on the event loop, actors that block have a thread.

Pykka itself does not supervise; here every actor tells its parent once how it ended, whichever way that was.
May import: protocols.errors, pykka, loguru, the standard library. The private names of Pykka 4.5 used here are tested.
"""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import pykka
from loguru import logger
from pykka._envelope import Envelope

from actors.counters import DEAD_LETTERS
from protocols.errors import TransportLost

M_contra = TypeVar("M_contra", contravariant=True)
M = TypeVar("M")

# One actor's turn on the loop: long enough to be cheap, short enough that its neighbours are served.
TURN_MESSAGES = 32


class Address(Protocol[M_contra]):
    """Where messages of one kind may be sent: an ActorRef in the product, a Probe in a test."""

    def tell(self, message: M_contra, /) -> None: ...


def send(to: Address[M], message: M) -> None:
    """Tell, unless the receiver is dead: then it is a dead letter, for a death must not spread to senders."""
    try:
        to.tell(message)
    except pykka.ActorDeadError:
        DEAD_LETTERS.labels(type(message).__name__).inc()


class Seat(Generic[M]):
    """A stable address for a place that one actor after another may hold. For senders on the loop's thread."""

    def __init__(self) -> None:
        self.occupant: Address[M] | None = None

    def tell(self, message: M, /) -> None:
        """To whoever holds the place; a dead letter while nobody does."""
        if self.occupant is not None:
            try:
                self.occupant.tell(message)
                return
            except pykka.ActorDeadError:
                pass
        DEAD_LETTERS.labels(type(message).__name__).inc()


class Nobody:
    """The address of what no one needs to hear any more."""

    def tell(self, message: object, /) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class ChildDied:
    """A child has ended. generation: which start of that child it was. reason: None for a normal end."""

    child: str
    generation: int
    reason: BaseException | None
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """An actor's place under its parent: whom to tell of its end, and under which name."""

    parent: Address[ChildDied]
    child: str
    generation: int = 0


class ActorExit(Exception):
    """An actor called sys.exit(), or met another exception that would have ended the process."""


_PYKKAS_OWN = frozenset(
    {pykka.messages._ActorStop, pykka.messages.ProxyCall, pykka.messages.ProxyGetAttr, pykka.messages.ProxySetAttr}
)


class _Supervised(pykka.Actor):
    """Tells its parent of its end exactly once, and lets nothing but its own end come of any exception."""

    def __init__(self, post: Post | None = None) -> None:
        super().__init__()
        self._post = post
        self._cause: BaseException | None = None
        self._reported = False

    def _handle_receive(self, message: Any) -> Any:
        try:
            # Pykka looks for its own four kinds in each message; ours are never among them, and this is the hot path.
            if type(message) not in _PYKKAS_OWN:
                return self.on_receive(message)
            return super()._handle_receive(message)
        except BaseException as error:
            # Pykka would answer an `ask` and live on half-changed, and let SystemExit stop every actor there is.
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
        if self._cause is not None:
            return
        self._cause = exception_value
        if isinstance(exception_value, TransportLost):
            # A peer that went away is no fault of this code: its supervisor logs it, without a traceback.
            pykka.ActorRegistry.unregister(self.actor_ref)
            self.actor_stopped.set()
        else:
            super()._handle_failure(exception_type, exception_value, traceback)

    def _actor_loop_setup(self) -> None:
        try:
            self.on_start()
        except BaseException as error:  # noqa: BLE001 - an actor's edge: its parent judges
            self._fail(error)

    def _stop(self) -> None:
        try:
            super()._stop()
        except BaseException as error:  # noqa: BLE001 - SystemExit in on_stop
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._handle_failure(type(error), error, error.__traceback__)

    def _report(self) -> None:
        if self._post is None or self._reported:
            return
        self._reported = True
        trace = "" if self._cause is None else "".join(traceback.format_exception(self._cause))
        send(self._post.parent, ChildDied(self._post.child, self._post.generation, self._cause, trace))


class ThreadActor(_Supervised, pykka.ThreadingActor):
    """An actor that may block: it has a thread of its own."""

    # A hung thread must not keep the process from leaving; the tree is stopped from its root before that.
    use_daemon_thread: ClassVar[bool] = True

    def _actor_loop(self) -> None:
        try:
            super()._actor_loop()
        finally:
            self._report()


class Timer(Protocol):
    """A message that will be told later, unless cancelled."""

    def cancel(self) -> None: ...


class Dispatcher(Protocol):
    """Runs the mailboxes of loop actors, and is their clock."""

    def ready(self, actor: LoopActor) -> None:
        """The actor has something to do. May be called from any thread."""
        ...

    def now_ms(self) -> float:
        """Monotonic time, any origin."""
        ...

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back later, on the loop's thread. To be called from that thread."""
        ...


class LoopDispatcher:
    """The dispatcher of a running event loop; there is one in a process.

    speed: how many times faster than real time this process believes it lives; only demonstrations and tests set it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, speed: float = 1.0) -> None:
        self._loop = loop
        self._speed = speed
        self._thread = threading.get_ident()
        self._queue: deque[LoopActor] = deque()
        self._called = False

    def ready(self, actor: LoopActor) -> None:
        self._queue.append(actor)
        if threading.get_ident() != self._thread:
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop is closed: the process is leaving
                logger.debug("a mailbox became ready after the loop was closed")
        elif not self._called:
            self._called = True
            self._loop.call_soon(self._run)

    def now_ms(self) -> float:
        return time.monotonic() * 1000 * self._speed

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s / self._speed, callback)

    def _run(self) -> None:
        self._called = False
        # What becomes ready meanwhile is served in the same turn of the loop, so that a chunk's two hops cost one
        # wake-up; the bound lets sockets be read between long bursts.
        for _ in range(256):
            if not self._queue:
                return
            self._queue.popleft().take_turn()
        if not self._called:
            self._called = True
            self._loop.call_soon(self._run)


class CrankedDispatcher:
    """A dispatcher turned by hand, with a clock that only moves when told to: for tests of actors."""

    def __init__(self) -> None:
        self._now_ms = 0.0
        self._queue: deque[LoopActor] = deque()
        self._timers: list[_CrankedTimer] = []

    def ready(self, actor: LoopActor) -> None:
        self._queue.append(actor)

    def now_ms(self) -> float:
        return self._now_ms

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        timer = _CrankedTimer(self._now_ms + delay_s * 1000, callback, self._timers)
        self._timers.append(timer)
        return timer

    def drain(self) -> None:
        """Run every mailbox until all are empty."""
        while self._queue:
            self._queue.popleft().take_turn()

    def advance(self, delay_ms: float) -> None:
        """Let time pass: due timers fire in order, mailboxes run after each."""
        self.drain()
        until_ms = self._now_ms + delay_ms
        while due := [timer for timer in self._timers if timer.at_ms <= until_ms]:
            timer = min(due, key=lambda each: each.at_ms)
            self._timers.remove(timer)
            self._now_ms = max(self._now_ms, timer.at_ms)
            timer.callback()
            self.drain()
        self._now_ms = until_ms

    @property
    def timers(self) -> int:
        """How many timers wait."""
        return len(self._timers)


@dataclass(eq=False, slots=True)
class _CrankedTimer:
    at_ms: float
    callback: Callable[[], None]
    waiting: list[_CrankedTimer]

    def cancel(self) -> None:
        if self in self.waiting:
            self.waiting.remove(self)


_installed: list[Dispatcher] = []


def install(dispatcher: Dispatcher) -> None:
    """Make this the dispatcher of every loop actor started from now on."""
    _installed[:] = [dispatcher]


class _Mailbox:
    """A loop actor's inbox. It holds its actor, whom an ActorRef holds only weakly, until the actor's end."""

    __slots__ = ("actor", "envelopes", "queued")

    def __init__(self) -> None:
        self.actor: LoopActor | None = None
        self.envelopes: deque[Envelope[Any]] = deque()
        self.queued = False

    def put(self, envelope: Envelope[Any], /) -> None:
        self.envelopes.append(envelope)
        if not self.queued and self.actor is not None:
            self.queued = True
            self.actor.dispatcher.ready(self.actor)

    def get(self) -> Envelope[Any]:
        return self.envelopes.popleft()

    def empty(self) -> bool:
        return not self.envelopes


class LoopFuture(pykka.ThreadingFuture[Any]):
    """The answer to an `ask`, which may also be awaited on the loop: `get` blocks, and nothing on the loop may."""

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
        """Wait for the answer. Raises: TimeoutError, or what the actor raised."""
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
    """An actor whose mailbox is drained by the event loop. Nothing in its handlers may block.

    Timers started with `after` die with it.
    """

    def __init__(self, post: Post | None = None) -> None:
        super().__init__(post)
        self.dispatcher = _installed[0]
        self._mailbox: _Mailbox = self.actor_inbox  # type: ignore[assignment]  # made by _create_actor_inbox
        self._begun = False
        self._timers: set[_OwnTimer] = set()

    @staticmethod
    def _create_actor_inbox() -> _Mailbox:
        return _Mailbox()

    @staticmethod
    def _create_future() -> LoopFuture:
        return LoopFuture()

    def _start_actor_loop(self) -> None:
        self._mailbox.actor = self
        self._mailbox.queued = True
        self.dispatcher.ready(self)

    def after(self, delay_s: float, message: object) -> Timer:
        """Tell myself a message later, unless the timer is cancelled or I am gone."""
        timer = _OwnTimer(self, message)
        timer.handle = self.dispatcher.after(delay_s, timer.fire)
        self._timers.add(timer)
        return timer

    def now_ms(self) -> float:
        return self.dispatcher.now_ms()

    def take_turn(self) -> None:
        """Called by the dispatcher: begin, or handle what has arrived, up to a turn's worth."""
        if not self._begun:
            self._begun = True
            self._actor_loop_setup()
        mailbox, stopped = self._mailbox, self.actor_stopped
        for _ in range(TURN_MESSAGES):
            if stopped.is_set():
                self._end()
                return
            if not mailbox.envelopes:
                break
            self._handle_envelope(mailbox.envelopes.popleft())
        else:
            self.dispatcher.ready(self)
            return
        if stopped.is_set():
            self._end()
            return
        mailbox.queued = False
        # Another thread may have put a message just before the flag fell.
        if mailbox.envelopes and not mailbox.queued:
            mailbox.queued = True
            self.dispatcher.ready(self)

    def _handle_envelope(self, envelope: Envelope[Any]) -> None:
        try:
            response = self._handle_receive(envelope.message)
            if envelope.reply_to is not None:
                envelope.reply_to.set(response)
        except Exception as error:  # noqa: BLE001 - an actor's edge: its parent judges
            if envelope.reply_to is not None:
                envelope.reply_to.set_exception()
            else:
                self._report_failure(error)

    def _report_failure(self, error: Exception) -> None:
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except BaseException as another:  # noqa: BLE001 - the first cause is the one that counts
            logger.opt(exception=another).error("on_failure failed")

    def _end(self) -> None:
        mailbox = self._mailbox
        if mailbox.actor is None:
            return
        self._actor_loop_teardown()
        for timer in list(self._timers):
            timer.cancel()
        # The ring of actor and mailbox is opened, so that nothing waits for the garbage collector.
        mailbox.actor = None
        self._report()


class _OwnTimer:
    """A timer of one actor, forgotten when it fires or is cancelled."""

    __slots__ = ("_actor", "_message", "handle")

    def __init__(self, actor: LoopActor, message: object) -> None:
        self._actor = actor
        self._message = message
        self.handle: Timer | None = None

    def fire(self) -> None:
        self._actor._timers.discard(self)
        send(self._actor.actor_ref, self._message)

    def cancel(self) -> None:
        self._actor._timers.discard(self)
        if self.handle is not None:
            self.handle.cancel()
