"""The process of a call is killed or frozen: another one takes the call over, in the same state, and books once."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.daemon import EX_SOFTWARE, LAST_CALLS_LIMIT_S
from gateway.signals import IGNORED
from store.journal import Journal
from tests.calls.tap import at_the
from tests.faults.scene import CRASHABLE, Scene, after_the_question, play
from tests.faults.scripts import WISH, booked_once_more_asked
from tests.gateway.daemons import until

Figures = dict[str, float]
END_LIMIT_S = 10.0
WORKERS = 2


@pytest.mark.parametrize("moment", ["idle", "in the middle of a task's step"])
def test_process_killed_is_followed_by_another(tmp_path: Path, figures: Figures, moment: str) -> None:
    async def act(scene: Scene) -> None:
        def kill() -> None:
            scene.nodes[0].signal(signal.SIGKILL)
            scene.vaic.target = scene.nodes[1].address

        if moment != "idle":
            scene.line.watch = at_the(2, "response.function_call_arguments.done", kill)
        # A yes that was lost with its process is asked for again.
        steps = WISH if moment == "idle" else (WISH[0], WISH[1], *WISH[1:])
        idle = after_the_question(kill) if moment == "idle" else None
        report = await scene.call(*steps, on_event=idle, attentive=True)
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        scene.talks_again(report, 3, 8)

    play(tmp_path, figures, act, nodes=2)


def test_process_whose_root_actor_dies_ends_and_another_goes_on(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        def crash() -> None:
            scene.nodes[0].crash("Switchboard", "*")
            scene.vaic.target = scene.nodes[1].address

        report = await scene.call(*WISH, on_event=after_the_question(crash), attentive=True)
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        async with asyncio.timeout(END_LIMIT_S):
            assert await scene.nodes[0].process.wait() == EX_SOFTWARE
        assert "the root of the actors has failed" in scene.nodes[0].log.read_text()
        scene.talks_again(report, 3, 8)

    play(tmp_path, figures, act, nodes=2, program=CRASHABLE)


def test_process_whose_journal_is_lost_for_good_ends(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        [node] = scene.nodes

        async def lost() -> bool:
            node.crash("JournalWriter", "*")
            return "the journal cannot be written" in node.log.read_text()

        await until(lost, 60)
        async with asyncio.timeout(LAST_CALLS_LIMIT_S + END_LIMIT_S):
            assert await node.process.wait() == EX_SOFTWARE

    play(tmp_path, figures, act, background=0, program=CRASHABLE)


@pytest.mark.alone
def test_process_killed_is_started_again_and_takes_its_own_calls_over(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        loop, node = asyncio.get_running_loop(), scene.nodes[0]
        restarts: list[asyncio.Task[float]] = []

        async def kill() -> float:
            """All workers, so that nobody else is there. Returns after how many ms all are ready again."""
            began_s, former = loop.time(), node.workers()
            for pid in former:
                os.kill(pid, signal.SIGKILL)

            async def ready() -> bool:
                return len(node.workers() - former) == WORKERS and await node.ready()

            await until(ready, 20)
            return (loop.time() - began_s) * 1000

        report = await scene.call(*WISH, on_event=after_the_question(lambda: restarts.append(loop.create_task(kill()))))
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        scene.measured("ready again", await restarts[0], 3)
        scene.talks_again(report, 3, 8)

    play(tmp_path, figures, act, nodes=2, environment={"TIELINE_WORKERS": str(WORKERS)})


def test_process_frozen_for_ten_seconds_writes_nothing_more(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        first = scene.nodes[0]

        def freeze() -> None:
            with scene.database.begin():  # who is frozen over a write holds SQLite's write lock
                first.signal(signal.SIGSTOP)
            scene.vaic.target = scene.nodes[1].address
            loop.call_later(10, first.signal, signal.SIGCONT)
            scene.vaic.reset()

        report = await scene.call(*WISH, on_event=after_the_question(freeze))
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        scene.resumed(report, 1)
        # It writes what it has in hand, is refused, and leaves in order.
        first.signal(signal.SIGCONT)
        first.signal(signal.SIGTERM)
        first.signal(signal.SIGTERM)
        async with asyncio.timeout(END_LIMIT_S):
            assert await first.process.wait() == 0
        rows = Journal(scene.database).rows("c-1")
        epochs = [row.epoch for row in rows]
        assert epochs == sorted(epochs)
        assert set(epochs) == {1, 2}
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))

    play(tmp_path, figures, act, nodes=2)


def test_signals_that_keep_coming_end_a_process_cleanly(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        for each in IGNORED:
            node.signal(each)
        ended = asyncio.create_task(node.process.wait())
        sent = 0
        while not ended.done():
            with suppress(ProcessLookupError):
                node.signal(signal.SIGHUP)
                sent += 1
            await asyncio.wait({ended}, timeout=0.002)
        assert node.process.returncode == 0
        figures["n of signals"] = sent

    play(tmp_path, figures, act, background=0)
