"""What a run remembers: values and what it noted of them, for as long as they hold, and its snapshot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fsm.context import FACT, RESULT, ContextItem
from fsm.effects import Refused, TaskContext
from fsm.memory import Memory
from fsm.run import TaskRun
from fsm.testing import Recorder, converse
from fsm.testing.conversation import NOON
from protocols.errors import MisuseError
from tests.fsm.conversation import opened, says_yes
from tests.fsm.tables import LOCKER, NOW, TRIAGE, WHOLE, Kitchen, Oven, context, pizza, table


def test_what_was_said_long_ago_is_asked_for_again() -> None:
    times = [NOON]
    run = TaskRun(TRIAGE, TaskContext("c-1", "t1", "", lambda: times[0]), Recorder())
    run.open('{"hours": 2}')
    times[0] += timedelta(minutes=11)
    assert '"needs":["hours"]' in run.call("triage_provide", '{"name": "Ada"}').output
    assert run.state == "Ask"


def test_what_is_asked_for_only_after_a_refusal_is_not_needed_before() -> None:
    talk = converse(LOCKER, effects=Recorder({"locker.find": [Refused("It is not there.")]})).opens()
    assert talk.answers[-1]["needs"] == ["letter", "pin"]
    assert talk.gives(letter="x").answers[-1]["needs"] == ["row", "pin"]


def test_what_was_agreed_to_is_certain() -> None:
    run = pizza()
    opened(run, **WHOLE)
    assert {item.confidence for item in run.snapshot().items} == {0.8}
    says_yes(run)
    agreed = [item for item in run.snapshot().items if item.category == "slot"]
    assert {(item.name, item.source, item.confidence) for item in agreed} == {(name, "caller", 1.0) for name in WHOLE}


def test_a_snapshot_of_another_table_is_refused() -> None:
    saved = pizza().snapshot()
    for change in ({"agent": "other"}, {"visited": ("Nowhere",)}, {"visited": ("Details", "Confirm")}):
        with pytest.raises(MisuseError, match="does not fit its table"):
            TaskRun.restore(table(), context(), Kitchen(Oven()), saved.model_copy(update=change))
    for name, value in (("colour", "red"), ("count", "three")):
        item = ContextItem(name=name, value=value, category="slot", source="caller", confidence=1.0, at=NOW)
        with pytest.raises(MisuseError, match="slots of a snapshot do not fit"):
            TaskRun.restore(table(), context(), Kitchen(Oven()), saved.model_copy(update={"items": (item,)}))


def test_what_the_caller_has_said_is_known_apart_from_facts() -> None:
    memory = Memory(TRIAGE, context())
    memory.keep("hours", 2, source="caller", confidence=1.0)
    memory.learn(FACT, "late", True)
    memory.learn(RESULT, "ticket", 7)
    assert (memory.known().slots, memory.known().facts) == ({"hours": 2}, {"late": True, "ticket": 7})


def test_notes_tell_facts_hypotheses_conclusions_and_decisions_apart() -> None:
    talk = converse(TRIAGE, effects=Recorder()).opens(hours=2).chooses("post").says_yes()
    notes = [(note.kind, note.state, note.text) for note in talk.run.snapshot().notes]
    assert notes == [
        ("hypothesis", "Ask", "hours = 2"),
        ("decision", "Weigh", "normal, by default"),
        ("decision", "Pick", "post: to Confirm"),
        ("conclusion", "Confirm", "hours = 2"),
        ("fact", "Order", "triage.order: ok"),
        ("decision", "Order", "ok: to Ordered"),
    ]


def test_a_run_that_goes_in_circles_writes_no_more_than_two_hundred_notes() -> None:
    memory = Memory(table(), context())
    for number in range(201):
        memory.note("fact", str(number))
    assert [note.text for note in memory.notes] == [str(number) for number in range(200)]
