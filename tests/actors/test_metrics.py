"""docs/metrics.md names every metric, with its labels and what it counts, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from actors import metrics

TABLE = re.compile(r"^\| `(tieline_\w+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_lists_every_metric_as_it_is_served() -> None:
    served = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            served[name] = (", ".join(f"`{label}`" for label in metric._labelnames), metric._documentation)
    listed = {name: (labels.strip(), what) for name, labels, what in TABLE.findall(PAGE.read_text())}
    assert listed == served
