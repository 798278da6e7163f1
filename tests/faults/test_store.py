"""The database is slow, locked, full or gone: calls talk on, a booking waits or is not promised, and no row is lost."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from pydantic import JsonValue
from sqlalchemy import func, select

from actors.policies import WRITER_LIMIT_S
from lab.caller import CallReport
from store import schema
from store.database import reading
from store.journal import Journal, JournalRow
from store.leases import Leases
from tests.calls.tap import at_the
from tests.faults.scene import BACKGROUND_CALLS, LIMIT_S, Scene, play
from tests.faults.scripts import WISH
from tests.gateway.daemons import until
from tests.store.garbage import columns_of, spoil
from tests.store.postgres import PostgresServer, a_database

Figures = dict[str, float]
# An outage that is longer than a lease and the window after it.
AWAY_S = 80.0


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


async def passes(seconds: float) -> None:
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


@contextmanager
def postgres() -> Iterator[tuple[PostgresServer, str]]:
    """A server of this test's own, and the URL of a database on it."""
    with a_database() as (server, name):
        yield server, server.url(name)


def test_store_away_for_longer_than_leases_last_ends_no_call(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        calls = BACKGROUND_CALLS
        before = await scene.nodes[1].calls()
        await asyncio.to_thread(server.stop, "immediate")
        await passes(AWAY_S)
        await asyncio.to_thread(server.start)

        def count() -> int:
            with reading(scene.database) as connection:
                held = select(func.count()).where(schema.lease.c.status == "open", schema.lease.c.touched_at > renewed)
                return connection.scalars(held).one()

        async def renewed_twice() -> bool:
            """By then whoever would have ended a call has done so."""
            return await asyncio.to_thread(count) == calls

        with reading(scene.database) as connection:
            # Two renewals after now.
            renewed = connection.scalars(select(func.clock_timestamp(type_=schema.UtcDateTime()))).one() + timedelta(
                seconds=8
            )
        await until(renewed_twice, 60)
        assert sorted(await scene.nodes[1].calls()) == sorted(before)
        figures["n of calls"] = len(before)

    with postgres() as (server, url):
        play(tmp_path, figures, act, nodes=2, database_url=url)


def test_store_with_damaged_rows_serves_every_other_call(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        dead, [node] = Leases(scene.database, "dead", ttl_s=0), scene.nodes
        opening: dict[str, JsonValue] = {"bot": "practice", "media": "raw/lpcm16"}
        one_each = {(table, column): garbage for table, column, garbage in columns_of(schema.lease, schema.call_event)}
        for number, ((table, column), garbage) in enumerate(one_each.items()):
            call = f"dead-{number}"
            dead.open(call, "", opening)
            Journal(scene.database).append([JournalRow(call, 1, "call", opening, datetime.now(UTC), epoch=1)])
            spoil(scene.database, table, column, garbage, f"conversation_id = '{call}'")
            async with aiohttp.ClientSession() as session, session.ws_connect(node.url) as vaic:
                await vaic.send_json({"type": "session.resume", "conversationId": call})
                answer = await vaic.receive_json(timeout=LIMIT_S)
                figures[f"n of {answer['type']}"] = figures.get(f"n of {answer['type']}", 0) + 1
                await vaic.send_json({"type": "session.end", "conversationId": call})
        report = await scene.call(*WISH, attentive=True)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        assert len(scene.appointments()) == 1
        assert await node.ready()
        assert 'tieline_child_deaths_total{child="journal"}' not in (await node.get("/metrics"))[1]

    play(tmp_path, figures, act)


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced", "overwritten by an older copy"])
def test_store_sqlite_file_lost_promises_nothing_and_is_seen_at_once(
    tmp_path: Path, figures: Figures, how: str
) -> None:
    async def act(scene: Scene) -> None:
        loop, [node], file = asyncio.get_running_loop(), scene.nodes, tmp_path / "tieline.sqlite3"
        seen: list[asyncio.Task[None]] = []

        async def not_ready() -> bool:
            await passes(0.1)  # asking is no load
            return not await node.ready()

        async def look() -> None:
            began_s = loop.time()
            await until(not_ready, 10)
            scene.measured("not ready", (loop.time() - began_s) * 1000, 1.2)

        def mark() -> int:
            with reading(scene.database) as connection:
                return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())

        async def marked_since() -> bool:
            return mark() > before

        def lose() -> None:
            if how == "overwritten by an older copy":
                subprocess.run(["cp", older, file], check=True)
            elif how == "deleted":
                file.unlink()
            else:
                file.rename(tmp_path / "elsewhere")
            if how == "replaced":
                shutil.copy(tmp_path / "elsewhere", file)
            seen.append(loop.create_task(look()))

        older, before = tmp_path / "older", mark()
        await asyncio.to_thread(shutil.copy, file, older)
        await until(marked_since, 30)
        raw = scene.database.raw_connection()
        raw.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        raw.close()
        at_the_yes(scene, lose)
        heard = await scene.call(*WISH, pause_ms=2500, attentive=True)
        await seen[0]
        words = " ".join(turn.text for turn in heard.turns if turn.role == "bot")
        assert "is booked" not in words
        log = node.log.read_text()
        assert "the store's file was deleted, moved, replaced or overwritten" in log
        assert "tieline_store_ready 0.0" in (await node.get("/metrics"))[1]

    play(tmp_path, figures, act)


def test_store_away_at_the_start_is_waited_for(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        await node.kill()
        await asyncio.to_thread(server.stop, "immediate")
        starting = asyncio.create_task(node.start())

        async def waits() -> bool:
            with suppress(aiohttp.ClientConnectionError):  # it is not there yet
                await node.get("/livez")
            return node.log.read_text().count("the database is away: it is waited for") >= 2

        await until(waits, 60)
        assert [(await node.get(path))[0] for path in ("/livez", "/readyz")] == [200, 404]
        await asyncio.to_thread(server.start)
        await starting
        report = await scene.call(*WISH, attentive=True)
        assert (report.outcome, report.errors, len(scene.appointments())) == ("bot-disconnected", (), 1)

    with postgres() as (server, url):
        play(tmp_path, figures, act, database_url=url, background=0)


def test_store_that_hangs_is_seen_and_calls_outlast_it(tmp_path: Path, figures: Figures) -> None:
    """All of PostgreSQL's processes are stopped: connections stay open, and nothing answers."""

    async def act(scene: Scene) -> None:
        loop, node = asyncio.get_running_loop(), scene.nodes[0]
        before, began_s = await node.calls(), loop.time()

        async def not_ready() -> bool:
            await passes(0.1)  # asking is no load
            return not await node.ready()

        server.signal(signal.SIGSTOP)
        try:
            await until(not_ready, 60)
            scene.measured("not ready", (loop.time() - began_s) * 1000, 15)
            # Longer than the limit of a writer that hangs: this one does not, it is its database that does.
            await passes(WRITER_LIMIT_S + 5)
            assert (await node.get("/livez"))[0] == 200
        finally:
            server.signal(signal.SIGCONT)
        await until(node.ready, 60)
        assert sorted(await node.calls()) == sorted(before)

    with postgres() as (server, url):
        play(tmp_path, figures, act, database_url=url)


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

    with postgres() as (server, url):
        play(tmp_path, figures, act, database_url=url)


# What a server's administrator does to the role of the calls, and takes back.
REFUSALS = {
    "reads only": ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
    "may not log in": ("NOLOGIN", "LOGIN"),
    "has one connection": ("CONNECTION LIMIT 1", "CONNECTION LIMIT -1"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_store_postgresql_refuses_for_a_while(tmp_path: Path, figures: Figures, refusal: str) -> None:
    async def act(scene: Scene) -> None:
        loop, [node] = asyncio.get_running_loop(), scene.nodes
        before = sorted(await node.calls())

        async def not_ready() -> bool:
            await passes(0.1)  # asking is no load
            return not await node.ready()

        def alter(how: str) -> None:
            admin.execute(f"ALTER ROLE caller {how}".encode())
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'caller'")

        refuse, allow = REFUSALS[refusal]
        alter(refuse)
        began_s = loop.time()
        await until(not_ready, 60)
        scene.measured("not ready", (loop.time() - began_s) * 1000, 15)
        alter(allow)
        began_s = loop.time()
        await until(node.ready, 60)
        scene.measured("ready again", (loop.time() - began_s) * 1000, 10)
        assert sorted(await node.calls()) == before
        report = await scene.call(*WISH, attentive=True)
        assert (report.outcome, report.errors, len(scene.appointments())) == ("bot-disconnected", (), 1)

    with postgres() as (server, url), server.connection("postgres") as admin:
        name = url.partition("@/")[2].partition("?")[0]
        admin.execute("CREATE ROLE caller LOGIN")
        admin.execute(f"ALTER DATABASE {name} OWNER TO caller".encode())
        play(tmp_path, figures, act, database_url=url.replace("tieline@", "caller@"))


@contextmanager
def a_pair() -> Iterator[tuple[PostgresServer, PostgresServer, str]]:
    """A primary that commits nothing before its standby has it, the standby, and the URL of a database on both."""
    with postgres() as (primary, _), primary.database() as name:
        standby = PostgresServer(of=primary)
        try:
            with primary.connection("postgres") as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
                connection.execute("SELECT pg_reload_conf()")
            hosts = f"host={primary.folder}&host={standby.folder}"
            yield primary, standby, f"postgresql://tieline@/{name}?{hosts}&target_session_attrs=read-write"
            primary.start()  # for its database to be dropped
            with primary.connection("postgres") as connection:
                connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
                connection.execute("SELECT pg_reload_conf()")
        finally:
            standby.destroy()


def test_store_primary_fails_over_to_its_standby(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        def fail_over() -> None:
            primary.stop("immediate")
            standby.promote()

        before = await scene.nodes[1].calls()
        loop = asyncio.get_running_loop()
        at_the_yes(scene, lambda: loop.run_in_executor(None, fail_over))
        await told_the_truth(scene, await scene.call(*WISH, pause_ms=2500), figures)
        assert sorted(await scene.nodes[1].calls()) == sorted(before)
        figures["n of calls"] = len(before)

    with a_pair() as (primary, standby, url):
        play(tmp_path, figures, act, nodes=2, database_url=url)


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
