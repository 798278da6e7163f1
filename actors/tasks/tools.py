"""The tools of all open tasks of a call, each name declared once.

If two runs of one task are open, their functions get one more parameter that names the run; those that open a task get
one for the language, if the bot speaks several.
Pure. May import: fsm, pydantic, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from fsm.spec import ToolSpec

RUN, LANGUAGE = "task", "language"


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
    return _taken(arguments, RUN)


def _taken(arguments: str, name: str) -> tuple[str | None, str]:
    """One argument that is a text, None if it is none; and the arguments without it."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):  # also nested too deeply for the parser
        return None, arguments
    if not isinstance(given, dict) or not isinstance(given.get(name), str):
        return None, arguments
    taken = given.pop(name)
    return taken, json.dumps(given)


def with_language(tool: ToolSpec, tags: Sequence[str]) -> ToolSpec:
    """An opening function that asks which of several languages the caller speaks. tags: BCP 47; none for one language.

    A task whose own parameter has that name keeps the call's language.
    """
    properties = cast(Mapping[str, object], tool.parameters["properties"])
    if not tags or LANGUAGE in properties:
        return tool
    which = {"type": "string", "enum": list(tags), "description": "The language that is spoken with the caller."}
    return replace(tool, parameters={**tool.parameters, "properties": {**properties, LANGUAGE: which}})


def which_language(arguments: str) -> tuple[str, str]:
    """The language that a call names, "" if it names none; and the arguments without it."""
    tag, rest = _taken(arguments, LANGUAGE)
    return tag or "", rest


def amended(output: str, **changes: object) -> str:
    """A function's output with some of its fields replaced or added."""
    return json.dumps({**json.loads(output), **changes})
