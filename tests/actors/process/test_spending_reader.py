"""What bots with a budget have spent is read for their own day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from actors.process.spending_reader import SpendingReader
from actors.spending import Spending
from store.figures import CallFigures
from store.journal import Journal
from tests.store.other_process import record

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_the_day_is_that_of_the_bots_time_zone(engine: Engine) -> None:
    for hours, usd in ((-14, 1.0), (-12.5, 2.0), (-11, 4.0), (0, 8.0)):
        began = NOW + timedelta(hours=hours)
        ours = {"bot": "linden", "started_at": began, "ended_at": began, "figures": CallFigures(cost_usd=usd)}
        Journal(engine).finish(record(f"c{hours}").model_copy(update=ours))
    spending = Spending()
    reader = SpendingReader(engine, spending, lambda: NOW)
    reader.read()
    assert spending.today("linden") == 0.0  # nobody watches it
    spending.watch("linden", ZoneInfo("Europe/Berlin"))  # whose day has begun at 23 o'clock UTC
    reader.read()
    assert spending.today("linden") == 14.0
    spending.watch("linden", ZoneInfo("UTC"))
    reader.read()
    assert spending.today("linden") == 12.0
