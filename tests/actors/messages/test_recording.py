"""How much of recordings may wait, and what becomes of the rest."""

from __future__ import annotations

from actors.messages.recording import RecordingQueue
from recordings.facts import SpoolBlock
from tests.counted import counted
from tests.probe import Probe
from tests.recordings.kept import block


def test_what_is_over_is_dropped_and_the_last_of_a_part_never() -> None:
    before = counted("tieline_recording_blocks_lost_total", why="queue")
    writer = Probe[SpoolBlock]("writer")
    queue = RecordingQueue(writer, kept=True, most=10_000)
    for number in range(1, 6):
        queue.put(block(number, ("c", 1.0, "A" * 4000), until_ms=1.0))
    queue.put(block(6, ("c", 1.0, "A" * 4000), until_ms=1.0, last=True))
    assert [each.number for each in writer.arrived] == [1, 2, 6]
    assert counted("tieline_recording_blocks_lost_total", why="queue") - before == 3
    queue.taken = queue.given
    queue.put(block(7, until_ms=1.0))
    assert writer.arrived[-1].number == 7
