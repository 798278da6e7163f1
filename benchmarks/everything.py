"""What it costs to write everything down: `python -m benchmarks.everything [on | recording] [--store sqlite]`.

Two Tielines in turns, each on a core of its own as in `benchmarks.compare`, under the same load: both sides stream,
callers interrupt, the model sends transcripts, calls begin and end.

on: metrics scraped every 2 s, traces sent to a collector, the journal on PostgreSQL or SQLite; beside one with no
metrics, traces, journal and records (`benchmarks.bare_tieline`). recording: every call recorded, beside none.
What is compared is the CPU time of the process by message that came through: with its children, which make the files of
recordings at low priority, and alone. PostgreSQL, collector and generator are on the other cores. The order within a
pair alternates; one in which calls failed is left out. Needs the extra `otel`. Linux only.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from benchmarks.compare import load
from benchmarks.contenders import Contender, own_core, running, tieline, wired
from benchmarks.surroundings import meanwhile, postgres
from gateway.bots.files import BOT_FILE
from gateway.bots.new import write_bot
from lab.load.process import cpu_s
from tests.gateway.traces.collector import collector

MEDIA = "raw/lpcm16_24"
SCRAPE_S = 2.0
# Nothing is refused because the machine is busy: the calls must be the same.
ALL_TAKEN = {"TIELINE_MAX_LAG_MS": "10000"}
BARS = {"on": 1.05, "recording": 1.10}
NAMES = {"family": "with its children", "alone": "the process alone"}


def scrape(ops_port: int, _: int) -> None:
    """Read the metrics once."""
    urlopen(f"http://127.0.0.1:{ops_port}/metrics", timeout=30).read()


@dataclass(frozen=True, slots=True)
class Cost:
    """µs of CPU a message. family: of the process and its children, in the measured time. alone: of the process, from
    the first call's beginning to the last one's end.
    """

    family: float
    alone: float


def cost(each: Contender, options: argparse.Namespace, *, read: bool) -> Cost | None:
    """None if not all calls were carried. read: its metrics are scraped."""
    with wired(MEDIA) as wiring, running(each, wiring) as pid, ExitStack() as stack:
        if read:
            stack.enter_context(meanwhile(partial(scrape, wiring.ops_port), SCRAPE_S))
        before_s = cpu_s(pid)
        report = load(
            each, wiring, pid, calls=options.calls, seconds=options.seconds, call_s=options.call_s,
            turn_s=options.turn_s, transcripts=True,
        )  # fmt: skip
        spent_s = cpu_s(pid) - before_s
    last = report.stretches[-1]
    alone = 1e6 * spent_s / max(1, sum(each.messages for each in report.stretches))
    late = ", the generator was late" if report.bottleneck else ""
    lost = f"{report.lost_up + report.lost_down} lost, {report.failed} failed{late}"
    told = f"{last.cpu_us or 0:.2f} µs a message, the process alone {alone:.2f}"
    print(f"  {each.name}: {told}, {last.calls} calls, {lost}", flush=True)
    whole = last.cpu_us and not report.failed and last.calls == options.calls
    return Cost(last.cpu_us or 0.0, alone) if whole else None


def bots(folder: Path, mode: str) -> str:
    """A bot whose calls are recorded so."""
    write_bot(folder / mode, "desk")
    with (folder / mode / "desk" / BOT_FILE).open("a") as file:
        file.write(f'\n[recording]\nmode = "{mode}"\n')
    return str(folder / mode)


def pairs(on: Contender, off: Contender, options: argparse.Namespace) -> list[Cost]:
    """The ratios of all rounds in which both carried all calls."""
    ratios = []
    for number in range(options.rounds):
        pair = (on, off) if number % 2 else (off, on)
        costs = {each.name: cost(each, options, read=each is on and options.what == "on") for each in pair}
        with_it, without = costs[on.name], costs[off.name]
        if with_it is None or without is None:
            print("left out: calls failed, which cost nothing", flush=True)
            continue
        ratios.append(Cost(with_it.family / without.family, with_it.alone / without.alone))
        print(f"ratio {ratios[-1].family:.3f}, of the process alone {ratios[-1].alone:.3f}", flush=True)
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.everything", description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=sorted(BARS), default="on")
    parser.add_argument("--store", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--call-s", type=float, default=15.0, help="after which a call ends, and another begins")
    parser.add_argument("--turn-s", type=float, default=5.0, help="between interruptions of a caller")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    own_core(os.getpid(), first=False)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(wired(MEDIA)).folder)
        if options.what == "recording":
            kept = {"TIELINE_RECORDINGS": str(folder / "recordings"), **ALL_TAKEN}
            on = tieline(name="recorded", settings={"TIELINE_BOTS": bots(folder, "always"), **kept})
            off = tieline(name="not recorded", settings={"TIELINE_BOTS": bots(folder, "off"), **kept})
        else:
            traces = stack.enter_context(collector())
            settings = {"TIELINE_OTLP_URL": traces.url, **ALL_TAKEN}
            if options.store == "postgresql":
                server = stack.enter_context(postgres())
                own_core(server.pid, first=False)
                settings["TIELINE_DATABASE_URL"] = server.url(stack.enter_context(server.database()))
            on = tieline(name=f"everything on, {options.store}", settings=settings)
            off = tieline(name="off", program=("-m", "benchmarks.bare_tieline"), settings=ALL_TAKEN)
        ratios = pairs(on, off, options)
        made = len(traces.calls()) if options.what == "on" else len([*folder.rglob("*.flac")])
        if not made:
            raise SystemExit("no call left a trace, or a recording: --call-s has to be shorter than --seconds")
    if not ratios:
        raise SystemExit("no pair carried all its calls: the machine is busy, or --calls is too high")
    print(f"\n{on.name} beside {off.name}, the bar is {BARS[options.what]:.2f}:")
    for what in ("family", "alone"):
        found = sorted(getattr(ratio, what) for ratio in ratios)
        print(f"  {NAMES[what]}: {median(found):.3f} (median of {', '.join(f'{each:.3f}' for each in found)})")


if __name__ == "__main__":
    main()
