"""SQLite's files as they were when they were opened.

Who deletes, moves, replaces or empties them leaves this process with files that nobody will find again: it writes
without an error, and what it wrote is lost. SQLite does not look after that in WAL mode.
May import: SQLAlchemy, the standard library.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

_FILES = "tieline_files"


class StoreFiles:
    """file: the path of the database. connections: how many of this process have it open."""

    def __init__(self, file: str, connections: int) -> None:
        self._file = file
        self._connections = connections
        seen = {path: _identity(path) for path in (file, f"{file}-wal", f"{file}-shm")}
        self._identities = {path: known for path, known in seen.items() if known is not None}

    def opened(self, *_: object) -> None:
        """Another connection is open."""
        self._connections += 1

    def closed(self, *_: object) -> None:
        """A connection is closed. With the last one SQLite removes its other files, which are no loss then."""
        self._connections -= 1
        if not self._connections:
            self._identities = {path: known for path, known in self._identities.items() if path == self._file}

    def lost(self) -> str:
        """The file that is no longer there, or is another one than was opened; "" if all are."""
        return next((path for path, known in self._identities.items() if _identity(path) != known), "")

    def check(self, _: Connection) -> None:
        """Raises: OperationalError, if a file is lost."""
        if path := self.lost():
            raise OperationalError("", None, FileNotFoundError(f"{path} was deleted, moved or replaced"))


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


def _identity(path: str) -> tuple[int, int, bool] | None:
    """Its device and inode, and whether it is a database that was emptied, which none is of itself."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size == 0 and not path.endswith(("-wal", "-shm"))
