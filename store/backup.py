"""A copy of SQLite's database while processes use it; and files that are whole, and their owner's, from the first byte.

May import: store, protocols, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from sqlalchemy import Engine

from protocols.errors import MisuseError
from store import schema
from store.files import mark_as_copy, sqlite_uri

# A step copies so much and lets others write in between; a whole copy at once would hold them up.
STEP_PAGES = 1024


def back_up(engine: Engine, path: Path) -> int:
    """Copy the database to a new file that is whole or not there. Returns its bytes.

    engine: of SQLite. Processes may read and write meanwhile; the copy is of one moment, without the keys of calls:
    one that is erased later would be erased in no copy that has them.
    Raises: MisuseError, if the file exists or cannot be written, or if the database is damaged.
    """
    if path.exists():
        raise MisuseError(f"{path} exists already")
    try:
        with (
            whole_file(path, replace=False) as part,
            closing(sqlite3.connect(sqlite_uri(str(engine.url.database), "mode=ro"), uri=True)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy, pages=STEP_PAGES, sleep=0.01)
            # Of one file: who carries it away needs not know of the log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
            copy.execute("PRAGMA secure_delete = ON")
            with suppress(sqlite3.OperationalError), copy:  # a database of an earlier release has none
                copy.execute(f"DELETE FROM {schema.data_key.name}")  # noqa: S608 - ours
            mark_as_copy(copy)
            (said,) = copy.execute("PRAGMA quick_check").fetchone()
            if said != "ok":
                raise MisuseError(f"the database is damaged: {said}")
    except (OSError, sqlite3.Error) as error:
        raise MisuseError(f"{path} cannot be written: {error}") from None
    return path.stat().st_size


@contextmanager
def whole_file(path: Path, *, replace: bool) -> Iterator[Path]:
    """A new, empty file to be written, which stands at the path once the block has ended without an error.

    For its owner only before anything is in it, and of a name that nobody can have put a link at: writing may take
    long, or be cut short. replace: what is at the path by then is replaced; else it is an error.
    """
    descriptor, name = mkstemp(".part", f"{path.name}.", path.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        _to_disk(part)
        if replace:
            part.replace(path)
        else:
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
