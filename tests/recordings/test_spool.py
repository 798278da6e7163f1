"""The spool on a real disk: what is read back, what a crash leaves, and whose folder is whose."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from protocols.sealing import DataKey, KeyRing, WrappedKey
from recordings.facts import ConsentStep
from recordings.keys import KeyAway, NoKeys, spool_place
from recordings.spool import BAD, DONE, LOCK, PART, SPOOL, PartFile, SpoolFolder, calls_of, read_part
from tests.mortal import mortal
from tests.recordings.kept import FACTS, block, spooled

HELD = """
import sys
from pathlib import Path
from recordings.spool import SpoolFolder
folder = SpoolFolder.new(Path(sys.argv[1]), "other")
print("held", flush=True)
sys.stdin.read()
"""


def test_blocks_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    blocks = [
        block(1, ("c", 1020.5, "AAAA"), ("b", 1010.25, "BBBB"), until_ms=5000),
        block(2, until_ms=6000, last=True),
    ]
    read = read_part(spooled(blocks, tmp_path, key="c-1~2", epoch=7))
    assert read is not None
    facts, found = read
    assert facts == FACTS
    first, second = found
    assert (first.number, first.entries, first.until_ms, first.last) == (1, blocks[0].entries, 5000, False)
    assert (first.key, first.epoch) == ("c-1~2", 7)
    assert (second.number, second.last) == (2, True)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = SpoolFolder.new(tmp_path / "kept", "me")
    file = PartFile(folder.path, "p", FACTS)
    assert folder.path.stat().st_mode & 0o077 == 0
    assert (folder.path / f"p{PART}").stat().st_mode & 0o077 == 0
    file.leave()
    folder.leave()


@pytest.mark.parametrize("lost", [2, 5, 200])
def test_a_line_that_was_not_written_whole_is_not_read(tmp_path: Path, lost: int) -> None:
    path = spooled([block(n, ("c", 1000.0 + n, "A" * 400), until_ms=1000 + n) for n in (1, 2, 3)], tmp_path)
    os.truncate(path, path.stat().st_size - lost)
    read = read_part(path)
    assert read is not None
    assert [each.number for each in read[1]] == [1, 2]


@pytest.mark.parametrize("text", [b"", b"{", b"[]\n", b'{"facts": {}}\n', b"\xff\n"])
def test_a_file_without_facts_is_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / f"p{DONE}"
    path.write_bytes(text)
    assert read_part(path) is None


def test_lines_that_are_damaged_are_passed_over(tmp_path: Path) -> None:
    path = spooled([block(1, until_ms=1), block(2, until_ms=2)], tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\x00\n", b"{}\n", b'{"entries": [[1]]}\n', *lines[1:]]))
    read = read_part(path)
    assert read is not None
    assert [each.number for each in read[1]] == [1, 2]


def test_another_writer_goes_on_behind_one_that_crashed_in_a_line(tmp_path: Path) -> None:
    first = PartFile(tmp_path, "p", FACTS)
    first.write(block(1, until_ms=1))
    first.leave()
    with (tmp_path / f"p{PART}").open("ab") as file:
        file.write(b'{"number": 2, "entr')
    second = PartFile(tmp_path, "p", FACTS)
    second.write(block(3, until_ms=3))
    second.end()
    read = read_part(tmp_path / f"p{DONE}")
    assert read is not None
    assert [each.number for each in read[1]] == [1, 3]


def test_the_folder_of_a_process_that_lives_is_left_alone_and_taken_once_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        mortal([sys.executable, "-c", HELD, str(tmp_path)]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        mine = SpoolFolder.new(tmp_path, "me")
        PartFile(tmp_path / SPOOL / "other", "p", FACTS).leave()
        assert list(SpoolFolder.left(tmp_path)) == []
        other.kill()
    (left,) = SpoolFolder.left(tmp_path)
    assert left.path.name == "other"
    assert left.due() == []
    left.close_all()
    assert [each.name for each in left.due()] == [f"p{DONE}"]
    assert list(SpoolFolder.left(tmp_path)) == []  # it is mine now
    left.leave()
    assert left.path.exists()
    (again,) = SpoolFolder.left(tmp_path)
    again.due()[0].unlink()
    again.leave()
    assert not again.path.exists()
    mine.leave()


def test_a_folder_with_what_a_person_is_to_look_at_stays(tmp_path: Path) -> None:
    folder = SpoolFolder.new(tmp_path, "me")
    (folder.path / f"p{BAD}").touch()
    folder.leave()
    assert (folder.path / LOCK).exists()


def test_no_two_folders_have_one_name(tmp_path: Path) -> None:
    folder = SpoolFolder.new(tmp_path, "me")
    with pytest.raises(OSError, match="me"):
        SpoolFolder.new(tmp_path, "me")
    folder.leave()


RING = KeyRing([b"\1" * 32])
SAID = FACTS.model_copy(update={"consent": (ConsentStep(what="yes", at_ms=1, words="Yes, Rumpelstiltskin."),)})


class Ringed(NoKeys):
    def of_spool(self, wrapped: WrappedKey, part: str) -> DataKey:
        return RING.unwrap(wrapped, spool_place(part))


def sealed_part(folder: Path) -> Path:
    """A part of three blocks, the first by a writer that has crashed in a line."""
    first = PartFile(folder, "p", SAID, RING)
    first.write(replace(block(1, ("c", 1000.0, "AAAAsound"), until_ms=1), key="c-1~2", epoch=7))
    first.leave()
    with (folder / f"p{PART}").open("ab") as file:
        file.write(b'{"number": 2, "entr')
    second = PartFile(folder, "p", SAID, RING)
    for number in (2, 3):
        second.write(replace(block(number, ("c", 1000.0 + number, "BBBBsound"), until_ms=number), key="c-1~2"))
    second.end()
    return folder / f"p{DONE}"


def test_with_a_ring_nothing_of_what_was_said_is_on_the_disk_and_all_is_read_back(tmp_path: Path) -> None:
    path = sealed_part(tmp_path)
    assert not [each for each in (b"AAAA", b"BBBB", b"Rumpel", b"practice") if each in path.read_bytes()]
    read = read_part(path, Ringed())
    assert read is not None
    assert read[0] == SAID
    assert [(each.number, each.key, each.entries[0][2]) for each in read[1]] == [
        (1, "c-1~2", "AAAAsound"), (2, "c-1~2", "BBBBsound"), (3, "c-1~2", "BBBBsound"),
    ]  # fmt: skip
    told = calls_of(path)
    assert told is not None
    assert (told[0], {*told[1]} - {""}) == ("c-1", {"c-1~2"})


def test_without_the_key_a_part_is_left_as_it_is(tmp_path: Path) -> None:
    path = sealed_part(tmp_path)
    with pytest.raises(KeyAway, match=f"by key {RING.ids[0]}"):
        read_part(path)
    assert path.exists()


@pytest.mark.parametrize("change", [(b'"number":2', b'"number":4'), (b'"key":"c-1~2"', b'"key":"c-1~3"')])
def test_a_sealed_block_that_was_changed_is_not_read(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    path = sealed_part(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(each.replace(*change) if b'"number":2' in each else each for each in lines))
    read = read_part(path, Ringed())
    assert read is not None
    assert [each.number for each in read[1]] == [1, 3]


def test_a_first_line_that_was_not_written_whole_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / f"p{PART}").write_bytes(b'{"conversation_id": "c-1", "ke')
    file = PartFile(tmp_path, "p", SAID, RING)
    file.write(block(1, until_ms=1, last=True))
    file.end()
    read = read_part(tmp_path / f"p{DONE}", Ringed())
    assert read is not None
    assert [each.number for each in read[1]] == [1]
