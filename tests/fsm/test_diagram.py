"""The pictures of tasks: drawn from the table, complete, and as the documents show them."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from fsm.diagram import draw
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from run import app
from tests.fsm.tables import TRIAGE, table

DOCS = Path(__file__).parents[2] / "docs"
AGENTS = load_agents(installed=())
ALL = [*AGENTS.values(), TRIAGE, table()]


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_the_picture_in_the_documents_is_not_stale(name: str) -> None:
    file = DOCS / "tasks" / f"{name}.svg"
    assert file.exists(), "make pictures"
    assert file.read_text() == draw(AGENTS[name]), f"docs/tasks/{name}.svg is stale: make pictures"
    assert f"tasks/{name}.svg" in (DOCS / "tasks.md").read_text()


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_every_state_and_every_event_is_in_the_picture(spec: AgentSpec) -> None:
    texts = [each.text or "" for each in ET.fromstring(draw(spec)).iter("{http://www.w3.org/2000/svg}text")]
    assert set(spec.states) <= set(texts)
    events = {event for text in texts for event in text.split(", ")}
    assert {event for _, event in spec.transitions} <= {event.removesuffix(" [if]") for event in events}


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_no_state_lies_on_another(spec: AgentSpec) -> None:
    shapes = re.findall(r'class="state" x="(-?\d+)" y="(-?\d+)" width="(\d+)" height="(\d+)"', draw(spec))
    boxes = [tuple(map(int, each)) for each in shapes]
    assert len(boxes) == len(spec.states)
    for number, (x, y, w, h) in enumerate(boxes):
        for x2, y2, w2, h2 in boxes[:number]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_guarded_arrows_are_marked_and_an_arrow_to_itself_is_drawn() -> None:
    assert "post [if]" in draw(TRIAGE)
    again = table(transitions={("Confirm", "gave_up"): "Human", ("Confirm", "no"): "Confirm"})
    assert ">no</text>" in draw(again)


def test_the_command_lists_shows_and_draws(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["agents"])
    assert listed.exit_code == 0
    assert all(name in listed.stdout for name in AGENTS)
    assert "CollectTime" in runner.invoke(app, ["agents", "book_appointment"]).stdout
    drawn = runner.invoke(app, ["agents", "book_appointment", "--diagram", str(tmp_path / "new" / "it.svg")])
    assert drawn.exit_code == 0
    assert (tmp_path / "new" / "it.svg").read_text() == draw(AGENTS["book_appointment"])


def test_an_unknown_task_is_told_with_those_there_are() -> None:
    result = CliRunner().invoke(app, ["agents", "dance"])
    assert result.exit_code == 2
    assert "unknown task dance: there is book_appointment" in result.stderr
