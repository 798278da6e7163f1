"""The supervisor of several workers, by message injection: who is started again, when, and when it gives up."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pykka
import pytest

from actors.system.actor import LoopActor
from actors.system.address import NullRef, ParentLink
from actors.system.dispatcher import LoopDispatcher, install
from actors.system.signals import ChildDied
from gateway.settings import read_settings
from gateway.systemd import READY, Notifier
from gateway.worker import ProcessEnded, StopWorker, Worker, WorkerEnded, WorkerMessage, WorkerNotice
from gateway.worker_slots import REUSES_PORT, WorkerSlot, open_worker_slots
from gateway.workers import MOST_FAILURES, STAYS_UP_S, StopWorkers, TooManyRestarts, WorkerSupervisor
from tests.counted import counted
from tests.cranked import CrankedDispatcher
from tests.probe import Probe, ThreadProbe


class Idle(LoopActor):
    """A worker without a process; it dies of what it is told. last: the exit code when it is told to stop."""

    def __init__(self, parent_link: ParentLink, last: int = 0) -> None:
        super().__init__(parent_link)
        self._last = last

    def on_receive(self, message: WorkerMessage | WorkerEnded) -> None:
        if isinstance(message, WorkerEnded):
            raise message
        assert isinstance(message, StopWorker)
        if self._last:
            raise WorkerEnded(self._last, f"exit code {self._last}")
        self.stop()


class Crew:
    """A supervisor of two workers, and what its service manager and its parent are told.

    last: the exit code of those that are told to stop.
    """

    last = 0

    def __init__(self, mailboxes: CrankedDispatcher, sockets: ExitStack) -> None:
        self.mailboxes, self.parent = mailboxes, Probe[ChildDied]("root")
        self.starts: list[tuple[str, float]] = []  # who was started, and when, in s
        self._living: dict[str, pykka.ActorRef[Idle]] = {}
        self._manager, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        settings = read_settings(openai_url="ws://127.0.0.1:1", workers=2, port=0, ops_port=0)
        self.slots = open_worker_slots(settings, None, sockets)
        for each in (self._manager, ours):
            each.setblocking(False)
            sockets.callback(each.close)
        self.ref = WorkerSupervisor.start(
            ParentLink(self.parent, "workers"), self.slots, ["worker"], Notifier(ours), lambda: 0.0, self._start
        )
        mailboxes.drain()

    def _start(self, link: ParentLink, slot: WorkerSlot, **_: object) -> pykka.ActorRef[Idle]:
        self.starts.append((link.child, self.mailboxes.now_ms() / 1000))
        self._living[link.child] = Idle.start(link, self.last)
        return self._living[link.child]

    def is_ready(self, *names: str) -> None:
        for each in names:
            self.ref.tell(WorkerNotice(each, READY))
        self.mailboxes.drain()

    def dies(self, name: str) -> None:
        self._living[name].tell(WorkerEnded(1, "exit code 1"))
        self.mailboxes.drain()

    def listens(self) -> list[bool]:
        """Of each slot, whether the kernel gives it connections."""
        return [bool(slot.vaic.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) for slot in self.slots]

    def connects(self) -> socket.socket:
        return socket.create_connection(self.slots[0].vaic.getsockname(), timeout=60)

    def told(self) -> str:
        """What the service manager was told since the last look."""
        words = b""
        while True:
            try:
                words += self._manager.recv(4096)
            except BlockingIOError:
                return words.decode()


ONE, TWO = "worker:1", "worker:2"


@pytest.fixture
def mailboxes() -> CrankedDispatcher:
    dispatcher = CrankedDispatcher()
    install(dispatcher)
    return dispatcher


@pytest.fixture
def crew(mailboxes: CrankedDispatcher) -> Iterator[Crew]:
    with ExitStack() as sockets:
        crew = Crew(mailboxes, sockets)
        yield crew
        if crew.ref.is_alive():
            crew.ref.tell(StopWorkers())
            mailboxes.drain()


def test_a_worker_that_keeps_dying_is_started_ever_later_and_its_sibling_serves(
    crew: Crew, log_lines: list[str]
) -> None:
    crew.is_ready(ONE, TWO)
    for _ in range(12):
        crew.mailboxes.advance(60_000)
        crew.starts.clear()
        died_s = crew.mailboxes.now_ms() / 1000
        crew.dies(ONE)
    crew.mailboxes.advance(60_000)
    assert crew.starts == [(ONE, died_s + 60.0)]
    assert crew.parent.arrived == []
    assert counted("tieline_workers_ready") == 1
    assert counted("tieline_worker_failures", worker="1") == 12
    keeps = [line for line in log_lines if line.startswith("WARNING a worker keeps dying")]
    assert len(keeps) == 11
    assert "'again_in_s': 60.0" in keeps[-1]


def test_the_delays_double_from_none(crew: Crew) -> None:
    crew.is_ready(TWO)
    waited = []
    for _ in range(8):
        died_s, before = crew.mailboxes.now_ms() / 1000, len(crew.starts)
        crew.dies(ONE)
        while len(crew.starts) == before:
            crew.mailboxes.advance(500)
        waited.append(crew.starts[-1][1] - died_s)
    assert waited == [0, 1, 2, 4, 8, 16, 32, 60]


def test_where_no_worker_stays_up_the_supervisor_exits(crew: Crew) -> None:
    crew.is_ready(ONE, TWO)
    for _ in range(MOST_FAILURES):
        assert crew.parent.arrived == []
        crew.dies(ONE)
        crew.dies(TWO)
        crew.mailboxes.advance(60_000)
    (death,) = crew.parent.arrived
    assert isinstance(death.reason, TooManyRestarts)


def test_one_that_has_stayed_up_begins_anew(crew: Crew) -> None:
    for _ in range(3 * MOST_FAILURES):
        crew.is_ready(TWO)
        crew.mailboxes.advance(STAYS_UP_S * 1000)
        crew.dies(ONE)
        crew.dies(TWO)
        crew.mailboxes.advance(60_000)
    assert crew.parent.arrived == []
    assert counted("tieline_worker_failures", worker="2") == 1


def test_the_deaths_of_a_worker_that_stays_up_are_told_no_more(crew: Crew) -> None:
    for _ in range(3):
        crew.is_ready(ONE, TWO)
        crew.dies(ONE)
        crew.mailboxes.advance(10_000)
    crew.is_ready(ONE)
    crew.mailboxes.advance(STAYS_UP_S * 1000 - 1)
    assert counted("tieline_worker_failures", worker="1") == 3
    crew.mailboxes.advance(1)
    assert counted("tieline_worker_failures", worker="1") == 0, "an alert on them ends"
    crew.dies(ONE)
    assert counted("tieline_worker_failures", worker="1") == 1


def test_the_service_manager_waits_for_all_workers_but_not_for_one_that_cannot_start(crew: Crew) -> None:
    crew.is_ready(ONE)
    assert READY not in crew.told()
    crew.dies(TWO)
    assert READY in crew.told()
    crew.mailboxes.advance(60_000)
    crew.is_ready(TWO)
    assert READY not in crew.told()


def test_a_stop_waits_for_the_workers_that_live(crew: Crew) -> None:
    crew.is_ready(ONE, TWO)
    crew.dies(ONE)
    crew.ref.tell(StopWorkers())
    crew.mailboxes.drain()
    assert [death.reason for death in crew.parent.arrived] == [None]


# --- the port ---


@pytest.mark.skipif(not REUSES_PORT, reason="all workers accept from one socket")
def test_what_comes_to_a_dead_worker_is_given_to_those_that_serve(crew: Crew) -> None:
    crew.is_ready(ONE, TWO)
    with ExitStack() as connections:
        waiting = [connections.enter_context(crew.connects()) for _ in range(16)]
        crew.dies(ONE)
        assert crew.listens() == [False, True]
        for _ in range(16):
            connections.enter_context(crew.connects())
        crew.slots[1].vaic.setblocking(False)
        accepted = []
        with suppress(BlockingIOError):
            while True:
                accepted.append(connections.enter_context(crew.slots[1].vaic.accept()[0]).getpeername())
        for each in waiting:
            if each.getsockname() not in accepted:
                with pytest.raises(ConnectionResetError):
                    each.recv(1)
        assert len(accepted) >= 16, "all that have come since are there"
    crew.slots[0].vaic.listen()  # as the next worker does
    assert crew.listens() == [True, True]


@pytest.mark.skipif(not REUSES_PORT, reason="all workers accept from one socket")
def test_where_no_worker_serves_connections_wait_only_for_one_that_is_started_at_once(crew: Crew) -> None:
    crew.is_ready(TWO)
    crew.dies(ONE)
    crew.dies(TWO)
    assert crew.listens() == [False, True], "its successor is being started"
    crew.mailboxes.advance(1)
    crew.dies(TWO)
    assert crew.listens() == [False, False]
    with pytest.raises(ConnectionRefusedError):
        crew.connects()


# --- the exit ---


def test_a_worker_that_does_not_end_well_when_it_is_told_to_is_the_supervisors_failure(
    mailboxes: CrankedDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Crew, "last", 70)
    with ExitStack() as sockets:
        crew = Crew(mailboxes, sockets)
        crew.is_ready(ONE, TWO)
        crew.ref.tell(StopWorkers())
        crew.mailboxes.drain()
        (death,) = crew.parent.arrived
        assert isinstance(death.reason, WorkerEnded)


@pytest.mark.parametrize(
    ("code", "failed"), [(0, False), (-signal.SIGTERM, False), (70, True), (-signal.SIGKILL, True)]
)
def test_a_worker_tells_how_its_process_ended_also_after_it_was_told_to(code: int, failed: bool) -> None:
    parent = ThreadProbe[ChildDied]()

    async def ends() -> ChildDied:
        install(LoopDispatcher(asyncio.get_running_loop()))
        with ExitStack() as sockets:
            settings = read_settings(openai_url="ws://127.0.0.1:1", workers=1, port=0, ops_port=0)
            [slot] = open_worker_slots(settings, None, sockets)
            worker = Worker.start(ParentLink(parent, ONE), slot=slot, command=["true"], supervisor=NullRef())
            worker.tell(StopWorker())
            worker.tell(ProcessEnded(code, "as it is told here"))
            return await asyncio.to_thread(parent.expect, ChildDied)

    assert isinstance(asyncio.run(ends()).reason, WorkerEnded) == failed
