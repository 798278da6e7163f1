"""The guide for people who write tasks holds what it says: its file is built, loaded and called as it stands there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

import fsm.agents
from fsm.registry import load_agents
from fsm.testing import prove
from fsm.testing.machine import random_conversations

GUIDE = Path(__file__).parents[2] / "docs" / "writing-a-task.md"
TASK, TRIAL = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


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


def test_random_conversations_with_it_keep_the_promises() -> None:
    module = ModuleType("callback")
    exec(compile(TASK, str(GUIDE), "exec"), module.__dict__)
    run_state_machine_as_test(random_conversations(module.CALLBACK), settings=settings(deadline=None))
