"""The JSON Schemas that editors use: never stale, and of one mind with what is checked."""

from __future__ import annotations

import json

from fsm.registry import load_tasks
from gateway.bots.files import EXAMPLE
from gateway.bots.json_schema import bot_schema, routes_schema
from gateway.bots.schema import BotToml


def test_the_schemas_beside_the_example_are_those_of_the_code() -> None:
    """If this fails: tieline bots schema > bots/bot.schema.json, and with --routes > bots/routes.schema.json."""
    assert (EXAMPLE / "bot.schema.json").read_text() == bot_schema(load_tasks(installed=()))
    assert (EXAMPLE / "routes.schema.json").read_text() == routes_schema()


def test_an_editor_can_offer_every_key_and_each_tasks_settings() -> None:
    schema = json.loads(bot_schema(load_tasks(installed=())))
    assert set(schema["properties"]) == set(BotToml.model_fields)
    forms = {each["properties"].get("use", {}).get("const"): each for each in schema["$defs"]["TaskSection"]["anyOf"]}
    assert set(forms["book_appointment"]["properties"]) == {"use", "resource", "length_min", "ahead_days", "hours"}
    assert forms["end_call"]["properties"].keys() == {"use"}
    assert forms["book_appointment"]["additionalProperties"] is False
    assert "null" not in json.dumps(schema)
