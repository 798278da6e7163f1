"""Tasks of somebody else's that misbehave: their callers hear a polite sentence, and no other call notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.tasks.effect_attempts import UNSURE
from actors.tasks.router import SORRY
from lab.caller import CallReport, Say
from lab.caller.script import ScriptStep
from store.journal import CallRecord
from tests.calls.live import heard_words, spoken
from tests.faults.bad_tasks import install
from tests.faults.scene import Scene, play

Figures = dict[str, float]
# An agent is begun three times before it is given up.
BEGINNINGS = 3


def refused_politely(scene: Scene, report: CallReport, record: CallRecord, apology: str, limit_s: float) -> None:
    """The task's caller heard an apology to its end, in time, and went on with the call to a proper goodbye."""
    name = record.conversation_id
    assert (report.outcome, record.outcome) == ("bot-disconnected", "completed"), name
    assert [task.result for task in record.tasks] == ["failed", "hangup"], record.tasks
    number = [turn.text for turn in report.turns].index(apology)
    answer, asked = report.turns[number], report.turns[number - 1]
    assert (asked.role, answer.gap_ms) == ("caller", 0), name
    assert apology in heard_words(report), name
    scene.measured(f"{name}: words", answer.began_ms - asked.ended_ms, limit_s)


async def call(scene: Scene, name: str, pause_ms: int, wish: str, *then: str | ScriptStep) -> CallReport:
    said = Say(spoken(wish, scene.folder / f"{name}.wav"))
    return await scene.call(said, *then, conversation_id=name, ops_url=scene.nodes[0].ops_urls[0], pause_ms=pause_ms)


# What is said, what follows, and the apology. After a yes only the effect's log tells whether it was done.
WISHES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "exits in a check": ("Please order a taxi for me.", ("slt_time_1030",), SORRY),
    "exits in a guard": ("I want to report a broken window.", (), SORRY),
    "exits in an effect": ("Please send me a brochure.", ("slt_yes_correct",), UNSURE),
    "raises at its start": ("I would like to donate blood.", (), SORRY),
    "exits at its start": ("I need help with my computer.", (), SORRY),
}


@pytest.mark.alone
def test_task_that_exits_or_never_starts_fails_alone_and_politely(tmp_path: Path, figures: Figures) -> None:
    async def act(scene: Scene) -> None:
        # They do not all speak at once: the lab's ears are not what is measured.
        pauses_ms = range(600, 600 + 600 * len(WISHES), 600)
        reports = await asyncio.gather(
            *(
                call(scene, name, pause_ms, wish, *then, "slt_goodbye")
                for pause_ms, (name, (wish, then, _)) in zip(pauses_ms, WISHES.items(), strict=True)
            )
        )
        for (name, (_, _, apology)), report in zip(WISHES.items(), reports, strict=True):
            refused_politely(scene, report, await scene.record(name), apology, 2)
        assert scene.nodes[0].log.read_text().count("child died") == len(WISHES) * BEGINNINGS

    play(tmp_path, figures, act, environment=install(tmp_path))
