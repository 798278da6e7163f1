"""What tests of both wire languages share: the frames of a union by their types, a sample of each, a peer's framing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from protocols.frames import Frame
from protocols.realtime import client_events

# The events of the Realtime interface with their fields, as OpenAI has published them.
EVENTS = json.loads((Path(__file__).parent / "openai_events.json").read_text())


# Fields of compatible servers.
BESIDES = {"conversation.item.input_audio_transcription.completed": {"status"}}


def models(union: Any) -> dict[str, type[Frame]]:
    return {each.model_fields["type"].default: each for each in get_args(union)}


def sample(model: type[BaseModel]) -> dict[str, Any]:
    """A frame with every field filled in."""
    simple: dict[str, Any] = {
        "session": {"type": "realtime"},
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
        "response": {"id": "resp_1", "object": "realtime.response", "status": "completed", "output": []},
        "error": {"type": "invalid_request_error", "message": "no"},
        "part": {"type": "audio", "transcript": "hello"},
        "conversation": {"id": "conv_1", "object": "realtime.conversation"},
        "rate_limits": [{"name": "tokens", "limit": 1, "remaining": 1, "reset_seconds": 0.5}],
        "usage": {"type": "duration", "seconds": 1.0},
        "logprobs": [],
        "languages": [],
        "received_at": 1,
        "start": 0.5,
        "end": 1.0,
    }
    filled: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        number = name.endswith(("_ms", "_index"))
        filled[name] = field.default if name == "type" else simple.get(name, 7 if number else "x")
    if model is client_events.ResponseCreate:
        filled["response"] = {"metadata": {"kind": "test"}}
    return filled


def library(masks: bool) -> ClientProtocol | ServerProtocol:
    """A peer's end of an open WebSocket, by the library's own protocol. masks: it is a client's."""
    return ClientProtocol(parse_uri("ws://x/"), state=OPEN) if masks else ServerProtocol(state=OPEN)


def same_fields(direction: str, ours: dict[str, type[Frame]]) -> int:
    """Assert that we know every event of a direction with all its fields. Returns how many there are."""
    theirs = {event["type"]: event for event in EVENTS if event["direction"] == direction}
    assert ours.keys() == theirs.keys()
    for name, event in theirs.items():
        others = BESIDES.get(name, set())
        assert set(ours[name].model_fields) == {*event["required"], *event["optional"]} | others, name
    return len(theirs)
