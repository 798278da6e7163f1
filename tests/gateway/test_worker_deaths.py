"""The supervisor of several workers, by message injection: who is started again, when, and when it gives up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pykka
import pytest

from actors.system.actor import LoopActor
from actors.system.address import ParentLink
from actors.system.dispatcher import install
from actors.system.signals import ChildDied
from gateway.settings import read_settings
from gateway.systemd import READY, Notifier
from gateway.worker import StopWorker, WorkerEnded, WorkerMessage, WorkerNotice
from gateway.worker_slots import WorkerSlot
from gateway.workers import MOST_FAILURES, STAYS_UP_S, StopWorkers, TooManyRestarts, WorkerSupervisor
from tests.counted import counted
from tests.cranked import CrankedDispatcher
from tests.probe import Probe


class Idle(LoopActor):
    """A worker without a process; it dies of what it is told."""

    def __init__(self, parent_link: ParentLink, **_: object) -> None:
        super().__init__(parent_link)

    def on_receive(self, message: WorkerMessage | WorkerEnded) -> None:
        if isinstance(message, WorkerEnded):
            raise message
        assert isinstance(message, StopWorker)
        self.stop()


class Crew:
    """A supervisor of two workers, and what its service manager and its parent are told."""

    def __init__(self, mailboxes: CrankedDispatcher, sockets: ExitStack) -> None:
        self.mailboxes, self.parent = mailboxes, Probe[ChildDied]("root")
        self.starts: list[tuple[str, float]] = []  # who was started, and when, in s
        self._living: dict[str, pykka.ActorRef[Idle]] = {}
        self._manager, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        settings = read_settings(openai_url="ws://127.0.0.1:1", workers=1)
        slots = []
        for number in (1, 2):
            vaic, ops = socket.socket(), socket.socket()
            slots.append(WorkerSlot(number, settings, vaic, ops))
            sockets.callback(vaic.close)
            sockets.callback(ops.close)
        for each in (self._manager, ours):
            each.setblocking(False)
            sockets.callback(each.close)
        self.ref = WorkerSupervisor.start(
            ParentLink(self.parent, "workers"), slots, ["worker"], Notifier(ours), lambda: 0.0, self._start
        )
        mailboxes.drain()

    def _start(self, link: ParentLink, slot: WorkerSlot, **_: object) -> pykka.ActorRef[Idle]:
        self.starts.append((link.child, self.mailboxes.now_ms() / 1000))
        self._living[link.child] = Idle.start(link)
        return self._living[link.child]

    def is_ready(self, *names: str) -> None:
        for each in names:
            self.ref.tell(WorkerNotice(each, READY))
        self.mailboxes.drain()

    def dies(self, name: str) -> None:
        self._living[name].tell(WorkerEnded(1, "exit code 1"))
        self.mailboxes.drain()

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
