"""The scenarios, by kind. Each module has a tuple SCENARIOS."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from tests.talk.line import Condition
from tests.talk.scenario import Scenario
from tests.talk.speech import VOICES

_CONDITIONS = tuple(Condition)


@cache
def all_scenarios() -> dict[str, Scenario]:
    """By name."""
    found: dict[str, Scenario] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for each in importlib.import_module(module.name).SCENARIOS:
            assert each.name not in found, f"two scenarios are called {each.name}"
            found[each.name] = each
    return found


def line_of(scenario: Scenario) -> tuple[str, Condition]:
    """The voice and the condition: its own, or such that every voice has every condition in turn."""
    number = list(all_scenarios()).index(scenario.name)
    voice = scenario.voice or VOICES[number % len(VOICES)]
    condition = scenario.condition or _CONDITIONS[(number // len(VOICES) + number) % len(_CONDITIONS)]
    return voice, condition
