"""What is told of a database's error: codes and the system's words, never a row's."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from store.causes import code_of
from store.database import connect

REFUSED = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: Connection refused\n\tIs it up?'


def wrapped(cause: Exception) -> OperationalError:
    return OperationalError("INSERT INTO call VALUES ('Ada Byron')", {}, cause)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (wrapped(psycopg.OperationalError(REFUSED)), "OperationalError: Connection refused (10.0.0.7:5432)"),
        (wrapped(psycopg.errors.DiskFull("could not extend 'Ada Byron'")), "DiskFull: 53100"),
        (wrapped(psycopg.OperationalError("the connection is lost")), "OperationalError: the connection is lost"),
        (wrapped(psycopg.OperationalError("Ada Byron")), "OperationalError"),
        (wrapped(FileNotFoundError(2, "No such file or directory")), "FileNotFoundError: No such file or directory"),
        (UnicodeEncodeError("latin-1", "Łódź", 0, 1, "no"), "UnicodeEncodeError"),
    ],
)  # fmt: skip
def test_an_error_is_told_by_its_code_or_by_what_the_system_says(error: Exception, told: str) -> None:
    assert code_of(error) == told


def test_a_server_that_is_not_there_is_told_with_its_address_and_no_password() -> None:
    engine = connect("postgresql://tieline:secret@127.0.0.1:1/calls")
    with pytest.raises(OperationalError) as raised:
        engine.connect()
    assert code_of(raised.value) == "OperationalError: Connection refused (127.0.0.1:1)"


def test_sqlites_errors_have_names(sqlite_url: str) -> None:
    engine = connect(sqlite_url)
    with engine.connect() as connection, pytest.raises(OperationalError) as raised:
        connection.exec_driver_sql("SELECT * FROM nothing")
    assert isinstance(raised.value.orig, sqlite3.Error)
    assert code_of(raised.value) == "OperationalError: SQLITE_ERROR"
    engine.dispose()
