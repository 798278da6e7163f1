"""Calls by what became of them, and those in progress, on either kind of database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update

from store import schema
from store.calls import CallFilter, Calls, EndedCall, errors_text, tasks_text
from store.costs import costs_by_day
from store.database import moment, open_database
from store.journal import Journal, JournalRow, TaskRecord
from store.leases import Lease, Leases
from tests.store.garbage import columns_of, spoil
from tests.store.other_process import AT, record
from tests.store.people import add_call


def task(agent: str, result: str) -> TaskRecord:
    return TaskRecord(agent=agent, run_id=f"{agent}-1", states=("Ask",), result=result)


def finished(engine: Engine, number: int, **fields: Any) -> str:
    """Write the record of a call that began so many minutes after AT. Returns its key."""
    key, began = f"c-{number}", AT + timedelta(minutes=number)
    ours = {"conversation_id": key, "started_at": began, "ended_at": began + timedelta(seconds=42)}
    Journal(engine).finish(record().model_copy(update=ours | fields))
    return key


def found(engine: Engine, **which: Any) -> list[str]:
    return [call.key for call in Calls(engine).ended(CallFilter(**which), 100).calls]


def test_calls_are_found_by_each_of_their_marks_and_by_all_together(engine: Engine) -> None:
    booked, stopped = (task("book_appointment", "completed"),), (task("book", "abandoned"), task("end_call", "hangup"))
    finished(engine, 1, tasks=booked, caller="+49301")
    finished(engine, 2, outcome="failed", errors=("model: ConnectionRefusedError",), bot="dental")
    finished(engine, 3, outcome="failed", tasks=stopped, errors=("effect crm_book failed: c-3:t1:x", "model: 50% off"))
    everything = ["c-3", "c-2", "c-1"]
    assert found(engine) == everything
    assert found(engine, outcome="failed") == ["c-3", "c-2"]
    assert found(engine, bot="dental") == ["c-2"]
    assert found(engine, caller="+49301") == ["c-1"]
    assert found(engine, task="book") == ["c-3"], "a name is whole"
    assert found(engine, task="book_appointment") == ["c-1"]
    assert found(engine, error="connectionrefused") == ["c-2"]
    assert found(engine, error="50%") == ["c-3"]
    assert found(engine, error="5%f") == [], "nobody asked for a pattern"
    assert found(engine, since=AT + timedelta(minutes=2)) == ["c-3", "c-2"]
    assert found(engine, outcome="failed", bot="practice", task="end_call", error="model") == ["c-3"]
    assert found(engine, outcome="completed", bot="dental") == []


def test_a_call_says_what_became_of_it(engine: Engine) -> None:
    finished(engine, 1, tasks=(task("book", "abandoned"),), errors=("transfer failed: busy", "model: TimeoutError"))
    (call,) = Calls(engine).ended(CallFilter(), 9).calls
    began = AT + timedelta(minutes=1)
    errors = "transfer failed: busy", "model: TimeoutError"
    assert call == EndedCall(
        "c-1",
        "practice",
        "+4930123",
        began,
        began + timedelta(seconds=42),
        "completed",
        (("book", "abandoned"),),
        errors,
    )
    assert call.reason == "model: TimeoutError"


def test_pages_follow_each_other_without_a_gap_also_where_calls_began_at_once(engine: Engine) -> None:
    for number in range(10):
        finished(engine, number, started_at=AT + timedelta(minutes=number // 4))
    calls, pages, after = Calls(engine), list[list[str]](), None
    while True:
        page = calls.ended(CallFilter(bot="practice"), 3, after)
        pages.append([call.key for call in page.calls])
        after = page.following
        if after is None:
            break
    assert pages == [["c-9", "c-8", "c-7"], ["c-6", "c-5", "c-4"], ["c-3", "c-2", "c-1"], ["c-0"]]


def test_a_page_that_is_full_to_the_last_call_has_none_after_it(engine: Engine) -> None:
    for number in range(3):
        finished(engine, number)
    assert Calls(engine).ended(CallFilter(), 3).following is None


def test_a_call_that_an_earlier_release_has_written_is_listed_and_has_no_tasks_to_be_found_by(engine: Engine) -> None:
    finished(engine, 1, tasks=(task("book", "completed"),), errors=("model: TimeoutError",))
    with engine.begin() as connection:
        connection.execute(update(schema.call).values(tasks=None, errors=None))
    (call,) = Calls(engine).ended(CallFilter(), 9).calls
    assert (call.key, call.tasks, call.errors, call.reason) == ("c-1", None, None, "")
    assert found(engine, task="book") == []
    assert Calls(engine).counts(CallFilter()) == {("completed", ""): 1}


def test_a_damaged_row_costs_its_page_one_call_and_the_next_page_nothing(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    for number in range(5):
        finished(engine, number)
    spoil(engine, schema.call, "ended_at", "'x'", "conversation_id = 'c-3'")
    calls, seen, after = Calls(engine), list[str](), None
    for _ in range(9):
        page = calls.ended(CallFilter(), 2, after)
        seen += [call.key for call in page.calls]
        if (after := page.following) is None:
            break
    assert seen == ["c-4", "c-2", "c-1", "c-0"]
    engine.dispose()


@pytest.mark.parametrize("column", ["ended_at", "started_at", "conversation_id"])
def test_a_page_wholly_of_damaged_rows_hides_none_behind_it(sqlite_url: str, column: str) -> None:
    engine = open_database(sqlite_url)
    for number in range(9):
        finished(engine, number)
    for number in range(2, 8):
        spoil(engine, schema.call, column, f"x'{number:02}'", f"conversation_id = 'c-{number}'")
    calls, seen, after = Calls(engine), list[str](), None
    for _ in range(9):
        page = calls.ended(CallFilter(), 1, after)
        seen += [call.key for call in page.calls]
        if (after := page.following) is None:
            break
    assert seen == ["c-8", "c-1", "c-0"]
    engine.dispose()


def test_calls_are_counted_by_outcome_and_by_the_error_that_ended_them(engine: Engine) -> None:
    for number in range(6):
        errors = (f"effect crm.book failed: c-{number}:t1", f"model: {'TimeoutError' if number < 4 else 'SSLError'}")
        finished(engine, number, outcome="failed", errors=errors)
    finished(engine, 6)
    finished(engine, 7, outcome="lost", errors=("effect crm.book unclear: c-7:t1",))
    counted = Calls(engine).counts(CallFilter(since=AT + timedelta(minutes=1)))
    assert list(counted.items()) == [
        (("failed", "model: TimeoutError"), 3),
        (("failed", "model: SSLError"), 2),
        (("completed", ""), 1),
        (("lost", "effect crm.book unclear"), 1),
    ]


def test_what_only_one_call_has_is_cut_from_its_errors() -> None:
    assert errors_text(["effect a.b failed: c-1:t1:a", "c-1", "task:t1: ValueError"], "c-1") == (
        "effect a.b failed\nc-1\ntask:t1: ValueError"
    )
    assert tasks_text([("a", "ok"), ("b", "open")]) == " a=ok b=open"


# --- in progress ---


def begun(engine: Engine, node: str, key: str, bot: str = "practice", caller: str = "+49301") -> Leases:
    """A process that has begun a call, a minute after the one before."""
    leases = Leases(engine, node)
    lease = leases.open(key, "", {"bot": bot, "caller": caller})
    assert isinstance(lease, Lease)
    Journal(engine).append([JournalRow(lease.key, 1, "call", {}, AT + timedelta(minutes=int(key[-1])), lease.epoch)])
    return leases


def steps(engine: Engine, key: str, *bodies: dict[str, Any]) -> None:
    rows = [JournalRow(key, seq, "task", body, AT, 1) for seq, body in enumerate(bodies, 2)]
    Journal(engine).append([*rows, JournalRow(key, len(rows) + 2, "said", {}, AT, 1)])


def test_who_is_on_the_line_is_told_for_all_processes_with_task_and_state(engine: Engine) -> None:
    begun(engine, "node-a", "c-2")
    steps(
        engine, "c-2",
        {"agent": "book", "state": "Ask", "result": "open"}, {"agent": "book", "state": "Confirm", "result": "open"},
    )  # fmt: skip
    begun(engine, "node-b", "c-1", bot="dental", caller="")
    begun(engine, "node-b", "c-3")
    steps(engine, "c-3", {"agent": "book", "state": "Done", "result": "completed"})
    finished(engine, 4)
    shown = [
        (call.key, call.bot, call.caller, call.task, call.state, call.node, call.held)
        for call in Calls(engine).live(CallFilter())
    ]
    assert shown == [
        ("c-1", "dental", "", "", "", "node-b", True),
        ("c-2", "practice", "+49301", "book", "Confirm", "node-a", True),
        ("c-3", "practice", "+49301", "book", "completed", "node-b", True),
    ]
    live = {call.key: call for call in Calls(engine).live(CallFilter())}
    assert live["c-2"].started_at == AT + timedelta(minutes=2)


def test_calls_in_progress_are_found_by_bot_caller_task_and_beginning(engine: Engine) -> None:
    begun(engine, "node-a", "c-1", bot="dental")
    begun(engine, "node-a", "c-2", caller="+49302")
    steps(engine, "c-2", {"agent": "book", "state": "Ask", "result": "open"})
    calls = Calls(engine)
    for which, keys in (
        (CallFilter(bot="dental"), ["c-1"]),
        (CallFilter(caller="+49302"), ["c-2"]),
        (CallFilter(task="book"), ["c-2"]),
        (CallFilter(since=AT + timedelta(seconds=90)), ["c-2"]),
        (CallFilter(outcome="open"), ["c-1", "c-2"]),
        (CallFilter(outcome="failed"), []),
        (CallFilter(error="model"), []),
    ):
        assert [call.key for call in calls.live(which)] == keys, which


def test_a_call_whose_process_has_died_is_shown_as_nobodys_and_an_ended_one_not_at_all(engine: Engine) -> None:
    begun(engine, "node-a", "c-1")
    parked = begun(engine, "node-b", "c-2")
    parked.park("c-2", 1)
    begun(engine, "node-c", "c-3")
    Journal(engine).finish(record("c-3"), epoch=1)
    begun(engine, "node-d", "c-4")
    Journal(engine).draft(record("c-4"), epoch=1)  # its caller has left, and a task goes on
    with engine.begin() as connection:
        past = moment(connection.dialect.name, -3600)
        connection.execute(update(schema.lease).where(schema.lease.c.node == "node-a").values(lease_until=past))
    assert [(call.key, call.held) for call in Calls(engine).live(CallFilter())] == [
        ("c-1", False),
        ("c-2", False),
    ]
    with engine.begin() as connection:
        connection.execute(insert(schema.node).values(node="node-a", seen_at=moment(connection.dialect.name)))
    assert [call.held for call in Calls(engine).live(CallFilter())] == [True, False]


def test_damaged_rows_hide_no_other_call(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    for number, (table, column, garbage) in enumerate(columns_of(schema.call, schema.call_event, schema.lease)):
        key = f"bad-{number}"
        in_progress = table is not schema.call
        add_call(engine, key, 1, record=not in_progress, lease="open" if in_progress else "ended", events=1)
        spoil(engine, table, column, garbage, f"conversation_id = '{key}'")
    add_call(engine, "ended", 2)
    add_call(engine, "live", 2, record=False, lease="open")
    calls, everyone = Calls(engine), CallFilter()
    assert "ended" in {call.key for call in calls.ended(everyone, 1000).calls}
    assert calls.counts(everyone)["completed", ""] > 1
    assert sum(each.calls for each in costs_by_day(engine, everyone)) > 1
    assert "live" in {call.key for call in calls.live(everyone)}
    engine.dispose()
