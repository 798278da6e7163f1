"""The audit: a chain that no row can be changed in, taken out of or put into, whoever writes at the same time."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from store import audit
from store.audit import GENESIS, Audit
from store.database import open_database


@pytest.fixture
def filled(engine: Engine) -> Audit:
    log = Audit(engine)
    for number in range(5):
        log.note("ann@host", "read", f"c-{number}", {"unmasked": False})
    return log


def unguarded(engine: Engine, statement: str) -> None:
    """What somebody does who may change the tables."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
            connection.execute(text(statement))
            connection.execute(text("ALTER TABLE audit ENABLE TRIGGER ALL"))
            return
        guards = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in guards:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))
        for _, sql in guards:
            connection.exec_driver_sql(sql)


def test_rows_follow_one_another_and_are_as_they_were_written(filled: Audit) -> None:
    first, second, *_, last = filled.rows()
    assert (first.seq, first.previous, second.previous) == (1, GENESIS, first.hash)
    assert (last.who, last.what, last.about, last.facts) == ("ann@host", "read", "c-4", {"unmasked": False})
    assert [row.seq for row in filled.last(2)] == [4, 5]
    verdict = filled.verify()
    assert (verdict.rows, verdict.head, verdict.fault) == (5, last.hash, "")
    assert filled.verify(5, last.hash) == filled.verify(2, second.hash) == verdict


def test_an_empty_audit_is_as_it_was_written(engine: Engine) -> None:
    assert Audit(engine).verify() == audit.ChainState(0, GENESIS)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE audit SET who = 'bob@host' WHERE seq = 3", "row 3 was changed"),
        ("UPDATE audit SET at = (SELECT at FROM audit WHERE seq = 1) WHERE seq = 3", "row 3 was changed"),
        ("UPDATE audit SET facts = '{\"unmasked\": true}' WHERE seq = 3", "row 3 was changed"),
        ("UPDATE audit SET previous = hash WHERE seq = 3", "row 3 does not follow the one before it"),
        ("DELETE FROM audit WHERE seq = 3", "row 3 is missing: row 4 follows"),
        ("DELETE FROM audit WHERE seq = 1", "row 1 is missing: row 2 follows"),
        ("UPDATE audit SET what = 'x' WHERE seq = 5", "row 5 was changed"),
        ("UPDATE audit SET about = 'x' WHERE seq = 3", "row 3 was changed"),
        ("UPDATE audit SET hash = previous WHERE seq = 3", "row 3 was changed"),
        ("UPDATE audit SET seq = 9 WHERE seq = 5", "row 5 is missing: row 9 follows"),
        ("UPDATE audit SET facts = '[]' WHERE seq = 5", "row 5 was changed: it cannot be read"),
        (
            "INSERT INTO audit SELECT -1, at, 'ann@host', 'erased', '', facts, previous, hash FROM audit WHERE seq = 1",
            "row -1 was put in",
        ),
    ],
)
def test_a_changed_row_and_a_missing_one_are_found(engine: Engine, filled: Audit, change: str, fault: str) -> None:
    unguarded(engine, change)
    assert filled.verify().fault == fault


def test_what_no_row_can_hold_is_a_change_too(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    log = Audit(engine)
    for number in range(5):
        log.note("ann@host", "read", f"c-{number}")
    as_it_was = log.verify()
    unguarded(engine, "CREATE TABLE kept AS SELECT * FROM audit")
    for seq in (3, 5):
        for field in ("at", "who", "what", "about", "facts", "previous", "hash"):
            for value in ("'yesterday'", "x'ff00'", "7"):
                where = f"WHERE audit.seq = {seq}"
                unguarded(engine, f"UPDATE audit SET {field} = {value} {where}")  # noqa: S608 - of this list
                assert f"row {seq} " in log.verify().fault
                assert {row.seq for row in (*log.rows(), *log.last(9))} >= {1, 2, 4}
                was = f"(SELECT {field} FROM kept WHERE seq = {seq})"  # noqa: S608 - of this list
                unguarded(engine, f"UPDATE audit SET {field} = {was} {where}")  # noqa: S608 - of this list
                assert log.verify() == as_it_was
    unguarded(engine, "UPDATE audit SET hash = x'ff00' WHERE seq = 5")
    assert log.note("ann@host", "read", "c-6", once="r-1").seq == 6
    assert "row 5 " in log.verify().fault
    engine.dispose()


def test_lost_rows_at_the_end_show_by_what_was_noted(engine: Engine, filled: Audit) -> None:
    noted = filled.verify()
    unguarded(engine, "DELETE FROM audit WHERE seq > 3")
    assert filled.verify().fault == ""
    assert filled.verify(noted.rows, noted.head).fault == "row 5, which was noted, is missing: the last is row 3"
    for _ in range(2):
        filled.note("ann@host", "read")
    assert filled.verify(noted.rows, noted.head).fault.startswith("row 5 is another one than was noted")


REFUSED = ("UPDATE audit SET who = ''", "DELETE FROM audit")
REFUSED_OF = {
    "sqlite": (*REFUSED, "REPLACE INTO audit SELECT seq, at, 'bob', what, about, facts, previous, hash FROM audit"),
    "postgresql": (*REFUSED, "TRUNCATE audit"),
}  # fmt: skip


def test_the_database_itself_refuses_changes(engine: Engine, filled: Audit) -> None:
    for change in REFUSED_OF[engine.dialect.name]:
        with pytest.raises(DBAPIError, match="only ever added to"), engine.begin() as connection:
            connection.execute(text(change))
    assert (filled.verify().rows, filled.verify().fault) == (5, "")


def test_what_many_write_at_once_is_one_chain(engine: Engine) -> None:
    log = Audit(engine)
    threads = [
        threading.Thread(target=lambda: [log.note("ann", "read", f"{number}") for number in range(10)])
        for _ in range(6)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (log.verify().rows, log.verify().fault) == (60, "")


def test_what_cannot_be_stored_as_it_is_does_not_break_the_chain(engine: Engine) -> None:
    Audit(engine).note("a\0b", "read", "\ud800", {"x": "\0"})
    assert Audit(engine).verify().fault == ""


def test_what_several_processes_do_for_one_request_is_told_once(engine: Engine) -> None:
    log = Audit(engine)
    for _ in range(3):
        log.note("ops 10.0.0.1", "read", "c-1", once="r-1")
    log.note("ops 10.0.0.1", "read", "c-2", once="r-1")
    log.note("ops 10.0.0.1", "read", "c-1", once="r-2")
    assert [(row.about, row.facts["request"]) for row in log.rows()] == [
        ("c-1", "r-1"), ("c-2", "r-1"), ("c-1", "r-2")
    ]  # fmt: skip


def test_it_is_read_page_by_page(filled: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    assert [row.seq for row in filled.rows()] == [1, 2, 3, 4, 5]
