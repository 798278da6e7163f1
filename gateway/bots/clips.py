"""Recordings in a bot's own voice, of the sentences that are played without the model.

May import: actors, gateway.bots, protocols, websocket-client, the standard library.
Rules from: docs/specs/openai-realtime.md 2.2 and 3.3.
"""

from __future__ import annotations

import json
import re
import time
import wave
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import websocket

from actors.bots import ModelSettings
from actors.clips import Clip, Clips
from protocols.errors import TielineError, WireError
from protocols.frames import Unknown
from protocols.media import LPCM16_24, realtime_format
from protocols.realtime.client_events import ClientEvent, ResponseCreate, SessionUpdate
from protocols.realtime.objects import (
    AudioInput,
    AudioOutput,
    ResponseRequest,
    Session,
    SessionAudio,
)
from protocols.realtime.server_events import (
    SERVER_EVENTS,
    AnyServerEvent,
    Error,
    OutputAudioDelta,
    OutputAudioTranscriptDone,
    ResponseDone,
    SessionUpdated,
)

RATE_HZ = 24_000
# Of one sentence, from the request to its end.
LIMIT_S = 30.0
# A model may say more than it was told to; then it is asked again.
TRIES = 3
INSTRUCTIONS = "You read sentences aloud for recordings, friendly and plain, each just as it stands, and nothing else."
# Says a sentence: 16 bits mono at RATE_HZ.
Speaker = Callable[[str], bytes]


class NotSpoken(TielineError):
    """A sentence could not be recorded; says why."""


def record_clips(folder: Path, known: Clips, say: Speaker) -> Iterator[Path]:
    """Record every sentence into the bot's folder, and yield each file. known: the words, where the bot has none.

    Words of the bot's own stand in clips/NAME.txt. Raises: NotSpoken, also where there are no words; OSError.
    """
    (folder / "clips").mkdir(exist_ok=True)
    for clip in Clip:
        text = folder / "clips" / f"{clip.value}.txt"
        if not text.exists() and clip not in known:
            raise NotSpoken(f"there are no words for it in the bot's language: write them into {text}")
        words = " ".join(text.read_text("utf-8").split()) if text.exists() else known[clip].words
        sound = say(words)
        text.write_text(f"{words}\n", "utf-8")
        file = text.with_suffix(".wav")
        with wave.open(str(file), "wb") as recording:
            recording.setnchannels(1)
            recording.setsampwidth(2)
            recording.setframerate(RATE_HZ)
            recording.writeframes(sound)
        yield file


class ModelSpeaker:
    """`with ModelSpeaker(…) as say:` has the Realtime model say sentences in a bot's voice. Raises: NotSpoken."""

    def __init__(self, url: str, headers: dict[str, str], settings: ModelSettings) -> None:
        self._url = url
        self._headers = headers
        self._settings = settings
        self._socket: websocket.WebSocket | None = None

    def __enter__(self) -> Self:
        settings = self._settings
        speed = {} if settings.speed is None else {"speed": settings.speed}
        try:
            self._socket = websocket.create_connection(
                self._url, timeout=LIMIT_S, header=self._headers, redirect_limit=0, suppress_origin=True
            )
        except (OSError, websocket.WebSocketException, ValueError) as error:
            raise NotSpoken(f"the model cannot be reached: {error}") from None
        update = Session(
            type="realtime",
            instructions=INSTRUCTIONS,
            output_modalities=("audio",),
            audio=SessionAudio(
                input=AudioInput(turn_detection=None),
                output=AudioOutput(format=realtime_format(LPCM16_24), voice=settings.voice, **speed),
            ),
            tools=(),
        )
        try:
            self._send(SessionUpdate(session=update))
            next(event for event in self._events() if isinstance(event, SessionUpdated))
        except BaseException:
            self._socket.close()  # no __exit__ follows
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._socket is not None:
            self._socket.close()

    def __call__(self, words: str) -> bytes:
        for _ in range(TRIES):
            sound, said = self._once(words)
            if _plain(said) == _plain(words) and sound:
                return sound
        raise NotSpoken(f"the model says {said!r} instead of {words!r}")

    def _once(self, words: str) -> tuple[bytes, str]:
        told = f"Say to the caller, word for word: {json.dumps(words, ensure_ascii=False)}"
        request = ResponseRequest(conversation="none", input=(), instructions=f"{INSTRUCTIONS}\n\n{told}")
        self._send(ResponseCreate(response=request))
        sound, said = b"", ""
        for event in self._events():
            match event:
                case OutputAudioDelta():
                    sound += b64decode(event.delta)
                case OutputAudioTranscriptDone():
                    said = event.transcript
                case ResponseDone():
                    if event.response.error_message:
                        raise NotSpoken(f"the model has failed: {event.response.error_message}")
                    return sound, said
                case _:
                    pass
        raise AssertionError  # the events end by an exception

    def _send(self, event: ClientEvent) -> None:
        assert self._socket is not None
        self._socket.send(event.to_wire().decode())

    def _events(self) -> Iterator[AnyServerEvent | Unknown]:
        assert self._socket is not None
        until_s = time.monotonic() + LIMIT_S
        while True:
            if time.monotonic() > until_s:
                raise NotSpoken("the model does not come to an end")
            try:
                event = SERVER_EVENTS.parse(self._socket.recv())
            except WireError:
                continue
            except (OSError, websocket.WebSocketException) as error:
                raise NotSpoken(f"the model is gone: {error}") from None
            if isinstance(event, Error):
                raise NotSpoken(f"the model refuses: {event.error.message}")
            yield event


def _plain(words: str) -> list[str]:
    return re.findall(r"\w+", words.lower())
