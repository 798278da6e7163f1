"""Saying goodbye."""

from __future__ import annotations

from fsm.agents.end_call import END_CALL
from fsm.effects import TaskContext
from fsm.run import TaskRun
from fsm.testing import Recorder
from tests.appointments.practice import NOW
from tests.fsm.conversation import told


def test_goodbye_ends_the_call_at_once() -> None:
    run = TaskRun(END_CALL, TaskContext("c-1", "t9", "", lambda: NOW), Recorder())
    answer = run.open("{}")
    assert answer.outcome == "hangup"
    assert told(answer)["say"] == "Thank you for calling. Goodbye."
    assert run.tools() == ()
