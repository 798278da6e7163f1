"""Connects to one of a host's addresses, without waiting for one that answers nothing (RFC 8305, 5); also by a proxy.

What a stranger answers is read within limits of length and time.

May import: store.resolving, the standard library.
"""

from __future__ import annotations

import base64
import errno
import os
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable

from store.resolving import Target, resolve

# How long an address has before the next one is tried beside it: the RFC's default.
NEXT_AFTER_S = 0.25
# Addresses that are tried: a name may have thousands.
MOST_ADDRESSES = 20
# What is read of an answer, up to the end of its head: as much as the endpoint itself takes of a request's headers.
MAX_HEAD_BYTES = 64 * 1024
# More than a TLS record holds (16 KB): bytes that stay deciphered inside the TLS object wake no selector.
READ_BYTES = 64 * 1024
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.\d (\d{3})\b")
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK)


def addresses_of(host: str, port: int, limit_s: float) -> list[Target]:
    """The addresses of a host, those of both families in turn (RFC 8305, 4). Blocks for limit_s at most.

    Raises: OSError, TimeoutError where the resolver does not answer.
    """
    found = resolve(host, port, limit_s)
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


class ProxyRefused(OSError):
    """The proxy does not connect us. Its text is for an operator."""


def read_head(connection: socket.socket, limit_s: float) -> tuple[bytes, bytes]:
    """The head of an HTTP answer, and what came with it. Blocks for limit_s at most. Raises: OSError."""
    until_s, came = time.monotonic() + limit_s, b""
    while (end := _END_OF_HEAD.search(came)) is None:
        if len(came) > MAX_HEAD_BYTES:
            raise ConnectionAbortedError("the head of the answer is too long")
        # A server that sends a byte now and then would never run into a limit of single reads.
        connection.settimeout(max(0.001, until_s - time.monotonic()))
        if not (piece := connection.recv(READ_BYTES)):
            raise ConnectionResetError("closed within the head of its answer")
        came += piece
    return came[: end.end()], came[end.end() :]


def tunnel(connection: socket.socket, host: str, port: int, user: tuple[str, str] | None, limit_s: float) -> None:
    """Have an HTTP proxy connect a connection to a host, by its name. user: name and password. Blocks.

    Raises: ProxyRefused, OSError.
    """
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if user is not None:
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(':'.join(user).encode()).decode()}")
    connection.settimeout(limit_s)
    connection.sendall("\r\n".join((*lines, "", "")).encode())
    head, more = read_head(connection, limit_s)
    status = _STATUS.match(head)
    if status is None or status[1] != b"200" or more:  # the host speaks after us
        raise ProxyRefused(f"status {status[1].decode()} of the proxy" if status else "the proxy does not speak HTTP")


def _begun(target: Target) -> socket.socket:
    """A socket that is being connected. Raises: OSError."""
    family, address = target
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    if (failed := connection.connect_ex(address)) and failed not in _UNDER_WAY:
        connection.close()
        raise OSError(failed, os.strerror(failed))
    return connection
