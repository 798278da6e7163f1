"""Draws Grafana's boards from a real run, to docs/boards/*.png: `python -m benchmarks.boards [--minutes 4]`.

A daemon and the embedded engine take the calls of a few simulated callers, one after the other; a real Prometheus reads
the daemon's figures, with the rules that come along, and answers each panel's queries. Needs prometheus; Linux.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.contenders import ROOT, free_port
from tools.dashboards import BOARDS, Panel

PICTURES = ROOT / "docs/boards"
SPEECH = ROOT / "lab/speech"
BOOKS = ("slt_book_named.wav", "slt_yes_correct.wav", "slt_goodbye.wav")
CALLS = (BOOKS, ("slt_book_named.wav", "hangup"), BOOKS)
STEP_S = 2
START_S = 60.0


@contextmanager
def process(*command: str, folder: str, **environment: str) -> Iterator[None]:
    """Run a program until the block ends. Its output goes to a file of the folder."""
    with (Path(folder) / f"{command[0].rpartition('/')[2]}-{command[-1].rpartition('/')[2]}.log").open("wb") as log:
        running = subprocess.Popen(command, cwd=ROOT, env=environment or None, stdout=log, stderr=log)
        try:
            yield
        finally:
            running.terminate()
            running.wait(timeout=60)


def answered(url: str) -> str:
    """The body of an answer, once there is one. Raises: TimeoutError."""
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        try:
            with urlopen(url, timeout=5) as got:  # noqa: S310 - ours, on loopback
                return str(got.read().decode())
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(url)


def queried(prometheus: str, query: str, since_s: float, until_s: float) -> list[tuple[dict[str, str], list[Any]]]:
    """The series of a query over the run: labels, and [time, value] pairs."""
    filled = query.replace("$__range", f"{until_s - since_s:.0f}s").replace("$bot", ".*")
    asked = urlencode({"query": filled, "start": since_s, "end": until_s, "step": STEP_S})
    told = json.loads(answered(f"{prometheus}/api/v1/query_range?{asked}"))
    return [(each["metric"], each["values"]) for each in told["data"]["result"]]


def named(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend).strip()


def drawn(name: str, prometheus: str, since_s: float, until_s: float) -> Figure:
    title, rows = BOARDS[name]
    heights = [1.0 if all(panel.kind == "stat" for panel in row) else 2.4 for row in rows]
    figure = Figure(figsize=(15, sum(heights) + 0.4), layout="constrained")
    figure.suptitle(title)
    for row, part in zip(
        rows, figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0], strict=True
    ):
        for panel, axes in zip(row, part.subplots(1, len(row), squeeze=False)[0], strict=True):
            lines = [
                (named(legend, labels), [(float(at_s) - since_s, float(value)) for at_s, value in values])
                for legend, query in panel.queries.items()
                for labels, values in queried(prometheus, query, since_s, until_s)
            ]
            axes.set_title(panel.title, fontsize=9, loc="left")
            draw(axes, panel, lines)
            if panel.kind != "stat":
                axes.set_xlim(0, until_s - since_s)
    return figure


def draw(axes: Axes, panel: Panel, lines: list[tuple[str, list[tuple[float, float]]]]) -> None:
    if panel.kind == "stat":
        axes.axis("off")
        shown = "  ".join(f"{values[-1][1]:.3g}" for _, values in lines[:3]) or "none"
        axes.text(0.5, 0.4, shown, fontsize=18, ha="center", va="center", transform=axes.transAxes)
        return
    for told, values in lines:
        axes.plot(*zip(*values, strict=True), label=told, linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.set_ylabel({"s": "s", "percentunit": "share", "currencyUSD": "USD"}.get(panel.unit, ""), fontsize=7)
    axes.tick_params(labelsize=7)
    axes.grid(visible=True, linewidth=0.3)
    if lines:
        axes.legend(fontsize=6, loc="upper left", ncols=2)
    else:
        axes.text(0.5, 0.5, "nothing happened", fontsize=8, color="gray", ha="center", transform=axes.transAxes)


def calls(url: str, ops: str, until_s: float, number: int) -> None:
    while time.monotonic() < until_s:
        for said in CALLS[number % len(CALLS) :]:
            words = [str(SPEECH / each) if each.endswith(".wav") else each for each in said]
            command = [sys.executable, "run.py", "call", "--to", url, "--ops", ops, "--say", *words]
            subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boards", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--callers", type=int, default=3)
    options = parser.parse_args()
    vaic, ops, model, web = (free_port() for _ in range(4))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        environment = {
            "PATH": "/usr/bin:/bin",
            "TIELINE_OPENAI_URL": f"ws://127.0.0.1:{model}",
            "TIELINE_DATABASE_URL": f"sqlite:///{folder}/boards.sqlite3",
            "TIELINE_PORT": str(vaic),
            "TIELINE_OPS_PORT": str(ops),
        }
        run = [sys.executable, "run.py"]
        stack.enter_context(process(*run, "engine", "--port", str(model), folder=folder))
        stack.enter_context(process(*run, "serve", folder=folder, **environment))
        answered(f"http://127.0.0.1:{ops}/readyz")
        scrape = {"job_name": "tieline", "static_configs": [{"targets": [f"127.0.0.1:{ops}"]}]}
        rules = [str(ROOT / "deploy/prometheus/tieline.rules.yml")]
        timing = {"scrape_interval": f"{STEP_S}s", "evaluation_interval": f"{STEP_S}s"}
        config = Path(folder) / "prometheus.json"  # JSON is YAML
        config.write_text(json.dumps({"global": timing, "rule_files": rules, "scrape_configs": [scrape]}))
        listen = f"--web.listen-address=127.0.0.1:{web}"
        store = f"--storage.tsdb.path={folder}/tsdb"
        stack.enter_context(process("prometheus", f"--config.file={config}", listen, store, folder=folder))
        answered(f"http://127.0.0.1:{web}/-/ready")
        since_s, until_s = time.time(), time.monotonic() + 60 * options.minutes
        where = f"ws://127.0.0.1:{vaic}", f"http://127.0.0.1:{ops}", until_s
        callers = [threading.Thread(target=calls, args=(*where, number)) for number in range(options.callers)]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
        PICTURES.mkdir(exist_ok=True)
        for name in BOARDS:
            drawn(name, f"http://127.0.0.1:{web}", since_s, time.time()).savefig(PICTURES / f"{name}.png", dpi=70)


if __name__ == "__main__":
    main()
