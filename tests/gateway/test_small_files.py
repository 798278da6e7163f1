"""Small files: whatever somebody puts in a file's place, who reads it comes back, with a reason."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import small_files
from gateway.settings import model_key_in, tokens_in
from gateway.small_files import MOST_BYTES, check_is_file, read_small
from gateway.tls import TlsFiles

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes and devices")
TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "PIPE_LIMIT_S", 0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def test_a_file_is_read_whole(path: Path) -> None:
    path.write_bytes(bytes(MOST_BYTES))
    assert read_small(path) == bytes(MOST_BYTES)


def test_a_pipe_is_read_if_somebody_writes_to_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "PIPE_LIMIT_S", 30.0)
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(TOKEN,))
    writer.start()
    assert tokens_in(path) == (TOKEN,)
    writer.join()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path)


def too_long(path: Path) -> None:
    path.write_bytes(bytes(MOST_BYTES + 1))


@pytest.mark.parametrize("puts", [pipe, folder, device, loop, too_long])
def test_what_stands_in_the_place_of_a_secret_is_told_and_waited_for_by_nobody(
    path: Path, puts: Callable[[Path], None]
) -> None:
    puts(path)
    for read in (tokens_in, model_key_in):
        with pytest.raises(ValueError, match=f"{path} cannot be read: "):
            read(path)


@pytest.mark.parametrize("puts", [pipe, folder, device, loop])
def test_a_certificate_that_is_no_file_is_told_too(path: Path, puts: Callable[[Path], None]) -> None:
    puts(path)
    files = TlsFiles(str(path))
    with pytest.raises(ValueError, match="cannot be read: "):
        files.context()
    assert files.valid() is None
    with pytest.raises(OSError):  # noqa: PT011 - each kind has its own
        check_is_file(str(path))
