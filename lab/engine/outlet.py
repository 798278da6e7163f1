"""The sending half of one connection: server events in order, and the faults that end it early.

May import: protocols, lab.engine, websockets, the standard library.
Rules from: docs/specs/openai-realtime.md 1.4, 4.8.
"""

from __future__ import annotations

import asyncio

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from lab.engine.conversation import NewId
from lab.engine.faults import ArmedFaults
from protocols.realtime.objects import ErrorDetail
from protocols.realtime.server_events import AnyServerEvent, Error

_EXPIRED = ErrorDetail(
    type="invalid_request_error",
    code="session_expired",
    message="Your session hit the maximum duration of 60 minutes.",
    param=None,
    event_id=None,
)


class Outlet:
    """Sends events in the order they were emitted; a slow client delays the sending, not the session."""

    def __init__(self, socket: ServerConnection, faults: ArmedFaults, new_id: NewId) -> None:
        self._socket = socket
        self._faults = faults
        self._new_id = new_id
        self._events: asyncio.Queue[AnyServerEvent | None] = asyncio.Queue()
        self._timers: list[asyncio.TimerHandle] = []

    def emit(self, event: AnyServerEvent) -> None:
        """Queue an event, with an id of its own."""
        self._events.put_nowait(event.model_copy(update={"type": event.type, "event_id": self._new_id("event")}))

    def abort(self) -> None:
        """Abort the TCP connection, without a close frame."""
        self._socket.transport.abort()

    async def run(self, lifetime_s: float) -> None:
        """Send until the connection ends. lifetime_s: the session expires after this time."""
        expiry = asyncio.get_running_loop().call_later(lifetime_s, self._expire)
        self.schedule_faults()
        try:
            await self._write()
        except ConnectionClosed:
            return  # the reading task sees it too
        finally:
            expiry.cancel()
            self._cancel_timers()

    async def reject(self, code: str, message: str) -> None:
        """Reject the connection after its upgrade."""
        detail = ErrorDetail(type="invalid_request_error", code=code, message=message, param=None, event_id=None)
        await self._socket.send(Error(event_id=self._new_id("event"), error=detail).to_wire(), text=True)
        await self._socket.close(4000, f"invalid_request_error.{code}")

    def schedule_faults(self) -> None:
        """Start the timers of the timed faults."""
        self._cancel_timers()
        loop, faults = asyncio.get_running_loop(), self._faults.faults
        if faults.drop_after_ms is not None:
            self._timers.append(loop.call_later(faults.drop_after_ms / 1000, self._drop))
        if faults.expire_after_s is not None:
            self._timers.append(loop.call_later(faults.expire_after_s, self._expire_by_fault))

    async def _write(self) -> None:
        while (event := await self._events.get()) is not None:
            if self._faults.drops_on(event.type):
                self.abort()
                return
            if not self._faults.is_silent:
                # Each part as what it is: the engine's items of MCP servers have fields that the product does not read.
                await self._socket.send(event.model_dump_json(by_alias=True, exclude_unset=True, serialize_as_any=True))
        await self._socket.close(1001, "Your session hit the maximum duration of 60 minutes.")

    def _drop(self) -> None:
        if self._faults.drops_now():
            self.abort()

    def _expire_by_fault(self) -> None:
        if self._faults.expires_now():
            self._expire()

    def _expire(self) -> None:
        self.emit(Error(error=_EXPIRED))
        self._events.put_nowait(None)

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
