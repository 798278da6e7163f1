"""Backups: what a copy holds, while others write, and what comes of a bad file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import Engine

from protocols.errors import MisuseError
from store.backup import back_up
from store.database import open_database
from store.leases import Leases


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    """Of SQLite alone: PostgreSQL has its own tools."""
    engine = open_database(sqlite_url)
    yield engine
    engine.dispose()


def leases_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as copy:
        (count,) = copy.execute("SELECT count(*) FROM lease").fetchone()
        return int(count)


def test_a_copy_is_one_file_with_all_that_was_committed(engine: Engine, tmp_path: Path) -> None:
    leases = Leases(engine, "here")
    for number in range(20):
        leases.open(f"c-{number}", "", {})
    folder = tmp_path / "backups"
    folder.mkdir()
    size = back_up(engine, folder / "copy.sqlite3")
    assert [each.name for each in folder.iterdir()] == ["copy.sqlite3"]
    assert size == (folder / "copy.sqlite3").stat().st_size
    assert (folder / "copy.sqlite3").stat().st_mode & 0o077 == 0
    assert leases_in(folder / "copy.sqlite3") == 20


def test_the_database_may_have_any_name(tmp_path: Path) -> None:
    other = open_database(f"sqlite:///{tmp_path / 'calls A.sqlite3'}")
    engine = open_database(f"sqlite:///{tmp_path / quote('calls%20A.sqlite3')}")
    Leases(engine, "here").open("c-1", "", {})
    back_up(engine, tmp_path / "copy.sqlite3")
    assert leases_in(tmp_path / "copy.sqlite3") == 1, "it is of another database"
    for each in (other, engine):
        each.dispose()


def test_processes_go_on_with_the_copy(engine: Engine, tmp_path: Path) -> None:
    Leases(engine, "here").open("c-1", "", {})
    back_up(engine, tmp_path / "copy.sqlite3")
    restored = open_database(f"sqlite:///{tmp_path / 'copy.sqlite3'}")
    Leases(restored, "there").open("c-2", "", {})
    restored.dispose()
    assert leases_in(tmp_path / "copy.sqlite3") == 2


def test_others_write_while_it_is_copied(engine: Engine, tmp_path: Path) -> None:
    leases = Leases(engine, "here")
    stop, wrote, open_to = threading.Event(), threading.Event(), set[int]()

    def write() -> None:
        number = 0
        while not stop.is_set():
            with suppress(FileNotFoundError):
                open_to.update(each.stat().st_mode & 0o077 for each in tmp_path.glob("copy.sqlite3*"))
            leases.open(f"c-{number}", "", {"text": "x" * 1000})
            number += 1
            if number == 50:
                wrote.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert wrote.wait(60)
        back_up(engine, tmp_path / "copy.sqlite3")
    finally:
        stop.set()
        writer.join()
    assert leases_in(tmp_path / "copy.sqlite3") >= 50
    assert open_to <= {0}


def test_a_file_that_is_there_stays_as_it_is(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "copy.sqlite3"
    path.write_text("the backup of yesterday")
    with pytest.raises(MisuseError, match="exists already"):
        back_up(engine, path)
    assert path.read_text() == "the backup of yesterday"


def test_nothing_is_left_of_a_copy_that_cannot_be_written(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="cannot be written"):
        back_up(engine, tmp_path / "no such folder" / "copy.sqlite3")
    assert [each.name for each in tmp_path.iterdir() if "copy" in each.name] == []


def test_a_damaged_database_is_not_taken_for_a_backup(engine: Engine, tmp_path: Path) -> None:
    leases = Leases(engine, "here")
    for number in range(200):
        leases.open(f"c-{number}", "", {"text": "x" * 200})
    engine.dispose()
    path = tmp_path / "tieline.sqlite3"
    with path.open("r+b") as file:
        # A page in the middle.
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(MisuseError, match=r"damaged|cannot be written"):
        back_up(engine, tmp_path / "copy.sqlite3")
    assert not (tmp_path / "copy.sqlite3").exists()
