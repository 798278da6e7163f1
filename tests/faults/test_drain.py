"""A process behind a real HAProxy drains: none of its calls is lost, and no new one fails."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lab.caller import BotSpoke, CallerEvent
from lab.demo import wait_until_listening
from lab.load.run_state import LoadSettings
from tests.faults.faultproxy import Target
from tests.faults.scene import ROOT, Background, Node, Scene, play
from tests.faults.scripts import WISH, booked_once_more_asked
from tests.ports import free_ports

Figures = dict[str, float]
CALLS = 50


async def haproxy(nodes: list[Node]) -> tuple[asyncio.subprocess.Process, int]:
    """As deploy/haproxy has it, before two daemons; and its port."""
    port = free_ports()
    one, two = nodes
    where = {
        "TIELINE_BIND": f"127.0.0.1:{port}",
        "TIELINE_ONE": f"127.0.0.1:{one.port}",
        "TIELINE_ONE_OPS": str(one.ops_port),
        "TIELINE_TWO": f"127.0.0.1:{two.port}",
        "TIELINE_TWO_OPS": str(two.ops_port),
    }
    process = await asyncio.create_subprocess_exec(
        "haproxy", "-db", "-f", str(ROOT / "deploy/haproxy/haproxy.cfg"), env=os.environ | where
    )
    await wait_until_listening(port, lambda: process.returncode is None)
    return process, port


@asynccontextmanager
async def behind_haproxy(scene: Scene) -> AsyncIterator[Target]:
    """Where callers connect."""
    process, port = await haproxy(scene.nodes)
    try:
        yield "127.0.0.1", port
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(autouse=True)
def _installed() -> None:
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed")


@pytest.mark.alone
def test_drain_behind_haproxy_fails_no_new_call(tmp_path: Path, figures: Figures) -> None:
    """Fifty calls at any time, each of two seconds, through HAProxy to two processes, one of which is told to end."""

    async def act(scene: Scene) -> None:
        model = free_ports()
        for node in scene.nodes:
            node.model.target = ("127.0.0.1", model)
        async with behind_haproxy(scene) as (host, port):
            coming = Background(
                LoadSettings(
                    url=f"ws://{host}:{port}/", calls=CALLS, seconds=3600, model_port=model, call_s=2, patient=True
                )
            )
            await coming.start()
            loop = asyncio.get_running_loop()
            told_s, leaving = loop.time(), scene.nodes[0]
            leaving.signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await leaving.process.wait() == 0
            figures["left after"] = round((loop.time() - told_s) * 1000)
            came = await coming.end()
        figures["n of calls"] = came.opened
        assert (came.failed, came.faults) == (0, ())
        assert "drained" not in leaving.log.read_text()

    play(tmp_path, figures, act, nodes=2, background=0)


def test_drain_moves_a_call_to_another_process(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        first = scene.nodes[0]
        told: list[object] = []
        async with behind_haproxy(scene) as target:

            def happened(event: CallerEvent) -> None:
                if isinstance(event, BotSpoke) and not told:
                    told.append(event)
                    first.signal(signal.SIGTERM)
                    scene.vaic.target = target

            report = await scene.call(*WISH, on_event=happened, attentive=True)
        assert await first.process.wait() == 0
        await booked_once_more_asked(scene)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        scene.resumed(report, 1)
        assert [outage.code for outage in report.outages] == [1012]

    moving = {"TIELINE_DRAIN_MODE": "move", "TIELINE_DRAIN_S": "20"}
    play(tmp_path, figures, act, nodes=2, environment=moving)
