"""WebSocket frames from a byte stream: unfragmented text frames are decoded, all others passed on unchanged.

Everything else (control frames, fragments, errors, the handshake) is left to the Sans-I/O protocol of `websockets`. It
is given whole frames only, so it can be used between any two of ours.
Pure state. May import: the masking of websockets, the standard library. Rules from: RFC 6455, section 5.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from struct import Struct

try:
    from websockets.speedups import apply_mask as apply_mask  # noqa: PLC0414 - passed on
except ImportError:  # a platform without the library's C extension
    from websockets.utils import apply_mask as apply_mask  # noqa: PLC0414

WHOLE_TEXT = 0x81  # FIN and the text opcode, no reserved bits
MASKED = 0x80
_HEAD_AND_LENGTH = Struct("!HH").unpack_from


class FrameReader:
    """Splits a byte stream into frames. masked: whether the peer must mask. max_bytes: of one frame's payload.

    in_message: set by the reader's user while a fragmented message is open: then no frame is a whole message.
    more: further whole frames may be there already; call `feed` again.
    """

    __slots__ = ("_masked", "_max_bytes", "_medium", "_medium_head", "_rest", "in_message", "more")

    def __init__(self, masked: bool, max_bytes: int) -> None:
        self.in_message = self.more = False
        self._masked = MASKED if masked else 0
        # The first two bytes of a message of 126 to 65,535 bytes, as all audio messages are.
        self._medium = WHOLE_TEXT << 8 | self._masked | 126
        self._medium_head = 8 if masked else 4
        self._max_bytes = max_bytes
        self._rest = bytearray()

    def whole(self, data: bytes) -> bytes | None:
        """The payload if `data` is exactly one text message of 126 to 65,535 bytes; None: call `feed` with it."""
        size, begin = len(data), self._medium_head
        if size < 126 or self._rest or self.in_message:
            return None
        head, length = _HEAD_AND_LENGTH(data)
        if head != self._medium or length + begin != size or length > self._max_bytes:
            return None
        payload = data[begin:]
        return apply_mask(payload, data[4:8]) if self._masked else payload

    def keep(self, data: bytes) -> None:
        """Add bytes for a later `feed`."""
        self._rest += data
        self.more = True

    def feed(self, data: bytes, most: int = sys.maxsize) -> Iterator[tuple[bool, bytes]]:
        """The whole frames so far, in order: (True, payload of a text message) or (False, bytes of any other frame).

        Of a frame that is too long the bytes received so far are returned: enough to refuse it. To be exhausted.
        most: so many frames are returned; others wait for the next call.
        """
        buffer: bytes | bytearray = data
        if self._rest:
            self._rest += data
            buffer = self._rest
        at, end = 0, len(buffer)
        self.more = False
        while end - at >= 2:
            if not most:
                self.more = True
                break
            most -= 1
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
