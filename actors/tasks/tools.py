"""The tools of all open tasks of a call, each name declared once.

If two runs of one task are open, their functions get one more parameter that names the run.
Pure. May import: fsm, pydantic, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from fsm.spec import ToolSpec

RUN = "task"


def merged(tools: Iterable[tuple[str, ToolSpec]]) -> tuple[ToolSpec, ...]:
    """Merge tools of one name, keeping the newest run's. tools: (run id, function) of every open run, newest last."""
    by_name: dict[str, ToolSpec] = {}
    runs: dict[str, list[str]] = {}
    for run_id, tool in tools:
        by_name[tool.name] = tool
        runs.setdefault(tool.name, []).append(run_id)
    return tuple(tool if len(runs[name]) == 1 else _for_one_of(tool, runs[name]) for name, tool in by_name.items())


def _for_one_of(tool: ToolSpec, run_ids: list[str]) -> ToolSpec:
    properties = cast(Mapping[str, object], tool.parameters["properties"])
    which = {"type": "string", "enum": run_ids, "description": "Which of the open tasks is meant, by its run."}
    required = [*cast(Iterable[str], tool.parameters.get("required", ())), RUN]
    parameters = {**tool.parameters, "properties": {**properties, RUN: which}, "required": required}
    return ToolSpec(tool.name, tool.description, parameters)


def which_run(arguments: str) -> tuple[str | None, str]:
    """The run id a call names, None if it names none; and the arguments without it."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):  # also nested too deeply for the parser
        return None, arguments
    if not isinstance(given, dict) or not isinstance(given.get(RUN), str):
        return None, arguments
    run_id = given.pop(RUN)
    return run_id, json.dumps(given)


def amended(output: str, **changes: object) -> str:
    """A function's output with some of its fields replaced or added."""
    return json.dumps({**json.loads(output), **changes})
