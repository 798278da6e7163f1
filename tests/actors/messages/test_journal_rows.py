"""Rows as they are stored: those of this release, of the one before, and of one that is not there yet."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from actors.call.replay import left_record
from actors.messages.journal import CallOpening, ResumeState
from actors.messages.journal_rows import (
    KINDS,
    BotSaidRow,
    ClipRow,
    ForeignSnapshot,
    JournalEntry,
    TaskRow,
    UnreadRow,
    decode,
    encode,
    unknown_fields,
)
from actors.tasks.replay import calls_left, keys_ahead, tasks_left
from appointments.book_appointment import BOOK_APPOINTMENT
from fsm.answer import Snapshot
from fsm.effects import TaskContext
from fsm.run import TaskRun
from protocols.errors import MisuseError
from store.figures import CallFigures
from store.journal import CallRecord, JournalRow, TurnRecord
from tests.actors.calls import BEGAN, Kitchen

FILE = Path(__file__).parents[2] / "store" / "rows_of_release_0_1.json"
RELEASE_0_1: dict[str, dict[str, Any]] = {
    call["conversation_id"]: call for call in json.loads(FILE.read_text())["calls"]
}
# What release 0.1 wrote, by kind; and "error", which it could read.
KINDS_OF_0_1 = {
    "answered", "bot_heard", "bot_said", "call", "called", "caller_said", "caller_spoke", "caller_typed", "clip",
    "ended", "inherited", "resumed", "task",
}  # fmt: skip


def stored(kind: str, **body: Any) -> JournalRow:
    return JournalRow(conversation_id="c-1", seq=7, kind=kind, body=body, at=BEGAN)


def rows_of(conversation_id: str) -> tuple[JournalRow, ...]:
    rows = RELEASE_0_1[conversation_id]["rows"]
    return tuple(JournalRow(conversation_id, **row | {"at": datetime.fromisoformat(row["at"])}) for row in rows)


def without_figures(turn: TurnRecord) -> TurnRecord:
    return turn.model_copy(update={"answer": None, "yield_ms": None, "unheard_ms": 0})


def left_by_0_1(conversation_id: str) -> ResumeState:
    opening = CallOpening.model_validate(RELEASE_0_1[conversation_id]["opening"])
    return ResumeState(opening, tuple(decode(row) for row in rows_of(conversation_id)))


# --- the release before ---


def test_the_rows_kept_are_of_every_kind_that_release_0_1_wrote() -> None:
    assert {row.kind for call in RELEASE_0_1 for row in rows_of(call)} == KINDS_OF_0_1


@pytest.mark.parametrize("conversation_id", RELEASE_0_1)
def test_rows_of_the_release_before_are_read_into_the_record_that_it_made(conversation_id: str) -> None:
    left = left_by_0_1(conversation_id)
    assert not [entry for entry in left.rows if isinstance(entry.row, UnreadRow)]
    theirs = CallRecord.model_validate(RELEASE_0_1[conversation_id]["record"])
    ours = left_record(conversation_id, left)
    assert ours is not None

    clips = [entry.row for entry in left.rows if isinstance(entry.row, ClipRow)]
    of_clips = {f"clip-{entry.seq}" for entry in left.rows if isinstance(entry.row, ClipRow)}
    # It put clips into the record, but into their rows neither their names nor their beginnings; these we reckon.
    assert [(turn.text, turn.heard_ms) for turn in ours.turns if turn.item_id in of_clips] == [
        (clip.text, clip.heard_ms) for clip in clips
    ]
    assert sorted(turn.text for turn in ours.turns) == sorted(turn.text for turn in theirs.turns)
    not_told = {
        # It read the clock once for the record and once more for the row, a moment later.
        "started_at": ours.started_at,
        "ended_at": ours.ended_at,
        # It wrote no row of them: a process that took a call over lost what was spent before.
        "usage": {},
        "turns": tuple(turn for turn in theirs.turns if not turn.item_id.startswith("clip")),
    }
    assert ours.model_copy(
        # It had no figures of turns and calls; ours are of what its rows tell.
        update={
            "turns": tuple(without_figures(turn) for turn in ours.turns if turn.item_id not in of_clips),
            "figures": CallFigures(),
        }
    ) == theirs.model_copy(update=not_told)


def test_a_task_left_by_the_release_before_does_not_skip_what_the_table_asks_for_now() -> None:
    rows = left_by_0_1("c-1").rows[:9]  # its process was killed over the question whether to book
    (task,) = tasks_left(rows)
    assert isinstance(task.snapshot, Snapshot)
    assert task.snapshot.visited == ("CollectDate", "CollectTime", "Confirm"), "it asked for no name"
    context = TaskContext("c-1", task.run, "+4930555010", lambda: BEGAN)
    with pytest.raises(MisuseError, match="does not fit its table"):
        TaskRun.restore(BOOK_APPOINTMENT, context, Kitchen({}), task.snapshot)
    assert set(keys_ahead("c-1", rows).values()) == {"t1"}
    unanswered, answered = calls_left(rows)
    assert (unanswered, len(answered)) == ([], 1)


@pytest.mark.parametrize("conversation_id", RELEASE_0_1)
def test_what_is_written_now_has_all_that_the_release_before_reads(conversation_id: str) -> None:
    for row in rows_of(conversation_id):
        again = encode(decode(row), row.epoch)
        assert replace(again, body=row.body) == row
        assert known_of(again.body, row.body) == row.body


def known_of(new: object, old: object) -> object:
    """What is written now, without the fields that the release before does not have."""
    match new, old:
        case dict(), dict():
            return {name: known_of(new[name], each) for name, each in old.items()}
        case list(), list():
            return [known_of(*each) for each in zip(new, old, strict=True)]
        case _:
            return new


# --- a release that is not there yet ---


def test_an_unknown_kind_is_skipped_and_keeps_its_number() -> None:
    entry = decode(stored("caller_smiled", teeth=32))
    assert (entry.seq, entry.row) == (7, UnreadRow("caller_smiled", known=False))
    assert unknown_fields(stored("caller_smiled", teeth=32)) == frozenset()


def test_unknown_fields_are_ignored() -> None:
    row = stored("bot_said", item="i-1", text="Hello.", mood="kind")
    assert decode(row).row == BotSaidRow(item="i-1", text="Hello.")
    assert unknown_fields(row) == {"mood"}


def test_a_snapshot_with_more_than_this_release_knows_is_read_as_far_as_it_is_known() -> None:
    (task,) = tasks_left(left_by_0_1("c-1").rows[:9])
    assert isinstance(task.snapshot, Snapshot)
    more = task.snapshot.model_dump(mode="json") | {"mood": 3}
    more["items"] = [item | {"heard": "clearly"} for item in more["items"]]
    entry = decode(stored("task", run="t1", agent="book_appointment", result="open", snapshot=more))
    assert isinstance(entry.row, TaskRow)
    assert entry.row.snapshot == task.snapshot


@pytest.mark.parametrize(
    "row",
    [
        stored("bot_said", item="i-1"),
        stored("caller_spoke", item="i-1", began_ms="at once", ended_ms=7),
        stored("task", run="t1", agent="order_pizza", result="open", snapshot="half a pizza"),
        stored("response", usage=[1, 2]),
    ],
    ids=lambda row: row.kind,
)
def test_a_row_that_cannot_be_read_is_noted_in_the_record(row: JournalRow) -> None:
    assert decode(row).row == UnreadRow(row.kind, known=True)
    call, other = decode(stored("call")), decode(stored("caller_smiled"))
    record = left_record("c-1", ResumeState(CallOpening(), (call, decode(row), other)))
    assert record is not None
    assert record.errors == (f"journal: {row.kind} cannot be read",)


def test_a_body_that_is_no_object_cannot_be_read() -> None:
    nothing: Any = ["i-1", "Hello."]
    assert decode(replace(stored("bot_said"), body=nothing)).row == UnreadRow("bot_said", known=True)


def test_of_a_snapshot_of_another_release_the_record_has_the_states_and_the_notes() -> None:
    snapshot = {"visited": ["What", "Topping"], "mushrooms": 3}
    entry = decode(stored("task", run="t1", agent="order_pizza", result="open", snapshot=snapshot))
    assert isinstance(entry.row, TaskRow)
    assert entry.row.snapshot == ForeignSnapshot(visited=("What", "Topping"))
    record = left_record("c-1", ResumeState(CallOpening(), (decode(stored("call")), entry)))
    assert record is not None
    assert [task.states for task in record.tasks] == [("What", "Topping")]
    assert list(keys_ahead("c-1", [entry]))[:2] == ["c-1:t1:3", "c-1:t1:4"]


# --- this one ---


def test_every_kind_has_its_row_in_the_table_of_the_documentation() -> None:
    lines = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text().splitlines()
    told = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert told >= KINDS


def test_an_unread_row_is_not_written() -> None:
    with pytest.raises(TypeError):
        encode(JournalEntry("c-1", 1, BEGAN, UnreadRow("caller_smiled", known=False)), epoch=1)
