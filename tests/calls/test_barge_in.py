"""Barge-in: the bot stops at once, VAIC and the model are informed, and the conversation goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path

import pytest

from lab.caller import CallReport, Interrupt
from tests.calls.live import Practice, practice, recording, said_on
from tests.calls.tap import Passed
from tests.paced_loop import run_paced

SPEED = 6.0
STOP_LIMIT_MS = 100.0
# Between what the daemon reckons and the ear has: 50 ms of the clock, for the ticks of the ear and a busy machine.
EAR_MS = 50 * SPEED


@dataclass(frozen=True)
class Cut:
    """One play stream that the caller spoke into: what the model said of it, and what the daemon did then.

    after: all that passed from then on.
    """

    stream: str
    heard: Passed
    told: Passed
    stopped: Passed
    truncated: Passed
    after: Sequence[Passed]

    @property
    def stop_ms(self) -> float:
        """From `speech_started` to `playStream.stop`, on the clock."""
        return self.stopped.at_ms - self.heard.at_ms


def cuts(passed: Sequence[Passed]) -> list[Cut]:
    """Every `speech_started` of the model's that came while a play stream was open."""
    found = []
    stream: str | None = None
    for place, each in enumerate(passed):
        match each.kind:
            case "playStream.start":
                stream = each.frame["streamId"]
            case "playStream.stop":
                stream = None
            case "input_audio_buffer.speech_started" if stream is not None:
                after = passed[place:]
                follow = ("userStream.speech.started", "playStream.stop", "conversation.item.truncate")
                told, stopped, truncated = (next(one for one in after if one.kind == kind) for kind in follow)
                found.append(Cut(stream, each, told, stopped, truncated, after))
    return found


def assert_silent_at_once(cut: Cut) -> None:
    # speech.started goes to VAIC first: it makes VAIC drop its buffer, and keeps the stop from being a normal end.
    assert cut.after.index(cut.told) < cut.after.index(cut.stopped)
    assert cut.stopped.frame["streamId"] == cut.stream
    assert cut.stop_ms < STOP_LIMIT_MS
    rest = cut.after[cut.after.index(cut.told) :]
    assert cut.stream not in [each.frame["streamId"] for each in rest if each.kind == "playStream.chunk"]


async def assert_cut(services: Practice, report: CallReport, times: int) -> list[float]:
    """The bot was silent at once so many times, and model and record know what the ear had; ms it took each time."""
    record = await services.record()
    assert (report.outcome, report.errors) == ("bot-disconnected", ())
    interrupted = cuts(services.line.passed)
    assert len(interrupted) == report.barge_ins == record.barge_ins == times
    assert not services.line.of("model", "daemon", "error")

    ears = [turn for turn in report.turns if turn.role == "bot" and turn.sent_ms - turn.heard_ms > 100]
    books = {turn.item_id: turn for turn in record.turns}
    for cut, at_the_ear in zip(interrupted, ears, strict=True):
        assert_silent_at_once(cut)
        truncated = cut.truncated.frame
        assert 0 < truncated["audio_end_ms"] < at_the_ear.sent_ms
        assert abs(truncated["audio_end_ms"] - at_the_ear.heard_ms) <= EAR_MS
        assert books[truncated["item_id"]].heard_ms == truncated["audio_end_ms"]
    return [round(cut.stop_ms, 1) for cut in interrupted]


def test_a_greeting_that_is_interrupted_stops_at_once(tmp_path: Path) -> None:
    async def call() -> None:
        async with practice(tmp_path, speed=SPEED, tapped=True) as services:
            report = await services.call(Interrupt(recording("slt_goodbye"), after_ms=1500))

            await assert_cut(services, report, 1)
            assert report.turns[-1].text == "Thank you for calling. Goodbye."

    run_paced(call())


@pytest.mark.faults
def test_a_caller_who_interrupts_is_heard_and_the_bot_is_silent_at_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async def call() -> None:
        async with practice(tmp_path, speed=SPEED, tapped=True) as services:
            report = await services.call(
                Interrupt(recording("slt_book_named"), after_ms=100),  # the model still speaks
                Interrupt(recording("slt_correct_time"), after_ms=1500),  # it has said all of its sentence
                "slt_yes_correct",
                Interrupt(recording("slt_goodbye"), after_ms=1500),
            )

            [appointment] = services.appointments()
            assert appointment.starts_at in said_on(await services.record(), 1, time(14, 30))
            record_property("stop_ms", await assert_cut(services, report, 3))
            done = [each.frame["response"]["status"] for each in services.line.of("model", "daemon", "response.done")]
            assert "cancelled" in done

    run_paced(call())
