"""A call's figures in its record, beside what its caller has measured at the other end of the line."""

from __future__ import annotations

from pathlib import Path

from lab.caller import Interrupt
from tests.calls.live import practice, recording
from tests.paced_loop import run_paced

# The engine's ears judge where speech ends by pieces of 32 ms, and the caller's own recordings fade out.
HEARS_WITHIN_MS = 150


def test_the_record_tells_what_the_caller_has_waited_for_and_what_it_cost(tmp_path: Path) -> None:
    async def call() -> None:
        async with practice(tmp_path) as services:
            report = await services.call("slt_hours", Interrupt(recording("slt_book")), "slt_goodbye")
            record = await services.record()

        assert report.errors == ()
        caller = [turn for turn in record.turns if turn.role == "caller"]
        assert len(caller) == len(report.first_audio_ms) == 3
        for turn, ear_ms in zip(caller, report.first_audio_ms, strict=True):
            assert turn.answer is not None
            assert sum(turn.answer.stages.values()) == turn.answer.answer_ms
            assert ear_ms is not None
            assert abs(turn.answer.answer_ms - ear_ms) <= HEARS_WITHIN_MS
            assert turn.tokens["output_audio"]
            assert turn.cost_usd
        (stopped_ms,) = report.barge_in_stop_ms
        assert [each.yield_ms is None for each in caller] == [True, False, True]
        assert abs((caller[1].yield_ms or 0) - stopped_ms) <= HEARS_WITHIN_MS

        figures = record.figures
        first = next(turn for turn in report.turns if turn.role == "bot")
        assert figures.greeting_ms is not None
        assert abs(figures.greeting_ms - first.began_ms) <= HEARS_WITHIN_MS
        assert len(figures.dials_ms) == 1
        assert figures.unheard_ms > 0  # what the caller has cut off
        assert figures.unpriced == ()
        assert {"output_text", "input_text", "input_audio", "output_audio"} <= figures.tokens.keys()
        # The whole is the sum of its turns.
        assert figures.cost_usd is not None
        assert abs(figures.cost_usd - sum(turn.cost_usd or 0 for turn in record.turns)) < 1e-4

    run_paced(call())
