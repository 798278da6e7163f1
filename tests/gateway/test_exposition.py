"""The metrics as text: OpenMetrics where it is asked for, with the call of a slow answer."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram

from gateway.exposition import OPENMETRICS, PROMETHEUS, exposition, metrics_in

ASKED = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def observed() -> CollectorRegistry:
    registry = CollectorRegistry()
    Histogram("answer_seconds", "Answers.", buckets=(1.0,), registry=registry).observe(0.5, {"call": "c-1"})
    return registry


@pytest.mark.parametrize("accept", [ASKED, "application/openmetrics-text; version=none"])
def test_in_openmetrics_a_bucket_names_a_call(accept: str) -> None:
    text, content_type = exposition(observed(), accept)
    assert content_type == OPENMETRICS
    [family] = metrics_in(text.decode())
    assert [each.exemplar.labels for each in family.samples if each.exemplar] == [{"call": "c-1"}]


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=0.0.4"])
def test_the_older_format_has_no_exemplars(accept: str) -> None:
    text, content_type = exposition(observed(), accept)
    assert content_type == PROMETHEUS
    assert b"c-1" not in text
    assert b'answer_seconds_bucket{le="1.0"} 1.0' in text
