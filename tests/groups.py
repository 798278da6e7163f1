"""Which tests share a process of `make test`.

xdist's own groups, by a mark, are lost with pytest 9.2, which no longer lets a test be given another id.
May import: pytest, xdist.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# By the beginnings of paths. xdist starts the larger groups first, then tests that belong to none.
GROUPS = {
    # With speech: only these processes load the recogniser, 0.8 GB.
    "engine": ("tests/lab/test_ears.py", "tests/lab/test_engine_", "tests/lab/test_mouth.py"),
    "calls": ("tests/calls/", "tests/talk/"),
    "stories": ("tests/test_stories.py",),
    # One PostgreSQL server.
    "store": ("tests/store/",),
    # One daemon under load.
    "load": ("tests/lab/test_load.py",),
    # In real time, one after the other: they mostly wait.
    "faults": ("tests/faults/",),
}


def group_of(nodeid: str) -> str:
    """The name of the test's group; its own id if it has none."""
    for name, beginnings in GROUPS.items():
        if nodeid.startswith(beginnings):
            return name
    return nodeid


class Grouping(LoadScopeScheduling):
    """Each group goes to one process as a whole, each other test to the next that is free."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def scheduler(config: pytest.Config, log: Any) -> Grouping | None:
    """The scheduler of --dist loadgroup; None leaves another --dist to xdist."""
    return Grouping(config, log) if config.getoption("dist") == "loadgroup" else None
