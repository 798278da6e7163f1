"""How many instructions a chunk of audio takes, whatever else the machine does: `python -m benchmarks.instructions`.

Counted by valgrind, in user space: two revisions compare to a few per mille, where microseconds differ by a third from
one minute to the next. The wires are Tieline's own, without sockets, and the sessions of both legs run as in a call,
24 kHz passed through; the kernel, the loop's library and the misses of caches are not in it.

    python -m benchmarks.instructions [--chunks 200]

May import: actors, protocols, benchmarks.contenders, websockets, orjson, loguru, the standard library.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from random import Random

import orjson
from loguru import logger
from websockets.protocol import CLIENT, SERVER, Protocol, Side

from actors.bots import ModelSettings
from actors.messages.model import Speak
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import VaicSocketMessage
from actors.model.audio_buffer import ModelRef
from actors.model.session import OpenAISocket
from actors.system.address import Address, NullRef, ParentLink, StableRef
from actors.system.dispatcher import LoopDispatcher, install
from actors.transport.circuit import Milestone
from actors.transport.dialler import DialFailed, Dialled, Purpose
from actors.transport.frames import TextFrames
from actors.transport.rate_limit import MODEL_TRAFFIC, VAIC_TRAFFIC, Traffic
from actors.transport.websocket import FramedWire, KeepAlive
from actors.vaic.config import CallerSessionConfig, SocketOrigin
from actors.vaic.session import VaicSocket
from benchmarks.contenders import ROOT
from protocols.media import LPCM16_24
from protocols.realtime.objects import Transcription

CALLS = 4
CHUNK_MS = 20
WARM_UP = 100
# What is counted is what happens inside this function of CPython, which is `dir`: hardly anything else calls it.
COUNTED = "PyObject_Dir"
LEAD_MS = 400
KEEPALIVE = KeepAlive(interval_s=20, limit_s=40)
MODEL = ModelSettings("marin", Transcription(model="whisper-1"))


class Line(FramedWire):
    """An open wire whose bytes go nowhere."""

    __slots__ = ("sent",)

    def __init__(self, side: Side, loop: asyncio.AbstractEventLoop, traffic: Traffic) -> None:
        super().__init__(Protocol(side), loop, KEEPALIVE, traffic)
        self.sent: deque[bytes] = deque(maxlen=1)
        self._opened()

    def _write(self, data: bytes) -> None:
        self.sent.append(data)

    def _shut(self) -> None:
        raise SystemExit("a wire was cut")

    def _pause_reading(self) -> None:
        pass

    def _resume_reading(self) -> None:
        pass


class Dialler:
    """Has one wire, which is open."""

    def __init__(self, wire: Line) -> None:
        self._wire = wire

    def dial(self, caller: Address[Dialled | DialFailed], _: Purpose, /) -> None:
        caller.tell(Dialled(self._wire))

    def refused(self, reason: str, _: Purpose, _step: Milestone, /) -> None:
        raise SystemExit(f"the session failed: {reason}")

    def worked(self, _: Milestone, _purpose: Purpose, /) -> None:
        pass

    def turns_away(self, _: ModelSettings | None, /) -> bool:
        return False

    def did_without(self, _: Iterable[str], _purpose: Purpose, /) -> None:
        pass

    def left_out(self, _: Purpose, /) -> tuple[str, ...]:
        return ()


class Call:
    """Both legs of one call, in which the bot speaks and the caller is heard."""

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        self._loop = loop
        name = f"call-{number}"
        self.up, self.down = Line(SERVER, loop, VAIC_TRAFFIC), Line(CLIENT, loop, MODEL_TRAFFIC)
        self._frames = {self.up: TextFrames(masks=True), self.down: TextFrames(masks=False)}
        vaic, model = StableRef[VaicSocketMessage](), ModelRef(LPCM16_24)
        caller = CallerSessionConfig(
            name, LPCM16_24, SocketOrigin.ACCEPTED, 0, LEAD_MS, 1.5, {}, lambda: "id", lambda: "2026-01-01T00:00:00Z"
        )
        vaic.occupant = VaicSocket.start(ParentLink(NullRef(), "vaic"), caller, self.up, NullRef(), model)
        session = ModelSessionConfig(name, LPCM16_24, MODEL, "Be kind.", ())
        model.occupant = OpenAISocket.start(
            ParentLink(NullRef(), "model"), session, Dialler(self.down), NullRef(), vaic
        )
        audio = b64encode(Random(number).randbytes(LPCM16_24.bytes_per_ms * CHUNK_MS)).decode()
        in_response = {"response_id": f"resp_{number}", "item_id": f"item_{number}", "output_index": 0}
        self._settle()
        for event in ("session.created", "session.updated"):
            self._receive(self.down, type=event, event_id="e", session={"type": "realtime"})
        model.hears(True)
        model.tell(Speak("Greet the caller."))
        self._settle()
        response = {"id": f"resp_{number}", "object": "realtime.response", "status": "in_progress", "output": []}
        self._receive(self.down, type="response.created", event_id="e", response=response)
        self._receive(self.up, type="userStream.start", conversationId=name)
        chunk = {"type": "userStream.chunk", "conversationId": name, "audioChunk": audio}
        delta = {"type": "response.output_audio.delta", "event_id": "e", **in_response, "content_index": 0}
        self.chunk, self.delta = self._framed(self.up, chunk), self._framed(self.down, delta | {"delta": audio})

    def _receive(self, line: Line, **frame: object) -> None:
        line.data_received(self._framed(line, frame))
        self._settle()

    def _framed(self, line: Line, frame: Mapping[str, object]) -> bytes:
        return self._frames[line].build(orjson.dumps(frame))

    def _settle(self) -> None:
        for _ in range(8):  # one callback may schedule another
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()


class Relay:
    """Relays chunks both ways on every call; the last of them, as many as chunks says, within `dir`."""

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks
        self._clock = {"now_s": 0.0}
        loop = asyncio.new_event_loop()
        # The clock is read in C, as the product's is.
        install(LoopDispatcher(loop, clock_s=partial(self._clock.__getitem__, "now_s")))
        self._calls = [Call(loop, number) for number in range(CALLS)]
        self._relay(WARM_UP)

    def __dir__(self) -> list[str]:
        self._relay(self._chunks)
        return []

    def _relay(self, chunks: int) -> None:
        for _ in range(chunks):
            self._clock["now_s"] += CHUNK_MS / 1000
            for call in self._calls:
                call.up.data_received(call.chunk)
                call.down.data_received(call.delta)
        for call in self._calls:
            if min(len(call.up.sent[-1]), len(call.down.sent[-1])) < len(call.chunk) // 2:
                raise SystemExit("a chunk was not passed on")


def counted(chunks: int) -> float:
    """The instructions for a chunk up and one down, the mean of so many on each call."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        counter = ("valgrind", "--tool=callgrind", f"--toggle-collect={COUNTED}", f"--callgrind-out-file={out}")
        program = (sys.executable, "-m", "benchmarks.instructions", "--relay", "--chunks", str(chunks))
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        subprocess.run([*counter, *program], check=True, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        found = re.search(r"^summary: (\d+)", out.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("valgrind tells no count")
    return int(found[1]) / chunks / CALLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--relay", action="store_true", help="relay them, and count nothing")
    options = parser.parse_args()
    if options.relay:
        logger.remove()
        dir(Relay(options.chunks))
    else:
        print(f"{counted(options.chunks):,.0f} instructions for a chunk up and one down")


if __name__ == "__main__":
    main()
