"""Recordings of many calls, of all formats, with barge-ins and lost sockets, and of one whose process is killed.

TIELINE_RECORDED_CALLS: how many calls; 200 take an hour.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.daemon import run
from lab.caller import BotSpoke, CallerEvent, CallSettings, Drop, Interrupt, Say, place_call
from lab.engine import Engine, EngineSettings
from protocols.media import KNOWN
from recordings.part import CallManifest, PartManifest
from tests.calls.live import LIMIT_S, PAUSE_MS, practice, recording
from tests.calls.process import process
from tests.calls.tap import Line, Tap
from tests.gateway.daemons import until
from tests.paced_loop import run_paced
from tests.recordings.bots import recorded_bots
from tests.recordings.ears import ALIKE, RATE_HZ, Difference, Sound, assert_alike, difference, read

CALLS = int(os.environ.get("TIELINE_RECORDED_CALLS", "16"))
SPEED = 2.0
TOLERANCE_MS = 20 + SPEED
SCRIPTS = (
    (Interrupt(recording("slt_book_named"), after_ms=1500), Say(recording("slt_goodbye"))),
    (Say(recording("slt_hours")), Drop(resume_after_ms=700), Say(recording("slt_goodbye"))),
)


def manifest_of(kept: Path, call: str) -> CallManifest | None:
    found = list(kept.glob(f"*/{call}/manifest.json"))
    return CallManifest.model_validate_json(found[0].read_bytes()) if found else None


def sound_of(kept: Path, part: PartManifest) -> Sound:
    (file,) = kept.glob(f"*/{part.call}/{part.sound.name}")
    return read(file)


def test_every_recording_is_what_the_ear_has_recorded(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    kept, found = tmp_path / "kept", list[Difference]()
    bots = recorded_bots(tmp_path)

    async def call(number: int) -> None:
        async with practice(tmp_path, speed=SPEED, bots=bots, recordings=str(kept)) as services:
            await services.call(
                *SCRIPTS[number // len(KNOWN) % 2],
                conversation_id=f"call-{number}",
                formats=(list(KNOWN)[number % len(KNOWN)],),
                out_wav=tmp_path / "ear.wav",
            )

    for number in range(CALLS):
        run_paced(call(number))
        manifest = manifest_of(kept, f"call-{number}")
        assert manifest is not None
        (part,) = manifest.parts
        assert part.complete
        away_ms = [(gap.from_ms, gap.to_ms) for gap in part.gaps]
        found += assert_alike(sound_of(kept, part), read(tmp_path / "ear.wav"), TOLERANCE_MS, away_ms)
    record_property("worst_ms", max(each.worst_ms for each in found))
    record_property("windows", sum(each.windows for each in found))


def test_a_call_whose_process_is_killed_has_two_parts_and_lost_no_more_than_five_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, url = tmp_path / "kept", f"sqlite:///{tmp_path}/practice.sqlite3"
    monkeypatch.setenv("TIELINE_RECORDINGS", str(kept))
    monkeypatch.setenv("TIELINE_BOTS", str(recorded_bots(tmp_path)))
    lost_at = list[int]()

    async def scene() -> None:
        async with (
            asyncio.timeout(LIMIT_S),
            Engine(EngineSettings(port=0, speed=1.0)) as engine,
            process(engine.url, url, 1.0) as first,
            process(engine.url, url, 1.0) as second,
            Tap(first.url, Line(), client="vaic", server="daemon") as vaic,
        ):

            def happened(event: CallerEvent) -> None:
                if isinstance(event, BotSpoke) and not lost_at and event.ended_ms > 10_000:
                    first.kill()
                    lost_at.append(event.ended_ms)
                    vaic.target = second.url
                    vaic.cut()

            settings = CallSettings(
                url=vaic.url,
                conversation_id="c-1",
                pause_ms=PAUSE_MS,
                patience_s=60,
                limit_s=LIMIT_S,
                formats=("raw/lpcm16",),
                out_wav=tmp_path / "ear.wav",
            )
            script = [Say(recording(name)) for name in ("slt_book_named", "slt_yes_correct", "slt_goodbye")]
            report = await place_call(settings, script, happened)
            assert report.outcome == "bot-disconnected"
            await until(both)

    async def both() -> CallManifest | None:
        found = manifest_of(kept, "c-1")
        return found if found is not None and len(found.parts) == 2 else None

    run(scene())
    manifest = manifest_of(kept, "c-1")
    assert manifest is not None
    one, two = manifest.parts
    assert (one.epoch, two.epoch) == (1, 2)
    assert (one.complete, two.complete, manifest.complete) == (False, True, False)
    assert one.since_call_ms < 1000
    assert one.began_at < two.began_at
    assert lost_at[0] - 5000 <= one.length_ms <= lost_at[0] + 40
    theirs, later_ms = read(tmp_path / "ear.wav"), list[float]()
    for part in manifest.parts:
        ours = sound_of(kept, part)
        begin = part.since_call_ms * RATE_HZ // 1000
        caller, bot = (difference(ours[:, track], theirs[begin : begin + len(ours), track]) for track in (0, 1))
        assert caller.windows
        assert bot.windows
        assert min(caller.unlike, bot.unlike) > ALIKE
        # A call begins for us when its session.initiate has come; all that the caller says is as much later.
        assert abs(caller.worst_ms - abs(caller.by_ms)) <= TOLERANCE_MS
        later_ms.append(caller.by_ms)
    # The second part's place in the call is by the clocks of two processes.
    assert abs(later_ms[1] - later_ms[0]) <= TOLERANCE_MS
