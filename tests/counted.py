"""What the metrics of this process have counted."""

from __future__ import annotations

from prometheus_client import REGISTRY


def counted(name: str, **labels: str) -> float:
    """A metric; 0 before it was first counted."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
