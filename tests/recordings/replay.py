"""Replays a recorded call to a call whose own actors are all real, and gives every byte that it sends.

May import: tests.actors, actors, protocols, the standard library.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pykka

from actors.messages.call import Rebind
from actors.system.dispatcher import install
from actors.transport.dialler import Dialled
from protocols.media import NO_AUDIO, negotiate
from tests.actors.calls import Call, FakeDialler, FakeWire, WaitingDispatcher

RECORDINGS = Path(__file__).parent
AFTER_MS = 3000.0
_AUDIO = ("playStream.chunk", "input_audio_buffer.append")  # of these only a hash is kept


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came. at_ms: since the first. sender: "vaic" or "model". socket: which of its sockets."""

    at_ms: int
    sender: str
    socket: int
    frame: dict[str, Any]


def write(name: str, received: Sequence[Received]) -> None:
    """Keep a recording."""
    lines = "".join(f"{json.dumps(asdict(each))}\n" for each in received)
    (RECORDINGS / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))


def recorded(name: str) -> list[Received]:
    """A recording that is kept."""
    lines = gzip.decompress((RECORDINGS / f"{name}.jsonl.gz").read_bytes()).decode().splitlines()
    return [Received(**json.loads(line)) for line in lines]


class _Wire(FakeWire):
    """Keeps the bytes that are sent. lines: of all wires of the call, in order."""

    def __init__(self, to: str, lines: list[str]) -> None:
        super().__init__()
        self._to = to
        self._lines = lines

    def send(self, text: bytes) -> None:
        super().send(text)
        told = text.decode()
        if (kind := json.loads(text)["type"]) in _AUDIO:
            told = f"{kind} of {len(text)} bytes, SHA-256 {hashlib.sha256(text).hexdigest()}"
        self._lines.append(f"{self._to} {told}")


class _Dialler(FakeDialler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def _connect(self) -> Dialled:
        self.wires.append(_Wire("model", self._lines))
        return Dialled(self.wires[-1])


def replayed(name: str) -> list[str]:
    """What the call sends, in order: to whom, and the text; of audio its type, length and hash."""
    mailboxes = WaitingDispatcher()
    install(mailboxes)
    try:
        return _replayed(recorded(name), mailboxes)
    finally:
        for ref in pykka.ActorRegistry.get_all():
            ref.stop(block=False)
        mailboxes.drain()


def _replayed(received: Sequence[Received], mailboxes: WaitingDispatcher) -> list[str]:
    lines: list[str] = []
    initiate = received[0].frame
    media = NO_AUDIO if initiate.get("expectAudioMessages") is False else negotiate(initiate["supportedMediaFormats"])
    assert media is not None
    wires: list[FakeWire] = [_Wire("vaic", lines)]
    dialler = _Dialler(lines)
    call = Call(
        mailboxes, media=media, wire=wires[0], dialler=dialler, text=media is NO_AUDIO, caller=initiate["caller"]
    )
    for each in received[1:]:
        mailboxes.advance(max(0.0, each.at_ms - mailboxes.now_ms()))
        frame = each.frame
        if "conversationId" in frame:
            frame = {**frame, "conversationId": "c-1"}
        if each.sender == "vaic" and each.socket == len(wires):
            wires[-1].breaks()
            mailboxes.drain()
            wires.append(_Wire("vaic", lines))
            call.told(Rebind(wires[-1]))
            continue  # session.resume is read before the call has the socket
        wire = wires[each.socket] if each.sender == "vaic" else dialler.wires[each.socket]
        wire.receives(frame)
        mailboxes.drain()
    mailboxes.advance(AFTER_MS)
    return lines
