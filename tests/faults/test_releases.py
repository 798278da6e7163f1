"""One release follows another, in either direction, on tables that are older or newer: no call notices."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, text

from store import migration
from store.database import reading
from store.journal import Journal
from store.leases import NODE_TTL_S
from tests.faults.bookers import Bookers
from tests.faults.scene import ROOT, Node, Scene, play
from tests.faults.soak_judge import bookings

Figures = dict[str, float]
# What the next release may add: tests/store/test_migration.py holds migrations to it.
OF_NEXT_RELEASE = (
    "ALTER TABLE call ADD COLUMN colour TEXT",
    "ALTER TABLE lease ADD COLUMN colour TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE call_event ADD COLUMN colour TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX ix_call_caller ON call (caller)",
    "CREATE TABLE mood (id INTEGER PRIMARY KEY, said TEXT NOT NULL UNIQUE)",
    "UPDATE alembic_version SET version_num = '0999'",
)
# The tables of the release before, and what its `serve` finds.
BEFORE = "0006"


async def tieline_db(node: Node, *words: str) -> tuple[int, str]:
    """Run `tieline db` with a node's settings. Returns its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "run.py", "db", *words, cwd=ROOT, env=node.environment, stdout=PIPE, stderr=STDOUT
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


def next_release_migrates(database: Engine) -> None:
    with database.begin() as connection:
        for statement in OF_NEXT_RELEASE:
            connection.execute(text(statement))


def revision(database: Engine) -> str:
    with reading(database) as connection:
        return migration.tables(connection).revision


def begin(scene: Scene, bookers: Bookers) -> str:
    """Have the nodes use the callers' model. Returns the URL that the callers dial."""
    for node in scene.nodes:
        node.model.target = ("127.0.0.1", bookers.port)
    return f"ws://127.0.0.1:{scene.vaic.port}/"


def test_release_next_migrates_in_a_call_that_then_goes_on_at_this_release(tmp_path: Path, figures: Figures) -> None:
    """The next release starts beside this one, and is taken back: a process of this one then takes the call over."""

    async def act(scene: Scene) -> None:
        first, second = scene.nodes

        async def taken_back() -> None:
            await asyncio.to_thread(next_release_migrates, scene.database)
            await second.kill()
            await second.start()
            first.vaic.target = second.address
            first.signal(signal.SIGKILL)

        async with Bookers(1) as bookers:
            bookers.before_yes = taken_back
            assert await bookers.call(begin(scene, bookers), "c-1") == "bot-disconnected"
            record = await scene.record()
            assert (record.outcome, [task.result for task in record.tasks]) == ("completed", ["booked", "hangup"])
            assert list(bookings(scene.appointments(), bookers)) == []
            assert len(bookers.announced) == len(scene.appointments()) == 1
        assert {row.epoch for row in Journal(scene.database).rows("c-1")} == {1, 2}
        assert revision(scene.database) == "0999"
        code, printed = await tieline_db(second, "status")
        assert (code, "of a later release" in printed) == (0, True), printed
        code, printed = await tieline_db(second, "downgrade", BEFORE)
        assert (code, "of a later release" in printed) == (2, True), printed

    play(tmp_path, figures, act, nodes=2, background=0)


def test_release_starts_on_the_tables_of_the_one_before_and_keeps_what_is_in_them(
    tmp_path: Path, figures: Figures
) -> None:
    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        asked: list[tuple[int, str]] = []

        async def downgrade() -> None:
            asked.append(await tieline_db(node, "downgrade", BEFORE))

        async with Bookers(1) as bookers:
            bookers.before_yes = downgrade
            url = begin(scene, bookers)
            await bookers.call(url, "before")
            assert [(code, "1 calls are in progress" in printed) for code, printed in asked] == [(1, True)], asked
            [booked], record = scene.appointments(), await scene.record("before")
            await node.kill()
            async with asyncio.timeout(2 * NODE_TTL_S):  # it may have had no time to say that it leaves
                while (await tieline_db(node, "downgrade", BEFORE, "--yes"))[0] != 0:
                    pass
            assert revision(scene.database) == BEFORE
            await node.start()
            assert revision(scene.database) > BEFORE
            assert (scene.appointments(), await scene.record("before")) == ([booked], record)
            bookers.wanted = [(f"{booked.starts_at:%Y-%m-%d}", f"{booked.starts_at:%H:%M}")]
            await bookers.call(url, "after")
            assert list(bookings(scene.appointments(), bookers)) == []
            assert [each.conversation_id for each in scene.appointments()] == ["before", "after"]

    play(tmp_path, figures, act, background=0)


def test_conversation_id_that_comes_again_confuses_neither_call(tmp_path: Path, figures: Figures) -> None:
    """Both callers want the same time, and the second one's process is killed: the time is the first one's, the second
    one has another, and each has a record and a journal.
    """

    async def act(scene: Scene) -> None:
        async def kill() -> None:
            scene.vaic.target = scene.nodes[1].address
            scene.nodes[0].signal(signal.SIGKILL)

        async with Bookers(1) as bookers:
            bookers.wanted = [(f"{datetime.now(UTC).date() + timedelta(days=9)}", "10:00")] * 2
            url = begin(scene, bookers)
            assert await bookers.call(url, "c-1") == "bot-disconnected"
            first, record = scene.appointments(), await scene.record("c-1")
            bookers.before_yes = kill
            assert await bookers.call(url, "c-1") == "bot-disconnected"
            await scene.record("c-1~2")
            assert list(bookings(scene.appointments(), bookers)) == []
            assert scene.appointments()[:1] == first
            assert [each.conversation_id for each in scene.appointments()] == ["c-1", "c-1~2"]
            assert len(bookers.announced) == 2
        assert await scene.record("c-1") == record
        journal = Journal(scene.database)
        assert {row.epoch for row in journal.rows("c-1")} == {1}
        assert {row.epoch for row in journal.rows("c-1~2")} == {1, 2}

    play(tmp_path, figures, act, nodes=2, background=0)
