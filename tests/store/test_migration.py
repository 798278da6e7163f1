"""The migrations, and two releases on one database: the earlier one is never disturbed, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, event, inspect, text

from appointments import bookings
from appointments import schema as appointments
from protocols.errors import MisuseError
from store import effect_log, migration, schema
from store.database import IDLE_LIMIT_MS, connect, open_database, reading
from store.effect_log import LoggedEffect
from store.journal import Journal
from store.leases import Lease, Leases, fenced, in_progress
from store.migration import Tables
from store.package_tables import MIGRATION_LOCK
from tests.store.additive import Shape, not_additive, shapes
from tests.store.other_process import AT, record, row

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0019",
)


@contextmanager
def undone(engine: Engine) -> Iterator[Connection]:
    """A transaction that is rolled back: both databases undo changes of tables as well."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def config_of(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.attributes["connection"] = connection
    return config


def to(connection: Connection, revision: str) -> dict[str, Shape]:
    """Migrate up or down to a revision. Returns the tables."""
    up = revision != "base" and revision > migration.tables(connection).revision
    (command.upgrade if up else command.downgrade)(config_of(connection), revision)
    return shapes(connection)


def set_revision(connection: Connection, revision: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def stamp(connection: Connection, revision: str) -> None:
    """Mark tables that no migration has built."""
    command.stamp(config_of(connection), revision)


# --- the rule for a migration ---


def test_each_migration_only_adds_what_the_release_before_can_live_with_and_can_be_taken_back(fresh_url: str) -> None:
    engine = connect(fresh_url)
    with engine.begin() as connection:
        known = migration.tables(connection).known
        before = shapes(connection)
        for revision, former in zip(known, ("base", *known), strict=False):
            after = to(connection, revision)
            assert not_additive(before, after) == [], revision
            assert to(connection, former) == before, revision
            before = to(connection, revision)
    engine.dispose()


def test_the_migrations_build_what_a_new_database_has(fresh_url: str) -> None:
    engine = connect(fresh_url)
    with undone(engine) as connection:
        to(connection, REVISIONS[-1])
        migration.upgrade(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        whole = MetaData()
        for table in (*schema.metadata.sorted_tables, *appointments.metadata.sorted_tables):
            table.to_metadata(whole)
        assert compare_metadata(context, whole) == []
        built = shapes(connection)
    with undone(engine) as connection:
        migration.upgrade(connection)
        assert shapes(connection) == built
    engine.dispose()


def test_the_tables_of_appointments_stay_with_their_rows_and_a_new_database_has_them_from_their_package(
    fresh_url: str,
) -> None:
    engine = connect(fresh_url)
    with undone(engine) as connection:
        to(connection, "0009")
        bookings.book(connection, resource="practice", starts_at=AT, duration_min=30, caller="",
                      conversation_id="c-1", effect_key="k-1")  # fmt: skip
        for _ in range(2):
            assert migration.upgrade(connection).revision in ("0009", REVISIONS[-1])
            assert bookings.by_effect(connection, "k-1") is not None
            migration.downgrade(connection, "0009")
    with undone(engine) as connection:
        before = to(connection, "0009")
        to(connection, "base")
        schema.metadata.create_all(connection)  # as a new database without the package
        stamp(connection, REVISIONS[-1])
        migration.downgrade(connection, "0009")
        assert shapes(connection) == before
    engine.dispose()


BREAKING = {
    "DROP TABLE identity_attempt": "identity_attempt is gone",
    "ALTER TABLE lease DROP COLUMN calls": "lease.calls is gone",
    "ALTER TABLE effect RENAME COLUMN say TO words": "effect.say is gone",
    "CREATE UNIQUE INDEX one_caller ON appointment (caller)": "appointment: caller must be unique",
    "DROP INDEX ix_x": "appointment: name need not be unique any more",
    "CREATE TABLE x (id INTEGER PRIMARY KEY, y TEXT REFERENCES call (conversation_id))": "x refers to call",
}
# SQLite can do these only with a table of another name.
BREAKING_POSTGRESQL = {
    "ALTER TABLE effect ALTER COLUMN settled_at SET NOT NULL": "effect.settled_at is no longer ('TIMESTAMP', False)",
    "ALTER TABLE effect ALTER COLUMN epoch TYPE TEXT": "effect.epoch is no longer ('INTEGER', True)",
    "ALTER TABLE effect ALTER COLUMN epoch DROP DEFAULT": "effect.epoch must be written",
    "ALTER TABLE effect ADD COLUMN colour TEXT NOT NULL": "effect.colour must be written",
    "ALTER TABLE effect ADD CHECK (epoch > 0)": "effect: check epoch > 0",
    "ALTER TABLE appointment DROP CONSTRAINT uq_appointment_effect_key": (
        "appointment: effect_key need not be unique any more"
    ),
}
ADDING = (
    "ALTER TABLE call ADD COLUMN colour TEXT",
    "ALTER TABLE call ADD COLUMN colour TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX ix_y ON call (caller)",
    "CREATE TABLE x (id INTEGER PRIMARY KEY, said TEXT NOT NULL UNIQUE, CHECK (id > 0))",
)


def test_what_the_release_before_cannot_live_with_is_found_and_nothing_else(engine: Engine) -> None:
    with undone(engine) as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX ix_x ON appointment (name)")
        before = shapes(connection)
        breaking = BREAKING | (BREAKING_POSTGRESQL if engine.dialect.name == "postgresql" else {})
        for statement, what in (*breaking.items(), *((each, "") for each in ADDING)):
            changed = connection.begin_nested()
            connection.exec_driver_sql(statement)
            found = not_additive(before, shapes(connection))
            assert what in found if what else not found, statement
            changed.rollback()
        assert shapes(connection) == before


# --- two releases ---


def test_a_release_works_with_the_tables_of_a_later_one_and_leaves_them_as_they_are(fresh_url: str) -> None:
    engine = open_database(fresh_url)
    with engine.begin() as connection:
        for statement in ADDING[1:]:
            connection.exec_driver_sql(statement)
        set_revision(connection, "0999")
    engine.dispose()

    engine = open_database(fresh_url)
    with reading(engine) as connection:
        found = migration.tables(connection)
        assert (found.revision, found.newer, found.pending) == ("0999", True, ())
        assert "colour" in shapes(connection)["call"].columns
    leases, journal = Leases(engine, "here"), Journal(engine)
    assert leases.open("c-1", "secret", {}) == Lease("c-1", 1, {}, 0)
    with fenced(engine, "c-1", 1) as connection:
        assert effect_log.intend(connection, LoggedEffect("k-1", "book", "c-1", "t1", "", {}, {}, AT, epoch=1))
        assert bookings.book(connection, resource="practice", starts_at=AT, duration_min=30, caller="",
                                 conversation_id="c-1", effect_key="k-1")  # fmt: skip
        effect_log.settle(connection, "k-1", "ok", {}, "", AT)
    assert journal.append([row(1, 1)]) == []
    journal.finish(record(), 1)
    assert (journal.record("c-1"), len(journal.rows("c-1"))) == (record(), 1)
    engine.dispose()


def test_a_record_of_a_later_release_is_read_as_far_as_it_is_known(engine: Engine) -> None:
    journal = Journal(engine)
    journal.finish(record())
    with engine.begin() as connection:
        more = record().model_dump(mode="json") | {"mood": {"caller": "glad"}}
        connection.execute(schema.call.update().values(record=more))
    assert journal.record("c-1") == record()


@pytest.mark.parametrize("revision", ["1000", "1001", "9999", "f00d", "-1"])
def test_a_release_does_not_touch_the_tables_of_another_major_version(fresh_url: str, revision: str) -> None:
    engine = open_database(fresh_url)
    with engine.begin() as connection:
        set_revision(connection, revision)
    with engine.begin() as connection:
        assert not migration.tables(connection).newer
        with pytest.raises(MisuseError, match=f"of another version .revision {revision}"):
            migration.upgrade(connection)
    with pytest.raises(MisuseError, match=f"database .*of another version .revision {revision}"):
        open_database(fresh_url)
    engine.dispose()


def test_the_revisions_of_this_release_are_one_major_version_in_order(engine: Engine) -> None:
    with reading(engine) as connection:
        found = migration.tables(connection)
    assert found == Tables(REVISIONS[-1], REVISIONS)
    *_, former, last = REVISIONS
    assert [Tables(each, REVISIONS).pending for each in ("", former, last)] == [REVISIONS, (last,), ()]
    assert not found.newer
    assert migration.meaning("0003").startswith("Leases of calls")


def test_the_files_of_migrations_are_named_as_alembic_knows_them() -> None:
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    scripts = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert migration.known_revisions() == tuple(reversed(scripts))


def test_tables_of_several_versions_at_once_are_refused(fresh_url: str) -> None:
    engine = open_database(fresh_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0003')")
    with pytest.raises(MisuseError, match=rf"of several versions at once \(0003, {REVISIONS[-1]}\)"):
        open_database(fresh_url)
    engine.dispose()


def test_a_downgrade_takes_away_what_came_later_and_an_upgrade_brings_it_back(fresh_url: str) -> None:
    engine = open_database(fresh_url)
    with engine.begin() as connection:
        whole = shapes(connection)
        assert migration.downgrade(connection, "0002").revision == REVISIONS[-1]
        assert "lease" not in inspect(connection).get_table_names()
        assert in_progress(connection) == 0
        assert migration.upgrade(connection).pending == REVISIONS[2:]
        assert shapes(connection) == whole
        assert migration.upgrade(connection).pending == ()
    engine.dispose()


@pytest.mark.parametrize(
    ("found", "wanted", "complaint"),
    [
        (REVISIONS[-1], REVISIONS[-1], f"no earlier revision: there is {', '.join(REVISIONS[:-1])}"),
        (REVISIONS[-1], "0999", "no earlier revision"),
        (REVISIONS[-1], "nonsense", "no earlier revision"),
        ("0001", "0001", "there is none"),
        ("0999", "0006", "of a later release"),
        ("9999", "0006", "of another version"),
    ],
)
def test_a_downgrade_goes_to_an_earlier_revision_of_this_release(
    engine: Engine, found: str, wanted: str, complaint: str
) -> None:
    with undone(engine) as connection:
        set_revision(connection, found)
        with pytest.raises(MisuseError, match=complaint):
            migration.downgrade(connection, wanted)


def test_where_nothing_is_to_be_added_nobody_is_waited_for(postgres_url: str) -> None:
    migrating = connect(postgres_url)
    with migrating.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        open_database(postgres_url).dispose()
    migrating.dispose()


def test_only_a_migration_has_no_limits(empty_postgres_url: str) -> None:
    engine = connect(empty_postgres_url)
    limits, waits = "SELECT setting FROM pg_settings WHERE name LIKE %s", []

    def look(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        raw: Any = connection.connection.driver_connection
        waits.append((statement[:6].strip(), raw.answer_limit_s))

    event.listen(engine, "before_cursor_execute", look)
    with engine.begin() as connection:
        migration.upgrade(connection)
        ours = [connection.exec_driver_sql(limits, (each,)).scalar() for each in ("idle_in_t%", "statement_t%")]
    assert ours == ["0", "0"]
    assert {limit_s for what, limit_s in waits if what == "CREATE"} == {None}
    assert None not in {limit_s for what, limit_s in waits if what == "SET LO"}
    with engine.begin() as connection:
        assert migration.upgrade(connection).pending == ()
        assert connection.exec_driver_sql(limits, ("idle_in_t%",)).scalar() == str(IDLE_LIMIT_MS)
    engine.dispose()


def test_calls_in_progress_are_those_whose_leases_are_held(engine: Engine) -> None:
    here = Leases(engine, "here")
    for conversation_id in ("c-1", "c-2", "c-3"):
        here.open(conversation_id, "", {})
    here.end("c-1", 1)
    here.park("c-2", 1)
    with reading(engine) as connection:
        assert in_progress(connection) == 1
