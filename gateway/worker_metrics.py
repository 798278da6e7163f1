"""The metrics of several workers as one: what is counted is added up, what is measured is told apart by worker.

May import: gateway, prometheus_client, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from gateway.exposition import metrics_in

# Which of the supervisor's own count; each process has all of ours.
SUPERVISOR = "supervisor"
OF_SUPERVISOR = frozenset({"tieline_workers_ready", "tieline_worker_failures"})
# Those that count at its ops port too, and of its lines in the log.
COUNTED_THERE_TOO = frozenset({"tieline_auth_waits", "tieline_connections_cut", "tieline_lost_log_lines"})
OURS = "tieline_"
ADDED_UP = frozenset({"counter", "histogram", "summary"})
# Tells a process from the one before it.
STARTED = "process_start_time_seconds"

# A sample and its labels.
Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Family:
    """What is said of a metric. sums: by sample and labels; exemplars: the latest of each. measured: samples with the
    worker's label.
    """

    kind: str
    documentation: str
    sums: dict[Key, float] = field(default_factory=dict)
    exemplars: dict[Key, Exemplar] = field(default_factory=dict)
    measured: list[tuple[str, dict[str, str], float]] = field(default_factory=list)


@dataclass(slots=True)
class _Worker:
    """The last that was heard of a worker."""

    families: list[Metric]
    started: float


class WorkerMetrics:
    """Adds up. What a worker has counted before it died stays counted, as it was when last heard, or each death would
    look like a restart of them all. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}
        self._dead: dict[str, _Family] = {}

    def all(self, texts: Mapping[str, str], own: str) -> Collector:
        """All of them. texts: in OpenMetrics, of the workers that answer now, by name. own: the supervisor's."""
        for name, text in texts.items():
            self._take(name, [each for each in metrics_in(text) if each.name not in OF_SUPERVISOR])
        found = {
            name: _Family(each.kind, each.documentation, dict(each.sums), dict(each.exemplars))
            for name, each in self._dead.items()
        }
        for name, worker in self._workers.items():
            _enter(found, worker.families, name, measured=name in texts)
        ours = list(metrics_in(own))
        counted = (each for each in ours if not each.name.startswith(OURS) or each.name in COUNTED_THERE_TOO)
        _enter(found, counted, SUPERVISOR)
        as_they_are = [each for each in ours if each.name in OF_SUPERVISOR]
        return _Registry([*as_they_are, *_metrics(found)])

    def _take(self, name: str, families: list[Metric]) -> None:
        started = next((each.value for family in families if family.name == STARTED for each in family.samples), 0.0)
        before = self._workers.get(name)
        if before is not None and before.started != started:
            _enter(self._dead, before.families, name, measured=False)
        self._workers[name] = _Worker(families, started)


@dataclass(frozen=True, slots=True)
class _Registry:
    """Metrics that were collected, as what writes them wants them."""

    metrics: list[Metric]

    def collect(self) -> Iterator[Metric]:
        yield from self.metrics


def _enter(found: dict[str, _Family], families: Iterable[Metric], worker: str, *, measured: bool = True) -> None:
    for family in families:
        into = found.setdefault(family.name, _Family(family.type, family.documentation))
        for sample in family.samples:
            if family.type in ADDED_UP:
                key = sample.name, tuple(sample.labels.items())
                into.sums[key] = into.sums.get(key, 0.0) + sample.value
                if sample.exemplar is not None:
                    others = [into.exemplars[key]] if key in into.exemplars else []
                    into.exemplars[key] = max([sample.exemplar, *others], key=lambda each: float(each.timestamp or 0))
            elif measured:
                # A label of this name of its own tells more than ours.
                into.measured.append((sample.name, {"worker": worker} | sample.labels, sample.value))


def _metrics(found: Mapping[str, _Family]) -> Iterator[Metric]:
    for name, family in found.items():
        metric = Metric(name, family.documentation, family.kind)
        for key, value in family.sums.items():
            sample, labels = key
            metric.add_sample(sample, dict(labels), value, exemplar=family.exemplars.get(key))
        for sample, named, value in family.measured:
            metric.add_sample(sample, named, value)
        if metric.samples or not family.measured:
            yield metric
