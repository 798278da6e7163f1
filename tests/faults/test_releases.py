"""One release follows another, in either direction, on tables that are older or newer: no call notices."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from sqlalchemy import Engine, text

from store import migration
from store.database import reading
from tests.faults.scene import ROOT, Node, Scene, after_the_question, play
from tests.faults.scripts import WISH, booked_once_more_asked

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


def test_release_next_migrates_in_a_call_that_then_goes_on_at_this_release(tmp_path: Path, figures: Figures) -> None:
    """The next release starts beside this one, and is taken back: a process of this one then takes the call over."""

    async def act(scene: Scene) -> None:
        first, second = scene.nodes
        begun: list[asyncio.Task[None]] = []

        async def taken_back() -> None:
            await asyncio.to_thread(next_release_migrates, scene.database)
            await second.kill()
            await second.start()
            first.vaic.target = second.address
            first.signal(signal.SIGKILL)

        def begin() -> None:
            begun.append(asyncio.ensure_future(taken_back()))

        report = await scene.call(*WISH, on_event=after_the_question(begin), pause_ms=8000, attentive=True)
        await begun[0]
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
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
        asked: list[asyncio.Task[tuple[int, str]]] = []

        def downgrade() -> None:
            asked.append(asyncio.ensure_future(tieline_db(node, "downgrade", BEFORE)))

        await scene.call(*WISH, conversation_id="before", on_event=after_the_question(downgrade), attentive=True)
        [booked] = scene.appointments()
        record = await scene.record("before")
        code, printed = await asked[0]
        assert (code, "1 calls are in progress" in printed) == (1, True), printed
        node.signal(signal.SIGKILL)
        await node.process.wait()
        code, printed = await tieline_db(node, "downgrade", BEFORE)
        assert code == 0, printed
        assert revision(scene.database) == BEFORE
        await node.start()
        assert revision(scene.database) > BEFORE
        assert scene.appointments() == [booked]
        assert await scene.record("before") == record

    play(tmp_path, figures, act, background=0)
