"""The guide for people who write tasks holds what it says: its file is built, loaded and called as it stands there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from types import ModuleType
from unittest import TestCase

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

import fsm.agents
from fsm.keypad import KEYPAD_TIME
from fsm.registry import load_agents
from fsm.spec import Known, SlotError
from fsm.testing import converse, prove
from fsm.testing.machine import random_conversations

GUIDE = Path(__file__).parents[2] / "docs" / "writing-a-task.md"
TASK, TRIAL, *EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


@pytest.fixture
def agents_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that counts as part of fsm/agents, so that the tree is not written to."""
    monkeypatch.setattr(fsm.agents, "__path__", [*fsm.agents.__path__, str(tmp_path)])
    yield tmp_path
    sys.modules.pop("fsm.agents.callback", None)


def test_the_task_fits_into_sixty_lines() -> None:
    assert len(TASK.splitlines()) <= 60


def test_the_file_alone_is_enough_for_the_task_to_be_there(agents_folder: Path) -> None:
    (agents_folder / "callback.py").write_text(TASK)
    spec = load_agents(installed=())["callback"]
    prove(spec)
    assert set(spec.opening_tool().parameters["properties"]) == {"topic", "day", "at"}  # type: ignore[call-overload]


def test_the_trial_in_the_guide_succeeds() -> None:
    module = ModuleType("callback")
    exec(compile(TASK + TRIAL, str(GUIDE), "exec"), module.__dict__)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_each_example_holds_for_the_task_of_the_guide(number: int) -> None:
    module = ModuleType("callback")
    exec(compile(TASK + TRIAL + EXAMPLES[number], str(GUIDE), "exec"), module.__dict__)


def test_the_checks_and_keys_of_the_guide_do_what_it_says_of_them() -> None:
    module = ModuleType("callback")
    exec(compile("".join((TASK, TRIAL, *EXAMPLES)), str(GUIDE), "exec"), module.__dict__)
    noon = Known(datetime(2026, 11, 23, 12, tzinfo=UTC), {})
    today = replace(noon, slots={"day": noon.now.date()})
    assert module.not_over(time(9), noon) == time(9)
    with pytest.raises(SlotError):
        module.not_over(time(9), today)
    spec = replace(
        module.CALLBACK, slots={**module.CALLBACK.slots, "at": replace(module.CALLBACK.slots["at"], keypad=KEYPAD_TIME)}
    )
    talk = converse(spec).opens(topic="repair", day="2026-11-24").is_silent().is_silent()
    assert talk.says.endswith(KEYPAD_TIME.ask)
    assert talk.keys("1030").says.startswith("A callback about repair")
    assert module.customer.keypad.read("123456", noon) == "123456"
    assert issubclass(module.TestCallback, TestCase)
    module.TestCallback.settings = settings(max_examples=5, deadline=None)
    module.TestCallback("runTest").runTest()


def test_random_conversations_with_it_keep_the_promises() -> None:
    module = ModuleType("callback")
    exec(compile(TASK, str(GUIDE), "exec"), module.__dict__)
    run_state_machine_as_test(random_conversations(module.CALLBACK), settings=settings(deadline=None))
