"""Ports for servers that are told their port before they listen: none that the kernel may assign meanwhile."""

from __future__ import annotations

import os
import random
import socket
from contextlib import ExitStack, suppress

# Below those from which the kernel takes ports for connections; each of the processes that test has a part of its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_FIRST = 20_000 + 4_000 * (_WORKER % 3)
_LAST = _FIRST + 4_000
_next = random.randrange(_FIRST, _LAST)


def free_ports(count: int = 1) -> int:
    """The first of so many in a row that nobody has, and that nobody was told of lately."""
    global _next  # noqa: PLW0603 - the process's own count
    while True:
        first = _next if _next + count <= _LAST else _FIRST
        _next = first + count
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
