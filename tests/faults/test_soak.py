"""Calls come and go while everything around them breaks by chance, again and again.

In the first soak actors crash and sockets break, very often: nothing of any call is left. In the second one the store
is away, rows are damaged, sockets flood and clocks jump as well: what must be true of calls, bookings and processes is.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from appointments.bookings import AppointmentBook
from gateway.daemon import run
from lab.load.run_state import LoadSettings
from tests.faults import soak_judge
from tests.faults.bookers import Bookers
from tests.faults.faultproxy import FaultProxy
from tests.faults.flooder import Flooder
from tests.faults.scene import CRASHABLE, IN_TIME, Background, Node, Scene, opened, play
from tests.faults.soak_plan import BY_ERROR, CRASHES, LINK_FAULTS, plan
from tests.faults.soak_scene import Faults, SoakStore, Watch, break_link, refused_leases, set_up_clock
from tests.gateway.daemons import until
from tests.ports import free_ports
from tests.store.postgres import PostgresServer, a_database

Figures = dict[str, float]
BOOKERS, TALKERS = 8, 5
FLOOD_LIMIT_S = 10.0
# One to two MB were measured.
GROWTH_LIMIT_MB = 25.0
# Until a call is ended that nobody has resumed: its lease, the window in which others look at it, and a renewal.
ORPHANED_S = 15 + 60 + 20.0
SECONDS = float(os.environ.get("TIELINE_SOAK_S", "10"))
CALLS, FAULTS_A_SECOND = 20, 10
# The journal's keeper serves all calls, and may fail ten times a minute: every so many faults it does.
KEEPER_EVERY = 80
CRASHES_OF_CALLS = [(actor, way) for actor, way in CRASHES if actor != "FsmAgent"]
LIVING = {"Switchboard": 1, "JournalWriter": 1}
_OF_TALKERS = LIVING | {"CallSupervisor": TALKERS, "VaicSocket": TALKERS}


async def counted(node: Node, name: str) -> dict[str, float]:
    """A metric by its first label's value; without labels by ""."""
    _, text = await node.get("/metrics")
    sums: dict[str, float] = defaultdict(float)
    for label, value in re.findall(rf'^{name}(?:\{{\w+="([^"]*)".*\}})? (\S+)$', text, re.MULTILINE):
        sums[label] += float(value)
    return sums


def one_fault(scene: Scene, chance: Random, number: int) -> None:
    [node] = scene.nodes
    if number % KEEPER_EVERY == 0:
        node.crash("JournalWriter", "*", chance.choice(BY_ERROR))
    elif chance.random() < 0.8:
        kind, way = chance.choice(CRASHES_OF_CALLS)
        node.crash(kind, "*", way)
    elif links := chance.choice([scene.vaic, scene.model]).links:
        break_link(chance.choice(links), chance.randrange(LINK_FAULTS), chance)


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


def seed_of_this_run() -> int:
    return int(os.environ.get("TIELINE_SOAK_SEED", Random().randrange(10**6)))


@pytest.mark.alone
def test_soak_of_the_store_floods_and_clocks_leaves_every_promise_kept(tmp_path: Path, figures: Figures) -> None:
    """The first process has all faults, and the callers who book. The last one has those calls that are sent there, the
    faults of what all share, and calls that have no fault of their own: they must not be cut.
    """
    seed = seed_of_this_run()
    figures["n of seed"] = seed

    async def whole(server: PostgresServer, name: str) -> None:
        set_up_clock(server, name)
        async with (
            asyncio.timeout(SECONDS + 400),
            FaultProxy(server.socket) as proxy,
            Flooder(steps_back=IN_TIME) as flooder,
            Bookers(seed) as bookers,
            opened(
                tmp_path,
                figures,
                nodes=2,
                background=TALKERS,
                database_url=server.url(name),
                environment={
                    "TIELINE_DATABASE_URL": f"postgresql://tieline@127.0.0.1:{proxy.port}/{name}?sslmode=disable",
                    "TIELINE_MAX_CALLS": "1000",
                    "TIELINE_MAX_LAG_MS": "0",
                },
                program=CRASHABLE,
            ) as scene,
        ):
            await soaked(scene, SoakStore(server, name, proxy), bookers, flooder, seed, figures)

    with a_database() as (server, name):
        run(whole(server, name))


async def soaked(
    scene: Scene, store: SoakStore, bookers: Bookers, flooder: Flooder, seed: int, figures: Figures
) -> None:
    first, last = scene.nodes
    for node in scene.nodes:
        node.model.target = ("127.0.0.1", bookers.port)
    watch, enough = Watch(scene.nodes), asyncio.Event()
    faults = Faults(scene, store, watch, flooder, bookers.port, seed)
    url = f"ws://127.0.0.1:{first.vaic.port}/"
    looking = asyncio.create_task(watch.keep_looking())
    calling = [asyncio.create_task(bookers.keep_calling(url, enough)) for _ in range(BOOKERS)]
    await faults.carry_out(plan(seed, SECONDS), SECONDS)
    before = soak_judge.counted_rows(scene.database)
    enough.set()
    first.vaic.reset()  # those that neither end noticed
    await asyncio.gather(*calling)

    async def only_talkers() -> bool:
        return not await first.calls() and len(await last.calls()) == TALKERS

    await until(only_talkers, 120)
    talkers = frozenset(await last.calls())

    def without_record() -> list[str]:
        refused = refused_leases(scene.nodes)
        return list(soak_judge.records(scene.database, bookers.accepted, refused, faults.spoiled, talkers))

    async def written() -> bool:
        return not without_record()

    with suppress(TimeoutError):  # what is missing is told below
        await until(written, ORPHANED_S)
    looking.cancel()
    for node in scene.nodes:
        assert node.process.returncode is None, node.log
        assert await node.ready()
        assert await counted(node, "tieline_lost_journal_rows_total") == {"": 0}
    booked = AppointmentBook(scene.database).all()
    figures |= {f"n of {what}": times for what, times in sorted(faults.done.items())}
    figures |= {
        "n of calls": sum(bookers.ends.values()),
        "n of bookings": len(booked),
        "n of announcements": len(bookers.announced),
        "n of ids that came again": sum(times > 1 for times in bookers.accepted.values()),
        "longest outage": max([0.0, *faults.away_s]) * 1000,
        "longest flood": max([0.0, *faults.floods_s.values()]) * 1000,
    }
    for number, memory_mb in watch.memory_mb.items():
        settled = memory_mb[len(memory_mb) // 3 :]
        figures[f"n of MB that process {number + 1} has grown by"] = round(max(settled) - settled[0], 1)
    (scene.folder / "bookers.txt").write_text(f"{bookers.ends}\n{bookers.complaints}\n{faults.floods_s}\n")
    spoiled = faults.spoiled
    broken = [
        *soak_judge.bookings(booked, bookers),
        *soak_judge.effects(scene.database, booked, spoiled),
        *without_record(),
        *soak_judge.journals(scene.database, spoiled, talkers),
        *soak_judge.acknowledged(scene.database, before),
        *soak_judge.health(watch),
        *soak_judge.floods(watch, faults.kept_out),
        *(f"{flood} went on for {for_s:.1f} s" for flood, for_s in faults.floods_s.items() if for_s >= FLOOD_LIMIT_S),
        *(each for each, by in figures.items() if "grown by" in each and by > GROWTH_LIMIT_MB),
    ]
    assert not broken, "\n".join(broken)
    await nothing_is_left(first, figures)
    # The last one has its callers, and nothing else.
    living = (await last.census()).actors
    assert {kind: living.get(kind) for kind in _OF_TALKERS} == _OF_TALKERS, living
