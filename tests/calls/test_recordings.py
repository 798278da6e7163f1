"""Recordings of calls to a real daemon, beside what the simulated caller's own ear has recorded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lab.caller import Drop, Interrupt
from recordings.part import CallManifest
from tests.calls.live import practice, recording
from tests.gateway.daemons import until
from tests.paced_loop import run_paced
from tests.recordings.ears import difference, read

BOTS = Path(__file__).parents[2] / "bots"


def recorded_bots(folder: Path, mode: str = "always") -> Path:
    """The example bots, whose calls are recorded."""
    bots = folder / "bots"
    shutil.copytree(BOTS, bots)
    for file in bots.glob("*/bot.toml"):
        file.write_text(f'{file.read_text()}\n[recording]\nmode = "{mode}"\n')
    return bots


def test_x(tmp_path: Path) -> None:
    async def call() -> None:
        async with practice(tmp_path, speed=4, bots=recorded_bots(tmp_path), recordings=tmp_path / "kept") as services:
            report = await services.call(
                Interrupt(recording("slt_book_named"), after_ms=1500),
                "slt_yes_correct",
                Drop(resume_after_ms=400),
                "slt_goodbye",
                out_wav=tmp_path / "ear.wav",
            )
            print(report.outcome, report.errors)
            print((await services.record()).recording)

    run_paced(call())
    (kept,) = (tmp_path / "kept").glob("*/*/manifest.json")
    manifest = CallManifest.model_validate_json(kept.read_text())
    (part,) = manifest.parts
    print(json.dumps(part.model_dump(mode="json"), indent=1))
    ours, theirs = read(kept.parent / part.sound.name), read(tmp_path / "ear.wav")
    print(len(ours) / 24, len(theirs) / 24)
    for track in (0, 1):
        d = difference(ours[:, track], theirs[:, track])
        print(d)
    assert 0
