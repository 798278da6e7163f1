"""The JSON Schemas that editors use: never stale, and of one mind with what is checked."""

from __future__ import annotations

import json

from fsm.registry import load_tasks
from fsm.slot_types import SLOT_TYPES
from gateway.bots.files import EXAMPLE
from gateway.bots.json_schema import bot_schema, routes_schema, task_schema
from gateway.bots.schema import BotToml


def test_the_schemas_beside_the_example_are_those_of_the_code() -> None:
    """If this fails: tieline bots schema > bots/bot.schema.json, with --routes and --task those of the others."""
    assert (EXAMPLE / "bot.schema.json").read_text() == bot_schema(load_tasks(installed=()))
    assert (EXAMPLE / "routes.schema.json").read_text() == routes_schema()
    assert (EXAMPLE / "task.schema.json").read_text() == task_schema()


def test_every_key_of_a_tasks_file_is_explained_and_its_types_are_offered() -> None:
    schema = json.loads(task_schema())
    models = [schema, *(each for name, each in schema["$defs"].items() if name not in ("Condition", "JsonValue"))]
    keys = [(model["title"], *each) for model in models for each in model["properties"].items()]
    assert [(title, name) for title, name, each in keys if "description" not in each and "$ref" not in each] == []
    assert schema["$defs"]["SlotTable"]["properties"]["type"]["enum"] == list(SLOT_TYPES)
    assert "null" not in json.dumps(schema)
    guide = (EXAMPLE.parent / "docs" / "task-files.md").read_text() + (
        EXAMPLE.parent / "docs" / "your-bot.md"
    ).read_text()
    assert guide.count("#:schema ../../task.schema.json\n[task]\n") == guide.count("\n[task]\n")


def test_an_editor_can_offer_every_key_and_each_tasks_settings() -> None:
    schema = json.loads(bot_schema(load_tasks(installed=())))
    assert set(schema["properties"]) == set(BotToml.model_fields)
    forms = {each["properties"].get("use", {}).get("const"): each for each in schema["$defs"]["TaskSection"]["anyOf"]}
    assert set(forms["book_appointment"]["properties"]) == {
        "use",
        "resource",
        "length_min",
        "ahead_days",
        "database",
        "hours",
    }
    assert forms["end_call"]["properties"].keys() == {"use"}
    assert forms["book_appointment"]["additionalProperties"] is False
    assert "null" not in json.dumps(schema)
