"""An event loop whose clock waits for the loop's work, for tests whose sides all run on it.

On a busy machine all sides of such a test are slow at once. By the machine's clock the time limits of one side would
run out while another side still computes; by this loop's clock they do not.
May import: gateway.daemon, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from sqlalchemy import Engine, event

from gateway.daemon import SWITCH_INTERVAL_S

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
# Most time that one turn of the loop counts while sockets or callbacks are ready.
TURN_S = 0.001
# Most time lost to work that is caught up once there is none, by not waiting for timers.
MADE_UP_S = 0.05
# While a job runs in a thread, the loop looks this often for what else came; a job that takes longer than the second is
# taken to hang: the clock goes on, and with it the test's own time limit.
LOOK_S, HANGS_S = 0.02, 60.0


class _Clock(selectors.DefaultSelector):
    """The clock, advanced whenever the loop polls. now_s: the loop's time. jobs: the number running in threads.

    connections: those to a database that threads work with, by id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now_s = self._machine_s = self._free_s = time.monotonic()
        self.jobs = 0
        self.connections: set[int] = set()
        self._behind_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """timeout: s until the next timer is due; 0 while callbacks are ready, None while there is no timer."""
        self._look()
        if not (self.jobs or self.connections):
            self._free_s = self._machine_s
        elif self._machine_s - self._free_s < HANGS_S:
            # The end of a job wakes the loop. Time that jobs take is not made up for.
            events = super().select(max(timeout, LOOK_S) if timeout else timeout)
            self._machine_s = time.monotonic()
            return events
        events = super().select(max(0.0, timeout - self._behind_s) if timeout else timeout)
        self._look()
        if events or timeout == 0:
            passed_s = min(self._behind_s, TURN_S)
        else:
            passed_s = self._behind_s if timeout is None else timeout
        self.now_s += passed_s
        self._behind_s = max(0.0, self._behind_s - passed_s)
        return events

    def _look(self) -> None:
        now_s = time.monotonic()
        self._behind_s = min(self._behind_s + now_s - self._machine_s, MADE_UP_S)
        self._machine_s = now_s


class PacedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stops while a job runs in an executor, and counts a turn as a short one."""

    def __init__(self) -> None:
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now_s

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        job = super().run_in_executor(executor, func, *args)
        self._clock.jobs += 1
        job.add_done_callback(self._job_ended)
        return job

    def _job_ended(self, _: asyncio.Future[Any]) -> None:
        self._clock.jobs -= 1

    def hold_for_store(self, engine: Engine) -> None:
        """Stop the clock also while a thread works with this database: on a busy machine a disk may take seconds."""
        held = self._clock.connections

        def given_back(_connection: object, record: object) -> None:
            held.discard(id(record))
            if not self.is_closed():
                self.call_soon_threadsafe(lambda: None)  # wakes the loop, as the end of a job does

        event.listen(engine, "checkout", lambda _connection, record, _proxy: held.add(id(record)))
        event.listen(engine, "checkin", given_back)


def run_paced(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a PacedLoop, otherwise as the daemon does."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=PacedLoop) as runner:
        return runner.run(main)


def loop_time_s() -> float:
    """The running loop's time: the clock of a daemon on a PacedLoop."""
    return asyncio.get_running_loop().time()
