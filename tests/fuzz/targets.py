"""What is fuzzed: the readers of everything that comes from a peer, each with what must hold for any bytes.

A target takes bytes, and raises if one of our promises is broken. test_corpus.py replays the corpus (tests/corpus).
May import: protocols, the framing of websockets, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from protocols.errors import WireError
from protocols.frames import Codec, Unknown
from protocols.framing import FrameReader
from protocols.limits import NAME_CHARS
from protocols.realtime.client_events import CLIENT_EVENTS
from protocols.realtime.server_events import SERVER_EVENTS
from protocols.vaic import FROM_VAIC, TO_VAIC
from protocols.vaic_reports import MOST_CALLS, MOST_DELAY_MS, MOST_DELAYS, read_reports

CORPUS = Path(__file__).parents[1] / "corpus"
REASONS = {"not_json", "not_utf8", "not_an_object", "no_type", "bad_fields", "too_many_values"}
DEEPEST = 100
MOST_BYTES = 64 * 1024
CODECS: Mapping[str, Codec[Any]] = {
    "vaic": FROM_VAIC,
    "bot": TO_VAIC,  # as the simulated caller reads it
    "realtime": SERVER_EVENTS,
    "client": CLIENT_EVENTS,  # of the engine
}
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


def _parsed(codec: Codec[Any], data: bytes) -> None:
    """A frame, an unknown one, or a known reason; what was read can be written, and is read as the same again."""
    told: list[WireError] = []
    try:
        frame = codec.parse(data, told.append)
    except WireError as error:
        if error.reason not in REASONS:
            raise
        return
    assert len(told) <= 1
    if isinstance(frame, Unknown):
        assert len(frame.type) <= 64
        return
    try:
        json.dumps(frame.model_dump(), allow_nan=False, default=str)
    except ValueError:
        return  # JSON has no NaN: it is written as null
    written = frame.model_dump_json(by_alias=True)
    if max(written.count("["), written.count("{")) > DEEPEST:
        return  # the reader's own limit may lie between what was read and what is written
    again = codec.parse(written)
    assert again == frame, (again, frame)


def frames(data: bytes) -> None:
    """WebSocket frames: our reader with the library behind it reads what the library alone does, however bytes are cut.

    The first byte says how the others are cut.
    """
    cut, stream = (data[0] % 61 + 1, data[1:]) if data else (1, b"")
    wanted = _by_library(stream)
    got = _by_ours(stream, cut)
    assert got == wanted, (got, wanted)


def _library() -> ServerProtocol:
    return ServerProtocol(state=OPEN, max_size=MOST_BYTES)


def _events(protocol: ServerProtocol) -> list[tuple[Opcode, bytes, bool]]:
    events = [each for each in protocol.events_received() if isinstance(each, WireFrame)]
    return [(each.opcode, bytes(each.data), each.fin) for each in events]


def _by_library(stream: bytes) -> list[tuple[Opcode, bytes, bool]]:
    protocol = _library()
    protocol.receive_data(stream)
    return _events(protocol)


def _by_ours(stream: bytes, cut: int) -> list[tuple[Opcode, bytes, bool]]:
    """As actors/transport/websocket.py does it."""
    protocol, reader = _library(), FrameReader(masked=True, max_bytes=MOST_BYTES)
    read: list[tuple[Opcode, bytes, bool]] = []
    for at in range(0, len(stream), cut):
        for is_text, frame in reader.feed(stream[at : at + cut]):
            if protocol.state is not OPEN or protocol.parser_exc is not None:
                return read
            if is_text:
                read.append((Opcode.TEXT, frame, True))
                continue
            protocol.receive_data(frame)
            for opcode, payload, fin in _events(protocol):
                if opcode in _DATA:
                    reader.in_message = not fin
                read.append((opcode, payload, fin))
    return read


def reports(data: bytes) -> None:
    """What VoiceAI Connect pushes of calls: delays of calls that are named, within their bounds, or a ValueError."""
    try:
        found = read_reports(data)
    except ValueError:
        return
    assert 0 < len(found) <= MOST_CALLS
    for call, delays in found.items():
        assert 0 < len(call) <= NAME_CHARS
        assert len(delays) <= MOST_DELAYS
        assert all(0 <= ms <= MOST_DELAY_MS for each in delays for ms in each.model_dump(exclude_none=True).values())


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    **{name: partial(_parsed, codec) for name, codec in CODECS.items()},
    "frames": frames,
    "reports": reports,
}


def seeds(name: str) -> list[bytes]:
    """The frames from which a target's corpus was begun."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("seed-*"))]


def words(name: str) -> list[str]:
    """Names and texts that frames of a target have: what a fuzzer cannot guess."""
    if name == "frames":
        return []
    left = [json.loads(each) for each in seeds(name)]
    found: set[str] = set()
    while left:
        match left.pop():
            case dict() as inside:
                found |= inside.keys()
                left += inside.values()
            case list() as inside:
                left += inside
            case str() as text if len(text) < 64:
                found.add(text)
    return sorted(found)
