"""Opens and migrates the database, with settings under which commits are durable.

May import: protocols, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.2.
"""

from __future__ import annotations

import json
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

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
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from protocols.errors import MisuseError, TielineError
from protocols.text import well_formed_json
from store import migration, package_tables
from store.files import sqlite_uri, watch_files
from store.schema import UtcDateTime

# How long a writer waits for another, and a starting process for one that migrates.
BUSY_LIMIT_S = 5.0
# How often a writer tries to take SQLite's write lock.
RETRY_S = 0.002
# PostgreSQL's limits, so that a process frozen in a transaction does not block others for longer.
STATEMENT_LIMIT_MS = 2_000
LOCK_LIMIT_MS = 1_000
IDLE_LIMIT_MS = 5_000
# What a session must be, whatever its role or database is set to: the driver reads dates of this form only, and who
# waits for a lock looks at what is there then. Names are in UTF-8.
SESSION = ("-c DateStyle=ISO", r"-c default_transaction_isolation=read\ committed")
# SQLSTATEs that are temporary: idle_in_transaction_session_timeout, read_only_sql_transaction (a demoted server).
TRANSIENT_STATES = frozenset({"25P03", "25006"})
# Errors of SQLite at the start that may pass: busy, locked, no memory, an error of the disk, a full one.
SQLITE_AWAY = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL
})  # fmt: skip
# What PostgreSQL says to a URL that is wrong: user, password, database; by its code, or in words. A server that says so
# in another language is waited for, and its words are logged.
WRONG_STATES = ("28", "3D", "3F", "42")
WRONG_WORDS = ("authentication failed", "no pg_hba.conf entry", "does not exist", "no password supplied")
# The mode of SQLite's files, which hold callers' numbers and words.
PRIVATE = 0o600
# What a statement raises where the database, or what it is asked, is at fault.
DATABASE_ERRORS = (DBAPIError, PoolTimeout)
_MAKING = threading.Lock()


class WrongDatabase(MisuseError):
    """The URL names no database that could ever be used; it must be changed, or the database."""


class DatabaseAway(TielineError):
    """The database cannot be opened now, but perhaps later."""


def shown(url: str | URL) -> str:
    """The URL without password and query. Raises: WrongDatabase if it is none."""
    parsed = _parse(url) if isinstance(url, str) else url
    return parsed.set(query={}).render_as_string(hide_password=True)


def open_database(
    url: str, *, create: bool = True, tables: Callable[[Connection], object] = migration.upgrade
) -> Engine:
    """Connect and migrate to the newest tables; processes that start together wait for the first.

    tables: makes or migrates those that are needed; by default those of the store.

    url: SQLAlchemy's, of a SQLite file or of PostgreSQL. create: make a SQLite file that is not there. The engine is
    for all threads.
    Raises: WrongDatabase or DatabaseAway, which name what is wrong, and never the password.
    """
    engine = connect(url, create=create)
    with faults_named(engine):
        if engine.dialect.name == "sqlite":
            _set_wal(engine)
        package_tables.installed()
        with engine.begin() as connection:
            _check_encoding(connection)
            tables(connection)
        if engine.dialect.name == "sqlite":
            watch_files(engine)
    return engine


def beside(engine: Engine) -> Engine:
    """The same database by connections of its own: what uses it waits for none that others have.

    Of SQLite the same engine: nobody waits for a connection, and its files are looked after once.
    """
    return engine if engine.dialect.name == "sqlite" else _engine(engine.url)


def connect(url: str, *, create: bool = True) -> Engine:
    """The database as it is, as for `open_database`. Raises: WrongDatabase."""
    parsed = _parse(url)
    if not create and parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise WrongDatabase(f"database {shown(parsed)}: there is no such file")
    try:
        return _engine(parsed)
    except (ImportError, NoSuchModuleError) as error:
        raise WrongDatabase(f"database {shown(parsed)}: its driver is not installed ({error})") from None


def look(url: str, limit_s: float, also: Callable[[Connection], object] = lambda _: None) -> migration.Tables | None:
    """The tables of the database as it is; None for a SQLite file that is not there, and can be made. Writes nothing.

    limit_s: for all of it, a server's name and its answer. also: looks at what is in the tables. Raises: as
    `open_database`, and as `also` does.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite" and not (file := Path(parsed.database or "")).exists():
        if not os.access(file.absolute().parent, os.W_OK):
            raise WrongDatabase(f"database {shown(parsed)}: there is no such file, and none can be made there")
        return None
    outcome: queue.SimpleQueue[migration.Tables | Exception] = queue.SimpleQueue()

    def try_it() -> None:
        try:
            outcome.put(_tables_of(parsed, also))
        except Exception as error:  # noqa: BLE001 - raised below, on the thread that waits
            outcome.put(error)

    # A thread that nobody waits for: neither the resolver nor the driver keeps to a limit of ours.
    threading.Thread(target=try_it, name="look", daemon=True).start()
    try:
        found = outcome.get(timeout=limit_s)
    except queue.Empty:
        raise DatabaseAway(f"database {shown(parsed)}: no answer within {limit_s:g} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _tables_of(url: URL, also: Callable[[Connection], object]) -> migration.Tables:
    if url.get_backend_name() == "sqlite":
        # Not `connect`, which makes the file private. Where nobody has it open, "immutable" keeps SQLite from making
        # files beside it, which the daemon could not use if they were another user's.
        path = Path(str(url.database)).absolute()
        how = "mode=ro" if Path(f"{path}-wal").exists() else "mode=ro&immutable=1"
        uri = sqlite_uri(path, how)
        engine = create_engine(url, creator=lambda: sqlite3.connect(uri, uri=True), hide_parameters=True)
    else:
        engine = connect(url.render_as_string(hide_password=False))
    with faults_named(engine):
        with reading(engine) as connection:
            _check_encoding(connection)
            found = migration.tables(connection)
            _ = found.pending  # raises for tables that this release cannot work with
            also(connection)
        engine.dispose()
    return found


@contextmanager
def faults_named(engine: Engine) -> Iterator[None]:
    """Raises WrongDatabase or DatabaseAway for what goes wrong, which name the database; the engine is disposed of.

    WrongTables is no fault of the database.
    """
    try:
        yield
    except package_tables.WrongTables:
        engine.dispose()
        raise
    except (DBAPIError, engine.dialect.loaded_dbapi.Error, MisuseError) as error:
        engine.dispose()
        kind = DatabaseAway if _is_away(error) else WrongDatabase
        raise kind(f"database {shown(engine.url)}: {_reason(error)}") from None


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A read-only transaction: on SQLite it neither waits for a writer nor blocks one."""
    with engine.connect().execution_options(tieline_reads=True) as connection, connection.begin():
        yield connection


@contextmanager
def unsynced(engine: Engine) -> Iterator[Connection]:
    """A transaction of what is done again should the machine lose power.

    Its commit waits for no disk, and the other writers of SQLite not for it.
    """
    with engine.connect() as connection, _not_synced(connection), connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        yield connection


@contextmanager
def _not_synced(connection: Connection) -> Iterator[None]:
    """SQLite is told before the transaction begins, and the connection is for others again after it."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        raw.execute("PRAGMA synchronous = FULL")


@contextmanager
def reading_long(engine: Engine, limit_ms: int = 60_000) -> Iterator[Connection]:
    """As `reading`, for a person who waits: PostgreSQL would give up after the two seconds that calls are given."""
    with reading(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.set_config("statement_timeout", str(limit_ms), True)))
        with package_tables.unlimited(connection):
            yield connection


def insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that supports ON CONFLICT, which SQLAlchemy has per dialect only."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def moment(dialect: str, seconds: float = 0.0) -> ColumnElement[datetime]:
    """A moment, in seconds from now by the database's clock, the only one that all processes share."""
    if dialect == "postgresql":
        # Not now(), the transaction's beginning: it may have waited for a lock since.
        interval = func.make_interval(0, 0, 0, 0, 0, 0, cast(seconds, Double))
        return func.clock_timestamp(type_=UtcDateTime()) + interval
    return func.strftime("%Y-%m-%d %H:%M:%f000", "now", f"{seconds:+.3f} seconds", type_=UtcDateTime())


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise WrongDatabase("the database's URL cannot be read; it must look like sqlite:///tieline.sqlite3") from None
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise WrongDatabase(f"a database of the kind {backend!r} is not supported: use sqlite or postgresql")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise WrongDatabase("a SQLite database must be a file: what is in memory does not outlive the process")
    return parsed


def _engine(url: URL) -> Engine:
    # hide_parameters: errors are logged, and must not hold callers' words.
    if url.get_backend_name() == "postgresql":
        engine = create_engine(
            url,
            hide_parameters=True,
            json_serializer=_to_json,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=0,
            pool_timeout=BUSY_LIMIT_S,
            connect_args=_connect_args(url),
        )
        event.listen(engine, "handle_error", _map_transient, retval=True)
        from store.bounded_connection import BoundedConnection  # noqa: PLC0415 - the driver is optional

        event.listen(engine, "do_connect", lambda _dialect, _record, args, how: BoundedConnection.connect(*args, **how))
        event.listen(engine, "connect", lambda connection, _record: connection.take_servers_limit())
        return engine
    _make_private(str(url.database))
    # max_overflow: a connection for each thread that wants one. They wait for SQLite's lock with it, and the lease
    # keeper must not wait until one of them is free.
    engine = create_engine(url, hide_parameters=True, json_serializer=_to_json, max_overflow=-1)
    event.listen(engine, "do_connect", _open_only)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _to_json(value: object) -> str:
    return well_formed_json(json.dumps(value))


def _make_private(file: str) -> None:
    """Let only its owner read SQLite's file, whatever the umask; the files that SQLite adds get the same mode.

    A file that cannot be made or changed is reported when it is opened, or belongs to another user who decides.
    """
    # Closing a file drops the locks that this process holds on it: so one that exists is not opened here, and no other
    # thread has SQLite lock a new one before it is closed.
    with _MAKING, suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    for each in ("", "-wal", "-shm"):
        with suppress(OSError):
            Path(f"{file}{each}").chmod(PRIVATE)


def _connect_args(url: URL) -> dict[str, str | int]:
    """The time limits of a connection to PostgreSQL, and SESSION. Parameters in the URL override them."""
    ours: dict[str, str | int] = {
        "client_encoding": "UTF8",
        "connect_timeout": int(BUSY_LIMIT_S),
        "tcp_user_timeout": IDLE_LIMIT_MS,
        # A dead server answers nothing, and its own limits end with it.
        "keepalives_idle": int(BUSY_LIMIT_S),
        "keepalives_interval": 1,
    }
    settings = (
        f"-c statement_timeout={STATEMENT_LIMIT_MS}",
        f"-c lock_timeout={LOCK_LIMIT_MS}",
        f"-c idle_in_transaction_session_timeout={IDLE_LIMIT_MS}",
        *SESSION,
    )
    given = url.normalized_query
    defaults = {name: value for name, value in ours.items() if name not in given}
    return defaults | {"options": " ".join((*settings, *given.get("options", ())))}


def _map_transient(context: ExceptionContext) -> BaseException | None:
    """Raise temporary errors as OperationalError, for which callers retry; psycopg classes some as bugs."""
    error = context.original_exception
    if getattr(error, "sqlstate", None) not in TRANSIENT_STATES:
        return None
    gone = context.is_disconnect
    return OperationalError(context.statement, None, error, hide_parameters=True, connection_invalidated=gone)


def _open_only(_dialect: object, _record: object, args: list[Any], how: dict[str, Any]) -> None:
    """Have SQLite make no file: who moved it away, to put another there, would find an empty one in its place."""
    args[0], how["uri"] = sqlite_uri(args[0], "mode=rw"), True


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_sqlite, not by the driver.
    connection.isolation_level = None
    # A damaged text must not look like a database that is unavailable, which is how the driver reports it.
    connection.text_factory = _text
    # secure_delete: Debian's SQLite does so anyway, others forget only where what was deleted is. PostgreSQL's VACUUM
    # makes room of it.
    limit = f"busy_timeout = {BUSY_LIMIT_S * 1000:.0f}"
    for pragma in (limit, "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the write lock at once: if it read first, another could write in between.
    if connection.get_execution_options().get("tieline_reads", False):
        connection.exec_driver_sql("BEGIN")
        return
    raw, give_up_s = connection.connection.driver_connection, time.monotonic() + BUSY_LIMIT_S
    assert isinstance(raw, sqlite3.Connection)
    # SQLite's own retries back off to a tenth of a second: a busy writer would starve others for seconds.
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        while _is_taken(raw) and time.monotonic() < give_up_s:
            time.sleep(RETRY_S)
        if not raw.in_transaction:  # the error is raised here
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout = {BUSY_LIMIT_S * 1000:.0f}")


def _is_taken(raw: sqlite3.Connection) -> bool:
    """Try to begin a write transaction. Returns True if another one holds the lock."""
    try:
        raw.execute("BEGIN IMMEDIATE")
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


def _check_encoding(connection: Connection) -> None:
    """Raises: WrongDatabase, if it cannot hold every caller's name."""
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise WrongDatabase(
            f"its encoding is {encoding}, and must be UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def _set_wal(engine: Engine) -> None:
    """Set the journal mode, which the file keeps. SQLite does not wait for locks here, so we retry."""
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
            raise WrongDatabase(f"the file is on a disk where SQLite cannot keep a write-ahead log (mode {mode!r})")
        return


def may_pass(error: Exception) -> bool:
    """Whether a statement that raised this may succeed later, as it is: an outage, a lock; not a table that is gone."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    # What SQLite's driver raises for a missing table or column is an OperationalError too.
    return getattr(error.orig, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR


def _is_away(error: Exception) -> bool:
    """Whether the same may succeed later."""
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE_AWAY
    if isinstance(error, OperationalError | InterfaceError):
        state = cause.sqlstate or ""
        # What the server answers to a connection comes without its code.
        return not state.startswith(WRONG_STATES) and not any(each in str(cause) for each in WRONG_WORDS)
    return False


def _reason(error: Exception) -> str:
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    text = str(cause).strip().split("\n")[0] or type(error).__name__
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
        return f"{text} ({cause.sqlite_errorname})"  # the text is the same for thirty kinds: which call has failed
    return text
