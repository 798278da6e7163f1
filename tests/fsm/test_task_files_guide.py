"""The guide to task files holds what it says: each of its files is compiled and tried."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from fsm.effects import Local, Ok, Remote
from fsm.slot_types import SLOT_TYPES
from fsm.spec import AgentSpec
from fsm.task_export import as_file
from fsm.task_file import Parts, compile_task
from fsm.testing import Recorder, converse

GUIDE = (Path(__file__).parents[2] / "docs" / "task-files.md").read_text()
PARTS = Parts(
    effects={
        "crm.callback": Remote(lambda request: Ok(), "human"),
        "price.find": Local(lambda request, connection: Ok({"price": 80}), reads_only=True),
        "courier.order": Remote(lambda request: Ok(), "human"),
    }
)


def task(name: str) -> AgentSpec:
    files = map(tomllib.loads, re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL))
    return compile_task(next(each for each in files if each["task"]["name"] == name), PARTS)


def test_the_callback() -> None:
    talk = converse(task("callback"), effects=Recorder()).opens(topic="billing")
    assert talk.says == "On which number?"
    talk.gives(number="oh three zero triple five double oh twelve")
    assert talk.says == "A callback about billing to 030 555 00 12. Is that right?"
    assert talk.says_yes().outcome == "done"


def test_the_callback_by_keys() -> None:
    talk = converse(task("callback"), effects=Recorder()).opens(topic="billing").keys("0305550012")
    assert talk.says == "A callback about billing to 030 555 00 12. Is that right?"


def test_the_price() -> None:
    world = Recorder(results={"price.find": [Ok({"price": 80})]})
    talk = converse(task("price"), effects=world).opens(what="crown")
    assert talk.says == "The price of a crown is 80.00 euros. Is there anything else?"


@pytest.mark.parametrize(
    ("parcels", "choice", "state"), [(12, "", "Confirm"), (7, "today", "Human"), (2, "today", "Confirm")]
)
def test_the_courier(parcels: int, choice: str, state: str) -> None:
    talk = converse(task("pick_up"), effects=Recorder()).opens(parcels=parcels)
    if choice:
        talk.chooses(choice)
    assert talk.state == state


def test_every_type_is_in_its_table() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", GUIDE, re.MULTILINE))))
    assert SLOT_TYPES.keys() <= named


def test_a_task_with_a_flow_can_be_told_state_by_state() -> None:
    spec = task("callback")
    told = as_file(spec)
    assert list(told["state"]) == list(spec.states)
