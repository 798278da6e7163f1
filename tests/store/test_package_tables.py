"""The tables of installed packages: made where they are missing, by one process at a time."""

from __future__ import annotations

import sqlite3
import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, inspect
from sqlalchemy.exc import OperationalError

from store import package_tables
from store.database import DatabaseAway, connect, open_database
from store.erasure import People, Subject
from store.package_tables import ENTRY_POINT_GROUP, MIGRATION_LOCK, WrongTables, create_missing, loaded

METADATA = MetaData()
PIZZA = Table("pizza", METADATA, Column("id", Integer, primary_key=True))
OVEN = Table("oven", METADATA, Column("id", Integer, primary_key=True))


def make(connection: Connection) -> None:
    create_missing(connection, METADATA)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module as an installed package would bring it."""
    module = ModuleType("somebodys_tables")
    monkeypatch.setitem(sys.modules, "somebodys_tables", module)
    return module


def point(attribute: str) -> EntryPoint:
    return EntryPoint("pizza", f"somebodys_tables:{attribute}", ENTRY_POINT_GROUP)


def test_a_package_that_names_what_makes_its_tables_finds_them_in_the_store(
    fresh_url: str, package: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    vars(package)["make"] = make
    installed = loaded([point("make")])
    monkeypatch.setattr(package_tables, "installed", lambda: installed)
    for _ in range(2):
        engine = open_database(fresh_url)
        with engine.begin() as connection:
            assert {"pizza", "oven", "call"} <= set(inspect(connection).get_table_names())
            connection.execute(PIZZA.insert())
            PIZZA.create(connection, checkfirst=True)
            OVEN.drop(connection)
        engine.dispose()
    engine = connect(fresh_url)
    with engine.connect() as connection:
        assert len(connection.execute(PIZZA.select()).all()) == 2
    engine.dispose()


@pytest.mark.parametrize(
    ("attribute", "complaint"),
    [("MISSING", "'pizza' of an installed package cannot be loaded: AttributeError"), ("X", "are no function")],
)
def test_an_entry_point_that_names_no_function_is_named(package: ModuleType, attribute: str, complaint: str) -> None:
    vars(package)["X"] = 3
    [wrong] = loaded([point(attribute)])
    assert isinstance(wrong, WrongTables)
    assert complaint in str(wrong)


def raises(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
    raise ZeroDivisionError


def wrong_sql(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABEL pizza")


def finds_it_locked(connection: Connection) -> None:
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    raise OperationalError("CREATE TABLE pizza", {}, cause)


@pytest.mark.parametrize("wrong", ["raises", "wrong_sql", "MISSING"])
def test_a_package_whose_tables_cannot_be_made_stops_nobody_else(
    wrong: str, fresh_url: str, package: ModuleType, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    vars(package).update(make=make, raises=raises, wrong_sql=wrong_sql)
    installed = loaded([point(wrong), point("make")])
    monkeypatch.setattr(package_tables, "installed", lambda: installed)
    engine = open_database(fresh_url)
    with engine.connect() as connection:
        there = set(inspect(connection).get_table_names())
    assert ("pizza" in there, "half" in there) == (True, False)
    assert len([line for line in log_lines if "an installed package" in line]) == 1
    if wrong == "MISSING":  # what it holds of callers cannot be known
        with pytest.raises(WrongTables, match="AttributeError"):
            People(engine).erase(Subject("", frozenset(), ("c-1",)), "somebody", "asked")
    engine.dispose()


def test_a_database_that_is_away_is_no_fault_of_the_package(
    fresh_url: str, package: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    vars(package)["away"] = finds_it_locked
    installed = loaded([point("away")])
    monkeypatch.setattr(package_tables, "installed", lambda: installed)
    with pytest.raises(DatabaseAway):
        open_database(fresh_url)


def test_where_no_table_is_missing_nobody_is_waited_for(postgres_url: str) -> None:
    engine = connect(postgres_url)
    with engine.begin() as holder, engine.connect() as other:
        transaction = other.begin()
        make(holder)
        transaction.rollback()
    with engine.begin() as holder, engine.begin() as other:
        holder.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        make(other)
    with engine.begin() as connection:
        METADATA.drop_all(connection)
    engine.dispose()
