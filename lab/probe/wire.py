"""One WebSocket of a probe: everything that passes is kept, and waited for by what it is.

May import: lab.caller.inflow, lab.probe, websockets, the standard library.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from lab.caller.inflow import Inflow
from lab.probe.ledger import ProbedMessage

# What an upgrade that fails raises.
NO_SOCKET = (OSError, InvalidHandshake, InvalidURI, TimeoutError)
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_DIAL_LIMIT_S = 10.0


class Flooded(Exception):
    """The peer sends more than anybody takes; the text says how much. message: the last one that was read."""

    def __init__(self, told: str, message: ProbedMessage) -> None:
        super().__init__(told)
        self.message = message


class ProbeSocket:
    """seen: all messages of both directions, in order. closed: its close code, None while it is open.

    flood: what Flooded tells of it, if it was given up because of that.
    """

    def __init__(self, socket: ClientConnection, scene: str, patience_s: float) -> None:
        self.socket = socket
        self.seen: list[ProbedMessage] = []
        self.closed: int | None = None
        # No exception that is kept: its traceback would hold all messages.
        self.flood: tuple[str, ProbedMessage] | None = None
        self._inflow = Inflow()
        self._scene = scene
        self._patience_s = patience_s
        self._began_s = asyncio.get_running_loop().time()
        self._news = asyncio.Condition()

    async def send(self, message: Mapping[str, Any] | str | bytes) -> ProbedMessage:
        """Send an object as JSON, or what is no JSON as it is. A socket that is lost takes it and nothing follows."""
        text = json.dumps(message) if isinstance(message, Mapping) else message
        kept = self._keep(text, sent=True)
        with suppress(ConnectionClosed):  # the reading task notes it
            await self.socket.send(text)
        return kept

    async def until(self, wanted: str | Callable[[ProbedMessage], object], since: int = 0) -> ProbedMessage | None:
        """The first received message of this type, or that is so, from seen[since] on; None if none came in time.

        Raises: Flooded.
        """
        at = since

        def there() -> bool:
            nonlocal at
            while at < len(self.seen):
                each = self.seen[at]
                if not each.sent and (each.kind == wanted if isinstance(wanted, str) else wanted(each)):
                    return True
                at += 1
            return self.closed is not None

        return self.seen[at] if await self.happens(there) and at < len(self.seen) else None

    async def happens(self, there: Callable[[], object]) -> bool:
        """Whether that is so within the peer's time. Looked at after each message, and when the socket closes.

        Raises: Flooded.
        """
        try:
            async with asyncio.timeout(self._patience_s), self._news:
                await self._news.wait_for(lambda: self.flood is not None or bool(there()))
        except TimeoutError:
            return False
        if self.flood is not None:
            raise Flooded(*self.flood)
        return True

    def received(self, since: int = 0) -> list[ProbedMessage]:
        return [each for each in self.seen[since:] if not each.sent]

    def of(self, kind: str, since: int = 0) -> list[ProbedMessage]:
        return [each for each in self.received(since) if each.kind == kind]

    async def read(self, take: Callable[[ProbedMessage], None]) -> None:
        """Read until the socket closes, or is flooded. take: called with each message."""
        try:
            async for message in self.socket:
                kept = self._keep(message, sent=False)
                if (told := self._inflow.take(len(message), kept.at_ms)) is not None:
                    self.flood = told, kept
                    self.socket.transport.abort()  # a close would wait behind what still comes
                    break
                take(kept)
                await self.tell()
        except ConnectionClosed:
            pass
        self.closed = self.socket.close_code or 1006
        await self.tell()

    async def tell(self) -> None:
        """Something may have happened."""
        async with self._news:
            self._news.notify_all()

    def _keep(self, message: str | bytes, *, sent: bool) -> ProbedMessage:
        at_ms = round((asyncio.get_running_loop().time() - self._began_s) * 1000)
        kept = kept_message(self._scene, at_ms, message, sent=sent)
        self.seen.append(kept)
        return kept


def kept_message(scene: str, at_ms: int, message: str | bytes, *, sent: bool) -> ProbedMessage:
    """A message as it is kept: read as JSON if it can be."""
    if isinstance(message, bytes):
        return ProbedMessage(scene, at_ms, sent, f"({len(message)} bytes) {message[:40]!r}", None)
    try:
        frame = json.loads(message)
    except (ValueError, RecursionError):
        frame = None
    return ProbedMessage(scene, at_ms, sent, message, frame if isinstance(frame, dict) else None)


@asynccontextmanager
async def opened(
    url: str,
    headers: Mapping[str, str],
    *,
    scene: str,
    patience_s: float,
    take: Callable[[ProbedMessage], None] = lambda _kept: None,
    compression: str | None = None,
) -> AsyncIterator[ProbeSocket]:
    """A socket that is read from.

    Raises: OSError, InvalidHandshake, InvalidURI, TimeoutError: there is none. Flooded, at its end too.
    """
    async with connect(
        url,
        additional_headers=headers,
        compression=compression,
        proxy=None,
        max_size=_MAX_MESSAGE_BYTES,
        open_timeout=_DIAL_LIMIT_S,
        close_timeout=1,
    ) as socket:
        line = ProbeSocket(socket, scene, patience_s)
        reading = asyncio.ensure_future(line.read(take))
        try:
            yield line
        finally:
            await socket.close()
            await reading
        if line.flood is not None:
            raise Flooded(*line.flood)
