"""The process of a call is killed or frozen: another one takes the call over, in the same state, and books once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from lab.caller import BotSpoke, CallerEvent, Resumed
from lab.caller.call import REDIAL_MS
from store.journal import Journal
from tests.faults.scene import Scene, play
from tests.faults.test_model import WISH, once
from tests.faults.test_vaic import booked_once_more_asked

Figures = dict[str, float]
END_LIMIT_S = 10.0


def after_the_question(do: Callable[[], None]) -> Callable[[CallerEvent], None]:
    """When the caller has heard what is to be agreed to."""
    spoken = count(1)

    def happened(event: CallerEvent) -> None:
        if isinstance(event, BotSpoke) and next(spoken) == 2:
            do()

    return happened


@pytest.mark.fast
@pytest.mark.parametrize("moment", ["idle", "in the middle of a task's step"])
def test_process_killed_is_followed_by_another(tmp_path: Path, figures: Figures, moment: str) -> None:
    async def act(scene: Scene) -> None:
        def kill() -> None:
            scene.nodes[0].signal(signal.SIGKILL)
            scene.vaic.target = scene.nodes[1].address

        if moment != "idle":
            scene.line.watch = once("response.function_call_arguments.done", 2, kill)
        # A yes that was lost with its process is asked for again.
        steps = WISH if moment == "idle" else (WISH[0], WISH[1], *WISH[1:])
        report = await scene.call(*steps, on_event=after_the_question(kill) if moment == "idle" else None)
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        [outage] = report.outages
        assert outage.resumed_ms is not None
        scene.measured("resumed after VAIC's own delay", outage.resumed_ms - outage.lost_ms - REDIAL_MS, 3)
        talk = next(turn for turn in report.turns if turn.role == "bot" and turn.began_ms > outage.resumed_ms)
        scene.measured("talk after the loss", talk.began_ms - outage.lost_ms, 8)

    play(tmp_path, figures, act, nodes=2)


def test_process_frozen_for_ten_seconds_writes_nothing_more(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        first = scene.nodes[0]

        def freeze() -> None:
            first.signal(signal.SIGSTOP)
            scene.vaic.target = scene.nodes[1].address
            loop.call_later(10, first.signal, signal.SIGCONT)
            for link in list(scene.vaic.links):
                link.reset()

        question = after_the_question(freeze)
        resumed: list[int] = []

        def happened(event: CallerEvent) -> None:
            question(event)
            if isinstance(event, Resumed):
                resumed.append(event.at_ms)

        report = await scene.call(*WISH, on_event=happened)
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        [outage] = report.outages
        scene.measured("resumed after VAIC's own delay", resumed[0] - outage.lost_ms - REDIAL_MS, 1)
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
