"""The database: opened, brought up to date, and set so that what was committed stays.

May import: protocols, SQLAlchemy, Alembic, the standard library. Rules from: docs/specs/reliability.md 5.2.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Double,
    Engine,
    ExceptionContext,
    Table,
    cast,
    create_engine,
    event,
    func,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from protocols.errors import MisuseError
from store.schema import UtcDateTime

# How long one writer waits for another, and a starting process for one that migrates.
BUSY_LIMIT_S = 5.0
# How often a writer asks whether it is its turn, on SQLite.
RETRY_S = 0.002
# PostgreSQL, in ms: one statement, one wait for a lock, one pause within a transaction. Whoever is frozen in the middle
# of one keeps others waiting no longer than that.
STATEMENT_LIMIT_MS, LOCK_LIMIT_MS, IDLE_LIMIT_MS = 2_000, 1_000, 5_000
# What PostgreSQL says to a transaction that paused for too long, and where another server has become the first.
PASSING_STATES = frozenset({"25P03", "25006"})
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


def insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that may be told what to do on a conflict; SQLAlchemy has it by dialect only."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def moment(dialect: str, seconds: float = 0.0) -> ColumnElement[datetime]:
    """So many seconds from now by the database's clock, which is the only one that all processes share."""
    if dialect == "postgresql":
        # Not now(), which is when the transaction began: it may have waited for a lock since.
        interval = func.make_interval(0, 0, 0, 0, 0, 0, cast(seconds, Double))
        return func.clock_timestamp(type_=UtcDateTime()) + interval
    return func.strftime("%Y-%m-%d %H:%M:%f000", "now", f"{seconds:+.3f} seconds", type_=UtcDateTime())


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
        engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=0,
            pool_timeout=BUSY_LIMIT_S,
            connect_args=_patience(url),
        )
        event.listen(engine, "handle_error", _name_what_passes, retval=True)
        return engine
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _patience(url: URL) -> dict[str, str | int]:
    """How long a connection to PostgreSQL waits for what. What the URL itself says goes before it."""
    ours: dict[str, str | int] = {
        "connect_timeout": int(BUSY_LIMIT_S),
        "tcp_user_timeout": IDLE_LIMIT_MS,
        # A server that is gone for good answers nothing, and its own limits end with it.
        "keepalives_idle": int(BUSY_LIMIT_S),
        "keepalives_interval": 1,
    }
    limits = (
        f"-c statement_timeout={STATEMENT_LIMIT_MS}",
        f"-c lock_timeout={LOCK_LIMIT_MS}",
        f"-c idle_in_transaction_session_timeout={IDLE_LIMIT_MS}",
    )
    told = url.normalized_query
    patience = {name: value for name, value in ours.items() if name not in told}
    return patience | {"options": " ".join((*limits, *told.get("options", ())))}


def _name_what_passes(context: ExceptionContext) -> BaseException | None:
    """An error of the moment is an OperationalError; the driver makes bugs of some."""
    error = context.original_exception
    if getattr(error, "sqlstate", None) not in PASSING_STATES:
        return None
    gone = context.is_disconnect
    return OperationalError(context.statement, None, error, hide_parameters=True, connection_invalidated=gone)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver is not to begin transactions of its own: _begin_sqlite does.
    connection.isolation_level = None
    for pragma in (f"busy_timeout = {BUSY_LIMIT_S * 1000:.0f}", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer says so at once: one that first reads and then writes may find that another has written in between.
    if connection.get_execution_options().get("tieline_reads", False):
        connection.exec_driver_sql("BEGIN")
        return
    raw, give_up_s = connection.connection.driver_connection, time.monotonic() + BUSY_LIMIT_S
    assert isinstance(raw, sqlite3.Connection)
    # SQLite itself asks ever more seldom, up to a tenth of a second: a busy writer would shut others out for seconds.
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        while _is_taken(raw) and time.monotonic() < give_up_s:
            time.sleep(RETRY_S)
        if not raw.in_transaction:  # what keeps it from that is raised here
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout = {BUSY_LIMIT_S * 1000:.0f}")


def _is_taken(raw: sqlite3.Connection) -> bool:
    """Somebody else writes. If nobody does, a transaction has begun."""
    try:
        raw.execute("BEGIN IMMEDIATE")
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


def _prepare(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        _set_wal(engine)
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    with _alembic, engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # A migration may take longer than what is done while a caller waits.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_LIMIT_S * 1000:.0f}")
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
