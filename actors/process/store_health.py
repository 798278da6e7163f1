"""Whether the store takes what a new call needs of it: else the call could not be resumed at another process.

Pure. May import: actors' policies. Rules from: docs/specs/reliability.md 2.3.
"""

from __future__ import annotations

from actors.policies import STORE_LIMIT_S, WRITER_LIMIT_S

NO_ANSWER = "the store does not answer"
KEEPER_HANGS = "the lease keeper hangs"
FILE_LOST = "the store's file is lost"
NO_LEASE = "a call's lease cannot be written"
REFUSES = "the store refuses what is to be written"


class StoreHealth:
    """Told by the JournalWriter and the LeaseKeeper, which use the store every few seconds, and do not wait for each
    other. All times: monotonic, in s.
    """

    def __init__(self, now_s: float) -> None:
        self._answered_s = self._tried_s = self._kept_s = self._kept_tried_s = now_s
        self._lost_file = self._refusal = ""
        self._unleased = 0
        self._keeper_speaks = False

    def answered(self, now_s: float, unleased: int = 0) -> None:
        """unleased: calls whose lease could not be written yet."""
        self._answered_s = self._tried_s = now_s
        self._unleased = unleased

    def kept(self, now_s: float, refusal: str = "", *, answered: bool = True) -> None:
        """The LeaseKeeper has begun, or done its round. refusal: why the store takes nothing of this release."""
        self._keeper_speaks, self._kept_tried_s = True, now_s
        if answered:
            self._kept_s, self._refusal = now_s, refusal

    def tried(self, now_s: float) -> None:
        """In vain: the writer lives, and tries again."""
        self._tried_s = now_s

    def file_is(self, lost: str) -> None:
        """lost: the file that is not the one that was opened; "": it is."""
        self._lost_file = lost

    @property
    def refusal(self) -> str:
        """Why the store refuses what is to be written, for an operator; "" if it does not."""
        return self._refusal

    def fault(self, now_s: float) -> str:
        """Why no new calls are taken; "" if they are."""
        if self._lost_file:
            return FILE_LOST
        if self._refusal:
            return REFUSES
        if now_s - self._answered_s > STORE_LIMIT_S:
            return NO_ANSWER
        # Of a keeper that never was nothing is expected.
        if self._keeper_speaks and now_s - self._kept_s > STORE_LIMIT_S:
            return KEEPER_HANGS if now_s - self._kept_tried_s > STORE_LIMIT_S else NO_ANSWER
        return NO_LEASE if self._unleased else ""

    def writer_hangs(self, now_s: float) -> bool:
        """Whether nothing was heard of the writer for so long that only another process can help its calls."""
        return now_s - self._tried_s > WRITER_LIMIT_S
