"""The recordings of a daemon: they are made while it serves and as it ends, and what others have left is finished."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from sqlalchemy import Engine

import gateway.recordings
from actors.system.signals import ChildDied
from gateway.recordings import Recordings, fault_of
from gateway.settings import Settings, SettingsError, read_settings, ring_of
from protocols.sealing import read_ring
from recordings.kept import KeptRecordings
from recordings.part import CallManifest
from recordings.spool import SPOOL, PartFile, SpoolFolder
from store import schema
from store.data_keys import DataKeys, KeyGone, use_ring
from store.erasure import People
from tests.counted import counted
from tests.gateway.daemons import NO_MODEL, run, serving, socket, until
from tests.recordings.bots import recorded_bots
from tests.recordings.kept import FACTS, block, spooled


def settings(folder: Path, **changed: Any) -> Settings:
    return Settings(openai_url=NO_MODEL, recordings=str(folder), **changed)


class Made:
    """Recordings in a folder, without a daemon."""

    def __init__(self, folder: Path, **changed: Any) -> None:
        self.folder = folder
        self.recordings = Recordings(settings(folder, **changed), "me", lambda call: (call, 1))

    def manifests(self) -> dict[str, CallManifest]:
        return {
            path.parent.name: CallManifest.model_validate_json(path.read_bytes())
            for path in self.folder.glob("*/*/manifest.json")
        }


@pytest.fixture(autouse=True)
def at_leisure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes its time to make what is left: the limit only ends what hangs."""
    monkeypatch.setattr(gateway.recordings, "LEAVE_S", 120.0)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    made = Made(tmp_path)
    yield made
    made.recordings.leave()


def test_what_has_ended_is_made_and_what_has_not_is_left(made: Made) -> None:
    queue = made.recordings.queue
    queue.put(block(1, until_ms=3000.0, last=True))
    queue.put(block(1, until_ms=3000.0, part="other"))
    made.recordings.leave()
    assert [part.complete for part in made.manifests()["c-1"].parts] == [True]
    assert not any(each.stat().st_mode & 0o077 for each in made.folder.glob("2*/c-1/*"))
    assert [each.name for each in (made.folder / SPOOL / "me").iterdir() if each.name != "lock"] == ["other.part"]


def test_what_another_process_has_left_is_finished(made: Made, log_lines: list[str]) -> None:
    other = SpoolFolder.new(made.folder, "other")
    spooled([block(1, until_ms=3000.0)], other.path)
    made.recordings.look()
    assert made.manifests() == {}
    other.leave()
    made.recordings.look()
    assert [part.complete for part in made.manifests()["c-1"].parts] == [False]
    assert not other.path.exists()
    assert any("finished here" in line for line in log_lines)


def test_what_cannot_be_made_is_tried_again_later(made: Made, log_lines: list[str]) -> None:
    before = counted("tieline_recording_tries_total", result="failed")
    spooled([block(1, until_ms=3000.0, last=True)], made.folder / SPOOL / "me")
    (made.folder / "2026-11-23").touch()
    made.recordings.look()
    made.recordings.look()  # not yet
    assert counted("tieline_recording_tries_total", result="failed") - before == 1
    assert counted("tieline_recordings_due") == 1
    (line,) = (each for each in log_lines if "is not done yet" in each)
    assert "NotADirectoryError: [Errno 20]" in line


def test_a_writer_that_crashes_is_replaced(made: Made) -> None:
    first = made.recordings.queue.writer
    made.recordings.tell(ChildDied("recordings", 1, RuntimeError()))
    assert made.recordings.queue.writer is not first
    made.recordings.queue.put(block(1, until_ms=3000.0, last=True))
    first.stop()  # type: ignore[attr-defined]
    made.recordings.leave()
    assert "c-1" in made.manifests()


def test_a_folder_that_cannot_be_used_and_a_store_without_one_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for each in (tmp_path / "file", tmp_path / "file" / "in it"):
        with pytest.raises(SettingsError, match="TIELINE_RECORDINGS: "):
            Made(each)
        assert (
            fault_of(settings(each)) == f"TIELINE_RECORDINGS: {tmp_path / 'file'} is no folder that can be written to"
        )
    assert fault_of(settings(tmp_path / "new" / "one")) == ""
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"TIELINE_RECORDINGS_URL": "s3://calls"}, "TIELINE_RECORDINGS_URL: needs TIELINE_RECORDINGS too"),
        ({"TIELINE_RECORDINGS_URL": "calls", "TIELINE_RECORDINGS": "."}, "TIELINE_RECORDINGS_URL: must be a URL"),
    ],
)
def test_a_wrong_store_is_told(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], fault: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=fault):
        read_settings()


def test_a_call_is_recorded_by_a_daemon_without_a_word_of_the_bot(tmp_path: Path) -> None:
    """No model answers; what the caller said is there all the same."""
    kept = tmp_path / "kept"
    bots = recorded_bots(tmp_path)

    async def scene() -> None:
        async with serving(tmp_path, recordings=str(kept), bots=str(bots)) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-7", supportedMediaFormats=["raw/lpcm16"])
            await vaic.is_served("c-7")
            said = b64encode(b"\7\7" * 1600).decode()
            await vaic.says("userStream.chunk", conversationId="c-7", audioChunk=said)

            async def written() -> object:
                return daemon.journal.rows("c-7")

            await until(written)  # under the epoch of its lease
            await vaic.ends("c-7")

            async def there() -> list[Path]:
                return list(kept.glob("*/c-7/manifest.json"))

            await until(there)

    run(scene)
    (file,) = kept.glob("*/c-7/manifest.json")
    (part,) = CallManifest.model_validate_json(file.read_bytes()).parts
    assert (part.wire_format, part.epoch, part.complete) == ("raw/lpcm16", 1, True)
    assert len(part.anchors["caller"]) == 1


KEY, OTHER = "01" * 32, "02" * 32


class Sealed:
    """Recordings of a daemon with a key, whose store has a call's keys. folder: theirs."""

    def __init__(self, folder: Path, engine: Engine, key: str = KEY, process: str = "me", **more: Any) -> None:
        self.folder = folder
        self.engine = engine
        given = settings(folder, encryption_key=key, **more)
        use_ring(engine, ring_of(given))
        self.recordings = Recordings(given, process, lambda call: (call, 1), engine)
        self.keys = DataKeys(engine)

    def record(self, number: int = 1, *, last: bool = True) -> None:
        self.recordings.queue.put(block(number, ("b", 1000.0, "AAAA"), until_ms=3000.0 * number, last=last))

    def names(self) -> list[str]:
        return sorted(each.name for each in self.folder.glob("20*/*/*"))

    def copied(self, to: Path, url: str = "") -> dict[str, Exception | None]:
        kept = KeptRecordings(self.folder, url)
        return dict(kept.copy("c-1", FACTS.began_at, to, lambda call: self.keys.to_read(call, "audio")))


PART_FILES = [f"part-000000-000000000-p{each}" for each in (".flac", ".json", ".peaks.json")]


def test_with_a_key_recordings_are_made_sealed_and_read_by_who_has_it(tmp_path: Path, engine: Engine) -> None:
    sealed = Sealed(tmp_path / "kept", engine)
    sealed.record()
    sealed.recordings.leave()
    assert sealed.names() == [f"{each}.sealed" for each in ("manifest.json", *PART_FILES)]
    assert dict.fromkeys(["manifest.json", *PART_FILES]) == sealed.copied(tmp_path / "out")
    call = CallManifest.model_validate_json((tmp_path / "out" / "manifest.json").read_bytes())
    assert call.complete
    sound, rate = soundfile.read(tmp_path / "out" / PART_FILES[0])
    assert (rate, len(sound)) == (24_000, 48_000)
    copy = shutil.copytree(sealed.folder, tmp_path / "backup")  # made before the call is erased
    people = People(engine, outside=[KeptRecordings(sealed.folder)])
    assert people.erase(people.call("c-1"), "somebody", "").rows["recordings"] == 4
    assert sealed.names() == []
    sealed.folder = copy
    with pytest.raises(KeyGone):
        sealed.copied(tmp_path / "again")
    assert list((tmp_path / "again").iterdir()) == []


def test_another_process_finishes_and_uploads_what_one_has_spooled_that_was_killed(
    tmp_path: Path, engine: Engine
) -> None:
    first = Sealed(tmp_path / "kept", engine, process="first")
    first.record(last=False)
    writer = first.recordings.queue.writer
    writer.stop(block=False)  # type: ignore[attr-defined]
    assert writer.actor_stopped.wait(60)  # type: ignore[attr-defined]
    first.recordings._own.leave()
    (tmp_path / "store").mkdir()
    url = f"file://{tmp_path / 'store'}"
    second = Sealed(first.folder, engine, key=f"{OTHER},{KEY}", process="second", recordings_url=url)
    second.recordings.look()
    second.recordings.leave()
    assert second.names() == []
    assert sorted(each.name for each in (tmp_path / "store").glob("*/*/*")) == [
        f"{each}.sealed" for each in ("manifest.json", *PART_FILES)
    ]
    assert set(second.copied(tmp_path / "out", url).values()) == {None}
    (part,) = CallManifest.model_validate_json((tmp_path / "out" / "manifest.json").read_bytes()).parts
    assert not part.complete


@pytest.mark.parametrize("away", ["the database", "the key"])
def test_while_keys_are_away_recordings_wait_in_the_spool(tmp_path: Path, engine: Engine, away: str) -> None:
    dead = SpoolFolder.new(tmp_path, "dead")
    file = PartFile(dead.path, "p", FACTS, read_ring(KEY))
    file.write(block(1, ("b", 1000.0, "AAAA"), until_ms=3000.0, last=True))
    file.end()
    dead.leave()
    if away == "the database":
        schema.data_key.drop(engine)
    for key, made in ((OTHER if away == "the key" else KEY, 0), (KEY, 4)):
        sealed = Sealed(tmp_path, engine, key, key[:2] + str(made))
        sealed.recordings.look()
        sealed.recordings.leave()
        assert len(sealed.names()) == made
        if not made:
            assert [each.suffix for each in dead.path.iterdir() if each.name != "lock"] == [".done"]
            schema.data_key.create(engine, checkfirst=True)
    assert not dead.path.exists()
