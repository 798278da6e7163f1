"""The database: opened, brought up to date, and set so that what was committed stays.

May import: protocols, SQLAlchemy, Alembic, the standard library. Rules from: specs/reliability.md 5.2.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from protocols.errors import MisuseError

# How long one writer waits for another, and a starting process for one that migrates.
BUSY_LIMIT_S = 5.0
# Chosen once, for PostgreSQL's advisory lock: one process migrates at a time.
MIGRATION_LOCK = 7_132_654

# Alembic keeps the running migration in a module of its own: one at a time in a process.
_alembic = threading.Lock()


def open_database(url: str) -> Engine:
    """Connect and migrate to the newest tables; processes that start together wait for the first.

    url: SQLAlchemy's, of a SQLite file or of PostgreSQL. The engine is for all threads.
    Raises: MisuseError that names what is wrong, and never the password.
    """
    parsed = _parse(url)
    shown = parsed.set(query={}).render_as_string(hide_password=True)
    try:
        engine = _engine(parsed)
    except (ImportError, NoSuchModuleError) as error:
        raise MisuseError(f"database {shown}: its driver is not installed ({error})") from None
    try:
        _prepare(engine)
    except (DBAPIError, engine.dialect.loaded_dbapi.Error, CommandError, MisuseError) as error:
        engine.dispose()
        raise MisuseError(f"database {shown}: {_reason(error)}") from None
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: on SQLite it waits for no writer, and no writer for it."""
    with engine.connect().execution_options(tieline_reads=True) as connection, connection.begin():
        yield connection


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that may be told what to do on a conflict; SQLAlchemy has it by dialect only."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise MisuseError("the database's URL cannot be read; it must look like sqlite:///tieline.sqlite3") from None
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise MisuseError(f"a database of the kind {backend!r} is not supported: use sqlite or postgresql")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise MisuseError("a SQLite database must be a file: what is in memory does not outlive the process")
    return parsed


def _engine(url: URL) -> Engine:
    # An error's text must not carry what was to be written: it is logged, and callers' words are not.
    if url.get_backend_name() == "postgresql":
        patience = {"connect_timeout": int(BUSY_LIMIT_S)}
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=8, connect_args=patience)
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver is not to begin transactions of its own: _begin_sqlite does.
    connection.isolation_level = None
    for pragma in (f"busy_timeout = {BUSY_LIMIT_S * 1000:.0f}", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer says so at once: one that first reads and then writes may find that another has written in between.
    reads = connection.get_execution_options().get("tieline_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _prepare(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        _set_wal(engine)
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    with _alembic, engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _set_wal(engine: Engine) -> None:
    """The file keeps the mode. Changing it does not wait its turn as a transaction does, so we do that."""
    give_up_s = time.monotonic() + BUSY_LIMIT_S
    while True:
        try:
            raw = engine.raw_connection()
            try:
                mode = raw.cursor().execute("PRAGMA journal_mode = WAL").fetchone()[0]
            finally:
                raw.close()
        except engine.dialect.loaded_dbapi.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_s:
                raise
            time.sleep(0.02)
            continue
        if mode != "wal":
            raise MisuseError(f"the file is on a disk where SQLite cannot keep a write-ahead log (mode {mode!r})")
        return


def _reason(error: Exception) -> str:
    if isinstance(error, CommandError):
        return f"its tables are of another version ({error})"
    told = str(error.orig if isinstance(error, DBAPIError) else error)
    return told.strip().split("\n")[0] or type(error).__name__
