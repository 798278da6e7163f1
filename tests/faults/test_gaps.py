"""Processes are killed at each point of a confirmed booking, and another process takes the calls over.

Each call must end with exactly one booking, and what its caller hears about it must be true.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from lab.caller import Say
from store import schema
from store.database import reading
from store.journal import CallRecord
from tests.calls.live import BOOKED, heard_words, spoken
from tests.calls.tap import Passed
from tests.faults.scene import CRASHABLE, LIMIT_S, Scene, after_the_question, play
from tests.faults.scripts import WISH

Figures = dict[str, float]
QUESTION, TOLD = "Shall I book it?", "is booked. Its code is"
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
# Each caller wants a time of his own, and is understood.
TIMES = ("one in the afternoon", "two in the afternoon", "three in the afternoon", "half past nine in the morning")


@pytest.mark.parametrize("gaps", [UNDONE, (COMMITTED, *SPEAKING)], ids=["before it is done", "when it is done"])
def test_process_killed_in_a_gap_of_the_booking_books_once_and_tells_the_truth(
    tmp_path: Path, figures: Figures, gaps: tuple[str, ...]
) -> None:
    """One process and caller per gap; each caller resumes at the one process that is left.

    One after another: the lab's ears take seconds for several callers who speak at once, and a bot that gets no answer
    from its model asks them to say it again, which no script knows.
    """

    async def act(scene: Scene) -> None:
        for number, gap in enumerate(gaps):
            await killed_in(gap, scene, number)
        assert len(scene.appointments()) == len(gaps)

    play(tmp_path, figures, act, nodes=len(gaps) + 1, program=CRASHABLE, limit_s=len(gaps) * LIMIT_S)


async def killed_in(gap: str, scene: Scene, number: int) -> None:
    node, other, name = scene.nodes[number], scene.nodes[-1], f"c-{number}"

    def prepare() -> None:
        node.vaic.target = other.address
        if gap in SPEAKING:
            node.line.watch = after_the_answer(SPEAKING[gap], lambda: node.signal(signal.SIGKILL))
        else:
            node.die_in(gap)

    wish = spoken(
        f"Please book me an appointment for tomorrow at {TIMES[number]}. My name is Maria Lopez.",
        scene.folder / f"{name}.wav",
    )
    asked = 2 if gap in UNDONE else 1
    report = await scene.call(
        Say(wish), *[WISH[1]] * asked, *WISH[2:],
        conversation_id=name, node=number, on_event=after_the_question(prepare), ops_url=other.ops_urls[0],
        # Who is cut off in the middle of a sentence waits for the rest of it.
        pause_ms=1500 if gap in SPEAKING else 600, attentive=True,
    )  # fmt: skip
    record = await scene.record(name)
    assert await node.process.wait() == -signal.SIGKILL
    assert (report.outcome, report.errors, record.outcome) == ("bot-disconnected", (), "completed"), gap
    assert [(task.states, task.result) for task in record.tasks] == [(BOOKED, "booked"), (("HungUp",), "hangup")], gap
    assert [each.conversation_id for each in scene.appointments()].count(name) == 1, gap
    heard = heard_words(report)
    assert (heard.count(QUESTION), heard.count(TOLD)) == (asked, 1), gap
    assert booked_at(scene, name) < told_at(record), gap
    scene.talks_again(report, 3, 4, f"{gap}: ")


def booked_at(scene: Scene, conversation_id: str) -> datetime:
    query = select(schema.effect.c.settled_at).where(schema.effect.c.conversation_id == conversation_id)
    with reading(scene.database) as connection:
        [settled_at] = connection.scalars(query)
    assert isinstance(settled_at, datetime)
    return settled_at


def told_at(record: CallRecord) -> datetime:
    """When the caller first heard about the booking."""
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
