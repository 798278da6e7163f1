"""One simulated caller of a load run: speaks VoiceAI Connect's protocol.

May import: lab.load, websockets, the standard library. Rules from: docs/specs/vaic-streaming.md 3, 5.
"""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from lab.load.line import LoadSocket, clock_us
from lab.load.run_state import InOrder, Model, RunState
from lab.load.stamps import StampedChunk, StampsByLength, StampsInAudio, find_stamp
from protocols.media import decoded_bytes


class LoadCaller(LoadSocket):
    """Opens a session, streams audio, counts the audio it receives, and ends the session on request."""

    def __init__(self, run: RunState, number: int) -> None:
        settings = run.settings
        super().__init__(ClientProtocol(parse_uri(settings.url)), settings.token)
        self._run = run
        self._number = number
        self._name = f"load-{settings.seed}-{number}"
        media = settings.caller_media
        self._ms_per_byte = 1 / media.bytes_per_ms
        before = f'{{"type":"userStream.chunk","conversationId":"{self._name}","audioChunk":"'
        self._chunk = StampedChunk(before, bytes(media.bytes_per_ms * settings.chunk_ms), '"}', masks=True)
        self.count = 0
        self.order = InOrder(run.down)
        self._in_audio = StampsInAudio()
        self.times = StampsByLength(settings.chunk_ms)
        self.model: Model | None = None
        self._began_us = clock_us()
        self.ending = False

    def opened(self) -> None:
        run = self._run
        run.opened += 1
        if run.settings.plain:
            self._talk()
        self.say(
            "session.initiate",
            conversationId=self._name,
            botName="load",
            caller="+15550100",
            expectAudioMessages=True,
            supportedMediaFormats=[run.settings.media],
        )

    def message(self, text: bytes, now_us: int) -> None:
        if self.ending:
            return
        stamp = find_stamp(text)
        if stamp is None:
            self._other(json.loads(text), now_us)
            return
        self.order.arrived(stamp, now_us)
        if self._run.settings.altered and self.model is not None:
            self.model.times.told_by_stamps()
        if stamp.number == 0 or (self.model is not None and stamp.number == self.model.first_number):
            self._run.first_audio.add(stamp.delay_us(now_us))

    def gone(self, why: str) -> None:
        run = self._run
        run.callers.pop(self._number, None)
        run.wheel.leave(self)
        if not self.ending or why:
            run.failed += 1
            run.fault(f"a call broke: {why or 'closed by the bot'}")

    def send_chunk(self, now_us: int) -> None:
        run = self._run
        if not run.talking or self.ending:
            return
        self.write(self._chunk.stamped(self._number, self.count, now_us))
        self.count += 1
        run.up.sent += 1
        if run.settings.altered:
            self.times.sent(now_us)

    def end(self) -> None:
        """Hang up."""
        if not self.ending:
            self.ending = True
            self._run.wheel.leave(self)
            if self.model is not None:
                # Chunks in flight when a call ends do not count as lost.
                self._run.up.sent -= self.count - self.model.order.passed
                self._run.down.sent -= self.model.count - self.order.passed
            self.say(
                "session.end", conversationId=self._name, reasonCode="client-disconnected", reason="Client Disconnected"
            )
            self.hang_up()

    def _talk(self) -> None:
        self._run.set_up.add(clock_us() - self._began_us)
        self._run.callers[self._number] = self
        if not self._run.settings.silent:
            self._run.wheel.join(self)

    def _other(self, frame: dict[str, Any], now_us: int) -> None:
        match frame.get("type"):
            case "playStream.chunk":
                self._cut_anew(frame["audioChunk"], now_us)
            case "session.accepted":
                if frame.get("mediaFormat") != self._run.settings.media:
                    self._run.fault(f"the bot chose {frame.get('mediaFormat')}")
                start = {"type": "event", "name": "start", "id": "1", "timestamp": "2026-01-01T00:00:00.000Z"}
                self.say("activities", conversationId=self._name, activities=[start])
                self.say("userStream.start", conversationId=self._name)
            case "userStream.started":
                self._talk()
            case "userStream.speech.started":
                if self.model is not None and self.model.barged_in_us:
                    self._run.barge_in.add(now_us - self.model.barged_in_us)
            case "session.error":
                self._run.fault(f"refused: {frame.get('reason')}")

    def _cut_anew(self, payload: str, now_us: int) -> None:
        if not self._run.settings.altered:
            for stamp in self._in_audio.feed(b64decode(payload)):
                self.order.arrived(stamp, now_us)
        elif self.model is not None:
            length_ms = decoded_bytes(payload) * self._ms_per_byte
            for delay_us in self.model.times.arrived(length_ms, now_us):
                self._run.down.arrived(delay_us)
