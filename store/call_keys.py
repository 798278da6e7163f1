"""The key of a call in the store: its conversation id, and its number where calls before it had the same id.

Conversation ids should be unique, and are not where a peer repeats one. The key is in place of the id in every table,
and in the keys of effects, so the rows of two calls are never one's. The first call's key is the id itself, which is
how an earlier release reads and writes it; such a release knows nothing of the others, and does not resume them.
Pure. May import: the standard library.
"""

from __future__ import annotations

import re

_NUMBERED = re.compile(r"~[0-9]+\Z")


def call_key(conversation_id: str, number: int = 1) -> str:
    """The key of a call. number: among the calls of this id, from 1."""
    # An id that looks like a key gets its number always, or two calls could share a key.
    numbered = number > 1 or _NUMBERED.search(conversation_id) is not None
    return f"{conversation_id}~{number}" if numbered else conversation_id


def conversation_of(key: str) -> str:
    """The conversation id of a call."""
    return _NUMBERED.sub("", key)
