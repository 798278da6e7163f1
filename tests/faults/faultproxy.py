"""A TCP proxy on loopback that injects faults into its connections on demand.

It relays bytes, not WebSocket frames, and does to them what a network may do; deterministic for a seed.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Self, cast

Target = tuple[str, int]


class _End(asyncio.Protocol):
    """One end of a link; what it receives is written to the other end."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None
        self._early: list[bytes] = []
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        for data in self._early:
            self.transport.write(data)
        self._link.began(self)

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        self._link.take(data, self.other)

    def eof_received(self) -> bool:
        if self.other is not None:
            self.other.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.ended(self)

    def write(self, data: bytes) -> None:
        if self.transport is None:
            self._early.append(data)
        elif not (self._closed or self.transport.is_closing()):
            self.transport.write(data)

    def end(self) -> None:
        """Nothing more will arrive at this end."""
        if self.transport is not None and not (self._closed or self.transport.is_closing()):
            self._closed = True
            self.transport.write_eof()
            if self.other is not None and self.other._closed:  # both have said all
                self.transport.close()


class Link:
    """One connection through the proxy, and its faults. target: the address it was connected to."""

    def __init__(self, proxy: FaultProxy, target: Target | Path) -> None:
        self.target = target
        self._proxy = proxy
        self.near, self.far = _End(self), _End(self)
        self.near.other, self.far.other = self.far, self.near
        self._dark = False
        self._left: int | None = None
        self._bytes_per_s = 0
        self._free_s = 0.0
        self._rand = proxy.rand

    @property
    def port(self) -> int | None:
        """The local port of the connection to the target."""
        return None if self.far.transport is None else int(self.far.transport.get_extra_info("sockname")[1])

    # --- faults ---

    def reset(self) -> None:
        """Reset both connections, even in the middle of a message."""
        for end in (self.near, self.far):
            if end.transport is not None:
                sock = cast(socket.socket, end.transport.get_extra_info("socket"))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.transport.abort()

    def blackhole(self) -> None:
        """Keep both connections open and relay nothing."""
        self._dark = True

    def stall(self) -> None:
        """Stop reading from the far end, so that its buffers fill."""
        if self.far.transport is not None and not self.far.transport.is_closing():
            self.far.transport.pause_reading()

    def half_close(self) -> None:
        """Send the near end an end of file; it can still send."""
        self.near.end()

    def slow(self, bytes_per_s: int) -> None:
        """Limit the rate from now on, with a random delay for each piece."""
        self._bytes_per_s = bytes_per_s

    def cut_after(self, count: int) -> None:
        """Reset after this many more bytes."""
        self._left = count

    # --- for its ends ---

    def began(self, end: _End) -> None:
        sock = cast(socket.socket, cast(asyncio.Transport, end.transport).get_extra_info("socket"))
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ended(self, end: _End) -> None:
        other = self.far if end is self.near else self.near
        if other.transport is not None:
            other.transport.close()
        self._proxy.links = [each for each in self._proxy.links if each is not self]

    def take(self, data: bytes, to: _End) -> None:
        if self._dark:
            return
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        if self._bytes_per_s:
            self._later(data, to)
        else:
            to.write(data)
        if self._left == 0:
            self.reset()

    def _later(self, data: bytes, to: _End) -> None:
        loop = asyncio.get_running_loop()
        self._free_s = max(self._free_s, loop.time()) + len(data) / self._bytes_per_s * (1 + self._rand.random() / 10)
        loop.call_at(self._free_s, to.write, data)


class FaultProxy:
    """`async with FaultProxy(target) as proxy:`. target: an address or the path of a Unix socket; can be changed for
    later connections.

    refuses: reset new connections at once. came: called with each new link.
    """

    def __init__(self, target: Target | Path, seed: int = 0) -> None:
        self.target = target
        self.rand = Random(seed)
        self.links: list[Link] = []
        self.refuses = False
        self.came: Callable[[Link], None] = lambda _: None
        self._tasks: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._come, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.reset()

    def yields(self) -> None:
        """Leave the port to somebody else, for later connections."""
        self._server.close()

    async def listens_again(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._come, "127.0.0.1", self.port)

    def reset(self) -> None:
        """Reset all open links."""
        for link in list(self.links):
            link.reset()

    def to(self, target: Target) -> list[Link]:
        """The links to this target, in the order they were opened."""
        return [link for link in self.links if link.target == target]

    def _come(self) -> _End:
        link = Link(self, self.target)
        self.links.append(link)
        task = asyncio.get_running_loop().create_task(self._dial(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.came(link)
        return link.near

    async def _dial(self, link: Link) -> None:
        try:
            if self.refuses:
                raise ConnectionRefusedError
            loop = asyncio.get_running_loop()
            if isinstance(link.target, Path):
                await loop.create_unix_connection(lambda: link.far, str(link.target))
            else:
                await loop.create_connection(lambda: link.far, *link.target)
        except OSError:
            link.reset()
