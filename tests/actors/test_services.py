"""What all calls share: the instructions with the date and time where the bot is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from actors.messages.journal import JournalMessage
from actors.services import Services
from tests.actors.calls import FakeDialler, call_services
from tests.cranked import CrankedDispatcher
from tests.probe import Probe


def services(now: datetime) -> Services:
    services = call_services(CrankedDispatcher(), Probe[JournalMessage]("journal"), FakeDialler())
    return replace(services, now=lambda: now)


def test_the_date_and_time_are_those_where_the_bot_is() -> None:
    late = services(datetime(2026, 11, 23, 23, 30, tzinfo=UTC))
    assert late.instructions("") == "Be kind.\n\nToday is Tuesday, 2026-11-24, 00:30 (Europe/Berlin)."
    assert late.local_now().isoformat() == "2026-11-24T00:30:00+01:00"


def test_the_text_about_open_tasks_comes_last() -> None:
    summer = services(datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert summer.instructions("Open task: x.").split("\n\n") == [
        "Be kind.",
        "Today is Wednesday, 2026-07-01, 14:00 (Europe/Berlin).",
        "Open task: x.",
    ]


def test_a_process_is_short_of_nothing_by_default() -> None:
    assert services(datetime(2026, 7, 1, tzinfo=UTC)).short_of() == ""
