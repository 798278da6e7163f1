"""What a benchmark has around the programs that it measures: a load, a PostgreSQL, and what goes on meanwhile.

May import: benchmarks.contenders, lab.load, tests.store.postgres, the standard library.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from benchmarks.contenders import ROOT, own_core, unwind_on_sigterm
from lab.load.figures import LoadReport
from lab.load.generator import command_line
from lab.load.run_state import LoadSettings
from tests.store.postgres import PostgresServer


def generated(settings: LoadSettings, *, apart: bool = True) -> LoadReport:
    """One run of the load generator. apart: on the cores that the contender does not use."""
    process = subprocess.Popen(command_line(settings), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        if apart:
            own_core(process.pid, first=False)
        told, _ = process.communicate()
    finally:
        process.terminate()
    if process.returncode != 0:
        raise SystemExit(f"the load generator failed against {settings.url}")
    return LoadReport.model_validate_json(told.splitlines()[-1])


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of the benchmark's own, set up as it is installed."""
    unwind_on_sigterm()
    server = PostgresServer()
    try:
        yield server
    finally:
        server.destroy()


@contextmanager
def meanwhile(work: Callable[[int], object], every_s: float) -> Iterator[None]:
    """Do something again and again, from now until the end of the block. work: given 0, 1, 2 and so on."""
    over = threading.Event()

    def go_on() -> None:
        for number in count():
            work(number)
            if over.wait(every_s):
                return

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
