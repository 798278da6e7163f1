"""The guide to tools holds what it says: its declarations are read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from http_tools.declaration import Auth, McpServer, tool_form, tools_in
from http_tools.exchange import MOST_BODY_BYTES
from http_tools.hosts import AT_A_TIME, FAILURES, QUEUE_S, REST_S

GUIDE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text()


def test_its_declarations_are_tools() -> None:
    texts = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    files = [tomllib.loads(text) for text in texts]
    tools = [tool_form(table).model_validate(table) for file in files for _, table in tools_in(file["tool"])]
    assert [each.reads_only for each in tools] == [False, True, False, True, False]
    assert [McpServer.model_validate(each).url for file in files for each in file.get("mcp", {}).values()]


def test_its_ways_to_authenticate_are_all() -> None:
    rows = re.findall(r"^\| `(\{ [^`]*\})`", GUIDE, re.MULTILINE)
    told = [Auth.model_validate(tomllib.loads(f"auth = {row}")["auth"]) for row in rows]
    named = {name for each in told for name in Auth.model_fields if getattr(each, name) is not None}
    assert named == Auth.model_fields.keys()


def test_its_limits_are_those_of_the_code() -> None:
    assert (MOST_BODY_BYTES, AT_A_TIME, FAILURES, QUEUE_S, REST_S) == (256 * 1024, 8, 5, 1.0, 10.0)
