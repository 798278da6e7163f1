"""The caller's telephone: VAIC's side of the call with its socket, driven by a scene.

The caller's speech exists only as events of the model (tests.adversary.model); this line carries silence.
May import: tests.adversary, lab.caller, protocols, websockets, the standard library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from lab.caller import CallSettings
from lab.caller.call import REDIAL_MS, tick_s
from lab.caller.phone import Phone
from lab.caller.user_stream import UserStream, Wish
from protocols.vaic import BotActivity, UserStreamStop

_MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class _Muted(UserStream):
    """A user stream that is stopped and not started again."""

    def stopped(self) -> bool:
        return True

    def ask(self, now_ms: int, *, full_duplex: bool, bot_busy: bool) -> Wish | None:
        return None


TransferEnd = Literal["answered", "fails", "ignored"]


class _Handset(Phone):
    """transfer: what becomes of one; VAIC reports one that fails, and keeps the call. transfers: the targets so far."""

    def __init__(self, settings: CallSettings, now: Callable[[], datetime], *, transfer: TransferEnd) -> None:
        super().__init__(settings, lambda _: None, lambda: now().isoformat(timespec="milliseconds"))
        self._transfer = transfer
        self.transfers: list[str] = []

    def _act(self, activity: BotActivity) -> None:
        if (activity.name or "").lower() in ("transfer", "handover"):
            self.transfers.append(str((activity.activity_params or {}).get("transferTarget")))
            if self._transfer == "fails":
                failed = {"status": "failed", "reasonCode": "busy", "reason": "Busy Here"}
                self._event("transferStatus", value=failed)
            if self._transfer != "answered":
                return
        super()._act(activity)

    def mute(self) -> None:
        """Send `userStream.stop`, even in mid-utterance: the line is on hold, or suppresses silence."""
        self._send(UserStreamStop(conversation_id=self._settings.conversation_id))
        self._user = _Muted()

    def event(self, name: str, **fields: Any) -> None:
        self._event(name, **fields)


class Telephone:
    """One call. `live` runs it; the other methods are what the caller does meanwhile.

    now: the time of day. settings.speed: factor by which it runs faster than the loop's clock.
    """

    def __init__(
        self, settings: CallSettings, now: Callable[[], datetime], *, transfer: TransferEnd = "answered"
    ) -> None:
        self._settings = settings
        self._socket: ClientConnection | None = None
        self._abandoned: list[ClientConnection] = []
        self._half_open = False
        self.handset = _Handset(replace(settings, send_dtmf=False), now, transfer=transfer)

    @property
    def up(self) -> bool:
        """The call has begun, and has not ended."""
        return self.handset.media is not None and not self.handset.progress.ended

    @property
    def outcome(self) -> str:
        """ "bot-disconnected", "transferred", "client-disconnected", "error", "refused"; empty while it goes on."""
        return self.handset.progress.outcome

    @property
    def now_ms(self) -> int:
        return self.handset.now_ms

    # --- what the caller does ---

    def press(self, *events: str) -> None:
        """Press keys at once, one event per string."""
        for keys in events:
            self.handset.press(keys)

    def hang_up(self) -> None:
        self.handset.hang_up()

    def drop(self, resume_after_ms: int = REDIAL_MS, *, half_open: bool = False) -> None:
        """Lose the socket and come back with `session.resume`. half_open: the bot does not learn of the loss."""
        self._half_open = half_open
        self.handset.drop(resume_after_ms)

    # --- the line ---

    async def live(self) -> None:
        """Run the call from `session.initiate` to its end."""
        line = asyncio.create_task(self._keep_line())
        loop = asyncio.get_running_loop()
        began_s, ticks = loop.time(), 0
        try:
            while not self.handset.over:
                self.handset.tick()
                await self._flush()
                self._lose_line()
                ticks += 1
                await asyncio.sleep(max(0.0, began_s + tick_s(ticks, self._settings.speed) - loop.time()))
        finally:
            line.cancel()
            for socket in (self._socket, *self._abandoned):
                if socket is not None:
                    socket.transport.abort()

    def _lose_line(self) -> None:
        if self.handset.drop_for_ms is None or self._socket is None:
            return
        if self._half_open:
            self._abandoned.append(self._socket)
            self._socket = None
        else:
            self._socket.transport.abort()

    async def _flush(self) -> None:
        outbox = self.handset.outbox
        try:
            while outbox and self._socket is not None:
                await self._socket.send(outbox.popleft())
        except ConnectionClosed:
            pass  # the reading task reports it

    async def _keep_line(self) -> None:
        while not self.handset.over:
            try:
                socket = await connect(
                    self._settings.url, compression=None, proxy=None, max_size=_MAX_MESSAGE_BYTES, close_timeout=1
                )
            except (OSError, InvalidHandshake) as error:
                if not self.handset.progress.losses:
                    self.handset.fail("refused", "not_connected", str(error))
                    return
            else:
                await self._converse(socket)
            pause_ms, self.handset.drop_for_ms = self.handset.drop_for_ms, None
            await asyncio.sleep((REDIAL_MS if pause_ms is None else pause_ms) / 1000 / self._settings.speed)

    async def _converse(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.handset.connected()
        await self._flush()
        reading = asyncio.create_task(self._read(socket))
        try:
            while not reading.done() and self._socket is socket:
                await asyncio.wait({reading}, timeout=0.02)
        finally:
            reading.cancel()
        if self._socket is socket:
            self._socket = None
            self.handset.lost(socket.close_code or 1006)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                self.handset.received(message)
                await self._flush()
        except ConnectionClosed:
            pass
