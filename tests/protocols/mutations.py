"""Every way to spoil one field of a frame: it is missing, null, of another type, or has something beside it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from math import inf, nan
from typing import Any

Path = tuple[int | str, ...]

_MISSING = object()
# Of each kind one that no field of another kind takes: an unknown word is what an enumeration does not have.
_VALUES: tuple[Any, ...] = (
    _MISSING,
    None,
    "unknown word",
    -1,
    1.5,
    nan,
    inf,
    10**400,
    True,
    [],
    [None],
    {},
    {"beside": 1},
)


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where the fields and elements of a frame are, but for its type."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inside:
        if (*at, step) != ("type",):
            yield (*at, step)
            yield from paths(each, (*at, step))


def spoilt(frame: dict[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    """The frame with other values at this path, and with a field that nobody knows beside it."""
    for value in (*_VALUES, "extra"):
        copy = deepcopy(frame)
        *above, last = path
        at: Any = copy
        for step in above:
            at = at[step]
        if value == "extra":
            if isinstance(at, dict):
                at["nobody knows this"] = {"type": 1}
                yield copy
        elif value is _MISSING:
            del at[last]
            yield copy
        else:
            at[last] = value
            yield copy
