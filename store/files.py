"""SQLite's files as they were when they were opened.

Who deletes, moves, replaces or empties them leaves this process with files that nobody will find again: it writes
without an error, and what it wrote is lost. SQLite does not look after that in WAL mode. Nor does it notice that a file
was overwritten in place while what it needs of it is in its cache; nor that it was by an older copy of itself, of which
the pages may fit together with those of the log. So there is a number in it that only rises, SQLite's user_version: the
one in the file itself, without its log, is of the last checkpoint. A lower one is of an older copy. One as high is of a
copy that was made since; then all that has changed is in the log as well, and nothing is lost.
May import: SQLAlchemy, the standard library.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

_FILES = "tieline_files"
# The two first words of a write-ahead log (SQLite's file format, 4.1).
_WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_OVERWRITTEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# The mark of a copy that `tieline db backup` has made: it has not all that the file had, and so is older at any time.
COPIED = -1


class StoreFiles:
    """file: the path of the database. connections: how many of this process have it open."""

    def __init__(self, file: str, connections: int) -> None:
        self._file = file
        self._connections = connections
        seen = {path: _identity(path) for path in (file, f"{file}-wal", f"{file}-shm")}
        self._identities = {path: known for path, known in seen.items() if known is not None}
        self._overwritten = ""
        self._mark = COPIED  # the highest that was seen in the file itself

    def opened(self, *_: object) -> None:
        """Another connection is open."""
        self._connections += 1

    def closed(self, *_: object) -> None:
        """A connection is closed. With the last one SQLite removes its other files, which are no loss then."""
        self._connections -= 1
        if not self._connections:
            self._identities = {path: known for path, known in self._identities.items() if path == self._file}

    def lost(self) -> str:
        """The file that is no longer there, is another one than was opened, or held no database at the last look; ""
        if all are as they should be.
        """
        gone = next((path for path, known in self._identities.items() if _identity(path) != known), "")
        return gone or self._overwritten

    def look(self) -> None:
        """Look whether the files still hold a database, past what is cached. It takes less than a millisecond."""
        if not self._connections:  # there may be no files beside it
            return
        try:
            self._overwritten = _overwritten(self._file) or self._older()
        except (OSError, sqlite3.Error):
            return  # locked, or away: that says nothing of what it holds

    def _older(self) -> str:
        """The file, if it is an older copy of itself; else "". Raises: sqlite3.Error."""
        if (mark := _mark_in(self._file)) < self._mark:
            return self._file
        self._mark = mark
        return ""

    def check(self, _: Connection) -> None:
        """Raises: OperationalError, if a file is lost."""
        if path := self.lost():
            raise OperationalError("", None, FileNotFoundError(f"{path} was deleted, moved, replaced or overwritten"))


def mark_as_copy(connection: sqlite3.Connection) -> None:
    """Give a copy that mark."""
    connection.execute(f"PRAGMA user_version = {COPIED}")


def raise_mark(connection: Connection) -> None:
    """Make the file differ from all earlier copies of it, in a transaction that writes. connection: of SQLite."""
    [mark] = connection.exec_driver_sql("PRAGMA user_version").one()
    connection.exec_driver_sql(f"PRAGMA user_version = {mark + 1}")


def sqlite_uri(file: str | Path, how: str) -> str:
    """SQLite's URI of a file, whatever its name has in it. how: parameters, as mode=ro."""
    return f"file:{quote(str(file))}?{how}"


def watch_files(engine: Engine) -> None:
    """From when a file is lost on, have transactions fail at their begin and commit. engine: of SQLite, open."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    files = StoreFiles(str(engine.url.database), pool.checkedin() + pool.checkedout())
    event.listen(engine, "connect", files.opened)
    event.listen(engine, "close", files.closed)
    engine.update_execution_options(**{_FILES: files})
    event.listen(engine, "begin", files.check, insert=True)
    event.listen(engine, "commit", files.check)


def lost_file(engine: Engine) -> str:
    """The file of the database that is lost; "" if none is, or it has no files."""
    files = engine.get_execution_options().get(_FILES)
    return "" if files is None else files.lost()


def look_at_file(engine: Engine) -> str:
    """As `lost_file`, and see whether the file was overwritten: then transactions fail as well. Blocks."""
    files = engine.get_execution_options().get(_FILES)
    if files is not None:
        files.look()
    return lost_file(engine)


def _overwritten(file: str) -> str:
    """Which of the files is no file of SQLite's; "" if both may be. Raises: OSError, sqlite3.Error."""
    # The log has no locks, so it may be opened and closed here; the file itself by SQLite only, which keeps them.
    with suppress(FileNotFoundError), Path(f"{file}-wal").open("rb") as log:
        if (magic := log.read(len(_WAL_MAGIC[0]))) and magic not in _WAL_MAGIC:
            return f"{file}-wal"
    with closing(sqlite3.connect(sqlite_uri(file, "mode=ro"), uri=True, timeout=0)) as connection:
        try:
            for [table] in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                connection.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone()  # noqa: S608 - it is the schema's
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in _OVERWRITTEN:
                return file
            raise
    return ""


def _mark_in(file: str) -> int:
    """The mark in the file itself, whatever is in its log. Raises: sqlite3.Error, also if it is being written."""
    # "immutable" has SQLite look at nothing else. It knows which locks this process has on the file, and keeps them.
    with closing(sqlite3.connect(sqlite_uri(file, "mode=ro&immutable=1"), uri=True)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _identity(path: str) -> tuple[int, int, bool] | None:
    """Its device and inode, and whether it is a database that was emptied, which none is of itself."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size == 0 and not path.endswith(("-wal", "-shm"))
