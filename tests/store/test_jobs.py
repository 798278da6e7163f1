"""A job of one process at a time: who has it, when it is due again, and who goes on after a death."""

from __future__ import annotations

from sqlalchemy import Engine

from store.jobs import Job


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
