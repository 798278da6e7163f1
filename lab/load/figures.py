"""The figures of a load run: histograms of delays, and the models of the report.

May import: numpy, pydantic, the standard library. Delays are in µs, shares are of one processor core.
"""

from __future__ import annotations

from array import array

import numpy as np
from pydantic import BaseModel, ConfigDict

BIN_US = 10
SLOWEST_US = 1_000_000  # the last bin holds all slower ones


class Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Delays(Figures):
    """Statistics of one kind of delay, in ms; all zero if there was none."""

    count: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


class DirectionFigures(Figures):
    """One direction of the relay. misplaced: audio of another call or out of order; must be 0."""

    sent: int
    passed: int
    misplaced: int
    delays: Delays


class Process(Figures):
    """Usage of the processes under test: CPU time over a stretch (kernel included), memory at its end."""

    core_share: float
    rss_mb: float


class Stretch(Figures):
    """A part of the run with a constant number of calls. late_p99_ms: how late the generator itself sent.

    pid: of the processes under test; None if no pid was given.
    """

    calls: int
    seconds: float
    up: DirectionFigures
    down: DirectionFigures
    late_p99_ms: float
    pid: Process | None = None

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of delays, in the slower direction."""
        return max(self.up.delays.p99_ms, self.down.delays.p99_ms)

    @property
    def messages(self) -> int:
        return self.up.passed + self.down.passed

    @property
    def messages_per_s(self) -> float:
        return self.messages / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float | None:
        """CPU time of the processes under test per message passed."""
        return None if self.pid is None or not self.messages else self.pid.core_share / self.messages_per_s * 1e6


class LoadReport(Figures):
    """A whole run. stretches: the steps of the ramp. first_audio, barge_in: see LoadSettings.turn_s.

    histogram: of both directions, all stretches: (upper bound in ms, count). failed: calls that did not start or broke.
    """

    stretches: tuple[Stretch, ...]
    opened: int
    failed: int
    lost_up: int
    lost_down: int
    set_up: Delays
    first_audio: Delays
    barge_in: Delays
    histogram: tuple[tuple[float, int], ...]
    faults: tuple[str, ...] = ()

    @property
    def bottleneck(self) -> bool:
        """The generator itself was late: the delays are then its own."""
        return any(each.late_p99_ms > LATE_LIMIT_MS for each in self.stretches)


LATE_LIMIT_MS = 2.0


class Histogram:
    """Counts delays; only `add` must be fast."""

    __slots__ = ("_counts", "_max_us")

    def __init__(self) -> None:
        self._counts = array("I", bytes(4 * (SLOWEST_US // BIN_US + 1)))
        self._max_us = 0

    def add(self, delay_us: int) -> None:
        """delay_us: at least 0."""
        self._counts[delay_us // BIN_US if delay_us < SLOWEST_US else -1] += 1
        if delay_us > self._max_us:
            self._max_us = delay_us

    def take(self, into: Histogram | None = None) -> Delays:
        """Return the statistics since the last call and reset. into: a histogram to add the counts to."""
        counts = np.frombuffer(self._counts, dtype=np.uint32)
        delays = Delays(
            count=int(counts.sum()),
            p50_ms=_quantile_ms(counts, 0.5),
            p99_ms=_quantile_ms(counts, 0.99),
            max_ms=self._max_us / 1000,
        )
        if into is not None:
            total = np.frombuffer(into._counts, dtype=np.uint32)
            total += counts
            into._max_us = max(into._max_us, self._max_us)
        counts[:] = 0
        self._max_us = 0
        return delays

    def bins(self) -> tuple[tuple[float, int], ...]:
        """(upper bound in ms, count) of every bin that is not empty."""
        return tuple(((at + 1) * BIN_US / 1000, count) for at, count in enumerate(self._counts) if count)


def _quantile_ms(counts: np.ndarray, share: float) -> float:
    below = np.cumsum(counts)
    if below[-1] == 0:
        return 0.0
    return float((np.searchsorted(below, share * below[-1]) + 1) * BIN_US / 1000)
