"""The writer of recordings on a real disk, which is full, gone or slow: what is lost is counted, and nobody waits."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors.messages.recording import RecordingQueue
from actors.process.recording_writer import RecordingWriter
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from recordings.spool import DONE, PART, ReadBlock, read_part
from tests.counted import counted
from tests.probe import ThreadProbe
from tests.recordings.kept import block

LIMIT_S = 60
PAYLOAD = "A" * 40_000


class Desk:
    """A writer with its queue. parent: is told of its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queue = RecordingQueue(kept=True)
        self.parent = ThreadProbe[ChildDied]()
        self.start()

    def start(self) -> None:
        self.ref = RecordingWriter.start(ParentLink(self.parent, "recordings"), self.folder, self.queue)
        self.queue.writer = self.ref

    def stop(self) -> None:
        """When it has written all that it was given."""
        self.ref.stop(block=False)
        assert self.ref.actor_stopped.wait(LIMIT_S)
        self.parent.expect(ChildDied)

    def read(self, part: str = "p") -> list[ReadBlock]:
        (path,) = (each for each in self.folder.iterdir() if each.stem == part)
        read = read_part(path)
        assert read is not None
        return list(read[1])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.ref.stop(block=False)


def test_blocks_are_written_as_they_come_under_the_calls_key_and_epoch(desk: Desk) -> None:
    for number in (1, 2):
        desk.queue.put(replace(block(number, ("c", 1.0, PAYLOAD), until_ms=float(number)), key="c-1~2", epoch=7))
    desk.stop()
    assert [each.number for each in desk.read()] == [1, 2]
    assert {(each.key, each.epoch) for each in desk.read()} == {("c-1~2", 7)}
    assert (desk.folder / f"p{PART}").exists()
    assert desk.queue.given == desk.queue.taken


def test_a_part_that_has_ended_is_there_to_be_made(desk: Desk) -> None:
    desk.queue.put(block(1, until_ms=1.0, last=True))
    desk.queue.put(block(1, until_ms=1.0, part="other"))
    desk.stop()
    assert sorted(each.name for each in desk.folder.iterdir()) == [f"other{PART}", f"p{DONE}"]


def test_what_a_full_disk_does_not_take_is_left_out_and_what_comes_after_it_is_kept(
    desk: Desk, log_lines: list[str]
) -> None:
    before = counted("tieline_recording_blocks_lost_total", why="disk")
    desk.queue.put(block(1, until_ms=1.0))
    desk.stop()
    # As a full disk does it: a write ends in the middle. The limit is above what else this process writes.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000_000, hard))
    try:
        desk.start()
        desk.queue.put(block(2, ("c", 1.0, 500 * PAYLOAD), until_ms=2.0))
        desk.queue.put(block(3, ("c", 1.0, 500 * PAYLOAD), until_ms=3.0))
        desk.queue.put(block(4, until_ms=4.0, last=True))
        desk.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert counted("tieline_recording_blocks_lost_total", why="disk") - before == 2
    assert [each.number for each in desk.read()] == [1, 4]
    assert desk.queue.given == desk.queue.taken
    told = [line for line in log_lines if "a piece of it is missing" in line]
    assert len(told) == 1
    assert "c-1" in told[0]


def test_a_folder_that_is_gone_costs_the_recording_and_not_the_writer(desk: Desk) -> None:
    before = counted("tieline_recording_blocks_lost_total", why="disk")
    gone = desk.folder / "gone"
    desk.stop()
    desk.folder = gone
    desk.start()
    desk.queue.put(block(1, until_ms=1.0))
    desk.queue.put(block(2, until_ms=2.0, last=True))
    desk.queue.put(block(1, until_ms=1.0, part="next"))
    desk.stop()
    assert counted("tieline_recording_blocks_lost_total", why="disk") - before == 3
    assert desk.queue.given == desk.queue.taken


def test_while_the_disk_hangs_the_queue_fills_up_and_what_is_over_is_dropped(desk: Desk) -> None:
    """The part's file is a pipe that nobody reads."""
    before = counted("tieline_recording_blocks_lost_total", why="queue")
    desk.queue.most = 10 * len(PAYLOAD)
    os.mkfifo(desk.folder / f"p{PART}")
    for number in range(1, 31):
        desk.queue.put(block(number, ("c", 1.0, PAYLOAD), until_ms=float(number)))
    assert counted("tieline_recording_blocks_lost_total", why="queue") - before == 21
    assert desk.ref.is_alive()
    # The reader comes and goes: the write fails, as on a disk that is taken away.
    reader = os.open(desk.folder / f"p{PART}", os.O_RDONLY)
    os.close(reader)
    desk.stop()
    assert desk.queue.given == desk.queue.taken
