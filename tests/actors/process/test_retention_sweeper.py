"""Rounds of retention: one process at a time, cut short by its end, gone on with by another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from actors.process.retention_sweeper import JOB, RetentionSweeper
from store import retention, schema
from store.jobs import Job
from store.retention import KeptFor, Retention
from tests.counted import counted
from tests.store.people import add_call, calls_in


@pytest.fixture
def engine(either_engine: Engine) -> Engine:
    for key in ("a", "b", "c"):
        add_call(either_engine, key, 40)
    return either_engine


def rounds(result: str) -> float:
    return counted("tieline_retention_rounds_total", result=result)


def deleted(what: str) -> float:
    return counted("tieline_retention_deleted_total", what=what)


def sweeper(engine: Engine, node: str, pause: Callable[[float], bool] = lambda _: False) -> RetentionSweeper:
    job = Job(engine, JOB, node)
    return RetentionSweeper(Retention(engine, lambda _: KeptFor(words=30), job.keep), job, pause)


def test_a_round_is_done_and_the_next_is_not_due_yet(engine: Engine) -> None:
    before = deleted("words"), rounds("ok")
    sweeper(engine, "n1").look()
    add_call(engine, "d", 40)
    for node in ("n1", "n2"):
        sweeper(engine, node).look()
    assert (deleted("words"), rounds("ok")) == (before[0] + 3, before[1] + 1)
    assert calls_in(engine, schema.call_event) == {"d"}


def test_a_process_that_ends_leaves_the_rest_to_another(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(retention.BUDGET_S, engine.dialect.name, 0.0)
    sweeper(engine, "n1", pause=lambda _: True).look()
    assert len(calls_in(engine, schema.call_event)) == 2
    sweeper(engine, "n2").look()
    assert calls_in(engine, schema.call_event) == set()


def test_a_process_that_has_lost_the_job_goes_no_further(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    monkeypatch.setitem(retention.BUDGET_S, engine.dialect.name, 0.0)

    def robbed(_: float) -> bool:
        with engine.begin() as connection:
            connection.execute(schema.job.update().values(node="n2"))
        return False

    before = rounds("lost")
    sweeper(engine, "n1", robbed).look()
    assert rounds("lost") == before + 1
    assert len(calls_in(engine, schema.call_event)) == 2
    assert any("another process deletes" in line for line in log_lines)


def test_while_the_database_is_away_nothing_is_deleted_and_nothing_fails(engine: Engine) -> None:
    def away(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("away"))

    before = rounds("failed")
    event.listen(engine, "before_cursor_execute", away)
    sweeper(engine, "n1").look()
    event.remove(engine, "before_cursor_execute", away)
    assert rounds("failed") == before + 1
    assert len(calls_in(engine, schema.call_event)) == 3
    sweeper(engine, "n1").look()
    assert calls_in(engine, schema.call_event) == set()
