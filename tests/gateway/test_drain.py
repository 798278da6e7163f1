"""A real daemon drains: it takes no new calls, cuts none in progress, and exits normally."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.daemon import run
from store.database import open_database
from store.journal import Journal
from store.leases import Leases
from tests.faults.scene import SERVE, Node
from tests.gateway.daemons import LIMIT_S, NO_MODEL, Vaic, until, upgrade_request


class Told(Node):
    """A daemon as a process, to be sent signals."""

    async def ends(self) -> int:
        async with asyncio.timeout(3 * LIMIT_S):
            return await self.process.wait()

    async def not_ready(self) -> None:
        async def look() -> bool:
            return (await self.get("/readyz"))[0] == 404

        await until(look)

    async def refuses(self) -> bytes:
        """Its answer to an upgrade, as soon as that is no more."""

        async def look() -> bytes | None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(upgrade_request())
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return answer if answer.startswith(b"HTTP/1.1 503") else None

        return await until(look)


def database_of(folder: Path) -> str:
    return f"sqlite:///{folder}/tieline.sqlite3"


def assert_drained(folder: Path) -> None:
    """The call c-1 has a record that says so."""
    record = Journal(open_database(database_of(folder))).record("c-1")
    assert record is not None
    assert record.outcome == "drained"


@asynccontextmanager
async def told(folder: Path, **settings: str) -> AsyncIterator[Told]:
    ours = {"TIELINE_OPENAI_URL": NO_MODEL, "TIELINE_DATABASE_URL": database_of(folder)}
    ours |= {"TIELINE_FILLER_S": "0", "TIELINE_MAX_LAG_MS": "0"}
    daemon = Told(folder, 1, SERVE, **ours | settings)
    try:
        await daemon.start()
        yield daemon
    finally:
        await daemon.kill()


@asynccontextmanager
async def line(daemon: Told) -> AsyncIterator[Vaic]:
    async with connect(daemon.url, compression=None, max_queue=None, close_timeout=1) as connection:
        yield Vaic(connection)


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(8 * LIMIT_S):
            await scene()

    run(bounded())


def test_a_lame_duck_takes_new_calls_then_refuses_them_and_calls_in_progress_end_by_themselves(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with told(tmp_path, TIELINE_LAME_DUCK_S="2", TIELINE_DRAIN_S="60") as daemon, line(daemon) as one:
            await one.calls("c-1")
            daemon.signal(signal.SIGTERM)
            await daemon.not_ready()
            async with line(daemon) as two:  # the balancer has not noticed yet
                await two.calls("c-2")
                answer = await daemon.refuses()
                assert b"\r\nRetry-After: 1\r\n" in answer
                await two.is_served("c-2")
                await two.ends("c-2")
            await one.is_served("c-1")
            await one.ends("c-1")
            assert await daemon.ends() == 0

    play(scene)


def test_when_draining_a_call_that_lost_its_socket_can_resume_and_no_new_call_is_taken(tmp_path: Path) -> None:
    async def scene() -> None:
        async with told(tmp_path, TIELINE_LAME_DUCK_S="0", TIELINE_DRAIN_S="60") as daemon:
            async with line(daemon) as one:
                await one.calls("c-1")
                daemon.signal(signal.SIGTERM)
                await daemon.refuses()
                one.connection.transport.abort()

            async def back() -> bool | None:
                try:
                    async with line(daemon) as two:
                        await two.says("session.resume", conversationId="c-1")
                        await two.hears("session.accepted")
                        await two.ends("c-1")
                except InvalidStatus:  # its loss was not noticed yet
                    return None
                return True

            await until(back)
            assert await daemon.ends() == 0

    play(scene)


def test_a_second_signal_ends_the_calls_in_words(tmp_path: Path) -> None:
    async def scene() -> None:
        async with told(tmp_path, TIELINE_LAME_DUCK_S="0", TIELINE_DRAIN_S="60") as daemon, line(daemon) as one:
            await one.calls("c-1")
            daemon.signal(signal.SIGTERM)
            await daemon.refuses()
            daemon.signal(signal.SIGTERM)
            kinds = [frame["type"] for frame in await one.hears_until("activities")]
            assert "playStream.chunk" in kinds
            await one.ends("c-1")
            assert await daemon.ends() == 0
        assert_drained(tmp_path)

    play(scene)


def test_a_call_that_is_moved_can_be_resumed_elsewhere_with_all_that_was_written(tmp_path: Path) -> None:
    async def scene() -> None:
        moves = {"TIELINE_LAME_DUCK_S": "0", "TIELINE_DRAIN_S": "0", "TIELINE_DRAIN_MODE": "move"}
        async with told(tmp_path, **moves) as daemon, line(daemon) as one:
            await one.calls("c-1")
            daemon.signal(signal.SIGTERM)
            assert await one.closed() == 1012
            assert await daemon.ends() == 0
        database = open_database(database_of(tmp_path))
        journal = Journal(database)
        assert journal.record("c-1") is None
        assert journal.rows("c-1")[0].kind == "call"
        lease = Leases(database, "another").claim("c-1", "")
        assert getattr(lease, "epoch", None) == 2

    play(scene)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_hurries_when_its_supervisor_does_however_many_signals_it_gets(tmp_path: Path) -> None:
    """A unit's processes are all signalled by systemd, and the supervisor passes its own on."""

    async def scene() -> None:
        drains = {"TIELINE_WORKERS": "2", "TIELINE_LAME_DUCK_S": "0", "TIELINE_DRAIN_S": "300"}
        async with told(tmp_path, **drains) as daemon, line(daemon) as one:
            await one.calls("c-1")
            # The other worker has nothing to wait for, and may be gone at any time.
            [its_url] = [
                url for url in daemon.ops_urls if "c-1" in json.loads((await daemon.get("/calls", url))[1])["calls"]
            ]

            async def it_leaves() -> bool:
                return (await daemon.get("/readyz", its_url))[0] == 404

            async def supervisor_leaves() -> bool:
                return "stopping the workers" in daemon.log.read_text()

            workers = daemon.workers()
            for number in (signal.SIGTERM, signal.SIGINT):
                for pid in workers:
                    os.kill(pid, number)
                await until(it_leaves)
            daemon.signal(signal.SIGTERM)
            await until(supervisor_leaves)
            await until(it_leaves)
            await one.is_served("c-1")
            daemon.signal(signal.SIGTERM)
            await one.hears_until("activities")
            await one.ends("c-1")
            assert await daemon.ends() == 0
        assert_drained(tmp_path)

    play(scene)
