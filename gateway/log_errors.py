"""Exceptions as fields of a log line: type and place, without the callers' words that the text may hold.

May import: protocols.errors, store.causes, SQLAlchemy's errors, the standard library.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from protocols.errors import PeerError
from store.causes import known_code

# Most causes and most frames of an exception; a recursion has a thousand.
MAX_CAUSES = 5
MAX_FRAMES = 30
HIDDEN = "***"
_ROOT = Path(__file__).resolve().parents[1]
_LIBRARY = re.compile(r".*/(?:site-packages|dist-packages|lib/python[\d.]+)/")


def error_text(error: BaseException, frank: bool) -> str:
    """Type and text of an exception and of its causes.

    frank: with the whole text. Else with a text that cannot hold a caller's words or a slot's value: what the operating
    system, the database or a peer's protocol says; any other text is hidden.
    """
    return " from ".join(f"{type(each).__name__}: {_text(each, frank)}".removesuffix(": ") for each in _chain(error))


def error_frames(error: BaseException) -> list[str]:
    """Where it was raised, as `file:line function`: frames of our own code first, each kind the innermost first."""
    ours: dict[str, None] = {}
    others: dict[str, None] = {}
    for each in _chain(error):
        for frame, line in reversed(list(traceback.walk_tb(each.__traceback__))):
            name, is_ours = _file(frame.f_code.co_filename)
            (ours if is_ours else others)[f"{name}:{line} {frame.f_code.co_name}"] = None
    return [*ours, *others][:MAX_FRAMES]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen and len(seen) < MAX_CAUSES:
        seen.append(following)
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _text(error: BaseException, frank: bool) -> str:
    if frank or isinstance(error, PeerError):
        return str(error)
    if isinstance(error, DBAPIError):  # its text has the statement's parameters
        return _code(error.orig)
    if isinstance(error, OSError):
        return error.strerror or ""
    if isinstance(error, AttributeError | NameError) and error.name:
        return error.name
    return _code(error) if str(error) else ""


def _code(error: BaseException | None) -> str:
    """The database's name for its error, or what the operating system or the driver says of its connection."""
    return (known_code(error) if error is not None else "") or HIDDEN


def _file(name: str) -> tuple[str, bool]:
    """A source file, shortened, and whether it is ours."""
    if (short := _LIBRARY.sub("", name)) != name:
        return short, False
    path = Path(name)
    return (str(path.relative_to(_ROOT)), True) if path.is_relative_to(_ROOT) else (name, False)
