"""The guide to a real call: every setting, metric, log line, command and parameter that it names is there."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command

from gateway.model_credentials import credentials_of
from gateway.settings import FILE, SECRETS, Settings, read_settings, variable_of
from run import app

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "real-call.md").read_text()
SPEC = (ROOT / "docs/specs/vaic-streaming.md").read_text()
# "the log line `a`", "the log lines `a`, `b` and `c`".
LOG_LINES = re.compile(r"\blog lines? (`[^`]+`(?:(?:,| and|, and) `[^`]+`)*)")
# Names of VAIC's JSON that are not parameters of section 1.2.
OF_ANY_JSON = {"providers", "bots", "name", "provider", "credentials", "token"}


@cache
def said_in_source() -> frozenset[str]:
    """Every text in the code of the daemon."""
    found: set[str] = set()
    for room in ("actors", "gateway"):
        for path in (ROOT / room).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text()))
            found |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return frozenset(found)


def test_every_setting_that_it_names_is_one() -> None:
    known = {variable_of(name) for name in Settings.model_fields} | {f"{variable_of(name)}{FILE}" for name in SECRETS}
    named = set(re.findall(r"\b(?:TIELINE|OPENAI)_[A-Z_]+\b", GUIDE))
    assert len(named) > 15
    assert named <= known


def test_every_metric_that_it_names_is_one() -> None:
    listed = set(re.findall(r"^\| `(tieline_\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    named = set(re.findall(r"\btieline_\w+", GUIDE))
    assert len(named) > 8
    assert named <= listed


def test_every_log_line_that_it_names_is_written_somewhere() -> None:
    named = {line for group in LOG_LINES.findall(GUIDE) for line in re.findall(r"`([^`]+)`", group)}
    assert len(named) > 12
    assert named <= said_in_source()


def test_every_constant_and_command_that_it_names_is_there() -> None:
    placed = re.findall(r"`([A-Z_]+)` in `([\w/]+\.py)`", GUIDE)
    assert len(placed) >= 4
    for name, file in placed:
        assert re.search(rf"^{name}\b.*=", (ROOT / file).read_text(), re.MULTILINE), (name, file)
    commands = set(re.findall(r"\btieline (?!is\b)([a-z]+)", "".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL))))
    assert commands
    assert commands <= set(get_command(app).commands)  # type: ignore[attr-defined]


def test_every_parameter_of_vaic_that_it_names_is_in_the_specification() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    given = set(_keys(json.loads(block))) - OF_ANY_JSON
    camel = {name for name in re.findall(r"`([a-z]+[A-Z]\w+)`", GUIDE) if not name.startswith("tieline")}
    assert len(given | camel) > 12
    assert not {name for name in given | camel if name not in SPEC}


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for inner in value.values() for key in _keys(inner))]
    return [key for inner in value for key in _keys(inner)] if isinstance(value, list) else []


def test_each_open_question_of_vaics_wire_has_its_row() -> None:
    questions = SPEC.split("## 12. Open questions", 1)[1]
    numbers = re.findall(r"^(\d+)\. ", questions, re.MULTILINE)
    assert re.findall(r"^\| (\d+) ", GUIDE, re.MULTILINE)[10:] == numbers, "after the ten calls"


def test_the_azure_settings_lead_to_the_url_and_header_of_the_specification() -> None:
    (url,) = set(re.findall(r"`(wss://RESOURCE[^`]+)`", GUIDE))
    settings = read_settings(openai_url=url, openai_api_key="k" * 20, openai_model="my-deployment")
    assert settings.model_url() == f"{url}?model=my-deployment"
    assert credentials_of(settings).headers() == {"api-key": "k" * 20}
