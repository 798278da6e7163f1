"""The metrics as text: in OpenMetrics where it is asked for, which has exemplars; else in Prometheus' own format.

May import: prometheus_client, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, Metric, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

PROMETHEUS, OPENMETRICS = CONTENT_TYPE_LATEST, openmetrics.CONTENT_TYPE_LATEST


def exposition(metrics: Collector, accept: str) -> tuple[bytes, str]:
    """The text and its content type. accept: the request's header.

    The client library's own choice repeats a version that the request names, whatever it is, and fails at one that is
    no number.
    """
    if OPENMETRICS.partition(";")[0] in accept:
        return openmetrics.generate_latest(metrics), OPENMETRICS  # type: ignore[no-untyped-call]
    return generate_latest(metrics), PROMETHEUS


def metrics_in(text: str) -> Iterator[Metric]:
    """The metrics that stand in a text in OpenMetrics."""
    found: Iterator[Metric] = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return found
