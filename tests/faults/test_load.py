"""Overload: accepted calls go on as usual, others are refused at once, before the upgrade."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import pytest

from lab.caller import BotSpoke, CallerEvent, CallerSpoke
from tests.faults.flooder import Refused, initiate, vaic
from tests.faults.scene import BACKGROUND_CALLS, Node, Scene, play
from tests.faults.scripts import QUESTION, WISH, booked_once_more_asked
from tests.gateway.daemons import until, upgrade_request

Figures = dict[str, float]


async def knock(node: Node) -> tuple[bytes, float]:
    """The first line of the answer to an upgrade, and after how many ms it came."""
    began_s = perf_counter()
    reader, writer = await asyncio.open_connection(*node.address)
    writer.write(upgrade_request())
    line = await reader.readline()
    writer.close()
    return line, (perf_counter() - began_s) * 1000


def test_load_of_three_times_the_room_is_refused_before_the_upgrade(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        answers: list[tuple[bytes, float]] = []

        def happened(event: CallerEvent) -> None:
            if isinstance(event, BotSpoke) and not knocking:
                knocking.append(asyncio.ensure_future(knock_often()))

        async def knock_often() -> None:
            answers.extend([await knock(node) for _ in range(3 * BACKGROUND_CALLS)])

        knocking: list[asyncio.Task[None]] = []
        report = await scene.call(*QUESTION, on_event=happened, attentive=True)
        await knocking[0]
        assert {line for line, _ in answers} == {b"HTTP/1.1 503 Service Unavailable\r\n"}
        figures["n of refusals"] = len(answers)
        scene.measured("slowest refusal", max(ms for _, ms in answers), 0.1)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())

    play(tmp_path, figures, act, environment={"TIELINE_MAX_CALLS": str(BACKGROUND_CALLS + 1)})


# What a process is left with of a resource, so that a new call has no room and those that live go on.
SHORT: dict[str, tuple[int, Callable[[Node], int]]] = {
    "files": (resource.RLIMIT_NOFILE, lambda node: node.open_files() + 8),
    "memory": (resource.RLIMIT_AS, lambda node: node.address_space() + 96 * 2**20),
}


@pytest.mark.parametrize("resource_name", SHORT)
def test_load_that_leaves_nothing_is_refused_and_live_calls_go_on(
    tmp_path: Path, figures: Figures, resource_name: str
) -> None:
    which, left = SHORT[resource_name]

    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        pid = node.process.pid
        before = resource.prlimit(pid, which)

        async def starved() -> None:
            resource.prlimit(pid, which, (left(node), before[1]))

            async def refused() -> bool:
                return (await knock(node))[0].startswith(b"HTTP/1.1 503")

            await until(refused)
            resource.prlimit(pid, which, before)
            restored_s = perf_counter()

            async def admitted() -> bool:
                return (await knock(node))[0].startswith(b"HTTP/1.1 101")

            await until(admitted)
            figures["recovered"] = round((perf_counter() - restored_s) * 1000)

        def happened(event: CallerEvent) -> None:
            if isinstance(event, BotSpoke) and not starving:
                starving.append(asyncio.ensure_future(starved()))

        starving: list[asyncio.Task[None]] = []
        report = await scene.call(*QUESTION, on_event=happened)
        await starving[0]
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        scene.measured("recovered", figures["recovered"], 1)

    play(tmp_path, figures, act)


def test_load_that_needs_threads_without_memory_for_them_holds_nobody_up_for_good(
    tmp_path: Path, figures: Figures
) -> None:
    """The limit of the address space is set below what is used: a thread ends before its first step."""

    def begin(node: Node, name: str) -> None:
        with suppress(Refused, OSError), vaic(node.address, initiate(name)):
            pass

    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        pid = node.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_AS)
        with await asyncio.to_thread(vaic, node.address, initiate("kept")):
            assert await node.ready()  # its memory is not looked at again for half a second
            resource.prlimit(pid, resource.RLIMIT_AS, (node.address_space() // 8, limits[1]))
            await asyncio.gather(*(asyncio.to_thread(begin, node, f"begun-{number}") for number in range(4)))
            resource.prlimit(pid, resource.RLIMIT_AS, limits)
            await until(node.ready, 60)
            assert "kept" in await node.calls()
        report = await scene.call(*QUESTION, attentive=True)
        assert (report.outcome, report.errors) == ("bot-disconnected", ())

    play(tmp_path, figures, act, background=0)  # they would be late by START_LIMIT_S (gateway/thread_starts.py)


def test_load_vaic_that_stops_reading_is_cut_and_comes_back(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        stalled_s: list[float] = []

        def happened(event: CallerEvent) -> None:
            if isinstance(event, CallerSpoke) and not stalled_s:
                stalled_s.append(loop.time())
                for link in list(scene.vaic.links):
                    link.stall()

        report = await scene.call(*WISH, on_event=happened)
        lost_ms, _ = scene.resumed(report, 0.3)
        asked = next(turn for turn in report.turns if turn.role == "caller")
        figures["cut after"] = lost_ms - asked.ended_ms
        await booked_once_more_asked(scene)

    play(tmp_path, figures, act)
