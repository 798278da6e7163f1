"""Client events as typed messages, and the error events that answer invalid ones.

May import: protocols, lab.engine.requests, pydantic, the standard library.
Rules from: docs/specs/openai-realtime.md 1.5.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from lab.engine.requests import AnyEvent, RealtimeEvent, TranscriptionEvent
from protocols.realtime.objects import ErrorDetail

ALREADY_ACTIVE = "conversation_already_has_active_response"
_REALTIME: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[RealtimeEvent, Field(discriminator="type")])
_TRANSCRIPTION: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[TranscriptionEvent, Field(discriminator="type")])
_CODES = {
    "extra_forbidden": ("unknown_parameter", "Unknown parameter: '{}'."),
    "missing": ("missing_required_parameter", "Missing required parameter: '{}'."),
    "union_tag_not_found": ("missing_required_parameter", "Missing required parameter: '{}'."),
    "string_too_long": ("string_above_max_length", "Invalid '{}': string too long."),
}

# Errors in which OpenAI's server does not name the event they answer.
_NAMELESS = frozenset({ALREADY_ACTIVE})


class InvalidEvent(Exception):
    """A client event that cannot be carried out. param: the path to the invalid part, if any."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param

    def detail(self, event_id: str | None) -> ErrorDetail:
        """The error as sent to the client. event_id: the client's id of the invalid event."""
        known = None if self.code in _NAMELESS else event_id
        return ErrorDetail(
            type="invalid_request_error", code=self.code, message=self.message, param=self.param, event_id=known
        )


def read(frame: str | bytes, *, transcribes: bool = False) -> AnyEvent:
    """Parse one client event. transcribes: of a transcription session. Raises: InvalidEvent."""
    if isinstance(frame, bytes):
        raise InvalidEvent("invalid_event", "Events are JSON objects in text frames.")
    try:
        # Strict: a number in quotes is refused, as by OpenAI's server.
        return (_TRANSCRIPTION if transcribes else _REALTIME).validate_json(frame, strict=True)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0], frame) from None


def event_id_of(frame: str | bytes) -> str | None:
    """The client's id of an event that may be invalid otherwise."""
    try:
        raw = from_json(frame)
    except ValueError:
        return None
    event_id = raw.get("event_id") if isinstance(raw, dict) else None
    return event_id if isinstance(event_id, str) else None


def _refusal(error: ErrorDetails, frame: str) -> InvalidEvent:
    if error["type"] == "json_invalid":
        return InvalidEvent("invalid_event", "The event is not valid JSON.")
    raw = from_json(frame)
    if not isinstance(raw, dict):
        return InvalidEvent("invalid_event", "The event is not a JSON object.")
    if "type" not in raw:
        return InvalidEvent("missing_required_parameter", "Missing required parameter: 'type'.", "type")
    loc = list(error["loc"])
    if loc[:1] == [raw["type"]]:
        loc = loc[1:]
    is_tag = error["type"].startswith("union_tag")
    param = _path(raw, [*loc, "type"] if is_tag else loc, keep_last=error["type"] == "missing" or is_tag)
    code, message = _CODES.get(error["type"], ("invalid_value", "Invalid value for '{}': " + error["msg"] + "."))
    return InvalidEvent(code, message.format(param), param)


def _path(raw: Any, loc: list[int | str], keep_last: bool) -> str:
    """The path as the client would write it: without the names of union members that pydantic inserts."""
    path = ""
    for at, part in enumerate(loc):
        if isinstance(part, int) and isinstance(raw, list) and part < len(raw):
            path, raw = f"{path}[{part}]", raw[part]
        elif isinstance(raw, dict) and part in raw:
            path, raw = f"{path}.{part}", raw[part]
        elif keep_last and at == len(loc) - 1:
            path = f"{path}.{part}"
    return path.removeprefix(".")
