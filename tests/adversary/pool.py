"""Scenes played in several processes at a time: a daemon is alone in its process.

May import: tests.adversary, loguru, the standard library.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from fnmatch import fnmatch

from loguru import logger

from tests.adversary.scene import SCENES, Scene
from tests.adversary.scenes import load_scenes
from tests.adversary.stage import Verdict, play

# A scene mostly waits: its processes share the processors.
JOBS = 2 * (os.cpu_count() or 1)


def chosen(names: list[str]) -> list[Scene]:
    """The scenes of these names, patterns of names, or kinds; all without any."""
    load_scenes()
    every = list(SCENES.values())
    if not names:
        return every
    return [each for each in every if any(fnmatch(each.name, name) or name == each.kind.name.lower() for name in names)]


def _begin(level: str) -> None:
    """Of a process: its scenes, and where its log goes."""
    load_scenes()
    logger.remove()
    if level:
        logger.add(sys.stderr, level=level)


def _play(name: str, speed: float) -> Verdict:
    return play(SCENES[name], speed)


def played(scenes: list[Scene], speed: float, jobs: int, log: str) -> Iterator[Verdict]:
    """Play them, so many at a time; those that are over first come first."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(log,)) as pool:
        # The long ones first: at the end nobody waits for one of them alone.
        order = sorted(scenes, key=lambda each: -each.props.limit_s)
        futures = [pool.submit(_play, each.name, speed) for each in order]
        for future in as_completed(futures):
            yield future.result()
