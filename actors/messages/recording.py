"""What a call hands over for its recording, and how much of it may wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from actors.metrics import RECORDING_LOST
from actors.system.address import Address, NullRef, send
from recordings.facts import SpoolBlock

# Blocks that wait for a slow disk, in bytes of base64: fifteen seconds of two hundred calls.
MOST_WAITING = 256 * 1024 * 1024


@dataclass(slots=True)
class RecordingQueue:
    """The way to the RecordingWriter, from the loop. Too much that waits is dropped, and never a call's concern.

    kept: there is a folder for recordings. lease_of: the key and the epoch of a call, by its conversation id.
    given, taken: bytes so far, each counted on one side only.
    """

    writer: Address[SpoolBlock] = field(default_factory=NullRef)
    kept: bool = False
    lease_of: Callable[[str], tuple[str, int]] = lambda conversation_id: (conversation_id, 0)
    most: int = MOST_WAITING
    given: int = 0
    taken: int = 0

    def put(self, block: SpoolBlock) -> None:
        size = block.size
        if self.given - self.taken + size > self.most and not block.last:
            RECORDING_LOST.labels("queue").inc()
        elif send(self.writer, block):
            self.given += size
        else:
            RECORDING_LOST.labels("writer").inc()
