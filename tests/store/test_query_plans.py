"""What is looked up in a call is found by an index, on either kind of database: no query reads a whole table."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine, Table, event, insert

from appointments import attempts, bookings
from appointments.schema import appointment, identity_attempt
from store import effect_log, retention, schema
from store.calls import CallFilter, Calls
from store.database import reading
from store.journal import Journal, JournalRow
from store.outbox import Letter, Outbox, WaitingLetter, put

T = TypeVar("T")
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
ROWS = 5_000
CALLER = "+49301"


def _effect(number: int) -> dict[str, Any]:
    return {
        "key": f"k-{number}",
        "name": "pizza.bake",
        "conversation_id": f"c-{number // 4}",
        "run_id": "t1",
        "caller": "" if number % 10 == 0 else f"+4930{number // 8}",
        "slots": {},
        "facts": {},
        "status": "ok",
        "values": {},
        "say": "",
        "intended_at": AT - timedelta(minutes=number),
        "settled_at": AT - timedelta(minutes=number),
        "bot": f"bot-{number % 50}",
    }


def _appointment(number: int) -> dict[str, Any]:
    return {
        "resource": "practice",
        "starts_at": AT + timedelta(minutes=15 * (number - ROWS // 2)),
        "duration_min": 30,
        "caller": f"+4930{number // 8}",
        "conversation_id": f"c-{number}",
        "effect_key": f"k-{number}",
        "code": bookings.code_of(f"k-{number}"),
    }


def _attempt(number: int) -> dict[str, Any]:
    return {
        "key": f"k-{number}",
        "conversation_id": f"c-{number // 3}",
        "caller": f"+4930{number // 8}",
        "outcome": "wrong",
        "at": AT - timedelta(seconds=number),
    }


def _letter(number: int) -> dict[str, Any]:
    """Of fifty bots; one in a hundred waits for an answer, the others have arrived."""
    return {
        "key": f"c-{number}:after",
        "conversation_id": f"c-{number}",
        "bot": f"bot-{number % 50}",
        "bot_digest": "1",
        "caller": "",
        "facts": {"said": "x" * 1000},
        "status": "due" if number % 100 == 0 else "sent",
        "tries": 1,
        "reason": "",
        "written_at": AT,
        "due_at": AT - timedelta(seconds=number),
    }


def _call(number: int) -> dict[str, Any]:
    """One in a hundred has failed."""
    return {
        "conversation_id": f"c-{number}",
        "bot": f"bot-{number % 50}",
        "caller": f"+4930{number // 8}",
        "media_format": "",
        "started_at": AT - timedelta(minutes=number),
        "outcome": "failed" if number % 100 == 0 else "completed",
        "tasks": " book=completed",
        "errors": "",
    }


FILLED: dict[Table, Callable[[int], dict[str, Any]]] = {
    schema.effect: _effect,
    appointment: _appointment,
    identity_attempt: _attempt,
    schema.outbox: _letter,
    schema.call: _call,
}


def _fill(engine: Engine, tables: Collection[Table]) -> None:
    with engine.begin() as connection:
        for table in tables:
            connection.execute(insert(table), [FILLED[table](number) for number in range(ROWS)])
        # PostgreSQL has none before its own process comes by. SQLite is never told, and must do without.
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ANALYZE")


DAY = AT + timedelta(days=3), AT + timedelta(days=4)
# What is asked for, and the index that finds it; "" for the one of a key.
QUERIES: dict[str, tuple[str, Callable[[Connection], Any]]] = {
    "an effect": ("", lambda c: effect_log.find(c, "k-7")),
    "effects of a call": ("ix_effect_conversation_id", lambda c: effect_log.count_of_call(c, "c-7")),
    "what a call has done": ("ix_effect_conversation_id", lambda c: effect_log.of_call(c, "c-7")),
    "effects of a number": (
        "ix_effect_caller_intended_at",
        lambda c: effect_log.count_of_caller(c, CALLER, AT - timedelta(days=1)),
    ),
    "effects without an outcome": ("ix_effect_status", effect_log.intended),
    "unclear effects": ("ix_effect_status", effect_log.unclear),
    "effects of a call that is told of": (
        "ix_effect_conversation_id",
        lambda c: put(c, [Letter("c-x:after", "c-7", "desk", "1", "", {})], {}),
    ),
    "appointments of a number": (
        "ix_appointment_caller",
        lambda c: bookings.upcoming(c, "practice", AT, caller=CALLER),
    ),
    "appointments with a code": (
        "ix_appointment_code",
        lambda c: bookings.upcoming(c, "practice", AT, code="1234"),
    ),
    "appointments of a day": ("ix_appointment_starts_at", lambda c: bookings.upcoming(c, "practice", AT, day=DAY)),
    "appointments of any of them": (
        "ix_appointment_code",
        lambda c: bookings.upcoming(c, "practice", AT, caller=CALLER, code="1234", day=DAY),
    ),
    "who has a time": ("", lambda c: bookings.at(c, "practice", AT)),
    "free times": ("", lambda c: bookings.free_times(c, "practice", [AT, AT + timedelta(minutes=15)])),
    "an appointment by its effect": ("", lambda c: bookings.by_effect(c, "k-7")),
    "wrong attempts of a call": (
        "ix_identity_attempt_conversation_id",
        lambda c: attempts.wrong_in_call(c, "c-7"),
    ),
    "wrong attempts of a number": (
        "ix_identity_attempt_caller",
        lambda c: attempts.wrong_by_number(c, CALLER, AT - timedelta(days=1)),
    ),
    "names of wrong attempts": ("ix_identity_attempt_at", lambda c: attempts.wrong_names(c, AT - timedelta(minutes=5))),
}
EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}
WHOLE_TABLE = {"sqlite": "SCAN ", "postgresql": "Seq Scan"}


def explained(engine: Engine) -> list[str]:
    """The plans of what is executed from now on."""
    explain = EXPLAIN[engine.dialect.name]
    plan: list[str] = []

    def note(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith(explain):
            plan.extend(" ".join(map(str, row)) for row in connection.exec_driver_sql(explain + statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    return plan


def without_index(
    engine: Engine,
    queries: Mapping[str, tuple[str, Callable[[T], Any]]],
    run: Callable[[Callable[[T], Any]], Any],
    tables: Collection[Table] = tuple(FILLED),
) -> dict[str, str]:
    """The plans of those queries that do not use their index, or read a whole table.

    run: executes one. tables: those that they read, which are filled.
    """
    _fill(engine, tables)
    whole, plan = WHOLE_TABLE[engine.dialect.name], explained(engine)
    wrong: dict[str, str] = {}
    for asked, (index, query) in queries.items():
        plan.clear()
        run(query)
        told = "\n".join(plan)
        if not plan or whole in told or index not in told:
            wrong[asked] = told
    return wrong


def in_a_transaction(engine: Engine) -> Callable[[Callable[[Connection], Any]], None]:
    """How a query of a connection is executed."""

    def run(query: Callable[[Connection], Any]) -> None:
        with engine.begin() as connection:
            query(connection)

    return run


def test_queries_during_a_call_use_an_index(engine: Engine) -> None:
    assert without_index(engine, QUERIES, in_a_transaction(engine)) == {}


RETENTION: dict[str, tuple[str, Callable[[Connection], Any]]] = {
    "calls with words": (
        "ix_call_with_words",
        lambda c: c.execute(retention._calls_with_words(c.dialect.name, "bot-7", 3, None)).all(),
    ),
    "more of them": (
        "ix_call_",  # either: what comes before the page is done
        lambda c: c.execute(retention._calls_with_words(c.dialect.name, "bot-7", 3, (AT, "c-1"))).all(),
    ),
    "calls": (
        "ix_call_bot_started_at",
        lambda c: c.execute(retention._calls(c.dialect.name, "bot-7", 3, (AT, "c-1"))).all(),
    ),
    "effects": (
        "ix_effect_bot_settled_at",
        lambda c: c.execute(retention._effects(c.dialect.name, "bot-7", 3, (AT, "k-1"))).all(),
    ),
    "letters of a call": ("ix_outbox_conversation_id", lambda c: retention._letters(c, ["c-7"])),
    "the journal of a call": ("", lambda c: retention._some_events(c, ["c-7"], 9)),
    "free calls": ("", lambda c: c.execute(retention._free_calls(["c-7"])).all()),
    "leases": ("", lambda c: retention._lost_leases(c, "c-7")),
}


def test_what_is_due_is_found_by_an_index(engine: Engine) -> None:
    if engine.dialect.name == "postgresql":
        pytest.skip("it reads tables whole that are as small as these")
    assert without_index(engine, RETENTION, in_a_transaction(engine)) == {}


PAGE = AT - timedelta(minutes=1000), "c-1000"
CALLS: dict[str, tuple[str, Callable[[Calls], Any]]] = {
    "the newest calls": ("ix_call_started_at", lambda calls: calls.ended(CallFilter(), 5)),
    "the next page": ("ix_call_started_at", lambda calls: calls.ended(CallFilter(), 5, PAGE)),
    "calls of an hour": (
        "ix_call_started_at",
        lambda calls: calls.ended(CallFilter(since=AT - timedelta(hours=1), task="book", error="x"), 5),
    ),
    "calls of a bot": ("ix_call_bot_started_at", lambda calls: calls.ended(CallFilter(bot="bot-7"), 5)),
    "calls of a number": ("ix_call_caller_started_at", lambda calls: calls.ended(CallFilter(caller=CALLER), 5)),
    "calls that failed": ("ix_call_outcome_started_at", lambda calls: calls.ended(CallFilter(outcome="failed"), 5)),
    "what became of an hour's calls": (
        "ix_call_started_at",
        lambda calls: calls.counts(CallFilter(since=AT - timedelta(hours=1))),
    ),
}


def test_calls_are_found_by_an_index(engine: Engine) -> None:
    calls = Calls(engine)
    plans = without_index(engine, CALLS, lambda query: query(calls), [schema.call])
    # SQLite calls it a scan too where it reads an index in its order, and stops at the page's end.
    whole = re.compile(r"SCAN call$|Seq Scan", re.MULTILINE)
    assert {asked: told for asked, told in plans.items() if whole.search(told) or CALLS[asked][0] not in told} == {}


LETTER = WaitingLetter("c-0:after", "c-0", "bot-0", "1", "", {}, tries=1)
OUTBOX: dict[str, tuple[str, Callable[[Outbox], Any]]] = {
    "which bots have letters": ("ix_outbox_status_due_at", Outbox.bots),
    "the letters of a bot": ("ix_outbox_status_due_at", lambda outbox: outbox.due("bot-0")),
    "how many there are": ("ix_outbox_status_due_at", Outbox.count),
    "a letter that is sent": ("", lambda outbox: outbox.claim(LETTER, 60)),
    "a letter that has arrived": ("", lambda outbox: outbox.arrived(LETTER)),
    "a letter that has not arrived": ("", lambda outbox: outbox.failed(LETTER, "", 1)),
}


def test_what_the_outbox_asks_again_and_again_uses_an_index(engine: Engine) -> None:
    outbox = Outbox(engine)
    assert without_index(engine, OUTBOX, lambda query: query(outbox), [schema.outbox]) == {}


def _missing(engine: Engine) -> None:
    there = {f"c-{number}": 20 for number in range(4)}
    assert Journal(engine).missing(there) == list(there)


def _strays(engine: Engine) -> None:
    with reading(engine) as connection:
        assert len(retention._lost_rows(connection, "")[1]) == retention.PAGE


def _deleted(engine: Engine) -> None:
    with engine.begin() as connection:
        assert retention._some_events(connection, ["c-7", "c-8"], 30) == 30


def test_rows_of_journals_are_looked_up_by_their_calls(engine: Engine) -> None:
    Journal(engine).append([JournalRow(f"c-{number // 20}", number % 20, "said", {}, AT) for number in range(ROWS)])
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    plan = explained(engine)
    for asked in (_missing, _strays, _deleted):
        plan.clear()
        asked(engine)
        told = "\n".join(plan)
        assert "call_event" in told
        assert "SCAN call_event" not in told
        assert "Seq Scan on call_event" not in told
    # By where the rows are.
    assert ("Tid Scan" if engine.dialect.name == "postgresql" else "INTEGER PRIMARY KEY") in told
