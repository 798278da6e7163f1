"""The tables of installed packages, made beside the store's own: a package names by entry point what makes them.

One whose tables cannot be made stops nobody else: its own effects fail, and nothing is erased while it is so.
May import: protocols, SQLAlchemy, loguru, the standard library.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from loguru import logger
from sqlalchemy import ColumnElement, Connection, MetaData, Table, inspect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from protocols.errors import MisuseError

# Each names a function that is given the connection of a transaction, whenever the store is opened: it makes what is
# missing, in the tables of its own package only.
ENTRY_POINT_GROUP = "tieline.tables"
Prepare = Callable[[Connection], None]

# An arbitrary key of PostgreSQL's advisory lock: one process migrates at a time. And how long the others wait.
MIGRATION_LOCK = 7_132_654
LOCK_LIMIT_S = 5


@dataclass(frozen=True, slots=True)
class PersonalTable:
    """A table with rows about callers: how they are found when somebody asks for them, or for their erasure.

    call, caller: the columns with the call's key and the caller's number. needed: of rows that are not over at a moment
    (aware), as a booking to come is not: an erasure is refused while there are any. with_record: they are deleted
    as soon as the record of their call is; else as the package likes.
    """

    table: Table
    call: str = "conversation_id"
    caller: str = "caller"
    needed: Callable[[datetime], ColumnElement[bool]] | None = None
    with_record: bool = False


@dataclass(frozen=True, slots=True)
class PackageTables:
    """What an entry point may name in place of a function: all tables of a package, and those about callers."""

    metadata: MetaData
    personal: tuple[PersonalTable, ...] = ()

    def __call__(self, connection: Connection) -> None:
        """Make those tables that are not there."""
        create_missing(connection, self.metadata)


class WrongTables(MisuseError):
    """An entry point of an installed package that cannot be loaded, or is no function."""


def prepare(connection: Connection) -> None:
    """Have each installed package make its tables; one that cannot is logged.

    Raises: SQLAlchemy's OperationalError or InterfaceError where the database is to blame.
    """
    for each in installed():
        if isinstance(each, WrongTables):
            logger.error("the tables of an installed package cannot be had: its effects will fail", reason=str(each))
            continue
        try:
            with connection.begin_nested():
                each(connection)
        except (Exception, SystemExit) as error:
            if _of_the_database(error):
                raise
            why = f"{type(error).__name__}: {error}"
            logger.error("an installed package cannot make its tables: its effects will fail", reason=why)


def _of_the_database(error: BaseException) -> bool:
    """Whether a package's code is not to blame: the same may succeed later."""
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_ERROR
    return isinstance(error, OperationalError | InterfaceError)


def loaded(points: Iterable[EntryPoint]) -> tuple[Prepare | WrongTables, ...]:
    """What the entry points name; of one that cannot be loaded, or is no function, what is wrong with it."""
    found: list[Prepare | WrongTables] = []
    for point in points:
        try:
            named = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever code of another package does
            why = f"{type(error).__name__}: {error}"
            named = WrongTables(f"the tables {point.name!r} of an installed package cannot be loaded: {why}")
        else:
            if not callable(named):
                named = WrongTables(
                    f"the tables {point.name!r} of an installed package are no function ({point.value})"
                )
        found.append(named)
    return tuple(found)


@cache
def installed() -> tuple[Prepare | WrongTables, ...]:
    """See `loaded`. To be called first outside a transaction: it imports packages."""
    return loaded(sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda each: each.name))


def check() -> None:
    """Raises: WrongTables, if those of any installed package cannot be had."""
    for each in installed():
        if isinstance(each, WrongTables):
            raise each


def personal_tables(connection: Connection) -> list[PersonalTable]:
    """The tables about callers that installed packages declare, as far as they can be had and are there."""
    declared = [table for each in installed() if isinstance(each, PackageTables) for table in each.personal]
    there = set(inspect(connection).get_table_names()) if declared else set()
    return [each for each in declared if each.table.name in there]


def create_missing(connection: Connection, metadata: MetaData) -> None:
    """Make those tables that are not there; processes that start together wait for the first."""
    if _missing(connection, metadata):
        wait_for_others(connection)
        # Looked at again: by now another process may have made them.
        missing = [metadata.tables[each] for each in _missing(connection, metadata)]
        with unlimited(connection):
            metadata.create_all(connection, missing)


def wait_for_others(connection: Connection) -> None:
    """Only one process makes or changes tables at a time, until its transaction ends."""
    # SQLite: a transaction that may write has the only lock.
    if connection.dialect.name == "postgresql":
        may_idle(connection)
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_LIMIT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")


def may_idle(connection: Connection) -> None:
    """For the rest of the transaction: a busy machine may be slow between two statements, while it imports Alembic."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


@contextmanager
def unlimited(connection: Connection) -> Iterator[None]:
    """A migration may take longer than the limits for calls."""
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name != "postgresql":
        yield
        return
    limit_s, raw.answer_limit_s = raw.answer_limit_s, None
    try:
        yield
    finally:
        raw.answer_limit_s = limit_s


def _missing(connection: Connection, metadata: MetaData) -> list[str]:
    there = set(inspect(connection).get_table_names())
    return [each.name for each in metadata.sorted_tables if each.name not in there]
