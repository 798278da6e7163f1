"""A TLS client that changes its keys as often as it is told: by OpenSSL itself, because Python's ssl has no way to."""

from __future__ import annotations

import _ssl
import ctypes
import socket
import time

import pytest

NOT_REQUESTED, ASKS_FOR_OURS = 0, 1


class KeyChanger:
    """A connection to a server of TLS 1.3 whose certificate it does not check. Blocks.

    limit_s: for a server that never hangs up.
    """

    def __init__(self, port: int, limit_s: float) -> None:
        try:
            self._openssl = openssl = ctypes.CDLL(_ssl.__file__)
            method, context, connection = openssl.TLS_client_method, openssl.SSL_CTX_new, openssl.SSL_new
        except (AttributeError, OSError) as error:
            pytest.skip(f"OpenSSL's functions cannot be called: {error}")
        for each in (method, context, connection):
            each.restype = ctypes.c_void_p
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._connection = ctypes.c_void_p(connection(ctypes.c_void_p(context(ctypes.c_void_p(method())))))
        self._until_s = time.monotonic() + limit_s
        openssl.SSL_set_fd(self._connection, self._socket.fileno())
        assert openssl.SSL_connect(self._connection) == 1

    def changes(self, most: int, kind: int = NOT_REQUESTED) -> int:
        """Change keys so often, or until the server hangs up. Returns how often."""
        for number in range(most):
            told = self._openssl.SSL_key_update(self._connection, kind)
            if told != 1 or self._openssl.SSL_do_handshake(self._connection) != 1 or time.monotonic() > self._until_s:
                return number
        return most

    def says(self, data: bytes) -> bytes:
        """Send data. Returns the beginning of the answer."""
        assert self._openssl.SSL_write(self._connection, data, len(data)) == len(data)
        answer = ctypes.create_string_buffer(1024)
        count = self._openssl.SSL_read(self._connection, answer, len(answer))
        return answer.raw[: max(count, 0)]

    def closes(self) -> None:
        self._socket.close()
