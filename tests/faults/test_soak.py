"""Calls come and go while the actors of any of them crash by chance, again and again: nothing of any call is left."""

from __future__ import annotations

import asyncio
import os
import re
from itertools import count
from pathlib import Path
from random import Random

from lab.demo import free_port
from lab.load.course import LoadSettings
from tests.faults.scene import CRASHABLE, Background, Node, Scene, play
from tests.gateway.daemons import until

Figures = dict[str, float]
SECONDS = float(os.environ.get("TIELINE_SOAK_S", "10"))
KINDS = ("VaicSocket", "OpenAISocket", "CallSupervisor", "JournalKeeper")
CALLS, CRASHES_A_SECOND = 20, 10


async def counted(node: Node, name: str) -> float:
    """The sum of a metric over its labels."""
    _, text = await node.get("/metrics")
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))


def test_soak_of_random_crashes_leaves_nothing_behind(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        model = free_port()
        scene.model.target = ("127.0.0.1", model)
        seed = int(os.environ.get("TIELINE_SOAK_SEED", Random().randrange(10**6)))
        figures["n of seed"] = seed
        chance, loop = Random(seed), asyncio.get_running_loop()
        idle = node.open_files()
        load = Background(LoadSettings(url=node.url, calls=CALLS, seconds=3600, model_port=model, call_s=3))
        await load.start()
        began_s, done = loop.time(), asyncio.Event()

        def crash(number: int) -> None:
            # The journal's keeper serves all of them, and may fail ten times a minute.
            kind = "JournalKeeper" if number % 80 == 0 else chance.choice(KINDS[:3])
            node.crash(kind, "*")
            due_s = began_s + (number + 1) / CRASHES_A_SECOND
            if due_s - began_s < SECONDS:
                loop.call_at(due_s, crash, next(numbers))
            else:
                done.set()

        numbers = count(1)
        crash(next(numbers))
        await done.wait()
        report = await load.end()

        async def empty() -> bool:
            return not await node.calls() and node.open_files() <= idle + 2

        # VAIC's side of a lost call would come back within a minute; the load's callers do not.
        await until(empty, 90)
        figures["n of calls"] = report.opened
        figures["n of deaths"] = await counted(node, "tieline_child_deaths_total")
        figures["n of lost rows"] = await counted(node, "tieline_lost_journal_rows_total")
        assert figures["n of deaths"] >= SECONDS * CRASHES_A_SECOND / 2
        assert figures["n of lost rows"] == 0
        assert (await node.get("/readyz"))[0] == 200
        assert await counted(node, "tieline_calls_live") == 0

    play(tmp_path, figures, act, background=0, program=CRASHABLE, limit_s=SECONDS + 150)
