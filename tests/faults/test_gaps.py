"""A process is killed in each gap of a booking that a caller has agreed to: another one takes the call over, one booking
stands in the book, and what the caller hears of it is true.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
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
# Those at which the process kills itself, in crashable.py.
INSIDE = (
    "before the intent",
    "between the intent and the effect",
    "between the effect and its log",
    "between the log and the commit",
    "between the commit and the answer",
)
# So many pieces of audio, and the caller has heard the beginning.
INTO_THE_WORDS = 8
TOLD = "is booked. Is there anything else I can do for you?"


@pytest.mark.parametrize("gap", [*INSIDE, "between the answer and its words", "in the middle of its words"])
def test_process_killed_in_a_gap_of_the_booking_books_once_and_tells_the_truth(
    tmp_path: Path, figures: Figures, gap: str
) -> None:
    async def act(scene: Scene) -> None:
        first, second = scene.nodes

        def kill() -> None:
            first.signal(signal.SIGKILL)

        def prepare() -> None:
            scene.vaic.target = second.address
            if gap in INSIDE:
                first.die_in(gap)
            else:
                scene.line.watch = after_the_answer(0 if gap == "between the answer and its words" else INTO_THE_WORDS, kill)

        # Whether the yes was in the journal by then is chance: where it was not, it is asked for again.
        steps = (WISH[0], WISH[1], *WISH[1:])
        report = await scene.call(*steps, on_event=after_the_question(prepare), ops_url=second.ops_url)
        record = await scene.record()
        assert await first.process.wait() == -signal.SIGKILL
        assert report.outcome == "bot-disconnected"
        assert (record.outcome, record.tasks[0].states, record.tasks[0].result) == ("completed", BOOKED, "booked")
        assert len(scene.appointments()) == 1
        assert TOLD in heard_words(report)
        yes, last_yes = (turn for turn in report.turns if turn.text.startswith("Yes"))

    play(tmp_path, figures, act, nodes=2, program=CRASHABLE)


def after_the_answer(deltas: int, do: Callable[[], object]) -> Callable[[Passed], None]:
    """Once: when a function's output is on its way to the model, and then so many pieces of what the model says."""
    left: int | None = None

    def watch(passed: Passed) -> None:
        nonlocal left
        if left is None and _is_output(passed):
            left = deltas
        elif left and passed.kind == "response.output_audio.delta":
            left -= 1
        else:
            return
        if left == 0:
            do()

    return watch


def _is_output(passed: Passed) -> bool:
    return passed.kind == "conversation.item.create" and passed.frame["item"]["type"] == "function_call_output"
