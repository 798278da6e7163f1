"""Effects of a pizza task: on our own database, and on a remote oven whose process or whose caller may die."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from actors.tasks.effect_recovery import ABANDONED
from actors.tasks.effect_runner import EffectRunner
from appointments.bookings import AppointmentBook, book, by_effect, remove
from fsm.effects import EffectRequest, EffectResult, Local, NotSent, Ok, Refused, Remote, TaskContext
from fsm.spec import AgentSpec
from store import effect_log
from store.database import reading
from tests.actors.bots import OneWith
from tests.fsm.tables import table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + ABANDONED + timedelta(seconds=1)
# One look is enough for these runners; what several looks are for has tests of its own.
AT_ONCE = timedelta(0)
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
REQUEST = EffectRequest(
    "c-1:t1:4", {"count": 3, "note": "no olives"}, TaskContext("c-1", "t1", "+4930123", lambda: NOW)
)


def runner_of(engine: Engine, effect: Local | Remote, now: datetime = NOW, patience_s: float = 5.0) -> EffectRunner:
    spec: AgentSpec = table(effects={"pizza.bake": effect})
    return EffectRunner(engine, OneWith({spec.name: spec}), lambda: now, patience_s, watched=AT_ONCE)


def bake(request: EffectRequest, connection: Any) -> EffectResult:
    row = book(connection, resource="oven", starts_at=AT, duration_min=5, caller="", conversation_id="c-1",
               effect_key=request.key)  # fmt: skip
    return Ok({"ticket": row.id}) if row else Refused("The oven is full.")


def take_out(request: EffectRequest, connection: Any) -> None:
    if (row := by_effect(connection, request.key)) is not None:
        remove(connection, row.id)


def logged(engine: Engine, key: str = REQUEST.key) -> str | None:
    with reading(engine) as connection:
        found = effect_log.find(connection, key)
    return None if found is None else found.status


def baked(engine: Engine) -> int:
    return len(AppointmentBook(engine).all())


@contextmanager
def database_lost(engine: Engine, place: str = "begin") -> Iterator[None]:
    """Each transaction fails there, "begin" or "commit"."""

    def lost(_: Any) -> None:
        raise OperationalError(place.upper(), {}, OSError("the connection was lost"))

    event.listen(engine, place, lost)
    yield
    event.remove(engine, place, lost)


class Died(BaseException):
    """The process dies here: unlike an exception, nobody is left to take it."""


class Oven:
    """Somebody else's system: it keeps what it was asked, by key, and may fall silent after it did it.

    dies: our process does, before or after it was done. breaks: there is an error, before or after.
    """

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.asked = 0
        self.dies = self.breaks = ""

    def do(self, request: EffectRequest) -> EffectResult:
        self.asked += 1
        if self.dies == "before":
            raise Died
        if self.breaks == "before":
            raise ConnectionError
        if self.breaks == "not sent":
            raise NotSent
        self.done.setdefault(request.key, len(self.done) + 1)
        if self.dies == "after":
            raise Died
        if self.breaks == "after":
            raise ConnectionError
        return Ok({"ticket": self.done[request.key]})

    def look_up(self, request: EffectRequest) -> EffectResult | None:
        return Ok({"ticket": self.done[request.key]}) if request.key in self.done else None

    def undo(self, request: EffectRequest) -> None:
        self.done.pop(request.key, None)


def begin(engine: Engine, oven: Oven, dies: str = "before") -> None:
    """A process dies while the oven is asked."""
    oven.dies = dies
    with pytest.raises(Died):
        runner_of(engine, Remote(oven.do, recover="retry")).carry_out("pizza.bake", REQUEST)
    oven.dies = ""
