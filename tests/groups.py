"""Which tests share a process of `make test`.

xdist's own groups, by a mark, are lost with pytest 9.2, which no longer lets a test be given another id.
May import: pytest, xdist.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# By the beginnings of paths, in the order in which they are begun.
GROUPS = {
    # With speech: only these processes load the recogniser, 0.8 GB.
    "calls": ("tests/calls/", "tests/talk/"),
    "speech": (
        "tests/lab/test_ears.py", "tests/lab/test_engine_", "tests/lab/test_mouth.py", "tests/lab/test_script_guide.py",
        "tests/test_stories.py", "tests/gateway/traces/test_sender.py",
    ),
    # One PostgreSQL server.
    "store": (
        "tests/store/", "tests/appointments/test_attempts.py", "tests/appointments/test_bookings.py",
        "tests/appointments/test_own_database.py",
    ),
    # One daemon under load.
    "load": ("tests/lab/test_load.py",),
}  # fmt: skip
# What takes long in one test, or starts processes: begun before other files, each test by itself.
LONG = (
    "tests/test_run.py", "tests/gateway/test_workers.py", "tests/gateway/test_drain.py",
    "tests/gateway/bots/test_tool_calls.py", "tests/fsm/testing/",
)  # fmt: skip


def group_of(nodeid: str) -> str:
    """The name of the test's group; without one its own id if it is long, or else its file."""
    for name, beginnings in GROUPS.items():
        if nodeid.startswith(beginnings):
            return name
    return nodeid if nodeid.startswith(LONG) else nodeid.partition("::")[0]


def next_group(waiting: Iterable[str], *, named: bool) -> str:
    """What a process is given next of what waits. named: it takes the groups first, otherwise the others."""

    def rank(group: str) -> tuple[bool, int]:
        if group in GROUPS:
            return not named, list(GROUPS).index(group)
        return named, 0 if group.startswith(LONG) else 1

    return min(waiting, key=rank)


class Grouping(LoadScopeScheduling):
    """Each group goes to one process as a whole, and so does each other file.

    Every second process takes the groups first, which wait a good deal; the others compute meanwhile.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        named = self.nodes.index(node) % 2 == 0
        self.workqueue.move_to_end(next_group(self.workqueue, named=named), last=False)
        super()._assign_work_unit(node)


def scheduler(config: pytest.Config, log: Any) -> Grouping | None:
    """The scheduler of --dist loadgroup; None leaves another --dist to xdist."""
    return Grouping(config, log) if config.getoption("dist") == "loadgroup" else None
