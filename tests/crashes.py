"""The errors that a daemon in this process logs, for the stages of make hell and make talk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message


@contextmanager
def logged_crashes() -> Iterator[list[str]]:
    """Yields a list that grows by a line for each logged exception: what was logged, and the exception."""
    crashed: list[str] = []

    def listen(message: Message) -> None:
        record = message.record
        if record["exception"] is not None:
            error = record["exception"].value
            crashed.append(f"{record['message']}: {type(error).__name__}: {error}")

    sink = logger.add(listen, level="WARNING")
    try:
        yield crashed
    finally:
        logger.remove(sink)
