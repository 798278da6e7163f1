"""Writes journal and call records in batches, on a thread of its own: no call ever waits for a disk.

May import: actors, store, SQLAlchemy, loguru, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from loguru import logger
from sqlalchemy.exc import OperationalError

from actors.address import Post
from actors.counters import LOST_ROWS
from actors.messages import Close, Jot, JournalMessage
from actors.runtime import ThreadActor
from store.journal import Journal, JournalRow

# As many rows as this are written together at the most.
BATCH_ROWS = 256


class JournalKeeper(ThreadActor):
    """Is told: JournalMessage. What arrives while a batch is written becomes the next batch.

    What cannot be written is counted, logged and left out. Dies of OperationalError where the database cannot be had.
    """

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
                record = message.record
                self._try(lambda: self._journal.finish(record), "record", record.conversation_id)
            case _:
                assert_never(message)

    def _is_last_in_line(self) -> bool:
        return self.actor_inbox.empty()

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        try:
            self._journal.append(rows)
        except OperationalError:
            raise
        except Exception:  # noqa: BLE001 - one of them cannot be written: it must not cost the others
            for row in rows:
                self._try(lambda row=row: self._journal.append([row]), row.kind, row.conversation_id)  # type: ignore[misc]

    def _try(self, write: Callable[[], object], kind: str, conversation_id: str) -> None:
        try:
            write()
        except OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the driver makes of it
            LOST_ROWS.inc()
            # Not the error's text: it may hold what was to be written.
            log = logger.bind(conversation=conversation_id)
            log.error("could not be written to the journal", kind=kind, reason=type(error).__name__)
