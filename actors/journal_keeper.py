"""Writes journal and call records in batches, on a thread of its own: no call ever waits for a disk.

May import: actors, store, loguru, the standard library.
"""

from __future__ import annotations

from typing import assert_never

from loguru import logger

from actors.address import Post
from actors.messages import Close, Jot, JournalMessage
from actors.runtime import ThreadActor
from store.journal import Journal, JournalRow

# As many rows as this are written together at the most.
BATCH_ROWS = 256


class JournalKeeper(ThreadActor):
    """Is told: JournalMessage. What arrives while a batch is written becomes the next batch."""

    def __init__(self, post: Post, journal: Journal) -> None:
        super().__init__(post)
        self._journal = journal
        self._rows: list[JournalRow] = []

    def on_stop(self) -> None:
        self._write()

    def on_receive(self, message: JournalMessage) -> None:
        match message:
            case Jot():
                self._rows.append(message.row)
                if self._is_last_in_line() or len(self._rows) >= BATCH_ROWS:
                    self._write()
            case Close():
                self._write()
                self._journal.finish(message.record)
                logger.bind(conversation=message.record.conversation_id).debug("record stored")
            case _:
                assert_never(message)

    def _is_last_in_line(self) -> bool:
        return self.actor_inbox.empty()

    def _write(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            self._journal.append(rows)
