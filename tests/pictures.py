"""Images that tests make: small, of any size in pixels or bytes, and broken in ways that files are.

May import: the standard library.
"""

from __future__ import annotations

import zlib


def png(width: int = 3, height: int = 2, *, padding: int = 0) -> bytes:
    """A grey PNG that every viewer opens. padding: bytes of a chunk that none looks at, all different."""
    rows = b"".join(b"\0" + bytes([128] * width) for _ in range(height))
    filled = bytes(number * 7 % 251 for number in range(padding))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + b"\x08\0\0\0\0"),
            *((_chunk(b"prVt", filled),) if padding else ()),
            _chunk(b"IDAT", zlib.compress(rows)),
            _chunk(b"IEND", b""),
        )
    )


def png_of(length: int, width: int = 3) -> bytes:
    """A PNG of exactly so many bytes."""
    bare = len(png(width)) + 12
    return png(width, padding=length - bare)


def jpeg(width: int = 640, height: int = 480) -> bytes:
    """What a JPEG looks like to who reads its headers; its pixels are none."""
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            _segment(0xE1, b"Exif\0\0" + b"\xff\xd8 a thumbnail \xff\xd9"),
            b"\xff",  # fills up
            _segment(0xC0, b"\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x01\x01\x11\0"),
            _segment(0xDA, b"\x01\x01\0\0?\0"),
            b"\x12\x34\xff\0\x56\xff\xd9",
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2) + content
