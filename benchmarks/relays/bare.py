"""The lower bound: relays bytes between two sockets without looking at them, on the same event loop.

python benchmarks/relays/bare.py LISTEN_PORT TARGET_PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


class Pump(asyncio.Protocol):
    """One end of a pair; what it receives, the other end writes."""

    def __init__(self, target_port: int, other: Pump | None = None) -> None:
        self._target_port = target_port
        self.other = other
        self.transport: asyncio.Transport | None = None
        self._kept: list[bytes] = []
        self._dialling: asyncio.Task[object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.other is None:
            loop = asyncio.get_running_loop()
            dial = loop.create_connection(lambda: Pump(self._target_port, self), "127.0.0.1", self._target_port)
            self._dialling = asyncio.ensure_future(dial)
        else:
            self.other.other = self
            self.transport.writelines(self.other._kept)

    def data_received(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self._kept.append(data)
        else:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


async def main(listen_port: int, target_port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Pump(target_port), "127.0.0.1", listen_port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
