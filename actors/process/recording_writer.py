"""Writes the sound of calls to the spool, on a thread of its own: only it waits for that disk.

May import: actors, protocols, recordings, loguru, the standard library.
"""

from __future__ import annotations

from pathlib import Path

from loguru import logger

from actors.messages.recording import RecordingQueue
from actors.metrics import RECORDING_LOST
from actors.system.actor import ThreadActor
from actors.system.address import ParentLink
from protocols.sealing import KeyRing
from recordings.facts import SpoolBlock
from recordings.spool import PartFile

# More than the queue's bytes can ever be.
CAPACITY = 1_000_000


class RecordingWriter(ThreadActor):
    """Receives: SpoolBlock. A block that cannot be written is counted and left out, and the next one tried.

    folder: this process's, of the spool. ring: with which it is sealed; None: it is not.
    """

    max_messages = CAPACITY

    def __init__(
        self,
        parent_link: ParentLink,
        folder: Path,
        queue: RecordingQueue,
        ring: KeyRing | None = None,
    ) -> None:
        super().__init__(parent_link)
        self._folder = folder
        self._queue = queue
        self._ring = ring
        self._files: dict[str, PartFile] = {}
        self._reported: set[str] = set()  # parts of which something is lost

    def on_receive(self, block: SpoolBlock) -> None:
        try:
            self._write(block)
        except OSError as error:
            RECORDING_LOST.labels("disk").inc()
            if block.part not in self._reported:
                self._reported.add(block.part)
                log = logger.bind(conversation=block.facts.conversation_id)
                log.error("the disk does not take a recording: a piece of it is missing", reason=error.strerror)
        finally:
            self._queue.taken += block.size
            if block.last:
                self._end(block.part)

    def on_unread(self, block: SpoolBlock) -> None:
        self._queue.taken += block.size
        RECORDING_LOST.labels("writer").inc()

    def on_stop(self) -> None:
        for file in self._files.values():
            file.leave()

    def on_failure(self, *_: object) -> None:
        self.on_stop()

    def _write(self, block: SpoolBlock) -> None:
        file = self._files.get(block.part)
        if file is None:
            file = self._files[block.part] = PartFile(self._folder, block.part, block.facts, self._ring)
        file.write(block)

    def _end(self, part: str) -> None:
        self._reported.discard(part)
        if (file := self._files.pop(part, None)) is not None:
            file.end()
