"""The JSON Schemas of bot.toml, routes.toml and the files of tasks, for editors.

May import: fsm, gateway.bots, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fsm.registry import BrokenTask, Registered, TaskFactory, load_tasks
from fsm.spec import AgentSpec
from fsm.task_file import TaskFile
from gateway.bots.schema import BotToml, RoutesToml

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def bot_schema(tasks: Mapping[str, Registered] | None = None) -> str:
    """That of bot.toml, with the settings of each task. tasks: those there are; by default all that are installed."""
    schema = BotToml.model_json_schema()
    there = (load_tasks() if tasks is None else tasks).values()
    forms = [_form(task, schema["$defs"]) for task in there if not isinstance(task, BrokenTask)]
    section = schema["$defs"]["TaskSection"]
    file = {
        "type": "object",
        "properties": {"file": section["properties"]["file"]},
        "required": ["file"],
        "additionalProperties": False,
    }
    schema["$defs"]["TaskSection"] = {"description": section["description"], "anyOf": [*forms, file]}
    return _written(schema)


def routes_schema() -> str:
    """That of routes.toml."""
    return _written(RoutesToml.model_json_schema())


def task_schema() -> str:
    """That of a task's file."""
    return _written(TaskFile.model_json_schema())


def _form(task: AgentSpec | TaskFactory[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """What may stand in [[task]] for one task."""
    about = task.default if isinstance(task, TaskFactory) else task
    use = {"const": task.name, "description": about.description if about else ""}
    settings: dict[str, Any] = {}
    if isinstance(task, TaskFactory):
        settings = task.settings.model_json_schema()
        definitions |= settings.pop("$defs", {})
    return {
        "type": "object",
        "properties": {"use": use, **settings.get("properties", {})},
        "required": ["use", *settings.get("required", ())],
        "additionalProperties": False,
    }


def _written(schema: dict[str, Any]) -> str:
    return json.dumps({"$schema": _DIALECT, **_without_null(schema)}, indent=2, ensure_ascii=False) + "\n"


def _without_null(schema: Any) -> Any:
    """A schema without null, which TOML has not, and without the defaults of whole tables."""
    if isinstance(schema, list):
        return [_without_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):  # by names of the author's, of which one may be "default"
            made[key] = {name: _without_null(each) for name, each in value.items()}
        elif key != "default" or not (value is None or isinstance(value, dict)):
            made[key] = _without_null(value)
    others = [each for each in made.get("anyOf", ()) if each != {"type": "null"}]
    if len(others) == 1 and isinstance(others[0], dict):
        del made["anyOf"]
        return {**others[0], **made}
    return made | ({"anyOf": others} if others else {})
