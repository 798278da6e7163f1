"""A client of the realtime engine, for its tests: every event it reads must fit the types of the `openai` package.

May import: lab, websockets, soxr, numpy, the standard library.
"""

from __future__ import annotations

import asyncio
import json
import wave
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import websockets
from websockets.asyncio.client import ClientConnection

from lab import mind
from lab.engine import Engine, EngineSettings, Faults
from lab.engine.sound import A_LAW, MU_LAW
from tests.openai_types import openai_server_events
from tests.paced_loop import run_paced

Event = dict[str, Any]
SPEECH = Path(__file__).parents[2] / "lab" / "speech"
KEY = {"Authorization": "Bearer any"}
_LIMIT_S = 15
_DELTAS = ("output_audio.delta", "output_audio_transcript.delta", "output_text.delta", "arguments.delta")


class Client:
    """One connection. events: what was read, in order."""

    def __init__(self, socket: ClientConnection, engine: Engine) -> None:
        self.socket = socket
        self.engine = engine
        self.events: list[Event] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def update(self, **session: Any) -> Event:
        """Change the configuration; return the one in force afterwards."""
        await self.send("session.update", session={"type": "realtime", **session})
        session_now: Event = (await self.next("session.updated"))["session"]
        return session_now

    async def next(self, kind: str) -> Event:
        """Read up to the next event of a type, and return it."""
        while True:
            event = await self._read()
            if event["type"] == kind:
                return event

    async def error(self) -> Event:
        """Read up to the next error, and return its detail."""
        error: Event = (await self.next("error"))["error"]
        return error

    async def done(self) -> Event:
        """Read up to the end of a response, and return it."""
        response: Event = (await self.next("response.done"))["response"]
        return response

    async def ask(self, text: str, **response: Any) -> Event:
        """Send a text message; return the response to it."""
        await self.send("conversation.item.create", item=user(text))
        await self.send("response.create", response=response)
        return await self.done()

    async def say_exactly(self, text: str, **response: Any) -> None:
        """Begin a response that speaks these words."""
        await self.send("response.create", response={"instructions": f"Say exactly: {text}", **response})

    async def append(self, audio: bytes) -> None:
        await self.send("input_audio_buffer.append", audio=b64encode(audio).decode())

    def kinds(self, since: int = 0) -> list[str]:
        """The types of the events read, each kind of delta only once in a row of its siblings."""
        kinds: list[str] = []
        for event in self.events[since:]:
            kind = event["type"]
            if not (kind.endswith(_DELTAS) and kind in kinds[-3:]):
                kinds.append(kind)
        return kinds

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def audio(self) -> bytes:
        """All speech that was read."""
        return b"".join(b64decode(event["delta"]) for event in self.of("response.output_audio.delta"))

    async def _read(self) -> Event:
        async with asyncio.timeout(_LIMIT_S):
            event: Event = json.loads(await self.socket.recv())
        openai_server_events().validate_python(event, strict=False)
        self.events.append(event)
        return event


@asynccontextmanager
async def connected(engine: Engine, **headers: str) -> AsyncIterator[Client]:
    """A client whose session was created."""
    url = f"{engine.url}?model=gpt-realtime"
    async with websockets.connect(
        url, additional_headers={**KEY, **headers}, compression=None, max_size=None, close_timeout=1
    ) as socket:
        client = Client(socket, engine)
        await client.next("session.created")
        yield client


def on_a_call(**settings: Any) -> Callable[[Callable[[Client], Awaitable[None]]], Callable[[], None]]:
    """Decorate a coroutine as a test that gets a client of an engine of its own."""

    def decorated(test: Callable[[Client], Awaitable[None]]) -> Callable[[], None]:
        async def call() -> None:
            async with running(**settings) as engine, connected(engine) as client:
                await test(client)

        def run() -> None:
            run_paced(call())

        run.__doc__ = test.__doc__
        return run

    return decorated


def running(
    speed: float = 20,
    faults: Faults | None = None,
    think: Callable[[mind.Prompt], mind.Reply] = mind.think,
    **settings: Any,
) -> Engine:
    """An engine on a free port, with short waits."""
    return Engine(EngineSettings(port=0, speed=speed, faults=faults or Faults(), **settings), think=think)


def user(text: str) -> Event:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def words_of(response: Event) -> str:
    """What a response says, spoken or written."""
    parts = [part for item in response["output"] for part in item.get("content", ())]
    return " ".join(part.get("transcript") or part.get("text") or "" for part in parts)


def speech(name: str, media: str = "audio/pcm", silence_ms: int = 900) -> bytes:
    """A recorded sentence and the silence after it, in one of the interface's formats."""
    with wave.open(str(SPEECH / f"{name}.wav")) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
        at_hz = recording.getframerate()
    rate_hz = 24_000 if media == "audio/pcm" else 8_000
    silence = np.zeros(rate_hz * silence_ms // 1000, np.int16)
    sound = np.concatenate([soxr.resample(samples, at_hz, rate_hz), silence])
    laws = {"audio/pcmu": MU_LAW, "audio/pcma": A_LAW}
    return laws[media].encode(sound) if media in laws else sound.tobytes()


def in_order(kinds: Sequence[str], *wanted: str) -> bool:
    """Whether the wanted types all occur, in this order, whatever stands between them."""
    rest = iter(kinds)
    return all(kind in rest for kind in wanted)
