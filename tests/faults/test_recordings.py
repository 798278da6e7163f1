"""Recordings of many calls, of all formats, with barge-ins and lost sockets, and of one whose process is killed.

TIELINE_RECORDED_CALLS: how many calls, shared out over the formats; 200 take an hour of one process.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest
from sqlalchemy import Engine as Database

from gateway.daemon import run
from lab.caller import BotSpoke, CallerEvent, CallSettings, Drop, Interrupt, Say, place_call
from lab.engine import Engine, EngineSettings
from protocols.media import KNOWN
from protocols.sealing import read_ring
from recordings.kept import KeptRecordings
from recordings.part import CallManifest, PartManifest
from store.data_keys import DataKeys, use_ring
from store.database import open_database
from store.journal import Journal
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


def opened(kept: Path, url: str, key: str) -> Path:
    """A folder with the recordings of the call c-1 in clear text; theirs, where there is no key."""
    if not key:
        return kept
    to = Path(mkdtemp(dir=kept.parent)) / "2026-01-01" / "c-1"
    engine = store(url, key)
    keys = DataKeys(engine)
    try:
        copied = dict(KeptRecordings(kept).copy("c-1", None, to, lambda call: keys.to_read(call, "audio")))
    except FileNotFoundError:  # it was just being replaced
        copied = {}
    engine.dispose()
    assert set(copied.values()) <= {None}
    return to.parents[1]


def store(url: str, key: str) -> Database:
    engine = open_database(url)
    use_ring(engine, read_ring(key))
    return engine


def assert_nobody_reads(url: str, key: str) -> None:
    """What was said in the call c-1 is in its record for who has the key, and nowhere in the database's files."""
    engine = store(url, key)
    journal = Journal(engine)
    record, epochs = journal.record("c-1"), {row.epoch for row in journal.rows("c-1")}
    engine.dispose()
    assert record is not None
    assert epochs == {1, 2}
    said = [turn.text for turn in record.turns if len(turn.text) > 10]
    assert {turn.role for turn in record.turns if turn.text in said} == {"bot", "caller"}
    file = Path(url.removeprefix("sqlite:///"))
    stored = b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
    assert b"c-1" in stored
    assert not [text for text in said if text.encode() in stored]


@pytest.mark.parametrize("media", KNOWN)
def test_every_recording_is_what_the_ear_has_recorded(tmp_path: Path, figures: dict[str, float], media: str) -> None:
    kept, found = tmp_path / "kept", list[Difference]()
    bots = recorded_bots(tmp_path)

    async def call(number: int) -> CallManifest:
        async with practice(tmp_path, speed=SPEED, bots=bots, recordings=str(kept)) as services:
            await services.call(
                *SCRIPTS[number % len(SCRIPTS)],
                conversation_id=f"call-{number}",
                formats=(media,),
                out_wav=tmp_path / "ear.wav",
            )
            # A daemon that ends leaves what it cannot make in time to the next one.
            return await until(partial(made, f"call-{number}"), LIMIT_S)

    async def made(name: str) -> CallManifest | None:
        return manifest_of(kept, name)

    for number in range(CALLS // len(KNOWN)):
        manifest = run_paced(call(number))
        (part,) = manifest.parts
        assert part.complete
        away_ms = [(gap.from_ms, gap.to_ms) for gap in part.gaps]
        found += assert_alike(sound_of(kept, part), read(tmp_path / "ear.wav"), TOLERANCE_MS, away_ms)
    figures["caller"] = round(max(each.worst_ms for each in found[0::2]), 1)
    figures["bot"] = round(max(each.worst_ms for each in found[1::2]), 1)
    figures["n of windows"] = sum(each.windows for each in found)


def assert_lost_little(kept: Path, lost_at_ms: int, ear: Path) -> None:
    """The call c-1, whose process was killed, has two parts, each as the ear has it, and the first ends in time."""
    manifest = manifest_of(kept, "c-1")
    assert manifest is not None
    one, two = manifest.parts
    assert (one.epoch, two.epoch) == (1, 2)
    assert (one.complete, two.complete, manifest.complete) == (False, True, False)
    assert one.since_call_ms < 1000
    assert one.began_at < two.began_at
    assert lost_at_ms - 5000 <= one.length_ms <= lost_at_ms + 40
    theirs, later_ms = read(ear), list[float]()
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


@pytest.mark.parametrize("key", ["", "01" * 32], ids=["plain", "encrypted"])
def test_a_call_whose_process_is_killed_has_two_parts_and_lost_no_more_than_five_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    kept, url = tmp_path / "kept", f"sqlite:///{tmp_path}/practice.sqlite3"
    if key:
        monkeypatch.setenv("TIELINE_ENCRYPTION_KEY", key)
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
        found = manifest_of(opened(kept, url, key), "c-1")
        return found if found is not None and len(found.parts) == 2 else None

    run(scene())
    if key:
        assert all(each.name.endswith(".sealed") for each in kept.glob("20*/c-1/*"))
        assert_nobody_reads(url, key)
    assert_lost_little(opened(kept, url, key), lost_at[0], tmp_path / "ear.wav")
