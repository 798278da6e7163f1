"""The database is slow, locked, full or gone: calls talk on, a booking waits or is not promised, and no row is lost."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.caller import CallReport
from store.journal import Journal
from tests.calls.tap import at_the
from tests.faults.scene import Scene, play
from tests.faults.scripts import WISH
from tests.store.postgres import PostgresServer, running_server

Figures = dict[str, float]


async def told_the_truth(scene: Scene, report: CallReport, figures: Figures) -> None:
    """Booked and said so, or not booked and not said so; and the journal has no gap."""
    record = await scene.record()
    assert report.outcome == "bot-disconnected"
    assert [error for error in report.errors if "script_not_finished" not in error] == []
    said = " ".join(turn.text for turn in record.turns if turn.role == "bot")
    assert ("is booked" in said) == bool(scene.appointments()), said
    gaps_ms = (turn.gap_ms for turn in report.turns if turn.role == "bot")
    scene.measured("gap within a turn", max(gaps_ms, default=0), 0)
    rows = Journal(scene.database).rows("c-1")
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1].kind == "ended"
    yes = [turn for turn in report.turns if turn.role == "caller"][1]
    answer = next(turn for turn in report.turns if turn.role == "bot" and turn.began_ms > yes.ended_ms)
    scene.measured("words after the yes", answer.began_ms - yes.ended_ms, 5)
    figures["n of bookings"] = len(scene.appointments())


def at_the_yes(scene: Scene, do: Callable[[], object]) -> None:
    scene.line.watch = at_the(2, "response.function_call_arguments.done", do)


def test_store_sqlite_locked_for_ten_seconds(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        locker = sqlite3.connect(tmp_path / "tieline.sqlite3", isolation_level=None)

        def lock() -> None:
            locker.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_later(10, locker.rollback)

        at_the_yes(scene, lock)
        await told_the_truth(scene, await scene.call(*WISH, pause_ms=2500), figures)

    play(tmp_path, figures, act)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_store_disk_full(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        ballast = disk / "ballast"

        def fill() -> None:
            with ballast.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
            asyncio.get_running_loop().call_later(10, ballast.unlink)

        at_the_yes(scene, fill)
        await told_the_truth(scene, await scene.call(*WISH, pause_ms=2500), figures)

    with small_disk(tmp_path / "disk") as disk:
        play(tmp_path, figures, act, database_url=f"sqlite:///{disk}/tieline.sqlite3")


def test_store_postgresql_restarted(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        def restart() -> None:
            server.stop("immediate")
            server.start()

        loop = asyncio.get_running_loop()
        at_the_yes(scene, lambda: loop.run_in_executor(None, restart))
        await told_the_truth(scene, await scene.call(*WISH, pause_ms=2500), figures)

    try:
        running = running_server()
        server: PostgresServer = next(running)
    except FileNotFoundError as error:
        pytest.skip(f"PostgreSQL is not installed: {error}")
    try:
        with server.database() as name:
            play(tmp_path, figures, act, database_url=server.url(name))
    finally:
        next(running, None)


@pytest.mark.parametrize("fault", ["error=EIO:when=30+7", "delay_enter=1500000:when=30+3"], ids=["failing", "slow"])
def test_store_fsync(tmp_path: Path, figures: Figures, fault: str) -> None:
    """From the thirtieth fsync on, every so many fails or takes a second and a half."""

    async def act(scene: Scene) -> None:
        await scene.nodes[0].kill()
        trace = f"--trace=fsync,fdatasync --inject=fsync,fdatasync:{fault}".split()
        await scene.nodes[0].start("strace", "-f", "-qqq", "--seccomp-bpf", "-o", "/dev/null", *trace)
        await told_the_truth(scene, await scene.call(*WISH, pause_ms=2500), figures)

    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    try:
        subprocess.run(["strace", "-qqq", "-o", "/dev/null", "true"], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"strace may not trace: {error.stderr}")
    play(tmp_path, figures, act, nodes=2)
