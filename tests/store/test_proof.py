"""Whether the database takes what is written: each table and column, and nothing is left of the question."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from store import schema
from store.database import may_pass, open_database
from store.proof import JOURNAL_TABLES, prove, refusal

TABLES = sorted(schema.metadata.tables)


def rows(engine: Engine) -> int:
    with engine.begin() as connection:
        tables = schema.metadata.tables.values()
        return sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def test_tables_that_are_as_they_should_be_are_proven_and_stay_empty(engine: Engine) -> None:
    prove(engine)
    prove(engine, JOURNAL_TABLES)
    assert rows(engine) == 0


@pytest.mark.parametrize("name", TABLES)
def test_a_column_that_is_not_there_is_found_in_each_table(engine: Engine, name: str) -> None:
    column = [each.name for each in schema.metadata.tables[name].columns if not each.primary_key][-1]
    with engine.begin() as connection:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" RENAME COLUMN "{column}" TO was')
    try:
        with pytest.raises(DBAPIError) as raised:
            prove(engine)
        assert refusal(engine, raised.value).startswith("the tables cannot be written: ")
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f'ALTER TABLE "{name}" RENAME COLUMN was TO "{column}"')
    prove(engine)


@contextmanager
def no_file_is_written() -> Iterator[None]:
    """As on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_is_found_on_sqlite_which_writes_nothing_before_it_commits(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'calls.sqlite3'}")
    with no_file_is_written(), pytest.raises(DBAPIError) as raised:
        prove(engine)
    assert may_pass(raised.value)
    prove(engine)
    assert rows(engine) == 0
    engine.dispose()
