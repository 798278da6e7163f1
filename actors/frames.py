"""The two hot moves of WebSocket framing: take whole text frames out of a stream, build one to send.

Whatever is not a whole, unfragmented text frame (control frames, fragments, errors, the handshake) is left to the
Sans-I/O protocol of `websockets`, which sees whole frames only and so can be taken up between any two.
May import: websockets, the standard library. Rules from: RFC 6455, section 5.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from struct import Struct

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without the library's C extension
    from websockets.utils import apply_mask

WHOLE_TEXT = 0x81  # FIN and the text opcode, no reserved bits
MASKED = 0x80
_SHORT, _MEDIUM, _LONG = Struct("!BB"), Struct("!BBH"), Struct("!BBQ")
# Keys are drawn from the system's randomness by the thousand: a system call a frame is a tenth of a chunk's cost.
_KEY_POOL_BYTES = 4096


class FrameReader:
    """Cuts a byte stream into frames. masked: whether the peer must mask. max_bytes: of one frame's payload.

    in_message: set by the reader's user while a fragmented message is open; then no frame is a whole message.
    """

    def __init__(self, masked: bool, max_bytes: int) -> None:
        self.in_message = False
        self._masked = MASKED if masked else 0
        self._max_bytes = max_bytes
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        """The whole frames so far, in order: (True, a text message) or (False, any other frame as it came).

        A frame that is too long comes as the bytes there are of it: they suffice to refuse it. To be used up.
        """
        buffer: bytes | bytearray = data
        if self._rest:
            self._rest += data
            buffer = self._rest
        at, end = 0, len(buffer)
        while end - at >= 2:
            second = buffer[at + 1]
            length, head = second & 0x7F, 2
            if length >= 126:
                head = 4 if length == 126 else 10
                if end - at < head:
                    break
                length = int.from_bytes(buffer[at + 2 : at + head], "big")
                if length > self._max_bytes:
                    yield False, bytes(buffer[at:])
                    at = end
                    break
            if second & MASKED:
                head += 4
            begin, after = at + head, at + head + length
            if after > end:
                break
            if buffer[at] == WHOLE_TEXT and second & MASKED == self._masked and not self.in_message:
                payload = bytes(buffer[begin:after])
                yield True, apply_mask(payload, bytes(buffer[begin - 4 : begin])) if self._masked else payload
            else:
                yield False, bytes(buffer[at:after])
            at = after
        if buffer is self._rest:
            del self._rest[:at]
        elif at < end:
            self._rest += buffer[at:]


class TextFrames:
    """Builds text frames. masks: a client must mask, a server must not."""

    def __init__(self, masks: bool) -> None:
        self._mask = MASKED if masks else 0
        self._keys = b""
        self._next_key = 0

    def build(self, payload: bytes) -> bytes:
        """One whole text frame. payload: UTF-8."""
        length = len(payload)
        if length < 126:
            head = _SHORT.pack(WHOLE_TEXT, self._mask | length)
        elif length < 65536:
            head = _MEDIUM.pack(WHOLE_TEXT, self._mask | 126, length)
        else:
            head = _LONG.pack(WHOLE_TEXT, self._mask | 127, length)
        if not self._mask:
            return head + payload
        key = self._key()
        return head + key + apply_mask(payload, key)

    def _key(self) -> bytes:
        if self._next_key == len(self._keys):
            self._keys, self._next_key = os.urandom(_KEY_POOL_BYTES), 0
        key = self._keys[self._next_key : self._next_key + 4]
        self._next_key += 4
        return key
