"""Reads rows so that one which cannot be read costs those who need it, and nobody else.

SQLite stores any value in any column, disks and other programs write what they like, and one damaged value would fail a
whole query. Such a row stays where it is, because a fence, a key or a booked time may rest on it.
May import: protocols, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from sqlalchemy import JSON, ColumnElement, Connection, Engine, Select, Table, func, select
from sqlalchemy.exc import DataError

from protocols.errors import TielineError

T = TypeVar("T")
# What drivers, SQLAlchemy's types and our own checks raise for a value that is not of its column.
DAMAGE = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, DataError)
_REPORT = "tieline_unreadable"


class UnreadableRow(TielineError):
    """A row with a value that is not of its column. key: its primary key, in words."""

    def __init__(self, table: str, key: str) -> None:
        super().__init__(f"{table} {key}")
        self.table = table
        self.key = key


def report_unreadable(engine: Engine, report: Callable[[UnreadableRow], None]) -> None:
    """Have each row that is found unreadable reported: on any thread, each time that it is met."""
    engine.update_execution_options(**{_REPORT: report})


def readable(connection: Connection, table: Table, query: Select[Any], make: Callable[..., T]) -> list[T]:
    """What `make` makes of the columns of each row that can be read, in the query's order; the others are reported.

    query: of columns of one table.
    """
    try:
        return list(_read(connection, query, make))
    except DAMAGE:
        return list(_one_by_one(connection, table, query, make))


def unreadable(connection: Connection, table: Table, query: Select[Any], make: Callable[..., object]) -> list[str]:
    """The keys of the rows that `readable` would report, in words."""
    found: list[str] = []
    for key in connection.execute(query.with_only_columns(*table.primary_key.columns)).all():
        try:
            list(_read(connection, query.where(*_mine(table, key)), make))
        except DAMAGE:
            found.append(_in_words(key))
    return found


def readable_one(connection: Connection, table: Table, query: Select[Any], make: Callable[..., T]) -> T | None:
    """The same of the only row, None if there is none. Raises: UnreadableRow."""
    for made in readable(connection, table, query, make):
        return made
    for key in connection.execute(query.with_only_columns(*table.primary_key.columns)):
        raise UnreadableRow(table.name, _in_words(key))
    return None


def distinct(connection: Connection, column: ColumnElement[str]) -> list[str]:
    """The values of a column that begins an index, in order, by as many look-ups; what is no text is left out.

    In the database, because a value that is no text is another one once it was read, and would be found for ever.
    """
    values = select(func.min(column).label("value")).cte(recursive=True)
    following = select(func.min(column)).where(column > values.c.value).scalar_subquery()
    values = values.union_all(select(following).where(values.c.value.is_not(None)))
    return [value for value in connection.scalars(select(values.c.value)) if isinstance(value, str)]


def report(connection: Connection, row: UnreadableRow) -> None:
    """Report a row that was read in another way."""
    tell = connection.get_execution_options().get(_REPORT)
    if tell is not None:
        tell(row)


def _one_by_one(connection: Connection, table: Table, query: Select[Any], make: Callable[..., T]) -> Iterator[T]:
    columns = table.primary_key.columns
    # A key has no conversion that could fail.
    for key in connection.execute(query.with_only_columns(*columns)).all():
        try:
            mine = _mine(table, key)
            made = list(_read(connection, query.where(*mine), make))
            lost = not made and connection.execute(select(*columns).where(*mine)).first() is None
        except DAMAGE:
            made, lost = [], True
        if lost:  # also if what was read as its key is not what the row holds
            report(connection, UnreadableRow(table.name, _in_words(key)))
        yield from made


def _mine(table: Table, key: Iterable[Any]) -> list[ColumnElement[bool]]:
    """The condition that a row has this key. Raises: TypeError, if no statement could hold it."""
    pairs = list(zip(table.primary_key.columns, key, strict=True))
    if strange := [column.name for column, value in pairs if not isinstance(value, column.type.python_type)]:
        raise TypeError(f"the key's {strange[0]} is not of its column")
    return [column == value for column, value in pairs]


def _in_words(key: Iterable[Any]) -> str:
    return "/".join(map(str, key))


def _read(connection: Connection, query: Select[Any], make: Callable[..., T]) -> Iterator[T]:
    columns = {column.name: column for column in query.selected_columns}
    for row in connection.execute(query).mappings():
        _check(columns, row)
        yield make(**row)


def _check(columns: Mapping[str, Any], row: Mapping[Any, Any]) -> None:
    """Raises: TypeError if a value is not of its column's type; SQLite does not see to that."""
    for name, column in columns.items():
        value = row[name]
        # All of our JSON columns hold objects.
        kind = dict if isinstance(column.type, JSON) else column.type.python_type
        if not isinstance(value, kind) and not (value is None and column.nullable):
            raise TypeError(f"{name} is a {type(value).__name__}")
