"""Compares Tieline with a bare relay (the lower bound), asyncio + json, and pipecat, under the same load.

Each contender has a core of its own and relays chunks of 20 ms both ways on every call; callers and model are the load
generator's (`tieline load`), in one process on the other core. CPU time is the kernel's count for the contender's
process, system calls included; a delay is from sending a chunk to receiving it. **Only the ratios are comparable.**

    python -m benchmarks.compare [--quick] [--calls 200] [--seconds 8] [--rounds 3] [--pipecat-python PYTHON]

--quick: only Tieline and the bare relay. --keep: append the ratio to benchmarks/history.csv. Linux only.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.contenders import ROOT, Contender, Wiring, contenders, running, tieline, wired
from benchmarks.surroundings import generated
from lab.load.figures import LoadReport, Stretch
from lab.load.run_state import LoadSettings

HISTORY = Path(__file__).parent / "history.csv"
# The 99th percentile of delays up to which a core counts as carrying its calls.
P99_LIMIT_MS = 10.0
IDLE_CALLS = 200


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    media: str
    tls: bool = False

    def fits(self, contender: Contender) -> bool:
        return self.media in contender.medias and (contender.tls or not self.tls)


SCENARIOS = [
    Scenario("24 kHz passed through", "raw/lpcm16_24"),
    Scenario("16 kHz resampled", "raw/lpcm16"),
    Scenario("mu-law passed through", "raw/mulaw"),
    Scenario("24 kHz, model behind TLS", "raw/lpcm16_24", tls=True),
]


def load(contender: Contender, wiring: Wiring, pid: int, certificate: str = "", **settings: object) -> LoadReport:
    """One run of the load generator against a running contender."""
    given = LoadSettings(
        **{
            "url": f"ws://127.0.0.1:{wiring.port}",
            "model_port": wiring.model_port,
            "media": wiring.media,
            "pid": pid,
            "plain": contender.plain,
            "certificate": certificate,
        }
        | settings  # type: ignore[arg-type]
    )
    return generated(given)


def measure(contender: Contender, scenario: Scenario, **settings: object) -> LoadReport:
    """Start a contender, run the load generator once, and stop it."""
    with (
        certified(scenario.tls) as (certificate, authority),
        wired(scenario.media, authority) as wiring,
        running(contender, wiring) as pid,
    ):
        return load(contender, wiring, pid, certificate, **settings)


@contextmanager
def certified(tls: bool) -> Iterator[tuple[str, str]]:
    """Files of a certificate, its key and its authority, for the model; empty names without TLS."""
    if not tls:
        yield "", ""
        return
    import tempfile

    import trustme

    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        own, vouches = f"{folder}/model.pem", f"{folder}/authority.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(own)
        authority.cert_pem.write_to_path(vouches)
        yield own, vouches


def row(name: str, stretch: Stretch, report: LoadReport, limit_us: float | None) -> str:
    """One line of the table. limit_us: CPU time of the bare relay in the same round."""
    cost = stretch.cpu_us or 0.0
    ratio = f"{cost / limit_us:.2f}" if limit_us else "-"
    lost = report.lost_up + report.lost_down
    misplaced = stretch.up.misplaced + stretch.down.misplaced
    halfway = max(stretch.up.delays.p50_ms, stretch.down.delays.p50_ms)
    late = " (the generator was late)" if report.bottleneck else ""
    return (
        f"| {name} | {stretch.calls} | {cost:.1f} | {ratio} | {halfway:.2f} | {stretch.p99_ms:.2f} "
        f"| {lost} lost, {misplaced} misplaced, {report.failed} failed{late} |"
    )


HEAD = "| | calls | µs a message | ratio | p50 ms | p99 ms | |\n|---|---|---|---|---|---|---|"


def side_by_side(known: list[Contender], scenario: Scenario, calls: int, seconds: float, rounds: int) -> float | None:
    """Run every contender in turn, `rounds` times; print the median round, return Tieline's ratio."""
    found: dict[str, list[tuple[float, LoadReport]]] = {}
    ratios = []
    for _ in range(rounds):
        limit_us = None
        for contender in known:
            if not scenario.fits(contender):
                continue
            report = measure(contender, scenario, calls=fitting(contender, calls), seconds=seconds)
            cost = report.stretches[-1].cpu_us or 0.0
            found.setdefault(contender.name, []).append((cost, report))
            if contender.plain:
                limit_us = cost
            elif contender.name == "Tieline" and limit_us:
                ratios.append(cost / limit_us)
    print(f"\n{scenario.name}\n\n{HEAD}")
    limit = median(cost for cost, _ in found["bare relay"]) if "bare relay" in found else None
    for name, runs in found.items():
        _, report = sorted(runs, key=lambda each: each[0])[len(runs) // 2]
        print(row(name, report.stretches[-1], report, limit), flush=True)
    return median(ratios) if ratios else None


def fitting(contender: Contender, calls: int) -> int:
    """The number of calls, limited to what a contender can carry: beyond that its cost is meaningless."""
    most = {"asyncio + json": 80, "pipecat": 20}.get(contender.name, calls)
    return min(calls, most)


def memory_per_call(contender: Contender, scenario: Scenario) -> float:
    """KB of resident memory for each idle call beyond the first twenty."""
    grown = []
    with wired(scenario.media) as wiring, running(contender, wiring) as pid:
        report = load(contender, wiring, pid, calls=20 + IDLE_CALLS, step=20, seconds=1, silent=True)
        grown = [each for each in report.stretches if each.pid is not None]
    first, last = grown[0], grown[-1]
    assert first.pid is not None
    assert last.pid is not None
    return (last.pid.rss_mb - first.pid.rss_mb) * 1000 / (last.calls - first.calls)


def capacity(contender: Contender, scenario: Scenario, step: int, most: int) -> list[Stretch]:
    """The steps of a ramp up to the first that exceeds the limit."""
    steps = []
    for calls in range(step, most + 1, step):
        report = measure(contender, scenario, calls=calls, seconds=4)
        steps.append(report.stretches[-1])
        if steps[-1].p99_ms > P99_LIMIT_MS:
            break
    return steps


def two_workers(scenario: Scenario, calls: int, seconds: float, rounds: int) -> float:
    """How many times the calls of one worker two workers carry, by CPU time per message at equal calls per worker.

    The workers share one core, so that two cores are enough: the generator has the other one.
    """
    gains = []
    for _ in range(rounds):
        one, two = (
            measure(tieline(workers), scenario, calls=calls * workers, seconds=seconds).stretches[-1].cpu_us or 0.0
            for workers in (1, 2)
        )
        gains.append(2 * one / two)
    return median(gains)


def keep(ratio: float, calls: int, rounds: int) -> None:
    """Append a line to the history."""
    command = ["git", "describe", "--always", "--dirty"]
    revision = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    new = not HISTORY.exists()
    with HISTORY.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["day", "revision", "calls", "rounds", "ratio to the bare relay"])
        writer.writerow([datetime.now(UTC).date(), revision.stdout.strip(), calls, rounds, f"{ratio:.2f}"])


def whole(known: list[Contender], calls: int, seconds: float, rounds: int) -> None:
    for scenario in SCENARIOS:
        side_by_side(known, scenario, calls, seconds, rounds)
    print("\nmemory of an idle call, and calls a core carries at p99 < 10 ms\n")
    print("| | KB a call | calls a core |\n|---|---|---|")
    for contender in known:
        memory = memory_per_call(contender, SCENARIOS[0])
        step, most = {"pipecat": (10, 60), "asyncio + json": (40, 320)}.get(contender.name, (50, 1000))
        steps = capacity(contender, SCENARIOS[0], step, most)
        kept = [each.calls for each in steps if each.p99_ms <= P99_LIMIT_MS]
        print(f"| {contender.name} | {memory:.0f} | {max(kept, default=0)} |", flush=True)
    print(f"\ntwo workers carry {two_workers(SCENARIOS[0], calls // 2, seconds, rounds):.2f} times the calls of one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pipecat-python")
    options = parser.parse_args()
    known = contenders(options.pipecat_python)
    if not options.quick:
        whole(known, options.calls, options.seconds, options.rounds)
        return
    ratio = side_by_side(known[:2], SCENARIOS[0], options.calls, options.seconds, options.rounds)
    if ratio is not None:
        print(f"\nTieline takes {ratio:.2f} times the CPU of the bare relay (median of {options.rounds} pairs)")
        if options.keep:
            keep(ratio, options.calls, options.rounds)


if __name__ == "__main__":
    main()
