"""Helpers that read a run's answers."""

from __future__ import annotations

import json
from typing import Any

from fsm.run import Answer, TaskRun


def told(answer: Answer) -> dict[str, Any]:
    """The function's output, as the model reads it."""
    output = json.loads(answer.output)
    assert isinstance(output, dict)
    return output


def opened(run: TaskRun, **slots: object) -> dict[str, Any]:
    return told(run.open(json.dumps(slots)))


def provides(run: TaskRun, **slots: object) -> dict[str, Any]:
    return told(run.call(f"{told_name(run)}_provide", json.dumps(slots)))


def says_yes(run: TaskRun, yes: bool = True) -> dict[str, Any]:
    return told(run.call(f"{told_name(run)}_confirm", json.dumps({"yes": yes})))


def gives_up(run: TaskRun) -> dict[str, Any]:
    return told(run.call(f"{told_name(run)}_cancel", "{}"))


def told_name(run: TaskRun) -> str:
    """The task's name, as its functions are named."""
    return run.snapshot().agent
