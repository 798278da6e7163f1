"""Shared by the fault tests: figures, which are printed at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

STAT = Path("/proc/stat")


def stolen_ms() -> float:
    """How long so far, all cores together, this machine's host has run something else; 0 where that is not told."""
    if not STAT.exists():
        return 0.0
    return int(STAT.read_text().split()[8]) * 1000 / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[dict[str, float]]:
    """What a row has measured, in ms (or a number "n of …"); told in the run's summary."""
    figures: dict[str, float] = {}
    before_ms = stolen_ms()
    yield figures
    # A row that was late for no reason of ours is to be told from one that found a defect.
    figures["taken by the host"] = stolen_ms() - before_ms
    told = ", ".join(f"{what}: {figure:g}{'' if what.startswith('n ') else ' ms'}" for what, figure in figures.items())
    request.node.user_properties.append(("figures", told))
