"""One socket that sends at full speed, whatever it sends: it is cut, and no other call notices."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from time import perf_counter

import pytest

from tests.faults.flooder import COSTLY, FLOODS, LIMIT_S, MANY_LIMIT_S, Flooder, Refused, initiate, tell, vaic
from tests.faults.scene import IN_TIME, Node, Scene, play
from tests.gateway.daemons import until

Figures = dict[str, float]
CALLS = 50 if IN_TIME else 10
SILENT = 150
MANY, FEW = 64, 10
KEEPS_ON_S = 8.0
P99_LIMIT_MS, GONE_LIMIT_S, GROWTH_LIMIT_MB = 20.0, 3.0, 5.0


async def of_vaic_at_the_door(scene: Scene, flooder: Flooder, kind: str) -> float:
    flooder.starts("vaic", scene.nodes[0].port, kind)
    return float(await flooder.says())


async def of_vaic_within_a_call(scene: Scene, flooder: Flooder, kind: str) -> float:
    flooder.starts("vaic", scene.nodes[0].port, kind, initiate(kind))
    return float(await flooder.says())


async def _of_model(scene: Scene, flooder: Flooder, kind: str, settles: bool) -> float:
    scene.model.yields()  # a proxy that relays a flood would delay the calls that it relays too
    flooder.starts("model", scene.model.port, kind, settles)
    assert await flooder.says() == "listens"
    with await asyncio.to_thread(vaic, scene.nodes[0].address, initiate(kind)) as connection:
        gone_s = float(await flooder.says())
        await scene.model.listens_again()  # the next session is an honest one
        assert kind in await scene.nodes[0].calls(), "the call itself goes on"
        tell(connection, {"type": "session.end", "conversationId": kind, "reasonCode": "client-disconnected"})

        async def over() -> bool:
            return kind not in await scene.nodes[0].calls()

        await until(over)  # else it might dial the next one that floods
    return gone_s


async def of_the_model_before_its_session(scene: Scene, flooder: Flooder, kind: str) -> float:
    return await _of_model(scene, flooder, kind, settles=False)


async def of_the_model_within_a_call(scene: Scene, flooder: Flooder, kind: str) -> float:
    return await _of_model(scene, flooder, kind, settles=True)


async def held_up(node: Node) -> dict[str, float]:
    """How often the daemon was late so far, by its own measurement: if it was not, others have delayed the calls."""
    _, metrics = await node.get("/metrics")

    def counted(series: str) -> float:
        return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(series))

    looks = counted("tieline_loop_lag_seconds_count")
    return {
        "n of slow turns": counted("tieline_slow_turns_total{"),
        "n of looks at the loop": looks,
        "n of looks over 20 ms late": looks - counted('tieline_loop_lag_seconds_bucket{le="0.02"}'),
        "n of looks over 5 ms late": looks - counted('tieline_loop_lag_seconds_bucket{le="0.005"}'),
    }


@pytest.mark.alone  # a delay of 20 ms is told from the machine's own only where nothing else runs
@pytest.mark.parametrize(
    "flooded",
    [of_vaic_at_the_door, of_vaic_within_a_call, of_the_model_before_its_session, of_the_model_within_a_call],
    ids=lambda each: each.__name__.replace("_", " "),
)
def test_flood_cuts_its_sender_and_nobody_else(
    tmp_path: Path, figures: Figures, flooded: Callable[[Scene, Flooder, str], Awaitable[float]]
) -> None:
    flooder = Flooder(steps_back=IN_TIME)

    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        before = await held_up(node)
        faults = []
        for kind in FLOODS:
            before_mb = node.memory_mb()
            gone_s = await flooded(scene, flooder, kind)
            figures[kind] = round(gone_s * 1000)
            grown_mb = node.memory_mb() - before_mb
            figures[f"n of MB after {kind}"] = round(grown_mb, 1)
            if gone_s >= (GONE_LIMIT_S if IN_TIME else LIMIT_S) or grown_mb >= GROWTH_LIMIT_MB:
                faults.append(kind)
        figures.update({what: count - before[what] for what, count in (await held_up(node)).items()})
        assert not faults, figures

    play(tmp_path, figures, act, background=CALLS, beside=flooder, own_core=True)
    assert figures["background p99"] < P99_LIMIT_MS or not IN_TIME, figures


@pytest.mark.alone
@pytest.mark.skipif(IN_TIME, reason="the p99 of the calls beside it has not been seen within its limit")
@pytest.mark.parametrize("kind", [kind for kind in COSTLY if kind != "pings"])
def test_flood_by_many_of_what_costs_most_cuts_them_and_nobody_else(
    tmp_path: Path, figures: Figures, kind: str
) -> None:
    """None of them would have the loop overloaded, but all together."""
    by_many(tmp_path, figures, kind, MANY_LIMIT_S)
    assert figures["gone"] < (GONE_LIMIT_S if IN_TIME else MANY_LIMIT_S) * 1000, figures


@pytest.mark.alone
@pytest.mark.skipif(IN_TIME, reason="the p99 of the calls beside it has not been seen within its limit")
def test_flood_by_many_that_each_keep_to_their_limit_delays_nobody_else(tmp_path: Path, figures: Figures) -> None:
    """They ask for more than the loop can do: what they send waits in line, and the calls do not."""
    by_many(tmp_path, figures, "pings", KEEPS_ON_S)


def by_many(folder: Path, figures: Figures, kind: str, limit_s: float) -> None:
    """Flood by many for so long, or until all are cut, beside a few calls."""
    flooder = Flooder(steps_back=False)

    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        flooder.starts("many", node.port, MANY, kind, limit_s)
        assert await flooder.says() == "listens"
        figures["gone"] = round(float(await flooder.says()) * 1000)
        _, metrics = await node.get("/metrics")
        [overloads] = re.findall(r"^tieline_loop_overloads_total (\S+)$", metrics, re.MULTILINE)
        figures["n of overloads"] = float(overloads)

    play(folder, figures, act, background=FEW, environment={"TIELINE_MAX_LAG_MS": "0"}, beside=flooder, own_core=True)
    assert figures["background p99"] < P99_LIMIT_MS or not IN_TIME, figures


@pytest.mark.alone
def test_flood_of_calls_that_only_begin_and_end_delays_nobody_else(tmp_path: Path, figures: Figures) -> None:
    """What a beginning and an end take of the loop comes after the audio of calls in progress."""
    flooder = Flooder(steps_back=False)

    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        scene.model.yields()  # the proxy would delay the calls beside it
        flooder.starts("beginnings", node.port, MANY, scene.model.port, KEEPS_ON_S)
        assert await flooder.says() == "listens"
        figures["n of calls begun"] = int(await flooder.says())
        figures.update(await held_up(node))

    play(tmp_path, figures, act, background=FEW, environment={"TIELINE_MAX_LAG_MS": "0"}, beside=flooder, own_core=True)
    assert figures["background p99"] < P99_LIMIT_MS or not IN_TIME, figures


@pytest.mark.alone
def test_flood_of_silent_sockets_keeps_no_honest_call_out(tmp_path: Path, figures: Figures) -> None:
    flooder = Flooder(steps_back=IN_TIME)

    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        with ExitStack() as stack:
            flooder.starts("silent", node.port, SILENT)
            assert int(await flooder.says()) == SILENT
            began_s = perf_counter()

            async def let_in() -> bool:
                with suppress(Refused):
                    stack.enter_context(await asyncio.to_thread(vaic, node.address, initiate("honest")))
                    return True
                return False

            await until(let_in)  # a refused one tries again, as it is told
            scene.measured("let in", (perf_counter() - began_s) * 1000, 2)
            assert "honest" in await node.calls()

    environment = {"TIELINE_MAX_CALLS": str(CALLS + SILENT)}
    play(tmp_path, figures, act, background=CALLS, environment=environment, beside=flooder, own_core=True)
