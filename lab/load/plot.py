"""Plots a load run: the distribution of delays, and the delays by number of calls.

May import: lab.load.figures, matplotlib, the standard library.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from lab.load.figures import LoadReport


def plot(report: LoadReport, target: Path) -> None:
    """Write a PNG: the histogram, and next to it the capacity curve if the run had steps."""
    curve = len(report.stretches) > 1
    figure, axes = plt.subplots(1, 2 if curve else 1, figsize=(12 if curve else 6, 4.5), squeeze=False)
    _histogram(axes[0][0], report)
    if curve:
        _capacity(axes[0][1], report)
    figure.tight_layout()
    figure.savefig(target, dpi=120)
    plt.close(figure)


def _histogram(axes: Axes, report: LoadReport) -> None:
    bounds = [bound for bound, _ in report.histogram]
    counts = [count for _, count in report.histogram]
    axes.hist(bounds, bins=80, weights=counts, log=True, color="tab:blue")
    axes.set_xlabel("added delay, ms")
    axes.set_ylabel("messages")
    axes.set_title("all messages, both ways")


def _capacity(axes: Axes, report: LoadReport) -> None:
    calls = [each.calls for each in report.stretches]
    axes.plot(calls, [each.up.delays.p99_ms for each in report.stretches], "o-", label="p99 caller to model")
    axes.plot(calls, [each.down.delays.p99_ms for each in report.stretches], "s-", label="p99 model to caller")
    axes.set_yscale("log")
    axes.set_xlabel("calls")
    axes.set_ylabel("ms")
    shares = [each.pid.core_share * 100 for each in report.stretches if each.pid is not None]
    if len(shares) == len(calls):
        beside = axes.twinx()
        beside.plot(calls, shares, "^--", color="tab:gray", label="CPU")
        beside.set_ylabel("% of a core")
        beside.set_ylim(bottom=0)
    axes.legend(loc="upper left")
    axes.set_title("capacity")
