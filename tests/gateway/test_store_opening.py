"""A database that is away when the daemon starts: it is waited for, and everybody who asks is told."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loguru import logger

import gateway.store_opening
import store.database
from gateway.daemon import Daemon
from gateway.settings import read_settings
from gateway.store_opening import open_store
from gateway.systemd import EXTEND, Notifier
from store.database import WrongDatabase, open_database
from tests.gateway.daemons import NO_MODEL, get, run, until
from tests.ports import free_ports


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.database, "BUSY_LIMIT_S", 0.05)
    monkeypatch.setattr(gateway.store_opening, "TRY_EVERY_S", 0.02)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Nobody can open it."""
    open_database(f"sqlite:///{file}").dispose()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.close()


def test_the_log_and_the_service_manager_are_told_once_in_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    sink = logger.add(lambda line: told.append(line.record["message"]), level="WARNING")
    ours, manager = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(30)

    async def scene() -> None:
        file = tmp_path / "t.sqlite3"
        with locked(file):
            opening = asyncio.create_task(open_store(f"sqlite:///{file}", Notifier(ours)))
            lines = [await asyncio.to_thread(manager.recv, 100) for _ in range(2)]
            assert lines == [f"{EXTEND}\n".encode(), b"STATUS=waiting for the database\n"]
            monkeypatch.setattr(gateway.store_opening, "TELL_EVERY_S", 0.01)
            await asyncio.to_thread(manager.recv, 100)
        (await opening).dispose()

    run(scene)
    logger.remove(sink)
    ours.close()
    manager.close()
    assert told[0] == "the database is away: it is waited for"
    assert len(told) > 2
    assert told[-1] == "the database is there"


def test_an_attempt_that_takes_long_is_told_of_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.database, "BUSY_LIMIT_S", 60.0)
    monkeypatch.setattr(gateway.store_opening, "TELL_EVERY_S", 0.05)
    ours, manager = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.settimeout(30)

    async def scene() -> None:
        file = tmp_path / "t.sqlite3"
        with locked(file):
            opening = asyncio.create_task(open_store(f"sqlite:///{file}", Notifier(ours)))
            lines = [await asyncio.to_thread(manager.recv, 100) for _ in range(4)]
            assert lines == [f"{EXTEND}\n".encode(), b"STATUS=waiting for the database\n"] * 2
        (await opening).dispose()

    run(scene)
    ours.close()
    manager.close()


def test_a_database_that_can_never_be_used_is_not_waited_for(tmp_path: Path) -> None:
    async def scene() -> None:
        with pytest.raises(WrongDatabase, match="unable to open database file"):
            await open_store(f"sqlite:///{tmp_path}/no/such/folder/t.sqlite3", Notifier())

    run(scene)


def test_a_daemon_that_waits_is_alive_and_not_ready_and_then_takes_calls(tmp_path: Path) -> None:
    async def scene() -> None:
        file, port = tmp_path / "t.sqlite3", free_ports()
        url = f"http://127.0.0.1:{port}"
        settings = read_settings(openai_url=NO_MODEL, database_url=f"sqlite:///{file}", port=0, ops_port=port)
        daemon = Daemon(settings)

        async def answers() -> bool:
            try:
                return await get(f"{url}/livez") == (200, "alive\n")
            except OSError:
                return False

        with locked(file):
            starting = asyncio.create_task(daemon.__aenter__())
            await until(answers)
            assert await get(f"{url}/readyz") == (404, "not ready: starting\n")
            assert [(await get(f"{url}/{path}"))[0] for path in ("calls", "calls/c-1", "metrics")] == [503, 503, 200]
        await starting
        assert await get(f"{url}/readyz") == (200, "ready\n")
        await daemon.__aexit__()

    run(scene)


@pytest.mark.parametrize("turns", range(4))
def test_a_start_can_be_stopped_from_its_first_moment_on(turns: int, tmp_path: Path) -> None:
    async def scene() -> None:
        file = tmp_path / "t.sqlite3"
        daemon = Daemon(read_settings(openai_url=NO_MODEL, database_url=f"sqlite:///{file}", port=0, ops_port=0))
        with locked(file):
            starting = asyncio.create_task(daemon.__aenter__())
            for _ in range(1 + turns):
                await asyncio.sleep(0)
            daemon.stop_waiting()
            with pytest.raises(asyncio.CancelledError):
                await starting

    run(scene)
