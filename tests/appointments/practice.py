"""A practice with a real appointment book, one Monday: what tests of the appointment tasks share."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from actors.tasks.effect_runner import EffectRunner
from appointments.bookings import AppointmentBook
from appointments.practice import Practice
from fsm.registry import load_agents
from fsm.spec import AgentSpec
from fsm.testing import Conversation, converse
from tests.actors.bots import OneWith

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 14, 5, tzinfo=BERLIN)  # a Monday
TUESDAY, FRIDAY = datetime(2026, 11, 24, 10, 30, tzinfo=BERLIN), datetime(2026, 11, 27, 9, 0, tzinfo=BERLIN)
CALLER = "+4930123"


def booked(engine: Engine, at: datetime, *, name: str = "John Smith", caller: str = CALLER) -> None:
    AppointmentBook(engine).book(Practice().resource, at, 15, caller, "c-0", f"{caller} {at}", name)


def starts(engine: Engine) -> list[datetime]:
    return [each.starts_at.astimezone(BERLIN) for each in AppointmentBook(engine).all()]


def talk(engine: Engine, spec: AgentSpec, caller: str = CALLER) -> Conversation:
    runner = EffectRunner(engine, OneWith(load_agents(installed=())), lambda: NOW)
    return converse(spec, effects=runner, now=NOW, caller=caller)
