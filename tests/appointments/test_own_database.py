"""Bots with databases of their own: each books in its own, and once, whatever dies in between."""

from __future__ import annotations

import gc
import socket
import sys
import threading
import time as time_module
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue, SecretStr
from sqlalchemy import Engine, event, inspect

from actors.bots import Bot
from actors.tasks.effect_attempts import BROKEN
from actors.tasks.effect_recovery import ABANDONED
from actors.tasks.effect_runner import NO_STORE, EffectRunner
from appointments import own_database as module
from appointments.book_appointment import book_appointment
from appointments.bookings import AppointmentBook
from appointments.cancel_appointment import cancel_appointment
from appointments.own_database import OwnDatabase, own_database
from appointments.practice import Practice
from appointments.reschedule_appointment import reschedule_appointment
from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused, Remote, TaskContext
from fsm.spec import AgentSpec
from fsm.testing import Conversation
from fsm.walk import no_reasoning
from gateway.settings import read_tool_secret
from store import effect_log
from store.database import DatabaseAway, connect, reading
from tests.actors.bots import Folders, OneWith
from tests.actors.tasks.oven import Died
from tests.appointments.practice import CALLER, NOW, TUESDAY, booked, starts
from tests.counted import counted
from tests.gateway.bots.folders import BOT, bot, faults

FACTORIES = (book_appointment, cancel_appointment, reschedule_appointment)
SLOTS = {"day": date(2026, 11, 24), "at": time(10, 30), "name": "John Smith"}
KEY = "c-1:t1:4"
LIMIT_S = 60.0


@pytest.fixture
def own_url(url: str, tmp_path: Path) -> str:
    """The database of the bot; the store is a SQLite file of its own."""
    return f"sqlite:///{tmp_path}/own.sqlite3" if url.startswith("sqlite") else url


@pytest.fixture
def own(own_url: str) -> Iterator[Engine]:
    """The same, as others see it."""
    OwnDatabase(own_url).outcome(asked({}))  # makes its tables
    engine = connect(own_url)
    yield engine
    engine.dispose()


def asked(facts: dict[str, JsonValue], key: str = KEY, now: datetime = NOW, **slots: Any) -> EffectRequest:
    context = TaskContext("c-1", "t1", CALLER, lambda: now)
    return EffectRequest(key, SLOTS | slots if "was_day" not in slots else slots, context, facts)


REQUEST_TO_FIND = EffectRequest(KEY, {"name": "John Smith"}, TaskContext("c-1", "t1", CALLER, lambda: NOW))


def tasks(url: str) -> dict[str, AgentSpec]:
    practice = Practice(database=SecretStr(url))
    return {spec.name: spec for spec in (make(practice) for make in FACTORIES)}


def runner_of(store: Engine, agents: dict[str, AgentSpec], now: datetime = NOW) -> EffectRunner:
    return EffectRunner(store, OneWith(agents), lambda: now, watched=timedelta(0))


def dying(agents: dict[str, AgentSpec], name: str, when: str) -> dict[str, AgentSpec]:
    """The tasks, where the process dies before or after an effect is carried out."""

    def dies(do: Callable[[EffectRequest], EffectResult]) -> Callable[[EffectRequest], EffectResult]:
        def died(request: EffectRequest) -> EffectResult:
            if when == "after":
                do(request)
            raise Died

        return died

    def of(spec: AgentSpec) -> AgentSpec:
        effect = spec.effects.get(name)
        if not isinstance(effect, Remote):
            return spec
        return replace(spec, effects={**spec.effects, name: replace(effect, do=dies(effect.do))})

    return {each: of(spec) for each, spec in agents.items()}


def changes(own: Engine, effect: str) -> EffectRequest:
    """What one of the three effects is asked for; the appointment that it changes is there."""
    if effect == "appointments.book":
        return asked({})
    booked(own, TUESDAY)
    [mine] = AppointmentBook(own).all()
    slots: dict[str, Any] = {"name": "John Smith", "was_day": TUESDAY.date(), "was_at": TUESDAY.time()}
    if effect == "appointments.move":
        slots |= {"day": TUESDAY.date(), "at": time(11, 0)}
    return asked({"appointment": mine.id}, **slots)


LEFT = {
    "appointments.book": [TUESDAY],
    "appointments.cancel": [],
    "appointments.move": [TUESDAY.replace(hour=11, minute=0)],
}


@pytest.mark.parametrize("dies", ["before", "after"])
@pytest.mark.parametrize("effect", LEFT)
@pytest.mark.parametrize("who", ["the next attempt", "the recovery"])
def test_an_effect_whose_process_dies_is_done_once(
    engine: Engine, own: Engine, own_url: str, effect: str, dies: str, who: str
) -> None:
    request, agents = changes(own, effect), tasks(own_url)
    with pytest.raises(Died):
        runner_of(engine, dying(agents, effect, dies)).carry_out(effect, request)
    if who == "the recovery":
        assert runner_of(engine, agents, NOW + ABANDONED + timedelta(seconds=1)).recovery.recover() == 1
    again = runner_of(engine, agents).carry_out(effect, request)
    assert isinstance(again, Ok)
    assert starts(own) == LEFT[effect]
    assert runner_of(engine, agents).carry_out(effect, request) == again
    assert starts(own) == LEFT[effect]
    with reading(engine) as connection:
        logged = effect_log.find(connection, KEY)
    assert logged is not None
    assert logged.status == "ok"


def test_a_refusal_stays_one_though_the_time_is_free_by_now(engine: Engine, own: Engine, own_url: str) -> None:
    booked(own, TUESDAY, caller="+49", name="Ann Fox")
    agents = tasks(own_url)
    with pytest.raises(Died):
        runner_of(engine, dying(agents, "appointments.book", "after")).carry_out("appointments.book", asked({}))
    with own.begin() as connection:
        connection.exec_driver_sql("DELETE FROM appointment")
    again = runner_of(engine, agents).carry_out("appointments.book", asked({}))
    assert isinstance(again, Refused)
    assert "already taken" in again.say
    assert starts(own) == []


def test_what_fails_before_the_commit_was_not_done_and_what_fails_in_it_is_looked_up(
    engine: Engine, own: Engine, own_url: str
) -> None:
    agents = tasks(own_url)
    database = own_database(own_url)
    runner = runner_of(engine, agents)
    assert isinstance(runner.carry_out("appointments.book", asked({})), Ok)
    assert database._engine is not None

    def lost(_: object) -> None:
        raise ConnectionError

    event.listen(database._engine, "commit", lost)
    other = asked({}, "c-1:t2:4", at=time(11, 0))
    assert type(runner.carry_out("appointments.book", other)).__name__ == "Unclear"
    event.remove(database._engine, "commit", lost)
    event.listen(database._engine, "begin", lost)
    third = asked({}, "c-1:t3:4", at=time(12, 0))
    assert runner.carry_out("appointments.book", third) == Failed(BROKEN)
    event.remove(database._engine, "begin", lost)
    assert starts(own) == [TUESDAY]
    assert runner_of(engine, agents, NOW + ABANDONED + timedelta(seconds=1)).recovery.recover() == 1
    assert runner.recovery.unsettled() == []


def test_a_database_that_is_away_is_told_to_the_caller_and_the_store_goes_on(
    engine: Engine, log_lines: list[str]
) -> None:
    agents = tasks("postgresql://tieline@127.0.0.1:1/away?connect_timeout=2")
    runner = runner_of(engine, agents)
    assert runner.carry_out("appointments.book", asked({})) == Failed(NO_STORE)
    assert runner.carry_out("appointments.find_to_cancel", REQUEST_TO_FIND) == Failed(NO_STORE)
    assert runner.recovery.unsettled() == []
    assert AppointmentBook(engine).all() == []


def test_a_database_that_was_away_is_tried_again(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.database.BUSY_LIMIT_S", 0.05)
    database, other = OwnDatabase(sqlite_url), connect(sqlite_url)
    with other.begin(), pytest.raises(DatabaseAway, match="locked"):
        database.outcome(asked({}))
    other.dispose()
    assert database.outcome(asked({})) is None


def test_the_outcome_of_an_effect_is_kept_as_its_own(engine: Engine, own: Engine, own_url: str) -> None:
    first, second = asked({}), asked({}, "c-1:t2:4")
    runner = runner_of(engine, tasks(own_url))
    assert isinstance(done := runner.carry_out("appointments.book", first), Ok)
    assert isinstance(runner.carry_out("appointments.book", second), Refused)
    database = OwnDatabase(own_url)
    assert (database.outcome(first), type(database.outcome(second))) == (done, Refused)


def test_whoever_waits_for_a_database_that_does_not_answer_makes_no_try_of_his_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        url = f"postgresql://tieline@127.0.0.1:{port}/slow?sslmode=disable&gssencmode=disable"
        database, raised = OwnDatabase(url), []

        def ask() -> None:
            try:
                database.outcome(asked({}))
            except DatabaseAway as away:
                raised.append(away)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        threads[0].start()
        first, _ = server.accept()
        for thread in threads[1:]:
            thread.start()
        idle, until_s = threading.Event(), time_module.monotonic() + LIMIT_S
        while not all(_waits(thread) for thread in threads[1:]) and time_module.monotonic() < until_s:
            idle.wait(0.01)
        first.close()
        for thread in threads:
            thread.join(LIMIT_S)
        assert len(raised) == 4
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def _waits(thread: threading.Thread) -> bool:
    """Whether it waits for another one that opens the database."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code.co_name == "_opened" and "tries" in frame.f_locals


def test_outcomes_are_kept_for_some_weeks(engine: Engine, own: Engine, own_url: str) -> None:
    runner = runner_of(engine, tasks(own_url))
    runner.carry_out("appointments.book", asked({}))
    for key, now in (("k-2", NOW + module.KEPT), ("k-3", NOW + module.KEPT + timedelta(seconds=1))):
        assert own_database(own_url).outcome(asked({})) is not None
        runner.carry_out("appointments.book", asked({}, key, now, at=time(12, 0)))
    assert own_database(own_url).outcome(asked({})) is None
    assert own_database(own_url).outcome(asked({}, "k-2")) is not None


def test_a_row_that_cannot_be_read_is_told_once_and_costs_nobody_else(
    engine: Engine, tmp_path: Path, log_lines: list[str]
) -> None:
    url = f"sqlite:///{tmp_path}/own.sqlite3"
    runner = runner_of(engine, tasks(url))
    assert isinstance(runner.carry_out("appointments.book", asked({})), Ok)
    own = connect(url)
    with own.begin() as connection:
        connection.exec_driver_sql("UPDATE appointment SET duration_min = 'long'")
    own.dispose()
    for _ in range(2):
        assert isinstance(runner.carry_out("appointments.find_to_cancel", REQUEST_TO_FIND), Refused)
    assert len([line for line in log_lines if "a row cannot be read" in line]) == 1


# --- two bots ---

TASKS = "".join(
    f'[[task]]\nuse = "{name}"\nresource = "desk"\ndatabase = "secret:{{}}"\n'
    for name in ("book_appointment", "cancel_appointment", "reschedule_appointment")
)


def call(store: Engine, bots: Folders, who: Bot, task: str, call_id: str) -> Conversation:
    """A call to one of the bots."""
    context = TaskContext(call_id, "t1", CALLER, lambda: NOW, bot=who.name, bot_digest=who.digest)
    return Conversation(who.profile.agents[task], context, EffectRunner(store, bots, lambda: NOW), no_reasoning)


@pytest.fixture
def two(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Folders, Bot, Bot]:
    """Two bots with databases of their own: one is a SQLite file, the other one of each kind in turn."""
    other = f"sqlite:///{tmp_path}/dental.sqlite3" if url.startswith("sqlite") else url
    monkeypatch.setenv("TIELINE_SECRET_ONE", f"sqlite:///{tmp_path}/one.sqlite3")
    monkeypatch.setenv("TIELINE_SECRET_OTHER", other)
    one, dental = bot(BOT + TASKS.replace("{}", "ONE"), "one"), bot(BOT + TASKS.replace("{}", "OTHER"), "dental")
    bots = Folders()
    bots.versions = {(each.name, each.digest): each for each in (one, dental)}
    return bots, one, dental


def rows(url: str) -> list[datetime]:
    engine = connect(url)
    found = starts(engine)
    engine.dispose()
    return found


def tables_of(url: str) -> list[str]:
    engine = connect(url)
    found = inspect(engine).get_table_names()
    engine.dispose()
    return found


def test_two_bots_with_different_databases_book_and_cancel_each_in_its_own(
    engine: Engine, two: tuple[Folders, Bot, Bot]
) -> None:

    bots, one, dental = two
    urls = [read_tool_secret(name) for name in ("ONE", "OTHER")]
    for who in (one, dental):  # the same time of the same resource: free in each
        talk = call(engine, bots, who, "book_appointment", f"c-{who.name}")
        talk.opens(day="2026-11-24", at="10:30", name="John Smith").says_yes()
        assert talk.outcome == "booked"
    assert [rows(each) for each in urls] == [[TUESDAY], [TUESDAY]]
    matched = {"effect": "appointments.find_to_cancel", "outcome": "matched"}
    before = counted("tieline_lookups_total", **matched)
    talk = call(engine, bots, one, "cancel_appointment", "c-3")
    talk.opens(name="John Smith").says_yes()
    assert talk.outcome == "removed"
    assert counted("tieline_lookups_total", **matched) == before + 1
    assert [rows(each) for each in urls] == [[], [TUESDAY]]
    assert AppointmentBook(engine).all() == [], "nothing of it is in the store"
    assert sorted(tables_of(urls[0])) == ["appointment", "appointment_effect", "identity_attempt"]


def test_a_database_is_opened_once_for_all_tasks_and_closed_with_the_last_bot(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/own.sqlite3"
    agents = tasks(url)
    again = tasks(url)
    assert own_database(url) is own_database(url)
    own_database(url).outcome(asked({}))
    disposed: list[Engine] = []
    engine = own_database(url)._engine
    event.listen(engine, "engine_disposed", disposed.append)
    del agents
    gc.collect()
    assert url in module._known
    assert disposed == []
    del again
    gc.collect()
    assert url not in module._known
    assert disposed == [engine]


def test_what_is_wrong_with_a_database_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    task = BOT + '[[task]]\nuse = "book_appointment"\ndatabase = {}\n'
    where = "linden/bot.toml:6: task[1].database: "
    monkeypatch.setenv("TIELINE_SECRET_ODD", "mysql://me:word@host/x")
    for given, told in {
        '"secret:LACKING"': "TIELINE_SECRET_LACKING: is not set",
        '"sqlite:///mine.sqlite3"': 'write the name of a secret, like "secret:CRM"',
        "3": 'write the name of a secret, like "secret:CRM"',
        '"secret:ODD"': "a database of the kind 'mysql' is not supported: use sqlite or postgresql",
    }.items():
        [fault] = faults(task.replace("{}", given))
        assert fault.startswith(where + told), fault
        assert "word" not in fault
