"""The contenders: each is a process of its own on one core, between the callers and the fake model.

May import: lab.load, the standard library.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent
START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where a contender listens, and where its model is. ops_port: with several workers, each has the next one.

    authority: PEM file of the certificate authority of a model behind TLS.
    """

    port: int
    ops_port: int
    model_port: int
    media: str
    folder: str
    authority: str = ""

    @property
    def model_url(self) -> str:
        return f"{'wss' if self.authority else 'ws'}://127.0.0.1:{self.model_port}"


@dataclass(frozen=True, slots=True)
class Contender:
    """plain: relays bytes, and speaks neither protocol. command: returns its command line and extra environment.

    workers: of several, each reports readiness at its own ops port.
    """

    name: str
    plain: bool
    command: Callable[[Wiring], tuple[list[str], dict[str, str]]]
    medias: frozenset[str] = frozenset({"raw/lpcm16_24", "raw/lpcm16", "raw/mulaw"})
    tls: bool = True
    workers: int = 1


def tieline(
    workers: int = 1,
    *,
    name: str = "Tieline",
    program: tuple[str, ...] = ("run.py",),
    settings: Mapping[str, str] = {},
) -> Contender:
    """As in production: validation, actors, journal, metrics, logs. settings: in place of the usual ones, or beside."""
    return Contender(name, False, partial(_tieline, workers, program, settings), workers=workers)


def _tieline(
    workers: int, program: tuple[str, ...], changes: Mapping[str, str], wiring: Wiring
) -> tuple[list[str], dict[str, str]]:
    settings = {
        "TIELINE_OPENAI_URL": wiring.model_url,
        "TIELINE_DATABASE_URL": f"sqlite:///{wiring.folder}/bench.sqlite3",
        "TIELINE_LOG_LEVEL": "WARNING",
        "TIELINE_MAX_CALLS": "5000",
        "TIELINE_WORKERS": str(workers),
    }
    where = ["--port", str(wiring.port), "--ops-port", str(wiring.ops_port)]
    return [sys.executable, *program, "serve", *where], {**settings, **changes}


def _bare(wiring: Wiring) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "benchmarks/relays/bare.py", str(wiring.port), str(wiring.model_port)], {}


def _relay(interpreter: str, program: str) -> Callable[[Wiring], tuple[list[str], dict[str, str]]]:
    def command(wiring: Wiring) -> tuple[list[str], dict[str, str]]:
        where = ["--port", str(wiring.port), "--model-url", wiring.model_url, "--format", wiring.media]
        return [interpreter, f"benchmarks/relays/{program}", *where], {}

    return command


def contenders(pipecat_python: str | None) -> list[Contender]:
    """All contenders, the lower bound first. pipecat_python: an interpreter that has pipecat; None to leave it out."""
    known = [
        Contender("bare relay", True, _bare, frozenset({"raw/lpcm16_24"}), tls=False),
        tieline(),
        Contender("asyncio + json", False, _relay(sys.executable, "json_relay.py")),
    ]
    if pipecat_python:
        # It speaks 24 kHz PCM to its model and nothing else.
        medias = frozenset({"raw/lpcm16_24", "raw/lpcm16"})
        known.append(Contender("pipecat", False, _relay(pipecat_python, "pipecat_relay.py"), medias))
    return known


@contextmanager
def running(contender: Contender, wiring: Wiring, *, alone: bool = True) -> Iterator[int]:
    """Run the contender; yields its process id. alone: on the first core, which nothing else is to use."""
    unwind_on_sigterm()
    command, environment = contender.command(wiring)
    if wiring.authority:
        environment["SSL_CERT_FILE"] = wiring.authority
    with (Path(wiring.folder) / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log)
        if alone:
            own_core(process.pid, first=True)
        try:
            wait_until_listening(wiring.port, process)
            if contender.workers > 1:
                for number in range(1, contender.workers + 1):
                    _wait_until_ready(wiring.ops_port + number)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def unwind_on_sigterm() -> None:
    """From now on SIGTERM ends a benchmark as an error does, so that no process that it has started is left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def own_core(pid: int, first: bool) -> None:
    """Pin a process to the first core, or to all others, so that contender and generator do not share one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(pid, {cores[0]} if first else set(cores[1:]))


@contextmanager
def wired(media: str, authority: str = "") -> Iterator[Wiring]:
    """A Wiring of free ports and a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield Wiring(free_port(), free_port(), free_port(), media, folder, authority)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_s = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < give_up_s:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the contender did not start")


def _wait_until_ready(ops_port: int) -> None:
    # A worker that starts late would get fewer calls than the others. Its port is open from the beginning, so the
    # request is answered once it serves.
    urlopen(f"http://127.0.0.1:{ops_port}/readyz", timeout=START_LIMIT_S).close()
