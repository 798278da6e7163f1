"""Shared by tests of the simulated caller: its telephone, with a bot that the test plays."""

from __future__ import annotations

import json
from base64 import b64encode
from itertools import count
from typing import Any, ClassVar

from lab.caller.events import CallerEvent
from lab.caller.phone import Phone
from lab.caller.settings import CallSettings


class Line:
    """A phone whose bot is played by hand. accepted: the format with which it accepts the call.

    opening: what VAIC has sent up to `start`.
    """

    accepted: ClassVar[dict[str, str]] = {"mediaFormat": "raw/lpcm16_24"}

    def __init__(self, **settings: Any) -> None:
        self._numbers = count(1)
        self.events: list[CallerEvent] = []
        self.phone = Phone(
            CallSettings(url="ws://bot", conversation_id="c-1", **settings),
            self.events.append,
            lambda: "2026-03-04T09:15:00.000Z",
        )
        self.phone.connected()
        self.phone.received(json.dumps({"type": "session.accepted"} | self.accepted))
        self.opening = list(self.phone.outbox)
        self.phone.tick()
        if self.accepted:
            self.bot("userStream.started")

    def bot(self, kind: str, **fields: Any) -> None:
        self.phone.received(json.dumps({"type": kind, "conversationId": "c-1"} | fields))

    def configure(self, **params: Any) -> None:
        number = next(self._numbers)
        activity = {"type": "event", "name": "config", "id": f"c-{number}", "timestamp": "t", "sessionParams": params}
        self.bot("activities", activities=[activity])

    def stream(self, ms: int) -> None:
        self.bot("playStream.start", streamId="p-1", mediaFormat="raw/lpcm16_24")
        self.bot("playStream.chunk", streamId="p-1", audioChunk=b64encode(b"\1\0" * 24 * ms).decode())

    def run(self, ms: int) -> None:
        for _ in range(ms // 20):
            self.phone.tick()

    def sent(self) -> list[str]:
        kinds = [json.loads(text)["type"] for text in self.phone.outbox]
        self.phone.outbox.clear()
        return kinds
