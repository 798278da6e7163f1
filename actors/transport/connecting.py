"""Connects to one of a host's addresses, without waiting for one that answers nothing (RFC 8305, 5).

May import: the standard library.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable

# How long an address has before the next one is tried beside it: the RFC's default.
NEXT_AFTER_S = 0.25
# Addresses that are tried: a name may have thousands.
MOST_ADDRESSES = 20
# A family and an address, as socket.connect takes it.
Target = tuple[int, tuple[object, ...]]
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK)


def addresses_of(host: str, port: int) -> list[Target]:
    """The addresses of a host, those of both families in turn (RFC 8305, 4). Blocks. Raises: OSError."""
    found = [(each[0], each[4]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    # The resolver's own order within a family, and its choice of the first family, are kept.
    first = deque(each for each in found if each[0] == found[0][0])
    others = deque(each for each in found if each[0] != found[0][0])
    ordered: list[Target] = []
    while first or others:
        ordered += [each.popleft() for each in (first, others) if each]
    return ordered[:MOST_ADDRESSES]


def connect_to_one(targets: Iterable[Target], limit_s: float) -> socket.socket:
    """A blocking socket that is connected to the first address that answers. Blocks. limit_s: for all together.

    Raises: TimeoutError, or the OSError of the last address.
    """
    left, until_s = deque(targets), time.monotonic() + limit_s
    next_s, why = 0.0, OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    with selectors.DefaultSelector() as waiting:
        try:
            while True:
                now_s = time.monotonic()
                if left and (now_s >= next_s or not waiting.get_map()):
                    next_s = now_s + NEXT_AFTER_S
                    try:
                        waiting.register(_begun(left.popleft()), selectors.EVENT_WRITE)
                    except OSError as error:
                        why, next_s = error, now_s
                    continue
                if not waiting.get_map():
                    raise why
                if now_s >= until_s:
                    raise TimeoutError("no address answers")
                for key, _ in waiting.select(min(until_s, next_s if left else until_s) - now_s):
                    connection = key.fileobj
                    assert isinstance(connection, socket.socket)
                    waiting.unregister(connection)
                    if not (failed := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                        connection.setblocking(True)
                        return connection
                    connection.close()
                    why, next_s = OSError(failed, os.strerror(failed)), 0.0
        finally:
            for key in list((waiting.get_map() or {}).values()):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()


def _begun(target: Target) -> socket.socket:
    """A socket that is being connected. Raises: OSError."""
    family, address = target
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    if (failed := connection.connect_ex(address)) and failed not in _UNDER_WAY:
        connection.close()
        raise OSError(failed, os.strerror(failed))
    return connection
