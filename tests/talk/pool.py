"""The scenarios, and how they are played in several processes.

May import: tests.talk, tests.pool, the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial

from tests import pool
from tests.talk.line import Condition
from tests.talk.scenario import Scenario
from tests.talk.scenarios import all_scenarios, line_of
from tests.talk.stage import Verdict, play

# Hearing keeps a processor busy.
JOBS = os.cpu_count() or 1


def chosen(names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these names, patterns of names, or kinds; all without any."""
    return pool.chosen(all_scenarios().values(), names)


def _play(name: str, speed: float, voice: str | None, condition: Condition | None) -> Verdict:
    scenario = all_scenarios()[name]
    own_voice, own_condition = line_of(scenario)
    return play(scenario, voice or own_voice, condition or own_condition, speed)


def played(
    scenarios: Sequence[Scenario],
    *,
    speed: float,
    voice: str | None,
    condition: Condition | None,
    jobs: int,
) -> Iterator[Verdict]:
    """Play them, so many at a time; those that are over first come first. voice, condition: None for their own."""
    once = partial(_play, speed=speed, voice=voice, condition=condition)
    return pool.in_processes(once, (each.name for each in scenarios), jobs)
