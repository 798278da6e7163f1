"""The loop dispatcher on a real loop: data from sockets is handled at once, and slow turns are reported."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

import pykka
import pytest
from loguru import logger

from actors.system.actor import LoopActor
from actors.system.dispatcher import (
    AT_ONCE_S,
    LAG_PERIOD_S,
    LAG_WEIGHT,
    MAX_LAG_SAMPLE_S,
    OVERLOAD_LAG_S,
    OVERLOADED_AFTER_S,
    RELIEVED_AFTER_S,
    RUN_LIMIT_S,
    SLOW_TURN_S,
    LoopDispatcher,
    Overload,
    TakesTurns,
    install,
)
from tests.counted import counted


class Hand(LoopActor):
    """Calls what it is told."""

    def on_receive(self, message: Callable[[], None]) -> None:
        message()


def hold_the_loop(for_s: float = SLOW_TURN_S * 1.5) -> None:
    until_s = time.perf_counter() + for_s
    while time.perf_counter() < until_s:
        pass


class Turns:
    """A mailbox that counts its turns."""

    taken = 0

    def take_turn(self) -> None:
        self.taken += 1

    def last_turn(self) -> tuple[str, str]:
        return "Turns", "None"


class Crossed(deque[TakesTurns]):
    """A queue that another thread fills just after it was seen empty."""

    fill: Callable[[], None] | None = None

    def __bool__(self) -> bool:
        filled, fill = len(self) > 0, self.fill
        if not filled and fill is not None:
            self.fill = None
            thread = threading.Thread(target=fill)
            thread.start()
            thread.join()
        return filled


def slow_turns() -> float:
    return counted("tieline_slow_turns_total", actor="Hand")


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


def test_a_slow_turn_is_the_last_of_its_callback() -> None:
    assert RUN_LIMIT_S < SLOW_TURN_S  # only the last is measured


def test_a_mailbox_that_a_thread_fills_just_as_the_turns_end_gets_one() -> None:
    late, done = Turns(), Turns()

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        dispatcher = LoopDispatcher(loop)
        dispatcher._queue = queue = Crossed()
        queue.fill = lambda: dispatcher.ready(late)
        dispatcher.ready(done)
        for _ in range(3):  # of the loop: for the callback, and for one that follows it
            await asyncio.sleep(0)

    asyncio.run(scene())
    assert (done.taken, late.taken) == (1, 1)


def test_the_lag_of_a_blocked_loop_is_measured() -> None:
    async def scene() -> None:
        dispatcher = LoopDispatcher(asyncio.get_running_loop())
        dispatcher.watch()
        # A sample that is due while the loop is held is late. The weight is that of the last one in the moving average.
        while dispatcher.lag_s <= SLOW_TURN_S / 2 * LAG_WEIGHT:
            hold_the_loop()
            await asyncio.sleep(0)
        dispatcher.stop_watching()

    asyncio.run(asyncio.wait_for(scene(), 30))


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


LATE_S, IN_TIME_S = OVERLOAD_LAG_S * 1.5, OVERLOAD_LAG_S / 2


def test_the_loop_is_overloaded_when_it_was_late_for_long_and_until_it_was_in_time_for_longer() -> None:
    overload = Overload(0.0)
    assert not overload.measured(LATE_S, OVERLOADED_AFTER_S - 0.1)
    assert overload.measured(LATE_S, OVERLOADED_AFTER_S)
    assert overload.is_on
    began_s = OVERLOADED_AFTER_S + 1
    assert not overload.measured(LATE_S, began_s)
    assert not overload.measured(IN_TIME_S, began_s + RELIEVED_AFTER_S - 0.1)
    assert overload.measured(IN_TIME_S, began_s + RELIEVED_AFTER_S)
    assert not overload.is_on


def test_a_loop_that_is_late_now_and_then_is_not_overloaded_and_one_in_time_now_and_then_stays_so() -> None:
    overload, now_s = Overload(0.0), 0.0
    for _ in range(100):
        now_s += OVERLOADED_AFTER_S - 0.1
        assert not overload.measured(LATE_S, now_s)
        now_s += 0.05
        assert not overload.measured(IN_TIME_S, now_s)
    assert overload.measured(LATE_S, now_s + OVERLOADED_AFTER_S)
    for _ in range(100):
        now_s += RELIEVED_AFTER_S - 0.1
        assert not overload.measured(IN_TIME_S, now_s)
        now_s += 0.05
        assert not overload.measured(LATE_S, now_s)
    assert overload.is_on


class Told:
    """A socket that is told of overloads."""

    def __init__(self) -> None:
        self.overloads: list[bool] = []

    def overload(self, began: bool) -> None:
        self.overloads.append(began)


def test_an_overload_is_told_to_whom_it_concerns_counted_and_logged_once() -> None:
    lines: list[str] = []

    async def scene() -> None:
        clock_s = 1000.0
        dispatcher = LoopDispatcher(asyncio.get_running_loop(), clock_s=lambda: clock_s)
        socket, gone = Told(), Told()
        dispatcher.relieve(socket)
        dispatcher.relieve(gone)
        del gone
        for late_s, for_s in ((MAX_LAG_SAMPLE_S, 3 * OVERLOADED_AFTER_S), (0.0, 3 * RELIEVED_AFTER_S)):
            until_s = clock_s + for_s
            while clock_s < until_s:
                clock_s += LAG_PERIOD_S
                dispatcher.stop_watching()  # the loop's own timer: this clock stands still for it
                dispatcher._look(clock_s - late_s)
            if late_s:
                later = Told()
                dispatcher.relieve(later)
                assert later.overloads == [True]
        dispatcher.stop_watching()
        assert socket.overloads == [True, False]
        assert later.overloads == [True, False]

    before = counted("tieline_loop_overloads_total")
    sink = logger.add(lambda line: lines.append(str(line)), format="{message}")
    asyncio.run(scene())
    logger.remove(sink)
    assert counted("tieline_loop_overloads_total") - before == 1
    assert len([each for each in lines if "overloaded" in each]) == 2


def test_of_those_who_line_up_each_turn_of_the_loop_serves_one() -> None:
    async def scene() -> None:
        dispatcher = LoopDispatcher(asyncio.get_running_loop())
        served: list[str] = []

        def twice(_: None) -> None:
            if "first" not in served:
                dispatcher.line_up(twice)
            served.append("first")

        dispatcher.line_up(twice)
        dispatcher.line_up(lambda _: served.append("second"))
        for expected in (["first"], ["first", "second"], ["first", "second", "first"]):
            await asyncio.sleep(0)
            assert served == expected

    asyncio.run(scene())


def test_the_loop_is_overloaded_as_well_when_those_who_line_up_are_never_all_served() -> None:
    async def scene() -> None:
        clock_s = 1000.0
        dispatcher = LoopDispatcher(asyncio.get_running_loop(), clock_s=lambda: clock_s)
        socket = Told()
        dispatcher.relieve(socket)

        def look_for(for_s: float) -> None:
            nonlocal clock_s
            until_s = clock_s + for_s
            while clock_s < until_s:
                clock_s += LAG_PERIOD_S
                dispatcher.stop_watching()
                dispatcher._look(clock_s)

        for _ in range(3):
            dispatcher.line_up(lambda _: None)
            look_for(OVERLOADED_AFTER_S - 2 * LAG_PERIOD_S)
            await asyncio.sleep(0)  # it is served
            look_for(LAG_PERIOD_S)
        assert socket.overloads == []
        dispatcher.line_up(lambda _: None)
        look_for(OVERLOADED_AFTER_S + 3 * LAG_PERIOD_S)
        assert socket.overloads == [True]
        dispatcher.stop_watching()

    asyncio.run(scene())


def told_in_order(scene: Callable[[LoopDispatcher, list[str], list[pykka.ActorRef[Hand]]], None]) -> list[str]:
    """What three actors that have started are told to note in a scene, in the order in which they have."""

    async def whole() -> list[str]:
        dispatcher = LoopDispatcher(asyncio.get_running_loop())
        install(dispatcher)
        told: list[str] = []
        hands = [Hand.start() for _ in range(3)]
        while dispatcher._queue:  # for their first turns
            await asyncio.sleep(0)
        scene(dispatcher, told, hands)
        while dispatcher._queue:
            await asyncio.sleep(0)
        for hand in hands:
            hand.stop(block=False)
        return told

    return asyncio.run(whole())


def test_what_an_event_leads_to_is_done_before_the_loop_runs_on_and_before_all_that_waits() -> None:
    def scene(dispatcher: LoopDispatcher, told: list[str], hands: list[pykka.ActorRef[Hand]]) -> None:
        waiting, first, second = hands

        def pass_on() -> None:
            told.append("first")
            second.tell(lambda: told.append("second"))

        waiting.tell(lambda: told.append("waiting"))
        dispatcher.deliver(lambda _: first.tell(pass_on), b"")
        assert told == ["first", "second"]

    assert told_in_order(scene) == ["first", "second", "waiting"]


def test_an_event_that_leads_to_much_goes_on_behind_what_waits() -> None:
    def scene(dispatcher: LoopDispatcher, told: list[str], hands: list[pykka.ActorRef[Hand]]) -> None:
        waiting, first, second = hands

        def pass_on() -> None:
            hold_the_loop(2 * AT_ONCE_S)
            told.append("first")
            second.tell(lambda: told.append("second"))

        waiting.tell(lambda: told.append("waiting"))
        dispatcher.deliver(lambda _: first.tell(pass_on), b"")

    assert told_in_order(scene) == ["first", "waiting", "second"]


def test_a_timer_is_an_event_too() -> None:
    async def scene() -> tuple[int, int]:
        dispatcher, waiting, live = LoopDispatcher(asyncio.get_running_loop()), Turns(), Turns()
        dispatcher._called = True  # nobody runs what waits
        dispatcher.ready(waiting)
        rung = asyncio.Event()
        dispatcher.after(0, lambda: dispatcher.ready(live))
        dispatcher.after(0.001, rung.set)
        await rung.wait()
        return live.taken, waiting.taken

    assert asyncio.run(scene()) == (1, 0)


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
