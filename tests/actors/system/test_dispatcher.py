"""The loop dispatcher on a real loop: data from sockets is handled at once, and slow turns are reported."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from loguru import logger
from prometheus_client import REGISTRY

from actors.system.actor import LoopActor
from actors.system.dispatcher import LAG_PERIOD_S, LAG_WEIGHT, SLOW_TURN_S, LoopDispatcher, install


class Hand(LoopActor):
    """Calls what it is told."""

    def on_receive(self, message: Callable[[], None]) -> None:
        message()


def hold_the_loop(for_s: float = SLOW_TURN_S * 1.5) -> None:
    until_s = time.perf_counter() + for_s
    while time.perf_counter() < until_s:
        pass


def slow_turns() -> float:
    return REGISTRY.get_sample_value("tieline_slow_turns_total", {"actor": "Hand"}) or 0.0


def test_a_slow_turn_is_counted_and_logged_with_its_actor() -> None:
    lines: list[str] = []

    async def scene() -> None:
        install(LoopDispatcher(asyncio.get_running_loop()))
        hand, done = Hand.start(), asyncio.Event()
        hand.tell(hold_the_loop)
        hand.tell(done.set)
        await done.wait()
        hand.stop(block=False)

    before = slow_turns()
    sink = logger.add(lambda line: lines.append(str(line)), format="{message} {extra}")
    asyncio.run(scene())
    logger.remove(sink)
    assert slow_turns() > before  # on a busy machine the actor's last turn may be a slow one too
    line = next(each for each in lines if "slow turn" in each)
    # Only the last message of a turn is named; the actor is what matters.
    assert "Hand: " in line


def test_slow_turns_that_follow_one_another_are_all_counted_and_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # However long the machine takes for them.
    monkeypatch.setattr("actors.system.dispatcher.SLOW_LOG_S", 3600.0)
    lines: list[str] = []

    async def scene() -> None:
        install(LoopDispatcher(asyncio.get_running_loop()))
        hands, done = [Hand.start() for _ in range(3)], asyncio.Event()
        for hand in hands:
            hand.tell(hold_the_loop)
        hands[-1].tell(done.set)
        await done.wait()
        for hand in hands:
            hand.stop(block=False)

    before = slow_turns()
    sink = logger.add(lambda line: lines.append(str(line)), format="{message} {extra}")
    asyncio.run(scene())
    logger.remove(sink)
    assert slow_turns() - before >= 3
    assert len([each for each in lines if "slow turn" in each]) == 1


def test_the_lag_of_a_blocked_loop_is_measured() -> None:
    async def scene() -> float:
        dispatcher = LoopDispatcher(asyncio.get_running_loop())
        dispatcher.watch()
        asyncio.get_running_loop().call_later(LAG_PERIOD_S - 0.001, hold_the_loop)
        worst_s = 0.0
        for _ in range(2):
            seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(LAG_PERIOD_S * 1.2, seen.set_result, None)
            await seen
            worst_s = max(worst_s, dispatcher.lag_s)
        dispatcher.stop_watching()
        return worst_s

    # The weight of the last sample in the moving average.
    assert asyncio.run(scene()) > SLOW_TURN_S * LAG_WEIGHT


def test_one_long_pause_alone_does_not_count_as_lag() -> None:
    async def scene() -> float:
        dispatcher = LoopDispatcher(asyncio.get_running_loop())
        dispatcher.watch()
        asyncio.get_running_loop().call_soon(hold_the_loop, 1.0)
        seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(LAG_PERIOD_S * 1.2, seen.set_result, None)
        await seen
        dispatcher.stop_watching()
        return dispatcher.lag_s

    assert 0 < asyncio.run(scene()) < 0.05


def test_data_from_a_socket_is_handled_before_the_loop_runs_on() -> None:
    async def scene() -> list[str]:
        dispatcher = LoopDispatcher(asyncio.get_running_loop())
        install(dispatcher)
        told: list[str] = []
        first, second = Hand.start(), Hand.start()

        def pass_on() -> None:
            told.append("first")
            second.tell(lambda: told.append("second"))

        dispatcher.deliver(lambda data: first.tell(pass_on), b"")
        first.stop(block=False)
        second.stop(block=False)
        return told

    assert asyncio.run(scene()) == ["first", "second"]


@pytest.mark.parametrize("broken", [KeyboardInterrupt, SystemExit])
def test_mailboxes_are_run_after_an_interruption(broken: type[BaseException]) -> None:
    async def scene() -> bool:
        dispatcher = LoopDispatcher(asyncio.get_running_loop())
        install(dispatcher)

        class Interrupted:
            def take_turn(self) -> None:
                raise broken

            def last_turn(self) -> tuple[str, str]:
                return "", ""

        def interrupt(_: bytes) -> None:
            dispatcher.ready(Interrupted())

        with pytest.raises(broken):
            dispatcher.deliver(interrupt, b"")
        hand, done = Hand.start(), asyncio.Event()
        hand.tell(done.set)
        async with asyncio.timeout(5):
            await done.wait()
        hand.stop(block=False)
        return done.is_set()

    assert asyncio.run(scene())
