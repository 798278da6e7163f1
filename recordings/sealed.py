r"""A file of a recording that is sealed: in pieces, so that one of any length takes little memory.

    TIELINE-SEALED-1 {"bot": …, "call": …, "id": …, "name": …}\n     whose it is, its name before, and a random id
    then pieces of 64 KiB, the last one shorter: nonce (12 bytes), AES-256-GCM, tag (16 bytes)

Each piece is bound to the whole first line, to its number, and to whether it is the last: none can be changed, moved,
left out, or put into another file. May import: protocols, the standard library.
"""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from protocols.sealing import NONCE_BYTES, DataKey, NotUnsealed, place

SUFFIX = ".sealed"
PIECE = 1 << 16
_MAGIC = b"TIELINE-SEALED-1 "
_TAG_BYTES = 16
_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """Of what a sealed file is: call, by its key in the store. name: of the file before. id: random."""

    call: str
    bot: str
    name: str
    id: str


def seal_file(plain: Path, key: DataKey, call: str, bot: str) -> Path:
    """Seal a file, beside it, under its name and SUFFIX. It is left. Returns the new one."""
    sealed = plain.with_name(plain.name + SUFFIX)
    with plain.open("rb") as source, sealed.open("wb") as target:
        _seal(source, target, key, SealedHeader(call, bot, plain.name, secrets.token_hex(8)))
    return sealed


def seal_bytes(data: bytes, name: str, key: DataKey, call: str, bot: str) -> bytes:
    """The same of a small file."""
    target = io.BytesIO()
    _seal(io.BytesIO(data), target, key, SealedHeader(call, bot, name, secrets.token_hex(8)))
    return target.getvalue()


def header_of(file: IO[bytes]) -> SealedHeader | None:
    """Read the first line of a file. None, at its beginning again: it is not sealed. Raises: NotUnsealed."""
    if file.read(len(_MAGIC)) != _MAGIC:
        file.seek(0)
        return None
    try:
        return SealedHeader(**json.loads(file.readline(_LONGEST_LINE)))
    except (ValueError, TypeError):
        raise NotUnsealed("its first line is damaged") from None


def unsealed(file: IO[bytes], header: SealedHeader, key: DataKey) -> Iterator[bytes]:
    """What was in a file, in pieces; behind its header. Raises: NotUnsealed, where it is damaged or cut off."""
    for number, piece, last in _pieces(file, NONCE_BYTES + PIECE + _TAG_BYTES):
        yield key.unseal(piece, _where(header, number, last=last))


def unsealed_bytes(data: bytes, key: DataKey) -> bytes:
    """What was in a small file; one that is not sealed as it is. Raises: NotUnsealed."""
    file = io.BytesIO(data)
    header = header_of(file)
    return data if header is None else b"".join(unsealed(file, header, key))


def _seal(source: IO[bytes], target: IO[bytes], key: DataKey, header: SealedHeader) -> None:
    target.write(_MAGIC + json.dumps(asdict(header)).encode() + b"\n")
    for number, piece, last in _pieces(source, PIECE):
        target.write(key.seal(piece, _where(header, number, last=last), os.urandom(NONCE_BYTES)))


def _pieces(file: IO[bytes], size: int) -> Iterator[tuple[int, bytes, bool]]:
    """The pieces of a file: number, bytes, and whether it is the last. There is one at least, perhaps empty."""
    number, piece = 0, file.read(size)
    while True:
        following = file.read(size)
        yield number, piece, not following
        if not following:
            return
        number, piece = number + 1, following


def _where(header: SealedHeader, number: int, *, last: bool) -> bytes:
    return place("recording", header.call, header.bot, header.name, header.id, number, last)
