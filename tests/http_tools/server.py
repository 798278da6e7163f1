"""A real HTTP server that answers as it is told, and misbehaves as servers do."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[socket.socket], None]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answers(status: int, body: object = None, **headers: str) -> Answer:
    """A whole answer; body: JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    raw = "\r\n".join([*lines, "", ""]).encode() + content
    return lambda wire: wire.sendall(raw)


def sends(raw: bytes, *, reset: bool = False) -> Answer:
    """Some bytes, and then the end of the connection."""

    def answer(wire: socket.socket) -> None:
        if raw:
            wire.sendall(raw)
        if reset:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


@dataclass
class HttpServer:
    """script: how it answers one request after another; the last one for ever. received: in order."""

    script: list[Answer]
    received: list[Received] = field(default_factory=list)
    port: int = 0
    gone: threading.Event = field(default_factory=threading.Event)
    arrival: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        with self.arrival:
            assert self.arrival.wait_for(lambda: len(self.received) >= count, 60), self.received

    def says_nothing(self) -> Answer:
        """Waits until the test is over."""

        def answer(wire: socket.socket) -> None:
            self.gone.wait()

        return answer

    def drips(self, raw: bytes) -> Answer:
        """One byte after another, without an end."""

        def answer(wire: socket.socket) -> None:
            for at in range(len(raw)):
                wire.sendall(raw[at : at + 1])
                if self.gone.wait(0.05):
                    return

        return answer


@contextmanager
def http_server(*script: Answer) -> Iterator[HttpServer]:
    """A server on a port of loopback, a thread for each connection."""
    server = HttpServer(list(script) or [answers(200, {})])

    def serve(wire: socket.socket) -> None:
        with wire:
            try:
                received = _read(wire)
                if received is None:
                    return
                with server.arrival:
                    server.received.append(received)
                    server.arrival.notify_all()
                    answer = server.script.pop(0) if len(server.script) > 1 else server.script[0]
                answer(wire)
            except OSError:
                pass  # the client is gone

    def accept() -> None:
        while True:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(wire,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.gone.set()
            listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def _read(wire: socket.socket) -> Received | None:
    with wire.makefile("rb") as stream:
        first = stream.readline().decode().split()
        if len(first) != 3:
            return None
        headers: dict[str, str] = {}
        while (line := stream.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
        return Received(first[0], first[1], headers, body)
