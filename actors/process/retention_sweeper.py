"""Deletes what is kept no longer: one process at a time, a little at a time, on a thread of its own.

May import: actors.metrics, actors.tasks.effect_attempts, store, loguru, the standard library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from loguru import logger

from actors.metrics import RETENTION_BATCH, RETENTION_DELETED, RETENTION_ROUNDS, RETENTION_ROWS
from actors.tasks.effect_attempts import UNAVAILABLE
from store.causes import code_of
from store.jobs import Job
from store.retention import Batch, JobLost, Retention

# How often it is looked whether a round is due, and how long after a round the next one is: ages are days.
LOOK_EVERY_S = 60.0
ROUND_EVERY_S = 6 * 3600.0
JOB = "retention"


class RetentionSweeper:
    """A job that is done every LOOK_EVERY_S; a round of it may take hours. job: JOB, with the name of this process.

    pause: waits so many seconds between two transactions; True if the process is to end.
    """

    def __init__(self, retention: Retention, job: Job, pause: Callable[[float], bool]) -> None:
        self._retention = retention
        self._job = job
        self._pause = pause

    def look(self) -> None:
        """A round, if one is due and no other process has it."""
        try:
            if not self._job.begin(ROUND_EVERY_S):
                return
            done, gone = False, Counter[str]()
            try:
                done = self._round(self._retention.sweep(), gone)
            finally:
                self._job.leave(done=done)
        except JobLost:
            RETENTION_ROUNDS.labels("lost").inc()
            logger.warning("another process deletes what is kept no longer")
            return
        except UNAVAILABLE as error:  # told by the journal's writer; it is gone on with later
            RETENTION_ROUNDS.labels("failed").inc()
            logger.debug("what is kept no longer cannot be deleted now", reason=code_of(error))
            return
        if done:
            RETENTION_ROUNDS.labels("ok").inc()
            if gone:
                logger.info("deleted what is kept no longer", **gone)

    def _round(self, batches: Iterable[Batch], gone: Counter[str]) -> bool:
        """Returns whether it came to its end."""
        for batch in batches:
            if batch.rows:
                RETENTION_BATCH.observe(batch.seconds)
                RETENTION_ROWS.inc(batch.rows)
            if batch.things:
                RETENTION_DELETED.labels(batch.what).inc(batch.things)
                gone[batch.what] += batch.things
            if self._pause(batch.pause_s):
                return False
        return True
