"""Sealed files: read back whole, and in no other way than they were written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from protocols.sealing import DataKey, NotUnsealed
from recordings.sealed import PIECE, header_of, seal_bytes, seal_file, unsealed, unsealed_bytes

KEY = DataKey(b"\1" * 32)
STEP = 12 + PIECE + 16


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_a_file_of_any_length_is_read_back(tmp_path: Path, size: int) -> None:
    plain = tmp_path / "part.flac"
    plain.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    sealed = seal_file(plain, KEY, "c-1~2", "desk")
    assert (sealed.name, plain.exists()) == ("part.flac.sealed", True)
    with sealed.open("rb") as file:
        header = header_of(file)
        assert header is not None
        assert (header.call, header.bot, header.name) == ("c-1~2", "desk", "part.flac")
        pieces = list(unsealed(file, header, KEY))
    assert b"".join(pieces) == plain.read_bytes()
    assert max(map(len, pieces)) <= PIECE


def test_what_is_not_sealed_is_left_as_it_is() -> None:
    assert unsealed_bytes(b"{}", KEY) == b"{}"


def parts_of(sealed: bytes) -> tuple[bytes, list[bytes]]:
    line, _, rest = sealed.partition(b"\n")
    return line + b"\n", [rest[at : at + STEP] for at in range(0, len(rest), STEP)]


@pytest.mark.parametrize("how", ["cut", "swapped", "of another file", "renamed", "nothing after the line", "a bit"])
def test_a_file_that_was_changed_is_not_read(how: str) -> None:
    data = b"w" * (2 * PIECE + 5)
    line, pieces = parts_of(seal_bytes(data, "a.flac", KEY, "c-1", "desk"))
    _, others = parts_of(seal_bytes(data, "a.flac", KEY, "c-1", "desk"))
    changed = {
        "cut": line + b"".join(pieces[:2]),
        "swapped": line + pieces[1] + pieces[0] + pieces[2],
        "of another file": line + pieces[0] + others[1] + pieces[2],
        "renamed": line.replace(b"c-1", b"c-2") + b"".join(pieces),
        "nothing after the line": line,
        "a bit": line + pieces[0][:-1] + bytes([pieces[0][-1] ^ 1]) + pieces[1] + pieces[2],
    }[how]
    assert unsealed_bytes(line + b"".join(pieces), KEY) == data
    with pytest.raises(NotUnsealed):
        unsealed_bytes(changed, KEY)


def test_a_damaged_first_line_is_told() -> None:
    with pytest.raises(NotUnsealed, match="first line"):
        header_of(io.BytesIO(b"TIELINE-SEALED-1 {}\n"))
