"""One session of a load run's fake model: talks without end, and reads only the stamps in the caller's audio.

May import: lab.load, websockets, the standard library. Rules from: docs/specs/openai-realtime.md 3, 4.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable
from itertools import count
from typing import Any

from websockets.server import ServerProtocol

from lab.load.line import LoadSocket, clock_us
from lab.load.run_state import Caller, InOrder, RunState
from lab.load.stamps import StampedChunk, StampsByLength, StampsInAudio, find_stamp
from protocols.media import MULAW, decoded_bytes

BARGE_IN_S = 0.2  # length of the caller's speech in a barge-in
# From the caller's first audio to a first turn, for a bot that asks for no response and relies on turn detection. Long
# enough for any greeting: a turn beside it would cut it off, and what was cut would count as lost.
FIRST_TURN_S = 5.0
DELTAS_A_WORD = 16  # audio deltas per transcript delta: about three words a second


class LoadModel(LoadSocket):
    """One session: accepts any configuration, speaks when asked, and counts the caller's audio.

    Where nobody asks, and the session is to answer turns by itself, the caller has one turn and is answered.

    caller: this call's caller, once known: by a stamp, or by the order of connecting if audio is altered.
    first_number: of the first chunk of the current response. barged_in_us: when it last sent speech_started.
    """

    def __init__(self, run: RunState, number: int) -> None:
        super().__init__(ServerProtocol())
        self._run = run
        self._number = number
        self._media = run.settings.model_media
        self.count = self.first_number = self.barged_in_us = 0
        self.order = InOrder(run.up)
        self._in_audio = StampsInAudio()
        self.times = StampsByLength(run.settings.chunk_ms)
        self.caller: Caller | None = None
        self._responses = count(1)
        self._running = ""
        self._asked = False  # for a response
        self._answers = True  # the session answers the caller's turns by itself
        self._chunk = self._chunk_of("0")
        self._timer: asyncio.TimerHandle | None = None

    def opened(self) -> None:
        run = self._run
        run.models[self._number] = self
        if run.settings.plain:
            run.wheel.join(self)
            return
        if run.expecting is not None:
            self._meet(run.expecting)
            run.expecting = None
        self.say("session.created", event_id="e", session=self._session())

    def message(self, text: bytes, now_us: int) -> None:
        if self.caller is not None and self.caller.ending:
            return
        stamp = find_stamp(text)
        if stamp is None:
            self._other(json.loads(text), now_us)
        elif self.order.arrived(stamp, now_us):
            if self.caller is None:
                self._meet(self._run.callers.get(stamp.stream))
            if self._run.settings.altered and self.caller is not None:
                self.caller.times.told_by_stamps()
                self._run.fault(f"the bot sends {self._run.settings.media} to the model as it is")

    def gone(self, why: str) -> None:
        run = self._run
        run.models.pop(self._number, None)
        run.wheel.leave(self)
        if self._timer is not None:
            self._timer.cancel()
        if why and run.talking and not run.settings.call_s:
            run.fault(f"a model session broke: {why}")

    def send_chunk(self, now_us: int) -> None:
        run = self._run
        if not run.talking or (self.caller is not None and self.caller.ending):
            return
        self.write(self._chunk.stamped(self._number, self.count, now_us))
        self.count += 1
        run.down.sent += 1
        if run.settings.altered:
            self.times.sent(now_us)
        if run.settings.transcripts and self.count % DELTAS_A_WORD == 0:
            self.say("response.output_audio_transcript.delta", **self._of_part(), delta="word ")

    def _meet(self, caller: Caller | None) -> None:
        if caller is not None:
            self.caller, caller.model = caller, self
            if not self._run.settings.silent:
                self._after(FIRST_TURN_S, self._first_turn)

    def _other(self, event: dict[str, Any], now_us: int) -> None:
        match event.get("type"):
            case "input_audio_buffer.append":
                self._cut_anew(event["audio"], now_us)
            case "session.update":
                self._answers = _answers_turns(event["session"], self._answers)
                self.say("session.updated", event_id="e", session=self._session() | event["session"])
            case "response.create":
                self._asked = True
                if not self._running:
                    self._speak()
            case "response.cancel":
                self._fall_silent("cancelled")
            case "conversation.item.create":
                item = {"id": "i", "object": "realtime.item", "status": "completed"} | event["item"]
                self.say("conversation.item.added", event_id="e", previous_item_id=None, item=item)
                self.say("conversation.item.done", event_id="e", previous_item_id=None, item=item)

    def _cut_anew(self, payload: str, now_us: int) -> None:
        if not self._run.settings.altered:
            for stamp in self._in_audio.feed(b64decode(payload)):
                self.order.arrived(stamp, now_us)
        elif self.caller is not None:
            length_ms = decoded_bytes(payload) / self._media.bytes_per_ms
            for delay_us in self.caller.times.arrived(length_ms, now_us):
                self._run.up.arrived(delay_us)

    # --- what it says ---

    def _speak(self) -> None:
        self._running = f"{self._number}-{next(self._responses)}"
        self._chunk = self._chunk_of(self._running)
        item = {"id": f"item_{self._running}", "object": "realtime.item", "type": "message", "role": "assistant"}
        self.say("response.created", event_id="e", response=self._response("in_progress"))
        of_item = {"event_id": "e", "response_id": f"resp_{self._running}", "output_index": 0}
        begun = item | {"status": "in_progress", "content": []}
        self.say("response.output_item.added", **of_item, item=begun)
        self.say("conversation.item.added", event_id="e", previous_item_id=None, item=begun)
        self.say("response.content_part.added", **self._of_part(), part={"type": "audio", "transcript": ""})
        if self._run.settings.silent:
            return
        self.first_number = self.count
        self._run.wheel.join(self)
        if self._run.settings.turn_s:
            self._after(self._run.settings.turn_s, self._barge_in)

    def _first_turn(self) -> None:
        if self._answers and not self._asked and self._run.talking:
            turn = f"turn_{self._number}"
            self.say("input_audio_buffer.speech_started", event_id="e", audio_start_ms=0, item_id=turn)
            self._after(BARGE_IN_S, lambda: self._commit(turn))

    def _barge_in(self) -> None:
        """Simulate a barge-in: cancel the response, and answer when the caller is done."""
        if not self._run.talking:
            return
        turn = f"turn_{self._running}"
        self._run.wheel.leave(self)
        self.barged_in_us = clock_us()
        self.say("input_audio_buffer.speech_started", event_id="e", audio_start_ms=0, item_id=turn)
        self._fall_silent("cancelled")
        self._after(BARGE_IN_S, lambda: self._commit(turn))

    def _commit(self, turn: str) -> None:
        self.say("input_audio_buffer.speech_stopped", event_id="e", audio_end_ms=0, item_id=turn)
        self.say("input_audio_buffer.committed", event_id="e", previous_item_id=None, item_id=turn)
        if not self._running:
            self._speak()

    def _fall_silent(self, status: str) -> None:
        if not self._running:
            return
        self._run.wheel.leave(self)
        part = self._of_part()
        self.say("response.output_audio.done", **part)
        self.say("response.output_audio_transcript.done", **part, transcript="words")
        self.say("response.done", event_id="e", response=self._response(status))
        self._running = ""

    def _after(self, delay_s: float, do: Callable[[], None]) -> None:
        self._timer = self._run.loop.call_later(delay_s, do)

    def _chunk_of(self, response: str) -> StampedChunk:
        ids = f'"response_id":"resp_{response}","item_id":"item_{response}"'
        before = (
            f'{{"type":"response.output_audio.delta","event_id":"event_{response}",{ids},'
            '"output_index":0,"content_index":0,"delta":"'
        )
        audio = bytes(self._media.bytes_per_ms * self._run.settings.chunk_ms)
        return StampedChunk(before, audio, '"}', masks=False)

    def _of_part(self) -> dict[str, Any]:
        ids = {"response_id": f"resp_{self._running}", "item_id": f"item_{self._running}"}
        return {"event_id": "e", "output_index": 0, "content_index": 0} | ids

    def _response(self, status: str) -> dict[str, Any]:
        usage = {"total_tokens": 2, "input_tokens": 1, "output_tokens": 1}
        fields: dict[str, Any] = {
            "output": [],
            "status_details": None,
            "usage": usage if status != "in_progress" else None,
        }
        return {"id": f"resp_{self._running}", "object": "realtime.response", "status": status} | fields

    def _session(self) -> dict[str, Any]:
        audio = {"type": "audio/pcmu"} if self._media is MULAW else {"type": "audio/pcm", "rate": 24000}
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": f"sess_{self._number}",
            "model": "gpt-realtime",
            "output_modalities": ["audio"],
            "audio": {"input": {"format": audio}, "output": {"format": audio}},
        }


def _answers_turns(session: dict[str, Any], before: bool) -> bool:
    """Whether a session answers the caller's turns by itself after an update. before: whether it did."""
    heard = (session.get("audio") or {}).get("input") or {}
    if "turn_detection" not in heard:
        return before
    detection = heard["turn_detection"]
    return detection is not None and detection.get("create_response") is not False
