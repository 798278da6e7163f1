"""A TCP proxy before a store that fails on command.

May import: the standard library.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class FailingProxy:
    """fault: "refuses" closes each connection, "cuts" closes it after the first bytes of a request, "answers 503" does
    that; "" passes everything on. losses: so many connections more are cut before an answer. room: how many bytes more
    reach the store; then `full` is set, and the rest is lost."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.fault, self.losses, self.room = "", 0, 1 << 40
        self.full = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        # Closing alone does not wake a thread that accepts.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):
            if self.fault == "refuses":
                return
            first = peer.recv(65536)
            if self.fault == "answers 503":
                peer.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            if self.fault == "cuts":
                return
            if self.losses:
                self.losses -= 1
                return
            with socket.create_connection(self._target) as store:
                self._pass(first, store)
                back = threading.Thread(target=_pump, args=(store, peer), daemon=True)
                back.start()
                self._pump_up(peer, store)
                back.join()

    def _pump_up(self, peer: socket.socket, store: socket.socket) -> None:
        with suppress(OSError):
            while data := peer.recv(65536):
                self._pass(data, store)
        with suppress(OSError):
            store.shutdown(socket.SHUT_WR)

    def _pass(self, data: bytes, store: socket.socket) -> None:
        self.room -= len(data)
        if self.room < 0:
            self.full.set()
        else:
            store.sendall(data)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
