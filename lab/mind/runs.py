"""Which runs of tasks are open, and which is current: read from the calls, their outputs and the declared tools.

A task is a function that others are named after ("order", "order_provide") and whose outputs report its state.
May import: the standard library, lab.mind.prompt, lab.mind.schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.mind.prompt import Called, CallOutput, Prompt, PromptItem
from lab.mind.schema import properties

# An output with one of these keys reports a task's state.
_STATE = ("task", "state", "needs")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a task. task: its opening function. run_id: "" if outputs name none. output: its newest."""

    task: str = ""
    run_id: str = ""
    output: Mapping[str, object] = field(default_factory=dict)


def parsed(text: str) -> Mapping[str, object]:
    """A call's output or arguments as an object; empty if it is not one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def say(output: Mapping[str, object]) -> str:
    """The sentence a task wants spoken, or ""."""
    sentence = output.get("say")
    return sentence.strip() if isinstance(sentence, str) else ""


def open_runs(prompt: Prompt, items: Sequence[PromptItem]) -> list[Run]:
    """The open runs, the current one last."""
    names = {item.call_id: item.name for item in items if isinstance(item, Called)}
    tasks = _tasks(prompt, items, names)
    runs: dict[tuple[str, str], Run] = {}
    for item in items:
        if not isinstance(item, Called | CallOutput):
            continue
        task = _task_of(names.get(item.call_id, ""), tasks)
        told = parsed(item.output if isinstance(item, CallOutput) else item.arguments)
        key = task, str(told.get("task") or "")
        if isinstance(item, Called):
            key = next((known for known in reversed(runs) if known[0] == task and key[1] in ("", known[1])), key)
            runs[key] = runs.pop(key, Run(*key))
            continue
        runs.pop((task, ""), None)  # its opening call, before the run's id was known
        runs.pop(key, None)
        if told.get("result") is None:
            runs[key] = Run(*key, told)
        _gone_back_to(told.get("next"), runs)
    declared = _declared(prompt)
    return [run for run in runs.values() if run.task and run.run_id in declared.get(run.task, (run.run_id,))]


def _task_of(called: str, tasks: set[str]) -> str:
    return max((one for one in tasks if f"{called}_".startswith(f"{one}_")), key=len, default="")


def _tasks(prompt: Prompt, items: Sequence[PromptItem], names: Mapping[str, str]) -> set[str]:
    """The names of tasks with state functions among the declared tools."""
    declared = {tool.name for tool in prompt.tools}
    outputs = [(item, parsed(item.output)) for item in items if isinstance(item, CallOutput)]
    stateful = [(names.get(item.call_id, ""), told) for item, told in outputs if any(key in told for key in _STATE)]
    # A run id such as "book_appointment#1" names its task too.
    told_names = {re.sub(r"\W.*", "", str(told.get("task") or "")) for _, told in stateful}
    called = {name for name, _ in stateful}
    tasks = {
        name
        for name in called | declared | told_names
        if any(one.startswith(f"{name}_") for one in declared)
        and any(f"{one}_".startswith(f"{name}_") for one in called)
    }
    return {name for name in tasks if name and not any(name.startswith(f"{other}_") for other in tasks if other)}


def _gone_back_to(sentence: object, runs: dict[tuple[str, str], Run]) -> None:
    """Move the run to the end that an ended task's output names as the next, by its sentence."""
    known = next((key for key, run in runs.items() if sentence and say(run.output) == sentence), None)
    if known is not None:
        runs[known] = runs.pop(known)


def _declared(prompt: Prompt) -> dict[str, tuple[object, ...]]:
    """By task, the run ids its functions allow as `task`."""
    allowed: dict[str, tuple[object, ...]] = {}
    for tool in prompt.tools:
        for one in properties(tool):
            if one.name == "task" and one.choices:
                allowed[tool.name.rpartition("_")[0]] = one.choices
    return allowed
