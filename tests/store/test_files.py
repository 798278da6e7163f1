"""SQLite's file is lost under a process, or overwritten: nothing more is committed, and it is named."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from store.backup import back_up
from store.database import open_database
from store.files import look_at_file, lost_file
from store.journal import Journal
from store.leases import fenced
from store.proof import prove
from tests.store.other_process import row


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tieline.sqlite3"


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{file}")
    yield engine
    engine.dispose()


def with_suffix(file: Path, suffix: str) -> Path:
    return file.with_name(f"{file.name}{suffix}")


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_nothing_is_committed_without_the_file_that_was_opened(
    engine: Engine, file: Path, how: str, suffix: str
) -> None:
    journal, gone = Journal(engine), with_suffix(file, suffix)
    assert (journal.append([row(1, 0)]), lost_file(engine)) == ([], "")
    if how == "deleted":
        gone.unlink()
    elif how == "moved":
        gone.rename(file.with_name("elsewhere"))
    else:
        shutil.copy(gone, file.with_name("copy"))
        file.with_name("copy").rename(gone)
    assert lost_file(engine) == str(gone)
    with pytest.raises(OperationalError, match=f"{gone} was deleted, moved, replaced or overwritten"):
        journal.append([row(2, 0)])
    with pytest.raises(OperationalError):
        journal.rows("c-1")


def test_nothing_is_committed_to_a_file_that_was_emptied(engine: Engine, file: Path) -> None:
    journal = Journal(engine)
    journal.append([row(1, 0)])
    os.truncate(file, 0)
    assert lost_file(engine) == str(file)
    with pytest.raises(OperationalError, match="replaced"):
        journal.append([row(2, 0)])


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("what", ["noise", "zeros", "text"])
def test_nothing_is_committed_to_a_file_that_was_overwritten_in_place(file: Path, what: str, suffix: str) -> None:
    engine = open_database(f"sqlite:///{file}")
    engine.dispose()  # what is in the log goes into the file
    engine = open_database(f"sqlite:///{file}")
    journal, spoilt = Journal(engine), with_suffix(file, suffix)
    assert (journal.append([row(1, 0)]), look_at_file(engine)) == ([], "")
    size = spoilt.stat().st_size
    kept, garbage = spoilt.read_bytes(), {"noise": b"\xa5" * size, "zeros": bytes(size), "text": b"lorem ipsum" * size}
    with spoilt.open("r+b") as same:
        same.write(garbage[what][:size])
    assert look_at_file(engine) == lost_file(engine) == str(spoilt)
    with pytest.raises(OperationalError, match="overwritten"):
        journal.append([row(2, 0)])
    with spoilt.open("r+b") as same:
        same.write(kept)
    assert look_at_file(engine) == ""
    assert journal.append([row(2, 0)]) == []
    engine.dispose()


def copy_of_the_file(engine: Engine, copy: Path) -> None:
    subprocess.run(["cp", str(engine.url.database), copy], check=True)  # opened here, its locks would be lost


def copy_by_sqlite(engine: Engine, copy: Path) -> None:
    with closing(sqlite3.connect(str(engine.url.database))) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def copy_by_ours(engine: Engine, copy: Path) -> None:
    back_up(engine, copy)


def goes_on(engine: Engine) -> None:
    """As a process does: what is in the log goes into the file, and more is written."""
    prove(engine)
    raw = engine.raw_connection()
    raw.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
    raw.close()
    assert look_at_file(engine) == ""
    prove(engine)


@pytest.mark.parametrize("copies", [copy_of_the_file, copy_by_sqlite, copy_by_ours])
def test_nothing_is_committed_to_an_older_copy_of_the_file(
    engine: Engine, file: Path, copies: Callable[[Engine, Path], None]
) -> None:
    goes_on(engine)
    copies(engine, file.with_name("copy"))
    assert Journal(engine).append([row(1, 0)]) == []
    goes_on(engine)
    subprocess.run(["cp", file.with_name("copy"), file], check=True)
    assert look_at_file(engine) == lost_file(engine) == str(file)
    with pytest.raises(OperationalError, match="overwritten"):
        Journal(engine).append([row(2, 0)])


@pytest.mark.parametrize("copies", [copy_of_the_file, copy_by_sqlite])
def test_a_copy_that_was_made_since_the_last_checkpoint_loses_nothing(
    engine: Engine, file: Path, copies: Callable[[Engine, Path], None]
) -> None:
    goes_on(engine)
    copies(engine, file.with_name("copy"))
    assert Journal(engine).append([row(1, 0)]) == []
    subprocess.run(["cp", file.with_name("copy"), file], check=True)
    assert look_at_file(engine) == ""
    goes_on(engine)
    assert Journal(engine).append([row(2, 0)]) == []
    assert [each.seq for each in Journal(engine).rows("c-1")] == [1, 2]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA quick_check").scalar_one() == "ok"


def test_a_look_at_a_file_that_others_write_finds_nothing_and_leaves_its_locks(engine: Engine, file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    assert look_at_file(engine) == ""
    other.rollback()
    with engine.begin():
        assert look_at_file(engine) == ""
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.close()
    engine.dispose()
    assert look_at_file(engine) == "", "without a connection nothing is looked at"


def test_a_file_that_is_lost_in_the_middle_of_a_transaction_fails_its_commit(engine: Engine, file: Path) -> None:
    elsewhere = file.with_name("elsewhere")

    def act() -> None:
        with fenced(engine, "c-1", 0):
            file.rename(elsewhere)

    with pytest.raises(OperationalError, match="moved"):
        act()
    elsewhere.rename(file)
    assert lost_file(engine) == ""
    assert Journal(engine).append([row(1, 0)]) == [], "back in its place it is used again"


def test_other_processes_come_and_go_without_harm(engine: Engine, file: Path) -> None:
    other = open_database(f"sqlite:///{file}")
    Journal(other).append([row(1, 0)])
    other.dispose()
    assert [each.seq for each in Journal(engine).rows("c-1")] == [1]
    assert lost_file(engine) == ""


def test_a_process_that_closes_all_its_connections_may_open_others(engine: Engine) -> None:
    engine.dispose()
    assert lost_file(engine) == ""
    assert Journal(engine).append([row(1, 0)]) == []
    assert [each.seq for each in Journal(engine).rows("c-1")] == [1]


def test_nobody_finds_an_empty_file_where_one_was_moved_away(engine: Engine, file: Path) -> None:
    file.rename(with_suffix(file, "-elsewhere"))
    engine.dispose()
    with pytest.raises(OperationalError, match="unable to open database file"):
        engine.connect()
    assert not file.exists()


def test_a_server_has_no_file_to_lose(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    assert lost_file(engine) == ""
    engine.dispose()
