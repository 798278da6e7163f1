"""The metrics of several workers as one: what is counted is added up, what is measured is told apart by worker.

May import: prometheus_client, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

# Which of the supervisor's own count; each process has all of ours, and in it the others stay 0.
SUPERVISOR = "supervisor"
OF_SUPERVISOR = frozenset({"tieline_workers_ready", "tieline_worker_failures"})
OURS = "tieline_"
ADDED_UP = frozenset({"counter", "histogram", "summary"})
# Tells a process from the one before it.
STARTED = "process_start_time_seconds"

Sums = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(slots=True)
class _Family:
    """What is said of a metric. sums: by sample and labels. measured: samples with the worker's label."""

    kind: str
    documentation: str
    sums: Sums = field(default_factory=dict)
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

    def exposition(self, texts: Mapping[str, str], own: str) -> bytes:
        """All of it, in the text format. texts: of the workers that answer now, by name. own: the supervisor's."""
        for name, text in texts.items():
            self._take(name, [each for each in text_string_to_metric_families(text) if each.name not in OF_SUPERVISOR])
        found = {name: _Family(each.kind, each.documentation, dict(each.sums)) for name, each in self._dead.items()}
        for name, worker in self._workers.items():
            _enter(found, worker.families, name, measured=name in texts)
        ours = list(text_string_to_metric_families(own))
        _enter(found, (each for each in ours if not each.name.startswith(OURS)), SUPERVISOR)
        as_they_are = [each for each in ours if each.name in OF_SUPERVISOR]
        return generate_latest(_Registry([*as_they_are, *_metrics(found)]))

    def _take(self, name: str, families: list[Metric]) -> None:
        started = next((each.value for family in families if family.name == STARTED for each in family.samples), 0.0)
        before = self._workers.get(name)
        if before is not None and before.started != started:
            _enter(self._dead, before.families, name, measured=False)
        self._workers[name] = _Worker(families, started)


@dataclass(frozen=True, slots=True)
class _Registry:
    """As generate_latest wants it."""

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
            elif measured:
                # A label of this name of its own tells more than ours.
                into.measured.append((sample.name, {"worker": worker} | sample.labels, sample.value))


def _metrics(found: Mapping[str, _Family]) -> Iterator[Metric]:
    for name, family in found.items():
        metric = Metric(name, family.documentation, family.kind)
        for (sample, labels), value in family.sums.items():
            metric.add_sample(sample, dict(labels), value)
        for sample, named, value in family.measured:
            metric.add_sample(sample, named, value)
        if metric.samples or not family.measured:
            yield metric
