"""The tasks of a call, restored from its journal."""

from __future__ import annotations

from actors.messages.call import FunctionCalled
from actors.messages.journal_rows import AnsweredRow, BotSaidRow, CalledRow, JournalEntry, Row, TaskRow, UnreadRow
from actors.tasks.replay import calls_left, highest_run, keys_ahead, tasks_left
from fsm.answer import Snapshot
from fsm.effects import STATES_AHEAD, effect_key
from tests.actors.calls import BEGAN

SNAPSHOT = Snapshot(
    agent="order_pizza", visited=("What", "Confirm"), items=(), notes=(), no_match={}, no_input={}, asked="", say="",
)  # fmt: skip


def journal(*rows: Row | UnreadRow) -> list[JournalEntry]:
    return [JournalEntry("c-1", seq, BEGAN, row) for seq, row in enumerate(rows, start=1)]


def task(run: str, result: str = "open", snapshot: Snapshot | None = SNAPSHOT) -> TaskRow:
    return TaskRow(run=run, agent="order_pizza", response=f"r-{run}", result=result, snapshot=snapshot)


def test_runs_have_their_last_state_in_the_order_they_began() -> None:
    rows = journal(task("t1"), task("t2"), UnreadRow("task", known=True), task("t1", result="baked"))
    assert tasks_left(rows) == [task("t1", result="baked"), task("t2")]


def test_a_run_whose_step_left_no_snapshot_stands_where_it_stood_before() -> None:
    rows = journal(task("t1"), task("t1", result="failed", snapshot=None), task("t2", snapshot=None))
    assert tasks_left(rows) == [task("t1", result="failed"), task("t2", snapshot=None)]


def test_no_number_of_a_run_is_free_that_a_run_may_have_had() -> None:
    assert highest_run([]) == 0
    assert highest_run(journal(task("t2"), task("t2"), UnreadRow("caller_smiled", known=False))) == 2
    assert highest_run(journal(task("t1"), UnreadRow("task", known=True), task("of_another_release"))) == 2


def test_idempotency_keys_are_enumerated_for_open_runs_only() -> None:
    rows = journal(task("t1"), task("t2", result="baked"), task("t3", snapshot=None))
    steps = range(len(SNAPSHOT.visited) + 1, len(SNAPSHOT.visited) + STATES_AHEAD + 1)
    assert keys_ahead("c-1", rows) == {effect_key("c-1", "t1", step): "t1" for step in steps}


def test_calls_are_told_apart_by_whether_they_have_their_outputs() -> None:
    rows = journal(
        CalledRow(call="call-1", name="order_pizza", arguments="{}", response="r-1"),
        CalledRow(call="call-2", name="end_call", arguments="{}"),
        BotSaidRow(item="i-1", text="Which one?"),
        AnsweredRow(call="call-1", output="{}"),
    )
    assert calls_left(rows) == ([FunctionCalled("call-2", "end_call", "{}")], {"call-1"})
