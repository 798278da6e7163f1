"""Scripted calls by name, played in several processes at a time: a daemon is alone in its process.

May import: loguru, the standard library.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from enum import Enum
from fnmatch import fnmatch
from typing import Protocol, TypeVar

from loguru import logger

V = TypeVar("V")


class Named(Protocol):
    """What can be chosen."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Enum: ...


N = TypeVar("N", bound=Named)


def chosen(every: Iterable[N], names: Sequence[str]) -> list[N]:
    """Those of these names, patterns of names, or kinds; all without any."""
    return [
        each
        for each in every
        if not names or any(fnmatch(each.name, name) or name == each.kind.name.lower() for name in names)
    ]


def in_processes(play: Callable[[str], V], names: Iterable[str], jobs: int, log: str = "") -> Iterator[V]:
    """Play those, in this order, so many at a time; what is over first comes first. log: the level from
    which it is printed, of what they log; by default nothing is.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(log,)) as pool:
        futures = [pool.submit(play, name) for name in names]
        for future in as_completed(futures):
            yield future.result()


def _begin(level: str) -> None:
    """Of a process: where its log goes."""
    logger.remove()
    if level:
        logger.add(sys.stderr, level=level)
