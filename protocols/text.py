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
# What is to be replaced, where every backslash begins an escape: a NUL, and each half of a pair without the other.
_ESCAPE = (
    r"\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})"
)
# A number is looked for in bytes in a twentieth of the time that a text takes.
BACKSLASH = ord("\\")
_IN_TEXT = re.compile(_ESCAPE)
_IN_BYTES = re.compile(_ESCAPE.encode())
# What may be a part of it: few texts have any.
_SUSPECT = r"\\u(?:0000|[dD][89a-fA-F])"
_SUSPECT_IN_TEXT = re.compile(_SUSPECT)
_SUSPECT_IN_BYTES = re.compile(_SUSPECT.encode())


def well_formed(text: str) -> str:
    """The text with U+FFFD in place of every NUL and every lone surrogate; the same object if it has none."""
    return _BAD.sub("\ufffd", text)


def text_of(value: object) -> str:
    """A text, or a whole number as its digits, as a peer may write keys or a telephone number; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int and value >= 0 else ""


@overload
def well_formed_json(json: str) -> str: ...
@overload
def well_formed_json(json: bytes | str) -> bytes | str: ...
def well_formed_json(json: bytes | str) -> bytes | str:
    """The same for what the escapes in a JSON text stand for. The text need not be valid.

    Nothing here calls Python per escape: a peer may send a megabyte of them.
    """
    # No JSON holds a NUL as it is, so it can stand for a backslash that is itself escaped and begins no escape.
    if isinstance(json, str):
        if "\\" not in json or _SUSPECT_IN_TEXT.search(json) is None or "\0" in json:
            return json
        return _IN_TEXT.sub(r"\\ufffd", json.replace(r"\\", "\0\0")).replace("\0\0", r"\\")
    if BACKSLASH not in json or _SUSPECT_IN_BYTES.search(json) is None or 0 in json:
        return json
    return _IN_BYTES.sub(rb"\\ufffd", json.replace(rb"\\", b"\0\0")).replace(b"\0\0", rb"\\")
