"""VAIC's socket is lost: the call waits, and goes on where it was, at this process or at another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.caller import BotSpoke, CallerEvent
from tests.calls.tap import at_the
from tests.faults.scene import Scene, after_the_question, play
from tests.faults.scripts import WISH, booked_once, booked_once_more_asked
from tests.gateway.daemons import until

Figures = dict[str, float]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "another process"])
def test_vaic_reset_is_resumed_and_nothing_is_lost(tmp_path: Path, figures: Figures, elsewhere: bool) -> None:
    async def act(scene: Scene) -> None:
        def lose() -> None:
            if elsewhere:
                scene.vaic.target = scene.nodes[1].address
            scene.vaic.reset()

        report = await scene.call(*WISH, on_event=after_the_question(lose))
        await booked_once_more_asked(scene) if elsewhere else await booked_once(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        _, resumed_ms = scene.resumed(report, 1.0 if elsewhere else 0.3)
        if elsewhere:
            talk = next(turn for turn in report.turns if turn.role == "bot" and turn.began_ms > resumed_ms)
            scene.measured("talk after resume", talk.began_ms - resumed_ms, 4)

    play(tmp_path, figures, act, nodes=2 if elsewhere else 1)


def test_vaic_reset_in_mid_utterance_is_resumed(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        scene.line.watch = at_the(60, "response.output_audio.delta", scene.vaic.reset)
        report = await scene.call(*WISH)
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        scene.resumed(report, 0.3)

    play(tmp_path, figures, act)


def test_vaic_that_never_returns_leaves_a_record_and_nothing_else(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        def happened(event: CallerEvent) -> None:
            if isinstance(event, BotSpoke):
                scene.vaic.refuses = True
                scene.vaic.reset()

        report = await scene.call("slt_hours", on_event=happened)
        [outage] = report.outages
        assert outage.resumed_ms is None
        [node] = scene.nodes

        async def gone() -> bool:
            return "c-1" not in await node.calls()

        await until(gone, 65)
        record = await scene.record()
        assert (record.outcome, [turn.role for turn in record.turns]) == ("lost", ["bot"])

        async def model_left() -> bool:
            await node.calls()  # takes its time
            return not scene.model.to(scene.tapped)

        # Its side of the closing handshake may come a moment later.
        await until(model_left)

    play(tmp_path, figures, act)
