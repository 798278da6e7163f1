"""What callers say in the fault tests, and what must be true after it whatever broke meanwhile."""

from __future__ import annotations

from collections import Counter
from datetime import time

from tests.calls.live import BOOKED, said_on
from tests.faults.scene import Scene

# What the caller says, by the names of the recordings.
WISH = ("slt_book_named", "slt_yes_correct", "slt_goodbye")
QUESTION = ("slt_hours", "slt_goodbye")
ONE_MOMENT = "One moment, please."


async def booked_once(scene: Scene) -> None:
    """One appointment, one run of the task, which went its whole way once."""
    record = await scene.record()
    assert record.outcome == "completed"
    assert [(task.states, task.result) for task in record.tasks if task.agent == "book_appointment"] == [
        (BOOKED, "booked")
    ]
    [appointment] = scene.appointments()
    assert appointment.starts_at in said_on(record, 1, time(10, 30))
    said = Counter(turn.text for turn in record.turns if turn.role == "bot" and turn.text != ONE_MOMENT)
    assert set(said.values()) == {1}


async def booked_once_more_asked(scene: Scene) -> None:
    """As booked_once; but who has taken the call over may have asked its question again."""
    record = await scene.record()
    assert record.outcome == "completed"
    assert [task.result for task in record.tasks] == ["booked", "hangup"]
    assert len(scene.appointments()) == 1
