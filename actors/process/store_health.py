"""Whether the store takes what a new call needs of it: else the call could not be resumed at another process.

Pure. May import: actors' policies. Rules from: docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

from actors.policies import STORE_LIMIT_S, WRITER_LIMIT_S

NO_ANSWER = "the store does not answer"
FILE_LOST = "the store's file is lost"


class StoreHealth:
    """Told by the JournalWriter, which uses the store at each renewal of the leases. All times: monotonic, in s."""

    def __init__(self, now_s: float) -> None:
        self._answered_s = self._tried_s = now_s
        self._lost_file = ""

    def answered(self, now_s: float) -> None:
        self._answered_s = self._tried_s = now_s

    def tried(self, now_s: float) -> None:
        """In vain: the writer lives, and tries again."""
        self._tried_s = now_s

    def file_is(self, lost: str) -> None:
        """lost: the file that is not the one that was opened; "": it is."""
        self._lost_file = lost

    def fault(self, now_s: float) -> str:
        """Why no new calls are taken; "" if they are."""
        if self._lost_file:
            return FILE_LOST
        return NO_ANSWER if now_s - self._answered_s > STORE_LIMIT_S else ""

    def writer_hangs(self, now_s: float) -> bool:
        """Whether nothing was heard of the writer for so long that only another process can help its calls."""
        return now_s - self._tried_s > WRITER_LIMIT_S
