"""The charts of tasks: drawn from the table, and complete."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from fsm.diagram import KINDS, chart_of, draw
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from fsm.states import waits
from run import app
from tests.fsm.tables import TRIAGE, table

AGENTS = load_agents(installed=())
ALL = [*AGENTS.values(), TRIAGE, table()]


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_every_state_and_every_event_is_in_the_picture(spec: AgentSpec) -> None:
    texts = [each.text or "" for each in ET.fromstring(draw(spec)).iter("{http://www.w3.org/2000/svg}text")]
    assert set(spec.states) <= set(texts)
    # A dot after an event joins it to the next one on the same arrow.
    assert {event for _, event in spec.transitions} <= {text.removesuffix(" ·").removesuffix(" [if]") for text in texts}


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_what_a_table_derives_is_shown_in_the_states_where_it_can_happen(spec: AgentSpec) -> None:
    shown = {(edge.source, line.text, edge.target) for edge in chart_of(spec).edges if edge.jump for line in edge.label}
    arrows = {
        (name, event, arrow.to) for name in spec.states for event, arrow in spec.arrows_from(name) if arrow.derived
    }
    assert shown == arrows
    assert {name for name, _, target in shown if target == spec.cancelled} == {
        name for name, state in spec.states.items() if waits(state)
    }


def test_states_that_wait_for_the_caller_or_choose_are_rounded_and_ends_have_a_double_line() -> None:
    assert {name for name, kind in KINDS.items() if kind.rounded} == {"collect", "confirm", "choose"}
    assert {name for name, kind in KINDS.items() if kind.double} == {"end"}


def test_guarded_arrows_are_marked_and_an_arrow_to_itself_is_drawn() -> None:
    assert "post [if]" in draw(TRIAGE)
    assert "[if]" not in draw(table())
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
