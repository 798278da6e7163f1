"""Recordings of calls to a real daemon, beside what the simulated caller's own ear has recorded."""

from __future__ import annotations

from pathlib import Path

from lab.caller import Drop, Interrupt
from recordings.part import CallManifest
from tests.calls.live import practice, recording
from tests.paced_loop import run_paced
from tests.recordings.bots import recorded_bots
from tests.recordings.ears import assert_alike, read

SPEED = 4.0
# Of a call's time: the ear hears in ticks of 20 ms, and a message is on its way for a ms of the clock.
TOLERANCE_MS = 20 + SPEED


def test_a_recording_is_what_the_callers_own_ear_has_recorded(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    async def call() -> None:
        async with practice(tmp_path, speed=SPEED, bots=recorded_bots(tmp_path), recordings=str(kept)) as services:
            report = await services.call(
                Interrupt(recording("slt_book_named"), after_ms=1500),
                Drop(resume_after_ms=400),
                "slt_yes_correct",
                "slt_goodbye",
                formats=("raw/mulaw",),
                out_wav=tmp_path / "ear.wav",
            )
            assert report.outcome == "bot-disconnected"
            assert report.barge_ins == 1
            assert [step.what for step in (await services.record()).recording] == ["always"]

    run_paced(call())
    (file,) = kept.glob("*/c-1/manifest.json")
    (part,) = CallManifest.model_validate_json(file.read_bytes()).parts
    assert (part.complete, part.wire_format, part.bot, part.epoch) == (True, "raw/mulaw", "linden", 1)
    assert [gap.why for gap in part.gaps] == ["caller away"]
    away_ms = [(gap.from_ms, gap.to_ms) for gap in part.gaps]
    assert_alike(read(file.parent / part.sound.name), read(tmp_path / "ear.wav"), TOLERANCE_MS, away_ms)
    assert list((kept / "spool").iterdir()) == []
