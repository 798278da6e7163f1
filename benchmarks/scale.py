"""How many calls one, two and four processes carry together on this machine: `python -m benchmarks.scale`.

As in deploy/: HAProxy before `run.py` processes that share a PostgreSQL. Calls of the load generator are added step by
step, the same for each number of processes, until the 99th percentile of a chunk's delay passes a bound, or calls fail.
Everything shares the machine's cores, the generator and its model too, and nothing is pinned: what is compared is the
number of processes. How late the generator itself was is told beside: it is part of each delay.

Needs PostgreSQL's programs and HAProxy. Linux only. A few minutes: --quick for a look.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import ROOT, Wiring, free_port, running, tieline, wait_until_listening, wired
from benchmarks.surroundings import generated, postgres
from lab.load.figures import LoadReport
from lab.load.process import Watched
from lab.load.run_state import LoadSettings
from tests.store.postgres import PostgresServer

CONFIGURATION = ROOT / "deploy/haproxy/haproxy.cfg"
MEDIA = "raw/lpcm16_24"
TURN_S = 10.0
# Of a step: a minute may be bad because of the machine's other guests.
TRIES = 2


@dataclass(frozen=True, slots=True)
class Step:
    """So many calls at once. p99_ms: of the slower direction. late_ms: of the generator, likewise.

    cores: of the machine's, by those who used them. stopped: why no more calls are added, "" if they are.
    """

    calls: int
    p99_ms: float
    late_ms: float
    cores: dict[str, float]
    stopped: str

    def __str__(self) -> str:
        used = ", ".join(f"{who} {share:.2f}" for who, share in self.cores.items())
        return f"{self.p99_ms:.1f} ms ({used}; late {self.late_ms:.1f} ms)"


@contextmanager
def balanced(nodes: list[Wiring], folder: Path) -> Iterator[tuple[int, int]]:
    """HAProxy as it is deployed, before these; yields its port and process id."""
    port = free_port()
    text = re.sub(r"^    server .*\n", "", CONFIGURATION.read_text(), flags=re.MULTILINE)
    servers = (
        f"    server node{number} 127.0.0.1:{node.port} check port {node.ops_port}\n"
        for number, node in enumerate(nodes)
    )
    written = folder / "haproxy.cfg"
    written.write_text(text + "".join(servers))
    command = ["haproxy", "-db", "-f", str(written)]
    environment = os.environ | {"TIELINE_BIND": f"127.0.0.1:{port}"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_listening(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def ramp(processes: int, server: PostgresServer, options: argparse.Namespace) -> list[Step]:
    """The steps of so many processes, up to the first that carries no more."""
    steps: list[Step] = []
    with ExitStack() as stack:
        database = stack.enter_context(server.database())
        nodes = [stack.enter_context(wired(MEDIA)) for _ in range(processes)]
        model_port = nodes[0].model_port
        contender, pids = tieline(settings={"TIELINE_DATABASE_URL": server.url(database)}), list[int]()
        for node in nodes:
            shared = Wiring(node.port, node.ops_port, model_port, MEDIA, node.folder)
            pids.append(stack.enter_context(running(contender, shared, alone=False)))
        port, balancer = stack.enter_context(balanced(nodes, Path(nodes[0].folder)))
        groups = {"Tieline": pids, "HAProxy": [balancer], "PostgreSQL": [server.pid]}
        for calls in range(options.step, options.most + 1, options.step):
            for _ in range(TRIES):
                step = measured(calls, port, model_port, groups, options)
                print(f"{processes} processes, {calls} calls: {step} {step.stopped}", flush=True)
                if not step.stopped:
                    break
            steps.append(step)
            if step.stopped:
                break
    return steps


def measured(calls: int, port: int, model_port: int, groups: dict[str, list[int]], options: argparse.Namespace) -> Step:
    """One run of the load generator."""
    settings = LoadSettings(
        url=f"ws://127.0.0.1:{port}",
        calls=calls,
        seconds=options.seconds,
        model_port=model_port,
        media=MEDIA,
        turn_s=TURN_S,
        transcripts=True,
        patient=True,
    )
    watched = {who: [Watched(pid) for pid in pids] for who, pids in groups.items()}
    report = generated(settings, apart=False)
    cores = {who: sum(each.take().core_share for each in all_) for who, all_ in watched.items()}
    last = report.stretches[-1]
    return Step(calls, last.p99_ms, last.late_p99_ms, cores, _stopped(report, last.p99_ms, options.p99_ms))


def _stopped(report: LoadReport, p99_ms: float, limit_ms: float) -> str:
    if report.failed:
        return f"{report.failed} calls failed: {'; '.join(report.faults[:2])}"
    return f"over {limit_ms:.0f} ms" if p99_ms > limit_ms else ""


def table(found: dict[int, list[Step]]) -> str:
    """Side by side, a line for each number of calls."""
    heads = [f"{processes} {'process' if processes == 1 else 'processes'}" for processes in found]
    lines = [f"| calls | {' | '.join(heads)} |", "|---|" + "---|" * len(found)]
    by_calls = {processes: {step.calls: step for step in steps} for processes, steps in found.items()}
    for calls in sorted({step.calls for steps in found.values() for step in steps}):
        cells = (by_calls[processes].get(calls) for processes in found)
        told = ("" if each is None else f"{each.p99_ms:.1f} ms, {sum(each.cores.values()):.2f}" for each in cells)
        lines.append(f"| {calls} | {' | '.join(told)} |")
    carried = (max((step.calls for step in steps if not step.stopped), default=0) for steps in found.values())
    return "\n".join((*lines, f"| **carried** | {' | '.join(map(str, carried))} |"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--processes", default="1,2,4", help="numbers of processes, one ramp each")
    parser.add_argument("--step", type=int, default=40, help="calls added at a time")
    parser.add_argument("--most", type=int, default=600, help="calls at which a ramp ends")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured in each step")
    parser.add_argument("--p99-ms", type=float, default=20.0, help="the bound of the 99th percentile")
    parser.add_argument("--quick", action="store_true", help="steps of 20 calls up to 60, 2 s each")
    options = parser.parse_args()
    if options.quick:
        options.step, options.most, options.seconds = 20, 60, 2.0
    with postgres() as server:
        found = {processes: ramp(processes, server, options) for processes in map(int, options.processes.split(","))}
    print(f"\np99 of a chunk's delay, bound {options.p99_ms:.0f} ms; cores but the generator's, of {os.cpu_count()}\n")
    print(table(found))


if __name__ == "__main__":
    main()
