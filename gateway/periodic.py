"""A job that is done now and at intervals, whatever becomes of it each time.

May import: actors.metrics, store, loguru, the standard library.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from loguru import logger

from actors.metrics import JOB_FAILURES
from store.causes import code_of


def repeat(name: str, job: Callable[[], object], every_s: float, stopping: threading.Event) -> None:
    """Do a job until the event is set; blocks. Each failure is counted; the first of a kind in a row is logged."""
    failing = ""
    while not stopping.is_set():
        try:
            job()
        except Exception as error:  # noqa: BLE001 - the next time must come
            JOB_FAILURES.labels(name).inc()
            if (kind := code_of(error)) != failing:
                logger.exception("a periodic job has failed: more failures of this kind are counted", job=name)
            failing = kind
        else:
            if failing:
                logger.warning("a periodic job works again", job=name)
            failing = ""
        stopping.wait(every_s)
