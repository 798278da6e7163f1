"""A job of one process at a time: who has it, when it is due again, and who goes on after a death."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from store import schema
from store.database import moment, open_database
from store.jobs import Job
from tests.store.garbage import BLOB, WORD, spoil


def keeps(job: Job, engine: Engine) -> bool:
    with engine.begin() as connection:
        return job.keep(connection)


def test_one_process_has_it_until_it_leaves(engine: Engine) -> None:
    mine, theirs = Job(engine, "sweep", "a"), Job(engine, "sweep", "b")
    assert mine.begin(3600)
    assert not theirs.begin(3600)
    assert mine.begin(3600)  # its own, again
    assert (keeps(mine, engine), keeps(theirs, engine)) == (True, False)
    mine.leave(done=False)
    assert theirs.begin(3600)
    assert not keeps(mine, engine)


def test_after_a_round_the_next_one_is_due_later(engine: Engine) -> None:
    mine, theirs = Job(engine, "sweep", "a"), Job(engine, "sweep", "b")
    assert mine.begin(3600)
    mine.leave(done=True)
    assert not mine.begin(3600)
    assert not theirs.begin(3600)
    assert theirs.begin(0)


def test_another_process_goes_on_with_what_a_dead_one_had(engine: Engine) -> None:
    dead, mine = Job(engine, "sweep", "a", hold_s=0), Job(engine, "sweep", "b")
    assert dead.begin(3600)
    assert mine.begin(3600)
    assert not keeps(dead, engine)


def test_jobs_of_other_names_are_others(engine: Engine) -> None:
    assert Job(engine, "one", "a").begin(3600)
    assert Job(engine, "two", "b").begin(3600)


@pytest.mark.parametrize("column", ["lease_until", "done_at"])
def test_a_time_that_lies_too_far_ahead_holds_up_nobody(engine: Engine, column: str) -> None:
    theirs, mine = Job(engine, "sweep", "a"), Job(engine, "sweep", "b")
    assert theirs.begin(3600)
    theirs.leave(done=True)
    for seconds in (-5000, 1):  # its round was due a while ago, or is not
        with engine.begin() as connection:
            passed = moment(engine.dialect.name, seconds)
            connection.execute(schema.job.update().values(done_at=passed, lease_until=passed))
        assert mine.begin(3600) == (seconds < 0)
    with engine.begin() as connection:
        # By a clock that was a year ahead, and has been set back.
        past, ahead = moment(engine.dialect.name, -5000), moment(engine.dialect.name, 365 * 86_400)
        connection.execute(schema.job.update().values({"done_at": past, "lease_until": past, column: ahead}))
    assert Job(engine, "sweep", "c").begin(3600)


@pytest.mark.parametrize("garbage", [WORD, BLOB])
@pytest.mark.parametrize("column", ["lease_until", "done_at"])
def test_a_damaged_time_holds_up_nobody(sqlite_url: str, column: str, garbage: str) -> None:
    engine = open_database(sqlite_url)
    theirs = Job(engine, "sweep", "a")
    assert theirs.begin(0)
    theirs.leave(done=True)
    with engine.begin() as connection:
        connection.execute(schema.job.update().values(done_at=moment("sqlite", -5000)))
    spoil(engine, schema.job, column, garbage, "name = 'sweep'")
    assert Job(engine, "sweep", "b").begin(3600)
    engine.dispose()
