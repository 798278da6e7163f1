"""Small files that somebody may replace while the process runs: read within limits of length and time.

A pipe in a file's place is waited for without end, and a device may have none: whoever reads it, as each dial of the
model's does, would never come back.
May import: the standard library.
"""

from __future__ import annotations

import errno
import os
import selectors
import stat
import time
from pathlib import Path

# More than a secret, a certificate with its chain or a price list takes.
MOST_BYTES = 1024 * 1024
# A pipe that somebody writes to at once, as the shell's <(command), is as good as a file.
PIPE_LIMIT_S = 2.0


def read_small(path: Path) -> bytes:
    """What a file holds, or a pipe that is written to and closed within PIPE_LIMIT_S.

    Raises: OSError, also for what is neither, and for more than MOST_BYTES.
    """
    # Else opening a pipe waits for somebody who writes to it. Windows has no such pipes.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        is_pipe = _is_pipe(descriptor)
        held, until_s = b"", time.monotonic() + PIPE_LIMIT_S
        while True:
            if is_pipe:
                _wait(descriptor, until_s - time.monotonic())
            if not (more := os.read(descriptor, MOST_BYTES)):
                return held
            held += more
            if len(held) > MOST_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    finally:
        os.close(descriptor)


def check_is_file(path: str) -> None:
    """For what a library opens. Raises: OSError, if it is there and no file."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file")


def _wait(descriptor: int, limit_s: float) -> None:
    """Until a pipe is written to, or closed. Raises: TimeoutError."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(descriptor, selectors.EVENT_READ)
        if limit_s <= 0 or not waiting.select(limit_s):
            raise TimeoutError(errno.ETIMEDOUT, "it is a pipe, and nobody writes to it")


def _is_pipe(descriptor: int) -> bool:
    """Raises: OSError for what is no file either."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise OSError(errno.EINVAL, "it is no file")
    return stat.S_ISFIFO(mode)
