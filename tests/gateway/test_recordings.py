"""The recordings of a daemon: they are made while it serves and as it ends, and what others have left is finished."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.system.signals import ChildDied
from gateway.recordings import Recordings
from gateway.settings import Settings, SettingsError, read_settings
from recordings.part import CallManifest
from recordings.spool import SPOOL, SpoolFolder
from tests.counted import counted
from tests.gateway.daemons import NO_MODEL, run, serving, socket, until
from tests.recordings.bots import recorded_bots
from tests.recordings.kept import block, spooled


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


def test_what_cannot_be_made_is_tried_again_later(made: Made) -> None:
    before = counted("tieline_recording_tries_total", result="failed")
    spooled([block(1, until_ms=3000.0, last=True)], made.folder / SPOOL / "me")
    (made.folder / "2026-11-23").touch()
    made.recordings.look()
    made.recordings.look()  # not yet
    assert counted("tieline_recording_tries_total", result="failed") - before == 1
    assert counted("tieline_recordings_due") == 1


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
    with pytest.raises(SettingsError, match="TIELINE_RECORDINGS: "):
        Made(tmp_path / "file")


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
