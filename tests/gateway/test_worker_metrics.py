"""The figures of several workers as one: sums, what is told apart, and workers that die."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from gateway.exposition import OPENMETRICS, exposition, metrics_in
from gateway.worker_metrics import WorkerMetrics


class Worker:
    """One process's figures, as its /metrics has them. started: when it began."""

    def __init__(self, started: float) -> None:
        self._registry = CollectorRegistry()
        self.ended = Counter("tieline_calls_ended_total", "Ended.", ["outcome"], registry=self._registry)
        self.live = Gauge("tieline_calls_live", "Live.", registry=self._registry)
        self.lag = Histogram("tieline_loop_lag_seconds", "Lag.", buckets=(0.1, 1.0), registry=self._registry)
        Gauge("tieline_workers_ready", "Ready.", registry=self._registry).set(0)
        Gauge("process_start_time_seconds", "Start.", registry=self._registry).set(started)

    def text(self) -> str:
        return exposition(self._registry, OPENMETRICS)[0].decode()


OWN = """# TYPE tieline_workers_ready gauge
tieline_workers_ready 2.0
# TYPE tieline_calls_live gauge
tieline_calls_live 0.0
# TYPE process_open_fds gauge
process_open_fds 9.0
# EOF
"""


def texts_of(workers: dict[str, Worker]) -> dict[str, str]:
    return {name.removeprefix("w"): worker.text() for name, worker in workers.items()}


def samples(figures: WorkerMetrics, own: str = OWN, **workers: Worker) -> dict[str, float]:
    text, _ = exposition(figures.all(texts_of(workers), own), "text/plain")
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_counts_and_histograms_are_added_and_what_is_measured_is_told_apart() -> None:
    one, two = Worker(1), Worker(2)
    one.ended.labels("completed").inc(3)
    two.ended.labels("completed").inc(4)
    two.ended.labels("failed").inc()
    one.live.set(5)
    two.live.set(6)
    one.lag.observe(0.05)
    two.lag.observe(0.5)
    two.lag.observe(5)
    found = samples(WorkerMetrics(), w1=one, w2=two)
    assert found == {
        "tieline_calls_ended_total outcome=completed": 7,
        "tieline_calls_ended_total outcome=failed": 1,
        "tieline_calls_live worker=1": 5,
        "tieline_calls_live worker=2": 6,
        "tieline_loop_lag_seconds_bucket le=0.1": 1,
        "tieline_loop_lag_seconds_bucket le=1.0": 2,
        "tieline_loop_lag_seconds_bucket le=+Inf": 3,
        "tieline_loop_lag_seconds_count": 3,
        "tieline_loop_lag_seconds_sum": 5.55,
        "process_start_time_seconds worker=1": 1,
        "process_start_time_seconds worker=2": 2,
        "process_open_fds worker=supervisor": 9,
        "tieline_workers_ready": 2,
    }


def test_what_a_worker_counted_before_it_died_stays_counted_and_its_gauges_go() -> None:
    figures, one, two = WorkerMetrics(), Worker(1), Worker(2)
    one.ended.labels("completed").inc(3)
    two.ended.labels("completed").inc(4)
    two.live.set(1)
    samples(figures, w1=one, w2=two)
    dead = samples(figures, w1=one)
    assert dead["tieline_calls_ended_total outcome=completed"] == 7
    assert "tieline_calls_live worker=2" not in dead
    for died in range(1, 3):
        heir = Worker(2 + died)
        heir.ended.labels("completed").inc(10)
        heir.ended.labels("lost").inc()
        for _ in range(2):  # asked again it is the same
            found = samples(figures, w1=one, w2=heir)
            assert found["tieline_calls_ended_total outcome=completed"] == 7 + 10 * died
            assert found["tieline_calls_ended_total outcome=lost"] == died
    assert "tieline_calls_live worker=2" in found


def test_of_the_exemplars_of_all_workers_the_latest_is_told() -> None:
    figures, one, two = WorkerMetrics(), Worker(1), Worker(2)
    one.lag.observe(0.05, {"call": "c-1"})
    two.lag.observe(0.06, {"call": "c-2"})
    two.lag.observe(0.5, {"call": "c-3"})
    one.lag.observe(0.7)
    for texts in (texts_of({"w1": one, "w2": two}), texts_of({"w2": Worker(3)})):  # the dead one's are kept
        text, content_type = exposition(figures.all(texts, OWN), f"{OPENMETRICS};q=0.9")
        assert content_type == OPENMETRICS
        lag = next(each for each in metrics_in(text.decode()) if each.name == "tieline_loop_lag_seconds")
        told = {each.labels["le"]: each.exemplar.labels for each in lag.samples if each.exemplar}
        assert told == {"0.1": {"call": "c-2"}, "1.0": {"call": "c-3"}}


def test_what_the_supervisor_counts_at_its_own_port_is_added() -> None:
    counter = "# TYPE tieline_{0} counter\ntieline_{0}_total 2.0\n"
    own = counter.format("auth_waits") + counter.format("lost_log_lines") + counter.format("actors_started") + OWN
    assert {name: value for name, value in samples(WorkerMetrics(), own, w1=Worker(1)).items() if "total" in name} == {
        "tieline_auth_waits_total": 2,
        "tieline_lost_log_lines_total": 2,
    }


def test_without_any_worker_the_supervisors_own_are_there() -> None:
    assert samples(WorkerMetrics()) == {"tieline_workers_ready": 2, "process_open_fds worker=supervisor": 9}
