"""The LeaseKeeper over a real database: what other processes see of this one, and what the switchboard is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from actors.messages.switchboard import LeasesKept
from actors.process.lease_keeper import LeaseKeeper
from store import schema
from store.database import open_database
from store.leases import Lease, Leases, living
from store.migration import known_revisions
from tests.actors.tasks.oven import database_lost
from tests.probe import Probe


class Round:
    def __init__(self, engine: Engine) -> None:
        self.leases = Leases(engine, "here")
        self.switchboard = Probe[LeasesKept]("switchboard")
        self.keeper = LeaseKeeper(engine, self.leases, self.switchboard)
        assert self.switchboard.expect(LeasesKept) == LeasesKept(answered=False), "it says that it is there"

    def told(self) -> LeasesKept:
        self.keeper.keep()
        return self.switchboard.expect(LeasesKept)


@pytest.fixture
def process(engine: Engine) -> Round:
    return Round(engine)


def alive(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        return living(connection)


def test_a_process_shows_its_life_without_a_call_until_it_leaves(process: Round, engine: Engine) -> None:
    assert process.told() == LeasesKept(answered=True)
    assert alive(engine) == ["here"]
    process.keeper.leave()
    assert alive(engine) == []


def test_a_process_that_has_not_shown_itself_for_a_while_is_not_alive(process: Round, engine: Engine) -> None:
    process.told()
    with engine.begin() as connection:
        seen = connection.scalars(select(schema.node.c.seen_at)).one()
        connection.execute(schema.node.update().values(seen_at=seen - timedelta(seconds=21)))
    assert alive(engine) == []
    process.told()
    assert alive(engine) == ["here"]


def test_leases_are_renewed(process: Round, engine: Engine) -> None:
    assert isinstance(process.leases.open("c-1", "", {}), Lease)
    with engine.begin() as connection:
        before = connection.scalars(select(schema.lease.c.touched_at)).one()
        connection.execute(schema.lease.update().values(touched_at=before - timedelta(seconds=5)))
    process.told()
    with engine.begin() as connection:
        assert connection.scalars(select(schema.lease.c.touched_at)).one() >= before


def test_an_outage_is_told_as_no_answer(process: Round, engine: Engine) -> None:
    with database_lost(engine):
        assert process.told() == LeasesKept(answered=False)
    assert process.told() == LeasesKept(answered=True)


def test_tables_of_an_earlier_release_are_told_by_their_revision(process: Round, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lease DROP COLUMN calls")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0006'")
    told = process.told()
    newest = known_revisions()[-1]
    assert told == LeasesKept(True, f"the schema is at 0006, this release needs {newest}: tieline db upgrade")


def test_a_column_that_was_renamed_is_told_by_the_databases_code(process: Round, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lease RENAME COLUMN touched_at TO touched")
    assert process.told().fault == "the tables cannot be written: OperationalError: SQLITE_ERROR"
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lease RENAME COLUMN touched TO touched_at")
    assert process.told() == LeasesKept(answered=True)


def test_nothing_is_left_in_the_tables_by_looking(process: Round, engine: Engine) -> None:
    process.told()
    other = open_database(str(engine.url))
    with other.begin() as connection:
        counts = {
            name: len(connection.execute(select(table)).all())
            for name, table in schema.metadata.tables.items()
            if name != "node"
        }
    other.dispose()
    assert set(counts.values()) == {0}
