"""Images that a model is shown: PNG and JPEG, looked at as far as their headers and ends tell.

Pure. May import: the standard library. Rules from: docs/specs/openai-realtime.md 3.3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from dataclasses import dataclass, field
from typing import Literal

# Of one image. A model scales what it is shown to some hundred pixels; as base64 it is one message, which the caller's
# audio waits for, and with the longest history and the audio that was kept meanwhile it stays below what a peer may
# leave unread.
MOST_IMAGE_BYTES = 256 * 1024
# Of the images that one step of a task shows, which are written at once.
MOST_AT_ONCE_BYTES = 2 * MOST_IMAGE_BYTES
# Of either side. A few bytes may stand for more pixels than whoever unpacks them has memory for.
MOST_PIXELS = 16 * 1024

Kind = Literal["image/png", "image/jpeg"]
Reason = Literal["too_large", "not_png_or_jpeg", "broken"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Chunks of a PNG, markers of a JPEG: on average none is shorter, of as many bytes as an image may have. A camera writes
# some dozens; to look at a quarter of a million of them would hold up all calls.
_LEAST_PART_BYTES = 256
_PNG_HEADER_BYTES = 13
_DATA_URL = re.compile(r"data:[^,]{0,100};base64,")
_STANDARD = str.maketrans("-_", "+/", " \t\r\n")
# The markers of JPEG that have no length: TEM, RST0 to RST7.
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, b"\xff\xd9"
_IN_WORDS: dict[Reason, str] = {
    "too_large": f"has over {MOST_IMAGE_BYTES // 1024} KB or {MOST_PIXELS:,} pixels; scale it down to 1,024 pixels",
    "not_png_or_jpeg": "is no PNG and no JPEG by its first bytes; save it as one",
    "broken": "is cut off or damaged; save it again",
}


class ImageFault(ValueError):
    """Bytes that cannot be shown. reason: which limit or rule; the message: what to do."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_IN_WORDS[reason])
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Image:
    """One image. width, height: in pixels. digest: of its content, in hex."""

    kind: Kind
    content: bytes = field(repr=False)
    width: int
    height: int
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.content).hexdigest())

    def data_url(self) -> str:
        """The image as the interface takes it."""
        return f"data:{self.kind};base64,{base64.b64encode(self.content).decode()}"


def image_of(content: bytes, most_bytes: int = MOST_IMAGE_BYTES) -> Image:
    """The image that these bytes are. Raises: ImageFault."""
    if len(content) > most_bytes:
        raise ImageFault("too_large")
    kind: Kind
    if content.startswith(_PNG):
        kind, read = "image/png", _png_size
    elif content.startswith(_JPEG):
        kind, read = "image/jpeg", _jpeg_size
    else:
        raise ImageFault("not_png_or_jpeg")
    width, height = read(content, most_bytes // _LEAST_PART_BYTES)
    if max(width, height) > MOST_PIXELS:
        raise ImageFault("too_large")
    return Image(kind, content, width, height)


def image_bytes(text: str) -> bytes | None:
    """What a data: URL holds, or base64 alone; None if it is neither."""
    found = _DATA_URL.match(text)
    # Systems that send mail break base64 into lines, those that send tokens have its alphabet for URLs and no padding.
    standard = (text[found.end() :] if found else text).translate(_STANDARD).rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _png_size(content: bytes, most_parts: int) -> tuple[int, int]:
    """Width and height, once each chunk to the end is as its checksum says. Raises: ImageFault."""
    at, width, height, has_pixels = len(_PNG), 0, 0, False
    for _ in range(most_parts):
        if at + 12 > len(content):
            break
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        end = at + 8 + length
        if zlib.crc32(content[at + 4 : end]) != int.from_bytes(content[end : end + 4]):
            break
        if not width:
            if kind != b"IHDR" or length != _PNG_HEADER_BYTES:
                break
            width, height = int.from_bytes(content[at + 8 : at + 12]), int.from_bytes(content[at + 12 : at + 16])
            if not width or not height:
                break
        has_pixels |= kind == b"IDAT"
        if kind == b"IEND" and has_pixels:
            return width, height
        at = end + 4
    raise ImageFault("broken")


def _jpeg_size(content: bytes, most_parts: int) -> tuple[int, int]:
    """Width and height, if pixels follow them and an end. Raises: ImageFault."""
    at, width, height = 2, 0, 0
    for _ in range(most_parts):
        if at + 4 > len(content) or content[at] != 0xFF:
            break
        marker = content[at + 1]
        if marker == 0xFF:  # fills up
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        length = int.from_bytes(content[at + 2 : at + 4])
        if marker in _FRAMES:
            height, width = int.from_bytes(content[at + 5 : at + 7]), int.from_bytes(content[at + 7 : at + 9])
        if marker == _SCAN and width and height and content.find(_END, at + 2 + length) >= 0:
            return width, height
        if marker == _SCAN or length < 2:  # the length counts itself
            break
        at += 2 + length
    raise ImageFault("broken")
