"""What a bot's calls of a day have cost, over a real database of either kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, update

from store import schema
from store.calls import CallFilter
from store.costs import DayOfBot, cost_since, costs_by_day
from store.figures import CallFigures
from store.journal import CallRecord, Journal
from tests.store.other_process import record

MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC)


def ended(name: str, bot: str, after_min: int, usd: float | None, *unpriced: str) -> CallRecord:
    """unpriced: the models that it used and that have no price."""
    began = MIDNIGHT + timedelta(minutes=after_min)
    times = {"started_at": began, "ended_at": began + timedelta(minutes=2)}
    figures = CallFigures(cost_usd=usd, unpriced=unpriced)
    return record(name).model_copy(update={"bot": bot, "figures": figures, **times})


def test_the_calls_of_the_day_are_summed_by_bot(either_engine: Engine) -> None:
    journal = Journal(either_engine)
    for each in (
        ended("c-1", "linden", -5, 100.0),  # of the day before
        ended("c-2", "linden", 0, 0.25),
        ended("c-3", "linden", 9, 0.5),
        ended("c-4", "linden", 9, None),
        ended("c-5", "other", 9, 7.0),
    ):
        journal.finish(each)
    assert cost_since(either_engine, "linden", MIDNIGHT) == 0.75
    assert cost_since(either_engine, "none", MIDNIGHT) == 0.0


def test_a_record_that_replaces_another_is_counted_once(either_engine: Engine) -> None:
    journal = Journal(either_engine)
    journal.finish(ended("c-1", "linden", 1, 0.25))
    journal.finish(ended("c-1", "linden", 1, 0.75))
    assert cost_since(either_engine, "linden", MIDNIGHT) == 0.75


def test_costs_are_summed_by_day_and_bot_and_calls_without_one_are_counted(either_engine: Engine) -> None:
    journal = Journal(either_engine)
    for each in (
        ended("c-1", "linden", -1, 100.0),
        ended("c-2", "linden", 0, 0.25),
        ended("c-3", "linden", 24 * 60 - 1, None),
        ended("c-4", "dental", 9, 7.0),
    ):
        journal.finish(each)
    today, before = MIDNIGHT.date(), MIDNIGHT.date() - timedelta(days=1)
    linden = DayOfBot(today, "linden", calls=2, unpriced=1, cost_usd=0.25)
    dental = DayOfBot(today, "dental", calls=1, unpriced=0, cost_usd=7.0)
    assert costs_by_day(either_engine, CallFilter()) == [dental, linden, DayOfBot(before, "linden", 1, 0, 100.0)]
    assert costs_by_day(either_engine, CallFilter(bot="linden", since=MIDNIGHT)) == [linden]
    assert costs_by_day(either_engine, CallFilter(bot="nobody")) == []


def test_a_sum_that_lacks_the_price_of_a_model_says_so(either_engine: Engine) -> None:
    journal = Journal(either_engine)
    for each in (
        ended("c-1", "linden", 0, 0.25),
        ended("c-2", "linden", 1, 0.5, "whisper-9"),
        ended("c-3", "linden", 2, None, "whisper-9", "new model"),
        ended("c-4", "linden", 3, 1.0, "whisper-9"),
        ended("c-5", "linden", 4, None),  # of an earlier release, or nothing was used
    ):
        journal.finish(each)
    with either_engine.begin() as connection:
        connection.execute(update(schema.call).where(schema.call.c.conversation_id == "c-5").values(unpriced=None))
    [day] = costs_by_day(either_engine, CallFilter())
    assert (day.calls, day.unpriced, day.partly, day.cost_usd) == (5, 2, 2, 1.75)
    assert day.models == {"whisper-9", "new model"}
