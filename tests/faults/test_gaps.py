"""A process is killed in each gap of a booking that a caller has agreed to: another one takes the call over.

One booking stands in the book, and what the caller hears of it is true.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from store import schema
from store.database import reading
from store.journal import CallRecord
from tests.calls.live import BOOKED, heard_words
from tests.calls.tap import Passed
from tests.faults.scene import CRASHABLE, Scene, after_the_question, play
from tests.faults.test_model import WISH

Figures = dict[str, float]
QUESTION, TOLD = "Shall I book it?", "is booked. Is there anything else I can do for you?"
# By then nothing is booked, and nobody knows of the yes: it is asked for again.
UNDONE = (
    "before the intent",
    "between the intent and the effect",
    "between the effect and its log",
    "between the log and the commit",
)
COMMITTED = "between the commit and the answer"
# At those above the process kills itself, in crashable.py; at these it is killed, by so many pieces of audio.
SPEAKING = {"between the answer and its words": 0, "in the middle of its words": 8}


@pytest.mark.parametrize("gap", [*UNDONE, COMMITTED, *SPEAKING])
def test_process_killed_in_a_gap_of_the_booking_books_once_and_tells_the_truth(
    tmp_path: Path, figures: Figures, gap: str
) -> None:
    async def act(scene: Scene) -> None:
        first, second = scene.nodes

        def prepare() -> None:
            scene.vaic.target = second.address
            if gap in SPEAKING:
                scene.line.watch = after_the_answer(SPEAKING[gap], lambda: first.signal(signal.SIGKILL))
            else:
                first.die_in(gap)

        asked = 2 if gap in UNDONE else 1
        steps = (WISH[0], *[WISH[1]] * asked, *WISH[2:])
        report = await scene.call(
            *steps, on_event=after_the_question(prepare), ops_url=second.ops_urls[0], pause_ms=600
        )
        record = await scene.record()
        assert await first.process.wait() == -signal.SIGKILL
        assert (report.outcome, report.errors, record.outcome) == ("bot-disconnected", (), "completed")
        assert [(task.states, task.result) for task in record.tasks] == [(BOOKED, "booked"), (("HungUp",), "hangup")]
        assert len(scene.appointments()) == 1
        heard = heard_words(report)
        assert (heard.count(QUESTION), heard.count(TOLD)) == (asked, 1)
        assert booked_at(scene) < told_at(record)
        lost_ms, resumed_ms = scene.resumed(report, 3)
        talk = next(turn for turn in report.turns if turn.role == "bot" and turn.began_ms > resumed_ms)
        scene.measured("talk after the loss", talk.began_ms - lost_ms, 4)

    play(tmp_path, figures, act, nodes=2, program=CRASHABLE)


def booked_at(scene: Scene) -> datetime:
    with reading(scene.database) as connection:
        [settled_at] = connection.scalars(select(schema.effect.c.settled_at))
    assert isinstance(settled_at, datetime)
    return settled_at


def told_at(record: CallRecord) -> datetime:
    """When the caller first heard anything of a booking."""
    turn = next(turn for turn in record.turns if "is booked" in turn.text and turn.began_ms is not None)
    return record.started_at + timedelta(milliseconds=turn.began_ms or 0)


def after_the_answer(pieces: int, do: Callable[[], object]) -> Callable[[Passed], None]:
    """Once: when a function's output is on its way to the model, and then so many pieces of what the model says."""
    left: int | None = None

    def watch(passed: Passed) -> None:
        nonlocal left
        if left is None and _is_output(passed):
            left = pieces
        elif left and passed.kind == "response.output_audio.delta":
            left -= 1
        else:
            return
        if left == 0:
            do()

    return watch


def _is_output(passed: Passed) -> bool:
    return passed.kind == "conversation.item.create" and passed.frame["item"]["type"] == "function_call_output"
