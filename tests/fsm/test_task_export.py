"""The built-in tasks as files: they are complete, come back as they were, and behave alike."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from typer.testing import CliRunner

from fsm.conditions import Condition
from fsm.effects import EffectResult, Failed, Ok, Refused, Remote
from fsm.registry import load_agents
from fsm.spec import AgentSpec, Arrow, Collect, End, Known, Slot
from fsm.task_export import as_file, parts_of
from fsm.task_file import (
    ArrowTable,
    ChoiceTable,
    KeypadTable,
    Parts,
    ReasonTable,
    SlotTable,
    StateTable,
    TaskFile,
    TaskHeader,
    compile_task,
)
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


# Every key that a task's file may have, none of them with the value that it has by default.
WHOLE = """
[task]
name = "whole"
description = "Everything."
start = "Ask"
ends_call = true
carries_notes = true
patience = 9
retention = { slot = 60.0, fact = 50.0, result = 40.0 }
not_understood = "What?"
still_there = "Hello?"
yes_or_no = "Yes or no?"

[slot.topic]
type = "choice"
choices = { repair = "a repair", bill = "a bill" }
ask = "What is it about?"
describe = "The topic."
example = "Say repair or bill."

[slot.code]
type = "digits"
length = 4
ask = "Which code?"
check = ["even", "free"]
keypad = { ask = "Key it in.", length = 4 }
read_back = false

[slot.pin]
type = "digits"
sensitive = true
length = 4
ask = "Your PIN?"
keypad = { ask = "Key the PIN in.", length = 4 }

[slot.parcels]
type = "number"
lowest = 1.0
highest = 20.0
ask = "How many?"

[slot.number]
type = "phone"
region = "GB"
optional = true

[slot.whom]
type = "text"
choices_from = "transfer_targets"
optional = true

[slot.cost]
type = "amount"
currency = "euros"
stored = true

[state.Ask]
actions = [{ do = "sensitive_info", on = true }, { do = "send_dtmf", digits = "1" }]
collect = ["topic", "code", "pin", "parcels"]
retries = 5
on = { filled = "How", gave_up = "Human" }

[state.How]
ask = "A van or a bike?"
default = "bike"
retries = 2
reason = { question = "Is it much?", limit_s = 1.5, notes = true }
[state.How.choose.van]
means = "a van"
[[state.How.choose.van.when.any]]
slot = "parcels"
above = 10
[[state.How.choose.van.when.any]]
all = [{ slot = "topic", is = "bill" }, { fact = "f", known = true }]
[state.How.choose.bike]
means = "a bike"
when = "busy"
[state.How.on]
van = [
    { to = "Find", when = { slot = "parcels", below = 3 }, priority = 2, then = { tried = "van" } },
    { to = "Check" },
]
bike = [
    { to = "Find", when = { slot = "topic", in = ["bill"] } },
    { to = "Check", when = { fact = "f", is_not = 3 } },
    { to = "Find" },
]
gave_up = "Human"

[state.Find]
act = "find"
fills = ["cost"]
on = { ok = "Check", refused = "Human", failed = "Human" }

[state.Check]
confirm = "{topic}: {code}, {parcels}?"
change = "What else?"
retries = 4
on = { yes = "Human", no = "Ask", gave_up = "Human" }

[state.Human]
end = "transfer"
say = "One moment."
target = "whom"

[state.Cancelled]
end = "cancelled"
"""


def even(value: Any, known: Known) -> Any:
    return value


PARTS = Parts(
    effects={"find": Remote(lambda request: Ok({"cost": 3}), reads_only=True)},
    checks={"even": even, "free": even},
    rules={"busy": lambda known: False},
)


def test_every_key_of_a_file_comes_back() -> None:
    written = tomllib.loads(WHOLE)
    told = as_file(compile_task(written, PARTS))
    # A sentence comes back with how its values are said written out.
    written["state"]["Check"]["confirm"] = "{topic}: {code:ear}, {parcels}?"
    assert told == written
    assert as_file(compile_task(told, PARTS)) == told


def test_every_key_that_there_is_is_among_them() -> None:
    """A key that is new in fsm/task_file.py has to come back as well: put it into WHOLE."""
    written = tomllib.loads(WHOLE)
    slots, states = list(written["slot"].values()), list(written["state"].values())
    arrows = [
        arrow for state in states for each in state.get("on", {}).values() if isinstance(each, list) for arrow in each
    ]
    choices = [each for state in states for each in state.get("choose", {}).values()]
    whens = [each["when"] for each in (*arrows, *choices) if isinstance(each.get("when"), dict)]
    whens += [each for when in whens for each in (*when.get("any", ()), *when.get("all", ()))]
    whens += [each for when in whens for each in when.get("all", ())]
    there: dict[type[BaseModel], list[dict[str, Any]]] = {
        TaskHeader: [written["task"]],
        SlotTable: slots,
        KeypadTable: [slot["keypad"] for slot in slots if "keypad" in slot],
        StateTable: states,
        ArrowTable: arrows,
        ChoiceTable: choices,
        ReasonTable: [state["reason"] for state in states if "reason" in state],
        Condition: whens,
    }
    for model, tables in there.items():
        keys = {each.alias or name for name, each in model.model_fields.items()}
        assert {key for table in tables for key in table} == keys, model.__name__
    assert set(written) | {"flow", "effect"} == TaskFile.model_fields.keys(), "those two become states"


@pytest.mark.parametrize("keys", ["", 'refused_asks = ["code"]\nretries = 2\nchange = "What?"'])
def test_a_flow_comes_back_as_its_states(keys: str) -> None:
    flow = f"""
[task]
name = "flow"
description = "A flow."
{WHOLE[WHOLE.index("[slot.topic]") : WHOLE.index("[slot.whom]")]}
[flow]
collect = ["topic", "code", "pin", "parcels"]
confirm = "{{topic}}: {{code}}?"
done = {{ say = "Done.", outcome = "well" }}
failed = {{ say = "No.", hangup = true }}
gave_up = {{ say = "Bye.", transfer = true }}
cancelled = {{ say = "Fine." }}
{keys}
[effect]
tool = "find"
"""
    spec = compile_task(tomllib.loads(flow), PARTS)
    told = as_file(spec)
    again = compile_task(told, PARTS)
    assert as_file(again) == told
    assert (again.states, again.transitions) == (spec.states, spec.transitions)


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
