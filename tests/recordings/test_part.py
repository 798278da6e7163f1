"""The files of a part: sound, waveform, manifest; what is missing is said."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from protocols.sealing import DataKey
from recordings.facts import ConsentStep, Entry
from recordings.keys import NoKeys
from recordings.part import CallManifest, PartManifest, folder_of, make_part
from recordings.sealed import header_of, unsealed_bytes
from tests.recordings.kept import FACTS, block, kept, spooled

RNG = np.random.default_rng(5)
TONE = RNG.integers(-9000, 9000, 24_000).astype("<i2")


def bot(at_ms: float, samples: np.ndarray = TONE) -> list[Entry]:
    """A second of the bot's in pieces of 100 ms, heard from that time on."""
    pieces = np.split(samples, 10)
    return [("b", at_ms + 100 * n, b64encode(each.tobytes()).decode()) for n, each in enumerate(pieces)]


def test_the_files_lie_by_day_and_call_and_are_hashed(tmp_path: Path) -> None:
    step = ConsentStep(what="notice heard", at_ms=5, words="You are recorded.", from_ms=1, to_ms=5)
    facts = FACTS.model_copy(update={"consent": (step,), "mode": "after_notice"})
    part = kept([block(1, *bot(1000), until_ms=3000, last=True, facts=facts)], tmp_path, key="c-1", epoch=3)
    where = tmp_path / "2026-11-23" / "c-1"
    assert part.path == where / "part-000003-000000000-p.json"
    manifest = part.manifest
    assert (manifest.call, manifest.epoch, manifest.bot, manifest.bot_digest) == ("c-1", 3, "practice", "abc")
    assert (manifest.complete, manifest.length_ms, manifest.gaps) == (True, 2000.0, ())
    assert manifest.consent == (step,)
    for file in (manifest.sound, manifest.peaks):
        data = (where / file.name).read_bytes()
        assert (file.sha256, file.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert np.array_equal(part.bot[:24_000], TONE)
    call = CallManifest.model_validate_json((where / "manifest.json").read_bytes())
    assert call.parts == (manifest,)
    assert sorted(each.name for each in where.iterdir()) == sorted(
        ["manifest.json", part.path.name, manifest.sound.name, manifest.peaks.name]
    )


def test_the_waveform_is_as_audiowaveform_has_it(tmp_path: Path) -> None:
    part = kept([block(1, *bot(1000), until_ms=2010, last=True)], tmp_path)
    peaks = json.loads(part.path.with_name(part.manifest.peaks.name).read_bytes())
    assert (peaks["version"], peaks["channels"], peaks["bits"], peaks["sample_rate"]) == (2, 2, 16, 24_000)
    assert peaks["length"] == 51  # the last for 10 ms
    assert len(peaks["data"]) == 51 * 4
    pixels = np.array(peaks["data"]).reshape(-1, 2, 2)
    assert not pixels[:, 0].any()
    first = TONE[: peaks["samples_per_pixel"]]
    assert pixels[0, 1].tolist() == [first.min(), first.max()]


def test_blocks_that_were_not_written_are_a_gap_and_the_rest_keeps_its_place(tmp_path: Path) -> None:
    blocks = [
        block(1, *bot(1000), until_ms=5000),
        block(4, *bot(17_500), until_ms=21_000),
        block(5, until_ms=22_000, last=True),
    ]
    part = kept(blocks, tmp_path)
    assert [(each.from_ms, each.to_ms, each.why) for each in part.manifest.gaps] == [(4000.0, 16_500.0, "not written")]
    assert not part.manifest.complete
    assert part.manifest.length_ms == 21_000
    assert np.array_equal(part.bot[: 24 * 1000], TONE)
    assert np.array_equal(part.bot[24 * 16_500 : 24 * 17_500], TONE)


def test_a_part_whose_process_was_killed_ends_with_its_last_block(tmp_path: Path) -> None:
    path = spooled([block(1, *bot(1000), until_ms=5000), block(2, until_ms=9000)], tmp_path / "spool")
    made = make_part(path, tmp_path)
    assert made is not None
    manifest = PartManifest.model_validate_json(made.read_bytes())
    assert (manifest.complete, manifest.length_ms, manifest.gaps) == (False, 8000.0, ())


def test_a_caller_who_did_not_come_back_is_away_to_the_end(tmp_path: Path) -> None:
    part = kept([block(1, ("a", 1500.0, ""), until_ms=5000, last=True)], tmp_path)
    assert [(each.from_ms, each.to_ms, each.why) for each in part.manifest.gaps] == [(500.0, 4000.0, "caller away")]
    assert part.manifest.complete


def test_what_is_no_audio_is_counted_and_left_out(tmp_path: Path) -> None:
    entries: list[Entry] = [("c", 1100.0, "AA*A"), ("c", 1120.0, "A"), ("b", 1100.0, "?"), ("?", 1.0, "")]
    part = kept([block(1, *entries, until_ms=2000, last=True)], tmp_path)
    assert part.manifest.unreadable == 3
    assert not part.caller.any()


def test_a_sample_that_is_split_between_two_chunks_is_whole(tmp_path: Path) -> None:
    data = TONE[:960].tobytes()
    cut = [data[:961], data[961:]]
    entries: list[Entry] = [("c", 1020.0 + 20 * n, b64encode(each).decode()) for n, each in enumerate(cut)]
    part = kept([block(1, *entries, until_ms=2000, last=True)], tmp_path)
    assert np.array_equal(part.caller[:960], TONE[:960])


def test_a_part_that_ended_as_it_began_is_none(tmp_path: Path) -> None:
    path = spooled([block(1, until_ms=1000.0, last=True)], tmp_path / "spool" / "a")
    assert make_part(path, tmp_path) is None
    assert list(tmp_path.glob("*")) == [tmp_path / "spool"]


def test_a_part_of_which_no_block_was_written_is_none(tmp_path: Path) -> None:
    path = tmp_path / "p.done"
    path.write_bytes(b'{"facts": ' + FACTS.model_dump_json().encode() + b"}\n")
    assert make_part(path, tmp_path) is None


def test_the_parts_of_a_call_are_joined_in_the_order_of_their_epochs(tmp_path: Path) -> None:
    began = FACTS.began_at + timedelta(hours=20)
    later = FACTS.model_copy(update={"since_call_ms": 7000 + 20 * 3_600_000, "began_at": began + timedelta(seconds=7)})
    second = kept([block(1, *bot(1000), until_ms=3000, last=True, facts=later)], tmp_path / "x", epoch=2)
    path = spooled([block(1, *bot(1000), until_ms=3000, last=True)], tmp_path / "x" / "spool" / "a", epoch=1)
    first = make_part(path, tmp_path / "x")
    assert first is not None
    assert first.parent == second.path.parent  # of the day on which the call began
    call = CallManifest.model_validate_json((first.parent / "manifest.json").read_bytes())
    assert [part.epoch for part in call.parts] == [1, 2]
    assert call.complete


def test_a_part_of_another_release_that_cannot_be_read_does_not_hold_up_the_others(tmp_path: Path) -> None:
    where = tmp_path / "2026-11-23" / "c-1"
    where.mkdir(parents=True)
    (where / "part-000000-000000000.json").write_text("{}")
    part = kept([block(1, until_ms=3000, last=True)], tmp_path)
    call = CallManifest.model_validate_json((where / "manifest.json").read_bytes())
    assert call.parts == (part.manifest,)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("7e1c2a90-52b4", "7e1c2a90-52b4"),
        ("c-1~2", "c-1~2"),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd-"),
        (".", "-"),
        ("ä\0/", "%C3%A4%00%2F"),
        ("x" * 400, "x" * 150),
    ],
)
def test_no_call_chooses_where_its_files_lie(tmp_path: Path, call: str, name: str) -> None:
    part = kept([block(1, until_ms=1001, last=True)], tmp_path, key=call)
    where = part.path.parent
    assert where.parent == tmp_path / "2026-11-23"
    assert where.name.lstrip(".").startswith(name.lstrip("."))
    assert not where.name.startswith(".")
    assert len(where.name) < 255
    assert folder_of(part.manifest) == f"2026-11-23/{where.name}"


def test_what_cannot_be_made_for_now_leaves_nothing_behind_and_keeps_the_spool(tmp_path: Path) -> None:
    path = spooled([block(1, *bot(1000), until_ms=3000, last=True)], tmp_path / "spool" / "a")
    where = tmp_path / "2026-11-23"
    where.touch()  # a file is in the place of the folder
    with pytest.raises(OSError, match="2026-11-23"):
        make_part(path, tmp_path)
    assert path.exists()
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    where.unlink()
    assert make_part(path, tmp_path) is not None


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_hour_is_made_in_little_memory(tmp_path: Path) -> None:
    """Of raw samples it would be 345 MB; here the caller says a second in each minute."""
    said = [("c", 1000.0 + 60_000 * n, b64encode(TONE.tobytes()).decode()) for n in range(1, 60)]
    blocks = [block(n, entry, until_ms=entry[1]) for n, entry in enumerate(said, 1)]
    path = spooled([*blocks, block(60, until_ms=3_601_000, last=True)], tmp_path / "spool" / "a")
    # Not by ru_maxrss: a child of fork begins with its parent's, and exec leaves it.
    code = (
        "import sys; from pathlib import Path; from recordings.part import make_part;"
        "make_part(Path(sys.argv[1]), Path(sys.argv[2]));"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path)], check=True, capture_output=True, text=True, timeout=300
    )
    assert int(done.stdout) < 250_000
    (made,) = tmp_path.glob("2026-11-23/c-1/part-*.flac")
    assert made.stat().st_size < 10_000_000


class OneKey(NoKeys):
    """The same key for all calls."""

    key = DataKey(b"\1" * 32)

    def of_call(self, call: str) -> DataKey | None:
        return self.key


def test_a_sealed_recording_is_the_same_one_and_says_whose_it_is(tmp_path: Path) -> None:
    blocks = [block(1, *bot(1000), until_ms=3000, last=True)]
    plain = kept(blocks, tmp_path / "plain")
    made = make_part(spooled(blocks, tmp_path / "spool" / "test"), tmp_path, OneKey())
    assert made is not None
    names = {each.name: each.read_bytes() for each in made.parent.iterdir()}
    assert sorted(names) == sorted(f"{each.name}.sealed" for each in plain.path.parent.iterdir())
    assert b"samples" not in b"".join(names.values())
    for name, data in names.items():
        header = header_of(io.BytesIO(data))
        assert header is not None
        assert (header.call, header.bot) == ("c-1", "practice")
        before = plain.path.with_name(name.removesuffix(".sealed"))
        assert unsealed_bytes(data, OneKey.key) == before.read_bytes()


def test_parts_of_before_there_were_keys_are_joined_to_those_with(tmp_path: Path) -> None:
    first = kept([block(1, *bot(1000), until_ms=3000, last=True)], tmp_path, epoch=1)
    path = spooled([block(1, *bot(1000), until_ms=3000, last=True)], tmp_path / "spool" / "a", epoch=2)
    made = make_part(path, tmp_path, OneKey())
    assert made is not None
    assert not first.path.with_name("manifest.json").exists()
    told = unsealed_bytes(made.with_name("manifest.json.sealed").read_bytes(), OneKey.key)
    assert [part.epoch for part in CallManifest.model_validate_json(told).parts] == [1, 2]
