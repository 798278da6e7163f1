"""Selects scenes and plays them in several processes.

May import: tests.adversary, tests.pool, the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from tests import pool
from tests.adversary.scene import SCENES, Scene
from tests.adversary.scenes import load_scenes
from tests.adversary.stage import Verdict, play

# A scene mostly waits, so several processes can share a core.
JOBS = 3 * (os.cpu_count() or 1)


def chosen(names: list[str]) -> list[Scene]:
    """The scenes with these names, name patterns, or kinds; all if none are given."""
    load_scenes()
    return pool.chosen(SCENES.values(), names)


def _play(name: str, speed: float) -> Verdict:
    load_scenes()
    return play(SCENES[name], speed)


def played(scenes: list[Scene], speed: float, jobs: int, log: str) -> Iterator[Verdict]:
    """Play scenes in parallel; yields the verdicts as they finish."""
    # The long ones first: at the end nobody waits for one of them alone.
    order = sorted(scenes, key=lambda each: -each.props.limit_s)
    return pool.in_processes(partial(_play, speed=speed), (each.name for each in order), jobs, log)
