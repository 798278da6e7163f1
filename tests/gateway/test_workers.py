"""Several processes on one port: real workers, killed and stopped, and connections meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from gateway.ops_access import REPORTS
from gateway.settings import Settings, SettingsError
from gateway.workers import check_bots
from tests.gateway.bots.folders import written
from tests.gateway.daemons import get, put
from tests.mortal import mortal

ROOT = Path(__file__).parents[2]
# Only ends what hangs: a machine may be busy with other things.
LIMIT_S = 300.0
KILL_EVERY_S = 0.05
READY = b"READY=1"


def test_the_supervisor_checks_the_bots_and_leaves_their_figures_to_the_workers(tmp_path: Path) -> None:
    settings = Settings(openai_url="ws://127.0.0.1:9", host="127.0.0.1", bots=str(tmp_path))
    with pytest.raises(SettingsError, match="there is no bot in it"):
        check_bots(settings)
    written(tmp_path, "bad", "[bot]")
    with pytest.raises(SettingsError, match=r"bad/bot.toml:1: bot.greeting: is missing"):
        check_bots(settings)
    written(tmp_path, "only-here")
    check_bots(settings)
    assert b"only-here" not in generate_latest()


class Manager:
    """`tieline serve --workers 2` as systemd would start it, with a notification socket of ours."""

    def __init__(self, process: subprocess.Popen[bytes], told: socket.socket, port: int) -> None:
        self.process = process
        self.port = port
        self._told = told

    def wait_until(self, word: bytes) -> None:
        """Wait until it has sent this notification."""
        give_up_s = time.monotonic() + LIMIT_S
        while word not in self._told.recv(4096):
            assert time.monotonic() < give_up_s

    def workers(self) -> list[int]:
        return children(self.process.pid)

    def connects(self) -> bool:
        """Whether a connection is accepted and answered; False if it was reset."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as asking:
            try:
                asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = asking.recv(64)
            except ConnectionError:
                return False
            assert answer.startswith(b"HTTP/1.1 200")
            return True


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_end(pids: list[int]) -> None:
    """Wait until processes that are not our children are gone."""
    give_up_s = time.monotonic() + LIMIT_S
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        readable, _, _ = select.select([handle], [], [], max(0.0, give_up_s - time.monotonic()))
        os.close(handle)
        assert readable, f"process {pid} lives on"


@contextmanager
def managed(tmp_path: Path, migrated_file: Path, **settings: str) -> Iterator[Manager]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(LIMIT_S)
    ours = {
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "TIELINE_OPENAI_URL": "ws://127.0.0.1:1",
        "TIELINE_DATABASE_URL": f"sqlite:///{shutil.copy(migrated_file, tmp_path)}",
    }
    command = [sys.executable, "run.py", "serve", "--workers", "2", "--port", str(port), "--ops-port", "0"]
    with (tmp_path / "log").open("wb") as log, told:
        process = subprocess.Popen(mortal(command), cwd=ROOT, env=os.environ | ours | settings, stderr=log)
        manager = Manager(process, told, port)
        try:
            yield manager
        finally:
            left = children(process.pid) if process.poll() is None else []
            process.kill()
            process.wait()
            wait_for_end(left)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_worker_is_replaced_and_the_other_serves_meanwhile(tmp_path: Path, migrated_file: Path) -> None:
    with managed(tmp_path, migrated_file) as manager:
        manager.wait_until(READY)
        first, second = manager.workers()
        ops = re.search(r"the workers' health and figures are served  ops=(\S+)", (tmp_path / "log").read_text())
        assert ops is not None
        for path, status in (("livez", 200), ("readyz", 200), ("metrics", 200), ("calls", 200)):
            assert asyncio.run(get(f"{ops[1]}/{path}"))[0] == status
        figures = asyncio.run(get(f"{ops[1]}/metrics"))[1]
        assert "tieline_workers_ready 2.0" in figures
        assert all(f'tieline_store_ready{{worker="{number}"}} 1.0' in figures for number in (1, 2))
        calls = json.loads(asyncio.run(get(f"{ops[1]}/calls"))[1])
        assert (calls["calls"], calls["max_calls"], calls["accepting"]) == ([], 200, True)
        assert asyncio.run(get(f"{ops[1]}/calls/c-1")) == (404, '{"error": "no such call"}')
        assert json.loads(asyncio.run(get(f"{ops[1]}/bots"))[1])["bots"][0]["name"] == "linden"
        report = b'{"conversationId": "c-1", "turnDelayMs": 900}'
        assert json.loads(asyncio.run(put(ops[1] + REPORTS, report))[1])["unknown call"] == 1
        os.kill(first, signal.SIGKILL)
        # What reached the dead worker's socket before its death was noticed is reset.
        give_up_s = time.monotonic() + LIMIT_S
        while first in manager.workers() or len(manager.workers()) < 2:
            manager.connects()
            assert time.monotonic() < give_up_s
        assert all(manager.connects() for _ in range(20))
        workers = manager.workers()
        assert second in workers
        assert len(workers) == 2
        assert first not in workers
        manager.process.send_signal(signal.SIGTERM)
        assert manager.process.wait(LIMIT_S) == 0
        wait_for_end(workers)
    assert "killed by SIGKILL" in (tmp_path / "log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_exit_when_their_supervisor_is_killed(tmp_path: Path, migrated_file: Path) -> None:
    with managed(tmp_path, migrated_file) as manager:
        manager.wait_until(READY)
        workers = manager.workers()
        manager.process.kill()
        manager.process.wait()
        wait_for_end(workers)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_that_die_again_and_again_end_the_process_with_70(tmp_path: Path, migrated_file: Path) -> None:
    with managed(tmp_path, migrated_file) as manager:
        for _ in range(int(LIMIT_S / KILL_EVERY_S)):
            with suppress(FileNotFoundError):
                for worker in manager.workers():
                    with suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                assert manager.process.wait(KILL_EVERY_S) == 70
                return
    pytest.fail("it goes on starting workers")


def test_a_port_that_is_taken_is_reported_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "run.py", "serve", "--workers", "2", "--port", str(port), "--ops-port", "0"]
        settings = {
            "TIELINE_OPENAI_URL": "ws://127.0.0.1:1",
            "TIELINE_DATABASE_URL": f"sqlite:///{tmp_path}/workers.sqlite3",
        }
        env = os.environ | settings
        ran = subprocess.run(mortal(command), cwd=ROOT, env=env, capture_output=True, timeout=LIMIT_S, check=False)
    assert ran.returncode == 2
    assert b"cannot listen" in ran.stderr
    assert b"TIELINE_HOST, TIELINE_PORT: " in ran.stderr
