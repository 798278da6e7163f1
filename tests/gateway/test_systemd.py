"""systemd's protocol: what a unit's environment names, and what its manager is told, by real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.systemd import ALIVE, BEAT_FLOOR_S, READY, STATUS_PERIOD_S, sockets_of_systemd
from tests.counted import counted

ROOT = Path(__file__).parents[2]
HANDED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
from gateway.systemd import sockets_of_systemd
handed = sockets_of_systemd({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}).vaic
print(handed.getsockname()[1], os.get_inheritable(3))
"""


class Manager:
    """The service manager's end of NOTIFY_SOCKET. address: in the filesystem, or abstract ("@…")."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address[0] == "@" else address)
        self._socket.setblocking(False)

    def told(self) -> list[str]:
        """One item a datagram, since the last look."""
        datagrams: list[str] = []
        while True:
            try:
                datagrams.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return datagrams

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "path":
        return str(tmp_path / "notify")
    if sys.platform != "linux":
        pytest.skip("abstract addresses are Linux's")
    return f"@tieline-{uuid.uuid4().hex}"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    yield manager
    manager.close()


def test_what_is_told_reaches_the_manager_one_datagram_each(manager: Manager, address: str) -> None:
    notifier = sockets_of_systemd({"NOTIFY_SOCKET": address}).notifier
    notifier.tell(READY)
    notifier.tell(ALIVE, "STATUS=2 calls")
    assert manager.told() == ["READY=1\n", "WATCHDOG=1\nSTATUS=2 calls\n"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "no path"}, {"NOTIFY_SOCKET": "/no/such/socket"}])
def test_without_a_manager_nothing_is_told(environment: dict[str, str]) -> None:
    notifier = sockets_of_systemd(environment).notifier
    notifier.tell(READY)
    assert notifier.period_s is None


def test_a_manager_that_is_gone_ends_nothing(manager: Manager, address: str, log_lines: list[str]) -> None:
    notifier = sockets_of_systemd({"NOTIFY_SOCKET": address}).notifier
    manager.close()
    for _ in range(3):
        notifier.tell(READY)
    assert sum("status notification failed" in line for line in log_lines) == 1


@pytest.mark.parametrize(
    ("environment", "watchdog_s", "period_s"),
    [
        ({}, None, STATUS_PERIOD_S),
        ({"WATCHDOG_USEC": "15000000"}, 15.0, 7.5),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": str(os.getpid())}, 15.0, 7.5),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "1"}, None, STATUS_PERIOD_S),
        ({"WATCHDOG_USEC": "0"}, None, STATUS_PERIOD_S),
        ({"WATCHDOG_USEC": "soon"}, None, STATUS_PERIOD_S),
    ],
)
def test_keep_alives_come_twice_within_the_watchdogs_time(
    manager: Manager, address: str, environment: dict[str, str], watchdog_s: float | None, period_s: float
) -> None:
    notifier = sockets_of_systemd({"NOTIFY_SOCKET": address, **environment}).notifier
    assert (notifier.watchdog_s, notifier.period_s) == (watchdog_s, period_s)


def test_a_watchdog_of_microseconds_does_not_keep_the_loop_busy(manager: Manager, address: str) -> None:
    before = counted("tieline_timers_floored_total", timer="watchdog")
    notifier = sockets_of_systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10"}).notifier
    assert notifier.period_s == BEAT_FLOOR_S
    assert counted("tieline_timers_floored_total", timer="watchdog") - before == 1


def test_no_keep_alive_is_sent_while_the_status_cannot_be_had(manager: Manager, address: str) -> None:
    notifier = sockets_of_systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10"}).notifier
    told: list[list[str]] = []

    async def beats() -> None:
        done = asyncio.Event()

        async def look() -> str:
            told.append(manager.told())
            if len(told) == 4:
                done.set()
            if len(told) < 3:
                raise TimeoutError
            return "ready"

        beating = asyncio.create_task(notifier.beat(look))
        await asyncio.wait_for(done.wait(), 60)
        beating.cancel()

    asyncio.run(beats())
    assert told == [[], [], [], ["WATCHDOG=1\nSTATUS=ready\n"]]


def test_a_socket_of_a_socket_unit_is_taken_and_not_passed_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", HANDED, str(listening.fileno())],
            cwd=ROOT,
            pass_fds=[listening.fileno()],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == f"{port} False\n"


@pytest.mark.parametrize(
    "environment",
    [{}, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}],
)
def test_a_socket_that_is_for_another_process_is_not_taken(environment: dict[str, str]) -> None:
    assert sockets_of_systemd(environment).vaic is None
