"""VAIC's socket is lost: the call waits, and goes on where it was, at this process or at another one."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from lab.caller import BotSpoke, CallerEvent
from lab.caller.call import REDIAL_MS
from tests.faults.scene import Scene, play, until
from tests.faults.test_model import WISH, booked_once, once

Figures = dict[str, float]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "another process"])
def test_vaic_reset_is_resumed_and_nothing_is_lost(tmp_path: Path, figures: Figures, elsewhere: bool) -> None:
    async def act(scene: Scene) -> None:
        spoken = count(1)

        def happened(event: CallerEvent) -> None:
            if isinstance(event, BotSpoke) and next(spoken) == 2:  # it has asked whether to book
                if elsewhere:
                    scene.vaic.target = scene.nodes[1].address
                for link in list(scene.vaic.links):
                    link.reset()

        report = await scene.call(*WISH, on_event=happened)
        await booked_once_more_asked(scene) if elsewhere else await booked_once(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        [outage] = report.outages
        assert outage.resumed_ms is not None
        figures["outage"] = outage.resumed_ms - outage.lost_ms
        scene.measured("resumed after VAIC's own delay", figures["outage"] - REDIAL_MS, 1.0 if elsewhere else 0.3)
        if elsewhere:
            talk = next(turn for turn in report.turns if turn.role == "bot" and turn.began_ms > outage.resumed_ms)
            scene.measured("talk after resume", talk.began_ms - outage.resumed_ms, 4)

    play(tmp_path, figures, act, nodes=2 if elsewhere else 1)


async def booked_once_more_asked(scene: Scene) -> None:
    """As booked_once; but who has taken the call over may have asked its question again."""
    record = await scene.record()
    assert record.outcome == "completed"
    assert [task.result for task in record.tasks] == ["booked", "hangup"]
    assert len(scene.appointments()) == 1


def test_vaic_reset_in_mid_utterance_is_resumed(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        def lose() -> None:
            for link in list(scene.vaic.links):
                link.reset()

        scene.line.watch = once("response.output_audio.delta", 60, lose)
        report = await scene.call(*WISH)
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        [outage] = report.outages
        assert outage.resumed_ms is not None
        scene.measured("resumed after VAIC's own delay", outage.resumed_ms - outage.lost_ms - REDIAL_MS, 0.3)

    play(tmp_path, figures, act)


def test_vaic_that_never_returns_leaves_a_record_and_nothing_else(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        def happened(event: CallerEvent) -> None:
            if isinstance(event, BotSpoke):
                scene.vaic.refuses = True
                for link in list(scene.vaic.links):
                    link.reset()

        report = await scene.call("slt_hours", on_event=happened)
        [outage] = report.outages
        assert outage.resumed_ms is None
        [node] = scene.nodes

        async def gone() -> bool:
            return "c-1" not in await node.calls()

        await until(gone, 65)
        record = await scene.record()
        assert (record.outcome, [turn.role for turn in record.turns]) == ("lost", ["bot"])
        assert not scene.model.to(scene.tapped)

    play(tmp_path, figures, act)
