"""The built-in tasks as files: they are complete, come back as they were, and behave alike."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fsm.effects import EffectResult, Failed, Ok, Refused
from fsm.registry import load_agents
from fsm.spec import AgentSpec, Arrow, Collect, End, Slot
from fsm.task_export import as_file, parts_of
from fsm.task_file import compile_task
from fsm.testing import Conversation, Recorder, converse
from protocols.errors import MisuseError
from run import app

AGENTS = load_agents(installed=())
CHOICES = {"transfer_targets": ("reception", "doctor")}
RESULTS: Sequence[EffectResult] = (
    Ok({"was_day": "2026-11-24", "was_at": "10:30", "code": "1234", "appointment": 1}),
    Refused("Not that one.", {"ask": "name"}),
    Refused("Not that one.", {"ask": "which_at"}),
    Failed("It does not work."),
)
VALUES: dict[str, st.SearchStrategy[object]] = {
    "date": st.sampled_from(["2026-11-24", "2026-11-22", "2028-01-01", 4]),
    "time": st.sampled_from(["10:30", "20:00", "10:31", "x"]),
    "text": st.sampled_from(["12 34", "reception", "", "doctor"]),
    "name": st.sampled_from(["Anna Smith", "unknown", "  "]),
}


def as_toml(spec: AgentSpec) -> AgentSpec:
    return compile_task(as_file(spec), parts_of(AGENTS.values()))


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_it_comes_back_as_it_was(name: str) -> None:
    assert as_file(as_toml(AGENTS[name])) == as_file(AGENTS[name])


@pytest.mark.parametrize("name", sorted(AGENTS))
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_it_behaves_as_the_one_in_python(name: str, data: st.DataObject) -> None:
    spec = AGENTS[name]
    kinds = {slot: table["type"] for slot, table in as_file(spec)["slot"].items() if not table.get("stored")}
    results = {effect: data.draw(st.lists(st.sampled_from(RESULTS), max_size=3)) for effect in spec.effects}
    filling = {effect: (*given, *(RESULTS[0],) * 20) for effect, given in results.items()}
    one, other = (converse(each, effects=Recorder(filling), choices=CHOICES) for each in (spec, as_toml(spec)))
    for talk in (one, other):
        talk.opens()
    for _ in range(data.draw(st.integers(1, 10))):
        move = data.draw(st.sampled_from(["gives", "says_yes", "says_no", "gives_up", "keys", "is_silent", "crashes"]))
        values = {slot: data.draw(VALUES[kind]) for slot, kind in kinds.items() if data.draw(st.booleans())}
        for talk in (one, other):
            _move(talk, move, values)
        assert (one.says, one.state, one.answers[-1]) == (other.says, other.state, other.answers[-1])
        if one.outcome is not None:
            return


def _move(talk: Conversation, move: str, values: dict[str, object]) -> None:
    match move:
        case "gives":
            talk.gives(**values)
        case "keys":
            talk.keys("2411")
        case _:
            getattr(talk, move)()


def test_what_a_file_cannot_say_is_named() -> None:
    def task(slot: Slot[Any], filled: str | tuple[Arrow, ...] = "Human") -> AgentSpec:
        return AgentSpec(
            name="odd",
            description="An odd task.",
            start="Collect",
            slots={"slot": slot},
            states={"Collect": Collect(("slot",)), "Human": End("transfer"), "Cancelled": End("cancelled")},
            transitions={("Collect", "filled"): filled, ("Collect", "gave_up"): "Human"},
        )

    with pytest.raises(MisuseError, match="no ready-made type for slot 'slot'"):
        as_file(task(Slot(bool, ask="Well?")))
    with pytest.raises(MisuseError, match="without a name of its own"):
        as_file(task(Slot(str, ask="Well?", check=lambda value, known: value)))
    with pytest.raises(MisuseError, match="without a name of its own"):
        as_file(task(Slot(str, ask="Well?"), (Arrow("Human", when=lambda known: True), Arrow("Human"))))


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_the_command_prints_a_file_that_compiles(name: str) -> None:
    printed = CliRunner().invoke(app, ["agents", name, "--toml"])
    assert printed.exit_code == 0
    spec = compile_task(tomllib.loads(printed.stdout), parts_of(AGENTS.values()))
    assert as_file(spec) == as_file(AGENTS[name])
