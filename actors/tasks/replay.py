"""The tasks of a call read back from its journal, by the process that takes the call over.

Pure. May import: actors.messages, fsm, the standard library.
Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.messages.call import FunctionCalled
from actors.messages.journal_rows import AnsweredRow, CalledRow, JournalEntry, OwedRow, TaskRow, UnreadRow
from fsm.effects import effect_keys_ahead

OPEN = "open"


def tasks_left(rows: Sequence[JournalEntry]) -> list[TaskRow]:
    """The last row of every run, in the order they began, with its last snapshot; None if it finished no step."""
    runs: dict[str, TaskRow] = {}
    for entry in rows:
        match entry.row:
            case TaskRow(run=run_id, snapshot=None) as row if (before := runs.get(run_id)) is not None:
                runs[run_id] = row.model_copy(update={"snapshot": before.snapshot})
            case TaskRow() as row:
                runs[row.run] = row
            case _:
                pass
    return list(runs.values())


def highest_run(rows: Sequence[JournalEntry]) -> int:
    """The highest number that a run may have had: each row of a task that cannot be read may be of another run."""
    numbers = [int(left.run[1:]) for left in tasks_left(rows) if left.run[1:].isdecimal()]
    unread = sum(isinstance(entry.row, UnreadRow) and entry.row.kind == "task" for entry in rows)
    return max(numbers, default=0) + unread


def keys_ahead(conversation_id: str, rows: Sequence[JournalEntry]) -> dict[str, str]:
    """Idempotency keys of effects that may have been done without being in the journal; each with its run id."""
    return {
        key: left.run
        for left in tasks_left(rows)
        if left.result == OPEN and left.snapshot is not None
        for key in effect_keys_ahead(conversation_id, left.run, len(left.snapshot.visited))
    }


def calls_left(rows: Sequence[JournalEntry]) -> tuple[list[FunctionCalled], set[str]]:
    """The function calls without an output; and the ids of those with one."""
    called: dict[str, FunctionCalled] = {}
    answered: set[str] = set()
    for entry in rows:
        match entry.row:
            case CalledRow() as row:
                called[row.call] = FunctionCalled(row.call, row.name, row.arguments, row.response)
            case AnsweredRow() as row:
                answered.add(row.call)
            case _:
                pass
    return [call for call_id, call in called.items() if call_id not in answered], answered


def owed_left(rows: Sequence[JournalEntry]) -> OwedRow:
    """What the caller must hear yet."""
    return next((entry.row for entry in reversed(rows) if isinstance(entry.row, OwedRow)), OwedRow())
