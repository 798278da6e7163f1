"""Texts from outside, as every store and every wire can take them.

PostgreSQL has no text with a NUL, and UTF-8 has no half of a surrogate pair; JSON can escape both, so a peer, a model
or a task may send them. Each becomes U+FFFD: where frames, arguments and tasks' results are read, so that an id is the
same text everywhere, and in the types of the store's columns, which see whatever else there is.
May import: the standard library.
"""

from __future__ import annotations

import re
from typing import overload

_BAD = re.compile("[\0\ud800-\udfff]")
# Every escape, so that a backslash which is itself escaped begins none. 1: a whole pair. 2: what is replaced.
_ESCAPE = r"\\(?:u([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
_BACKSLASH = ord("\\")
_IN_TEXT = re.compile(_ESCAPE, re.DOTALL)
_IN_BYTES = re.compile(_ESCAPE.encode(), re.DOTALL)


def well_formed(text: str) -> str:
    """The text with U+FFFD in place of every NUL and every lone surrogate; the same object if it has none."""
    return _BAD.sub("\ufffd", text)


@overload
def well_formed_json(json: str) -> str: ...
@overload
def well_formed_json(json: bytes | str) -> bytes | str: ...
def well_formed_json(json: bytes | str) -> bytes | str:
    """The same for what the escapes in a JSON text stand for. The text need not be valid."""
    if isinstance(json, str):
        return _IN_TEXT.sub(lambda found: r"\ufffd" if found[2] else found[0], json) if "\\" in json else json
    # Audio has no backslash. A number is looked for in a twentieth of the time that a text takes.
    return _IN_BYTES.sub(lambda found: rb"\ufffd" if found[2] else found[0], json) if _BACKSLASH in json else json
