"""Frames with a field that does not validate: read without it, so that what nobody reads silences nobody.

A field that is wrong falls back to its default, an element of a list is left out. Where what is left does not validate
either, as without a field that must be there, the part that holds it goes too, and at last the frame.
May import: the standard library, pydantic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

T = TypeVar("T")
Path = tuple[int | str, ...]

# How often what is left is read again: a wrong field inside a part inside a list takes three.
MOST_ROUNDS = 8
# Of the wrong fields of a frame; a peer that sends more of them does not speak this protocol.
MOST_FIELDS = 64
# Of what pydantic has to say about them, a few times for a field of several types. To list it takes 15 us each.
MOST_ERRORS = 4 * MOST_FIELDS


def without_bad_fields(frame: bytes | str, error: ValidationError, validate: Callable[[Any], T]) -> T | None:
    """The frame without the fields that do not validate; None if it means nothing without them.

    frame: JSON whose type is known. error: why it does not validate. validate: reads the parsed frame.
    """
    value = from_json(frame)
    left_out = 0
    for _ in range(MOST_ROUNDS):
        if error.error_count() > MOST_ERRORS:
            return None
        bad = _paths(value, error.errors(include_url=False, include_input=False, include_context=False))
        left_out += len(bad)
        if not bad or left_out > MOST_FIELDS:
            return None
        for path in bad:
            _leave_out(value, path)
        try:
            return validate(value)
        except ValidationError as again:
            error = again
    return None


def _paths(value: Any, errors: Iterable[ErrorDetails]) -> list[Path]:
    """Where to cut, later elements of a list first, so that none moves; empty if the frame itself is at fault."""
    paths = {_cut_at(value, each["loc"][1:]) for each in errors}  # the first part is the frame's type
    if () in paths:
        return []
    # A path inside another one that goes too would lead nowhere.
    kept = (path for path in paths if not any(path[:length] in paths for length in range(1, len(path))))
    return sorted(kept, key=lambda path: [(isinstance(step, int), step) for step in path], reverse=True)


def _cut_at(value: Any, wanted: Path) -> Path:
    """The path as far as it is there: a field that is missing is the fault of what should hold it."""
    path: list[int | str] = []
    for step in wanted:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break  # missing, or no field but one of the types that it may have
        path.append(step)
    return tuple(path)


def _leave_out(value: Any, path: Path) -> None:
    *above, last = path
    for step in above:
        value = value[step]
    del value[last]
