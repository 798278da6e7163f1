"""Builds whole text frames, masked where a client sends them.

May import: protocols.framing, the standard library. Rules from: RFC 6455, section 5.
"""

from __future__ import annotations

import os
from struct import Struct

from protocols.framing import MASKED, WHOLE_TEXT, apply_mask

_SHORT, _MEDIUM, _LONG = Struct("!BB"), Struct("!BBH"), Struct("!BBQ")
# Masking keys are drawn from the system's random source in batches: a system call a frame is a tenth of a chunk's cost.
_KEYS_PER_DRAW = 1024


class TextFrames:
    """Builds text frames. masks: True for a client, which must mask its frames; False for a server, which must not."""

    def __init__(self, masks: bool) -> None:
        self._mask = MASKED if masks else 0
        self._keys: list[bytes] = []

    def build(self, payload: bytes) -> bytes:
        """One unfragmented text frame. payload: UTF-8, of any length."""
        length = len(payload)
        if length < 126:
            head = _SHORT.pack(WHOLE_TEXT, self._mask | length)
        elif length < 65536:
            head = _MEDIUM.pack(WHOLE_TEXT, self._mask | 126, length)
        else:
            head = _LONG.pack(WHOLE_TEXT, self._mask | 127, length)
        if not self._mask:
            return head + payload
        if not self._keys:
            drawn = os.urandom(4 * _KEYS_PER_DRAW)
            self._keys = [drawn[at : at + 4] for at in range(0, len(drawn), 4)]
        key = self._keys.pop()
        return b"".join((head, key, apply_mask(payload, key)))
