"""What the fault tests share: figures, which are told at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[dict[str, float]]:
    """What a row has measured, in ms (or a number "n of …"); told in the run's summary."""
    figures: dict[str, float] = {}
    yield figures
    told = ", ".join(f"{what}: {figure:g}{'' if what.startswith('n ') else ' ms'}" for what, figure in figures.items())
    request.node.user_properties.append(("figures", told))
