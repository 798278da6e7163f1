"""What a bot has spent today: what the store tells, and what the calls of this process have cost so far."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from actors.spending import Spending

BERLIN = ZoneInfo("Europe/Berlin")


def test_ended_calls_and_those_that_go_on_count_together() -> None:
    spending = Spending()
    spending.watch("linden", BERLIN)
    spending.costs("linden", "c-1", 1.0)
    spending.costs("linden", "c-1", 2.0)
    spending.costs("linden", "c-2", 0.5)
    spending.read({"linden": 10.0})
    assert spending.today("linden") == 12.5
    spending.over("linden", "c-1")
    assert spending.today("linden") == 10.5


def test_a_bot_without_a_budget_a_day_is_not_counted() -> None:
    spending = Spending()
    spending.costs("linden", "c-1", 1.0)
    spending.over("linden", "c-1")
    assert (spending.watched, spending.today("linden")) == ({}, 0.0)
