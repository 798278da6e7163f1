"""Opening the database: a new one, from several processes at once, and when it is unavailable."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import StatementError

import store.database
from appointments.bookings import AppointmentBook
from appointments.schema import appointment
from protocols.errors import MisuseError
from store import migration
from store.database import DatabaseAway, WrongDatabase, beside, connect, moment, open_database, reading
from store.journal import Journal
from store.leases import Leases
from tests.store.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def python(source: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_fresh_database_gets_all_tables(fresh_url: str) -> None:
    engine = open_database(fresh_url)
    assert set(inspect(engine).get_table_names()) == {
        "appointment",
        "appointment_effect",
        "audit",
        "bot_version",
        "call",
        "call_event",
        "call_report",
        "data_key",
        "effect",
        "hold",
        "identity_attempt",
        "job",
        "lease",
        "node",
        "outbox",
        "alembic_version",
    }
    engine.dispose()


def test_nobody_waits_for_a_connection_to_sqlite_that_others_have(sqlite_url: str) -> None:
    """The lease keeper has none of its own there, and effects keep theirs while they wait for SQLite's lock."""
    engine = open_database(sqlite_url)
    with ExitStack() as others:
        for _ in range(16):  # more than SQLAlchemy allows by itself
            others.enter_context(reading(engine))
        Leases(engine, "here", renewing=beside(engine)).show_life()
    engine.dispose()


def downgrade(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        migration.downgrade(connection, revision)


def test_data_of_an_older_version_is_kept(fresh_url: str) -> None:
    engine = open_database(fresh_url)
    AppointmentBook(engine).book("practice", AT, 30, "+4930123", "c-1", "k-1", "Ada")
    downgrade(engine, "0001")
    assert "effect" not in inspect(engine).get_table_names()
    engine.dispose()

    engine = open_database(fresh_url)
    (kept,) = AppointmentBook(engine).all()
    assert (kept.starts_at, kept.caller, kept.effect_key, kept.name) == (AT, "+4930123", "k-1", "")
    assert AppointmentBook(engine).book("practice", AT, 30, "", "c-2", "k-2") is None, "one for a time, as before"
    engine.dispose()


def test_a_process_of_the_previous_version_goes_on_writing(fresh_url: str) -> None:
    engine = open_database(fresh_url)
    downgrade(engine, "0002")
    before = """INSERT INTO call_event (conversation_id, seq, kind, body, at)
        VALUES ('c-1', {}, 'said', '{{}}', '2026-11-24 09:30:00')"""
    with engine.begin() as connection:
        connection.exec_driver_sql(before.format(1))
    open_database(fresh_url).dispose()
    with engine.begin() as connection:
        connection.exec_driver_sql(before.format(2))
    assert [(row.seq, row.epoch) for row in Journal(engine).rows("c-1")] == [(1, 0), (2, 0)]
    engine.dispose()


def test_opening_again_keeps_the_data(url: str) -> None:
    first = open_database(url)
    AppointmentBook(first).book("practice", AT, 30, "", "c-1", "k-1")
    first.dispose()
    second = open_database(url)
    assert len(AppointmentBook(second).all()) == 1
    second.dispose()


def test_every_connection_to_sqlite_has_durable_commits(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    with reading(engine) as one, reading(engine) as other:
        for connection in (one, other):
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "secure_delete")
            }
            assert pragmas == {
                "journal_mode": "wal",
                "synchronous": 2,
                "busy_timeout": 5000,
                "foreign_keys": 1,
                "secure_delete": 1,
            }
    engine.dispose()


@pytest.mark.parametrize("own", [{}, {"options": "-c%20lock_timeout=7s", "tcp_user_timeout": "9000"}])
def test_every_connection_to_postgresql_has_limits_and_the_url_may_set_others(
    postgres: PostgresServer, migrated: str, own: dict[str, str]
) -> None:
    engine = open_database(postgres.url(migrated, **own))
    with reading(engine) as connection:
        limits = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        }
        raw = connection.connection.driver_connection
        assert raw is not None
        assert raw.info.get_parameters()["tcp_user_timeout"] == own.get("tcp_user_timeout", "5000")
    assert limits == {
        "statement_timeout": "2s",
        "lock_timeout": "7s" if own else "1s",
        "idle_in_transaction_session_timeout": "5s",
    }
    engine.dispose()


# What a role may be set to, and what a session has all the same.
SETTINGS = {
    "DateStyle": ("German, DMY", "ISO, MDY"),
    "client_encoding": ("LATIN1", "UTF8"),
    "default_transaction_isolation": ("serializable", "read committed"),
}


def test_what_a_role_is_set_to_for_people_changes_nothing_of_what_is_stored_and_read(
    postgres: PostgresServer, postgres_url: str
) -> None:
    with postgres.connection("postgres") as admin:
        admin.execute("CREATE ROLE somebody LOGIN SUPERUSER")
        for name, (set_to, _) in SETTINGS.items():
            admin.execute(f"ALTER ROLE somebody SET {name} = '{set_to}'".encode())
        engine = open_database(postgres_url.replace("tieline@", "somebody@"))
        try:
            with reading(engine) as connection:
                now = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in SETTINGS}
            book = AppointmentBook(engine)
            assert book.book("practice", AT, 30, "+4930123", "c-1", "k-1", "Łukasz 😀") is not None
            [stored] = book.all()
        finally:
            engine.dispose()
            admin.execute("DROP ROLE somebody")
    assert now == {name: kept for name, (_, kept) in SETTINGS.items()}
    assert (stored.starts_at, stored.name) == (AT, "Łukasz 😀")


def test_a_reader_does_not_wait_for_a_writer(engine: Engine) -> None:
    with engine.begin() as writer:
        writer.execute(appointment.delete())
        assert AppointmentBook(engine).all() == []


def test_a_writer_to_sqlite_has_the_write_lock_from_its_begin(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    with engine.begin() as writer:
        writer.execute(select(appointment))
        impatient = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            impatient.execute("BEGIN IMMEDIATE")
        impatient.close()
    engine.dispose()


@pytest.mark.parametrize("before", [None, "0002"])
def test_processes_and_threads_that_start_together_all_open_it(fresh_url: str, before: str | None) -> None:
    if before is not None:
        engine = open_database(fresh_url)
        downgrade(engine, before)
        engine.dispose()
    source = """
import sys
from concurrent.futures import ThreadPoolExecutor
import store.database
from store.database import open_database
store.database.BUSY_LIMIT_S, store.database.LOCK_LIMIT_MS = 120.0, 120_000  # only end what hangs
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
with ThreadPoolExecutor(3) as pool:
    for engine in pool.map(open_database, [sys.argv[1]] * 3):
        engine.dispose()
"""
    processes = [python(source, fresh_url) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    engine = open_database(fresh_url)
    assert "lease" in inspect(engine).get_table_names()
    engine.dispose()


def test_a_process_killed_before_its_commit_writes_nothing(url: str) -> None:
    open_database(url).dispose()
    source = """
import sys
from datetime import UTC, datetime
from appointments.schema import appointment
from store.database import open_database
with open_database(sys.argv[1]).begin() as connection:
    connection.execute(appointment.insert().values(
        resource="practice", starts_at=datetime(2026, 11, 24, 9, 30, tzinfo=UTC), duration_min=30,
        caller="", conversation_id="c-1", effect_key="k-1"))
    sys.stdout.write("written\\n"); sys.stdout.flush(); sys.stdin.readline()
"""
    process = python(source, url)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.kill()
    process.communicate(timeout=60)

    engine = open_database(url)
    book = AppointmentBook(engine)
    assert book.all() == []
    assert book.book("practice", AT, 30, "", "c-2", "k-2") is not None
    engine.dispose()


def test_a_time_is_read_back_unchanged_in_any_zone(engine: Engine) -> None:
    book = AppointmentBook(engine)
    in_kathmandu = AT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    booked = book.book("practice", in_kathmandu, 30, "", "c-1", "k-1")
    assert booked is not None
    assert booked.starts_at == AT
    assert booked.starts_at.tzinfo is UTC


def test_the_databases_clock_is_read_as_a_moment_and_stored_as_one(engine: Engine) -> None:
    dialect = engine.dialect.name
    with engine.begin() as connection:
        now, soon = connection.execute(select(moment(dialect), moment(dialect, 0.25))).one()
        connection.execute(appointment.insert().values(
            resource="practice", starts_at=moment(dialect, 60), duration_min=30, caller="", conversation_id="c-1",
            effect_key="k-1"))  # fmt: skip
        column = appointment.c.starts_at
        between = column.between(moment(dialect, 55), moment(dialect, 60.5))
        assert connection.scalar(select(between))
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)
    assert timedelta(seconds=0.2) < soon - now < timedelta(seconds=0.3)
    (kept,) = AppointmentBook(engine).all()
    assert timedelta(seconds=55) < kept.starts_at - now < timedelta(seconds=61)


def test_a_moment_without_a_zone_is_refused(engine: Engine) -> None:
    with pytest.raises((MisuseError, StatementError), match="no time zone"):
        AppointmentBook(engine).book("practice", AT.replace(tzinfo=None), 30, "", "c-1", "k-1")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "cannot be read"),
        ("tieline.sqlite3", "cannot be read"),
        ("postgresql://user:secret@host:port/x", "cannot be read"),
        ("mysql://user:secret@host/x", "kind 'mysql' is not supported"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite:////no/such/directory/x.sqlite3", "unable to open database file"),
        ("sqlite+nonsense:///x.sqlite3", "driver is not installed"),
        ("postgresql+nonsense://user:secret@host/x", "driver is not installed"),
    ],
)
def test_a_wrong_url_is_reported_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(WrongDatabase, match=complaint) as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be taken for one\n" * 50)
    with pytest.raises(WrongDatabase, match=r"notes\.txt: file is not a database"):
        open_database(f"sqlite:///{tmp_path}/notes.txt")


@pytest.mark.parametrize("host", ["", "127.0.0.1:1"])
def test_a_server_that_cannot_be_reached_is_away(tmp_path: Path, host: str) -> None:
    folder = "" if host else f"?host={tmp_path}"
    with pytest.raises(DatabaseAway, match=r"database postgresql\+psycopg://tieline:\*\*\*@.*/x: .*failed") as caught:
        open_database(f"postgresql://tieline:secret@{host}/x{folder}")
    assert "secret" not in str(caught.value)


def test_a_server_that_knows_neither_database_nor_user_is_the_wrong_one(postgres: PostgresServer) -> None:
    for url in (postgres.url("none"), postgres.url("postgres").replace("tieline@", "nobody@")):
        with pytest.raises(WrongDatabase, match="does not exist"):
            open_database(url)


def test_a_file_that_is_locked_is_away(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.database, "BUSY_LIMIT_S", 0.05)
    engine = open_database(sqlite_url)
    with engine.begin(), pytest.raises(DatabaseAway, match="locked"):
        open_database(sqlite_url)
    engine.dispose()


def test_many_threads_share_one_engine(engine: Engine) -> None:
    book = AppointmentBook(engine)
    starts = [AT + timedelta(minutes=30 * number) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda at: book.book("practice", at, 30, "", "c-1", f"k-{at}"), starts))
    assert None not in results
    assert sorted(each.starts_at for each in book.all()) == starts


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_sqlites_files_are_read_by_their_owner_only_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        engine = open_database(f"sqlite:///{tmp_path}/new.sqlite3")
        Journal(engine).record("c-1")
        with sqlite3.connect(tmp_path / "old.sqlite3") as old:
            old.execute("CREATE TABLE other (x)")
        older = open_database(f"sqlite:///{tmp_path}/old.sqlite3")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
        engine.dispose()
        older.dispose()
    finally:
        os.umask(before)
    assert {"new.sqlite3", "new.sqlite3-wal", "new.sqlite3-shm", "old.sqlite3", "old.sqlite3-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}, modes


def test_a_database_of_another_encoding_is_refused_by_name(postgres: PostgresServer) -> None:
    with postgres.database() as name:
        url = postgres.url(name)
        admin = connect(url).execution_options(isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            how = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
            connection.exec_driver_sql(f"CREATE DATABASE latin {how}")
        with pytest.raises(WrongDatabase, match="its encoding is LATIN1, and must be UTF8"):
            open_database(postgres.url("latin"))
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE latin")
        admin.dispose()


def test_a_disk_that_takes_no_more_is_told_with_what_sqlite_could_not_do(tmp_path: Path) -> None:
    source = """
import resource, sys
from store.database import DatabaseAway, open_database
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    open_database(sys.argv[1])
except DatabaseAway as away:
    sys.stdout.write(str(away))
"""
    told, errors = python(source, f"sqlite:///{tmp_path}/small.sqlite3").communicate(timeout=60)
    assert re.search(r": disk I/O error \(SQLITE_IOERR_\w+\)$", told), told + errors
