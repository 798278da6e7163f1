"""The loop whose clock goes on no faster than its work gets done."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import create_engine

from tests.paced_loop import MADE_UP_S, TURN_S, PacedLoop, loop_time_s, run_paced


def compute(for_s: float) -> None:
    """Hold the loop, as a busy machine does."""
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        pass


def test_a_long_turn_counts_as_a_short_one_and_arrived_data_goes_before_due_timers() -> None:
    async def main() -> None:
        loop, done = asyncio.get_running_loop(), []
        with ExitStack() as stack:
            (near, far), (next_near, next_far) = (map(stack.enter_context, socket.socketpair()) for _ in range(2))

            def one() -> None:
                done.append(near.recv(1))
                next_far.send(b"2")

            loop.add_reader(near, one)
            loop.add_reader(next_near, lambda: done.append(next_near.recv(1)))
            loop.call_later(4 * TURN_S, done.append, b"due")
            began_s = loop.time()
            far.send(b"1")
            compute(20 * TURN_S)
            await asyncio.sleep(0)
            assert loop.time() - began_s <= 2 * TURN_S
            await asyncio.sleep(4 * TURN_S)
            loop.remove_reader(near)
            loop.remove_reader(next_near)
        assert done == [b"1", b"2", b"due"]

    run_paced(main())


def test_the_clock_stops_while_an_executor_job_runs() -> None:
    async def main() -> None:
        loop, go_on = asyncio.get_running_loop(), threading.Event()
        job = loop.run_in_executor(None, go_on.wait)
        timer = loop.call_later(TURN_S, go_on.set)
        began_s = loop.time()
        for _ in range(10):
            compute(2 * TURN_S)
            await asyncio.sleep(0)
        assert loop.time() == began_s
        assert not go_on.is_set()
        timer.cancel()
        go_on.set()
        await job
        await asyncio.sleep(TURN_S)
        assert loop.time() - began_s >= TURN_S

    run_paced(main())


def test_the_clock_stops_while_a_thread_works_with_the_store(tmp_path: Path) -> None:
    async def main() -> None:
        loop, go_on, working = asyncio.get_running_loop(), threading.Event(), asyncio.Event()
        assert isinstance(loop, PacedLoop)
        engine = create_engine(f"sqlite:///{tmp_path}/store.sqlite3")
        loop.hold_for_store(engine)

        def work() -> None:
            with engine.connect():
                loop.call_soon_threadsafe(working.set)
                go_on.wait()

        thread = threading.Thread(target=work)
        thread.start()
        await working.wait()
        began_s = loop.time()
        for _ in range(10):
            compute(2 * TURN_S)
            await asyncio.sleep(0)
        assert loop.time() == began_s
        go_on.set()
        thread.join()
        await asyncio.sleep(TURN_S)
        assert loop.time() - began_s >= TURN_S
        engine.dispose()

    run_paced(main())


def test_the_clock_catches_up_with_real_time_up_to_a_bound() -> None:
    async def main() -> None:
        began_s, machine_s = loop_time_s(), time.monotonic()
        compute(4 * MADE_UP_S)
        await asyncio.sleep(10 * MADE_UP_S)
        passed_s, machine_passed_s = loop_time_s() - began_s, time.monotonic() - machine_s
        assert passed_s >= 10 * MADE_UP_S
        assert machine_passed_s >= 4 * MADE_UP_S + 9 * MADE_UP_S - 10 * TURN_S

    run_paced(main())
