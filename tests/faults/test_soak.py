"""Calls come and go while actors crash and sockets break by chance, again and again: nothing of any call is left."""

from __future__ import annotations

import asyncio
import os
import re
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest

from lab.load.run_state import LoadSettings
from tests.faults.faultproxy import Link
from tests.faults.scene import CRASHABLE, Background, Node, Scene, play
from tests.gateway.daemons import until
from tests.ports import free_ports

Figures = dict[str, float]
SECONDS = float(os.environ.get("TIELINE_SOAK_S", "10"))
CALLS, FAULTS_A_SECOND = 20, 10
# The journal's keeper serves all calls, and may fail ten times a minute: every so many faults it does.
KEEPER_EVERY = 80
BY_ERROR = ("bug", "exit", "interrupt")
# Nobody but its supervisor tells a VaicSocket to stop.
CRASHES = [
    *(("VaicSocket", way) for way in (*BY_ERROR, "full")),
    *((kind, way) for kind in ("OpenAISocket", "CallSupervisor") for way in (*BY_ERROR, "full", "stop")),
]
LIVING = {"Switchboard": 1, "JournalWriter": 1}


async def counted(node: Node, name: str) -> dict[str, float]:
    """A metric by its first label's value; without labels by ""."""
    _, text = await node.get("/metrics")
    sums: dict[str, float] = defaultdict(float)
    for label, value in re.findall(rf'^{name}(?:\{{\w+="([^"]*)".*\}})? (\S+)$', text, re.MULTILINE):
        sums[label] += float(value)
    return sums


def break_link(link: Link, chance: Random) -> None:
    """What a network does to a socket."""
    match chance.randrange(6):
        case 0:
            link.reset()
        case 1:
            link.blackhole()
        case 2:
            link.stall()
        case 3:
            link.half_close()
        case 4:
            link.slow(30_000)
        case 5:
            link.cut_after(chance.randrange(5000))


def one_fault(scene: Scene, chance: Random, number: int) -> None:
    [node] = scene.nodes
    if number % KEEPER_EVERY == 0:
        node.crash("JournalWriter", "*", chance.choice(BY_ERROR))
    elif chance.random() < 0.8:
        kind, way = chance.choice(CRASHES)
        node.crash(kind, "*", way)
    elif links := chance.choice([scene.vaic, scene.model]).links:
        break_link(chance.choice(links), chance)


async def nothing_is_left(node: Node, figures: Figures) -> None:
    """Whatever was started has ended, or is one of those that always live."""

    async def all_ended() -> bool:
        # Whose supervisor has crashed says his last words alone.
        return (await node.census()).actors == LIVING

    await until(all_ended, 20)
    started = await counted(node, "tieline_actors_started_total")
    ended = await counted(node, "tieline_actors_ended_total")
    census = await node.census()
    assert {kind: started[kind] - ended[kind] for kind in started if started[kind] != ended[kind]} == LIVING
    assert {name: threads for name, threads in census.threads.items() if name in started} == {"JournalWriter": 1}
    assert census.timers == 1, "the renewal of leases"
    figures["n of actors"] = sum(started.values())


@pytest.mark.alone
def test_soak_of_random_faults_leaves_nothing_behind(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        model = free_ports()
        scene.model.target = ("127.0.0.1", model)
        seed = int(os.environ.get("TIELINE_SOAK_SEED", Random().randrange(10**6)))
        figures["n of seed"] = seed
        chance, loop = Random(seed), asyncio.get_running_loop()
        idle = node.open_files()
        vaic = f"ws://127.0.0.1:{scene.vaic.port}/"
        load = Background(LoadSettings(url=vaic, calls=CALLS, seconds=3600, model_port=model, call_s=3, patient=True))
        await load.start()
        began_s = loop.time()
        for number in range(1, round(SECONDS * FAULTS_A_SECOND) + 1):
            one_fault(scene, chance, number)
            due = asyncio.Event()
            loop.call_at(began_s + number / FAULTS_A_SECOND, due.set)
            await due.wait()
        report = await load.end()
        scene.vaic.reset()  # those that neither end noticed

        async def empty() -> bool:
            return not await node.calls() and node.open_files() <= idle + 2

        # VAIC's side of a lost call would come back within a minute; the load's callers do not.
        await until(empty, 90)
        figures["n of calls"] = report.opened
        figures["n of deaths"] = sum((await counted(node, "tieline_child_deaths_total")).values())
        figures["n of lost rows"] = sum((await counted(node, "tieline_lost_journal_rows_total")).values())
        assert figures["n of deaths"] >= SECONDS * FAULTS_A_SECOND / 3
        assert figures["n of lost rows"] == 0
        assert (await node.get("/readyz"))[0] == 200
        assert await counted(node, "tieline_calls_live") == {"": 0}
        await nothing_is_left(node, figures)

    environment = {"TIELINE_MAX_CALLS": "1000"}
    play(tmp_path, figures, act, background=0, program=CRASHABLE, limit_s=SECONDS + 150, environment=environment)
